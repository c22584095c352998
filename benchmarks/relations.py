"""Relations that planners stumble over, drawn from a seed: flags of what is selected, and of what is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Drawn:
    """Pairs of assets × points as codes, ascending: asset times `points` plus point."""

    assets: int
    points: int
    selected: NDArray[np.int64]
    kept: NDArray[np.int64]


def of_flags(selected: Flags, kept: Flags | None = None) -> Drawn:
    """The relation of a dense matrix."""
    nothing = np.empty(0, np.int64)
    return Drawn(*selected.shape, np.flatnonzero(selected), nothing if kept is None else np.flatnonzero(kept))


def noise(assets: int, points: int, share: float, seed: int, kept: float = 0.0) -> Drawn:
    """Pairs at random, no two assets alike; `kept` is the share of the others that mustn't be deleted."""
    chance = np.random.default_rng(seed)
    selected = chance.random((assets, points), np.float32) < share
    return of_flags(selected, ~selected & (chance.random((assets, points), np.float32) < kept))


def intervals(assets: int, points: int, seed: int) -> Drawn:
    """Each asset has the points between two at random: what was selected by time or by rank."""
    ends = np.sort(np.random.default_rng(seed).integers(0, points, (assets, 2)), axis=1)
    numbers = np.arange(points)
    return of_flags((ends[:, :1] <= numbers) & (numbers <= ends[:, 1:]))


def staircase(side: int) -> Drawn:
    """Asset n has the first n points: no two pairs of the diagonal fit into one request."""
    return of_flags(np.tri(side, dtype=np.bool_))


def crown(side: int) -> Drawn:
    """Everything but a perfect matching."""
    return of_flags(~np.eye(side, dtype=np.bool_))


def lacking(assets: int, points: int, most: int, seed: int) -> Drawn:
    """A block of which each asset lacks up to `most` points at random."""
    chance = np.random.default_rng(seed)
    selected = np.ones((assets, points), np.bool_)
    for row, count in zip(selected, chance.integers(0, most + 1, assets).tolist(), strict=True):
        row[chance.permutation(points)[:count]] = False
    return of_flags(selected)


def fleet(kind: str, share: float, seed: int, assets: int = 50_000, models: int = 30) -> Drawn:
    """Assets of models of 20 to 200 points, half of a model's points its own; `kind` says what is missing.

    `holes`: pairs at random. `exclusions`: a few points of single assets, of assets and points chosen beforehand.
    `blocks`: rectangles of a model's assets and points. `growth`: points that came over time, so that older assets
    have a beginning of the list.
    """
    chance = np.random.default_rng(seed)
    sizes = chance.integers(20, 201, models)
    shared = np.arange(int(sizes.max()) // 2)
    first = shared.size
    model_of = np.sort(chance.integers(0, models, assets))
    codes = []
    width = shared.size + int((sizes - sizes // 2).sum())
    for model, size in enumerate(sizes.tolist()):
        own = np.arange(first, first + size - size // 2)
        first += own.size
        points = np.concatenate([np.sort(chance.choice(shared, size // 2, replace=False)), own])
        members = np.flatnonzero(model_of == model)
        row, column = np.nonzero(_present(kind, share, (members.size, points.size), chance))
        codes.append(members[row] * width + points[column])
    return Drawn(assets, width, np.sort(np.concatenate(codes)), np.empty(0, np.int64))


def _present(kind: str, share: float, shape: tuple[int, int], chance: np.random.Generator) -> Flags:
    present = np.ones(shape, np.bool_)
    if kind == "holes":
        return chance.random(shape, np.float32) >= share
    if kind == "exclusions":
        rows = np.flatnonzero(chance.random(shape[0]) < share)
        for row in rows.tolist():
            present[row, chance.permutation(shape[1])[: 1 + int(chance.integers(0, 3))]] = False
    elif kind == "blocks":
        for _ in range(8):
            rows = chance.random(shape[0]) < share
            columns = chance.random(shape[1]) < 0.1
            present[np.ix_(rows, columns)] = False
    else:
        came = np.sort(chance.integers(0, 12, shape[1]))
        age = chance.integers(0, 12, shape[0])
        present = came[None, :] <= np.maximum(age[:, None], came[0])
    return present
