"""A fleet with random holes, in Parquet: 500,000 assets, about 50,000,000 pairs, in random order.

300 models of 20 to 500 points, a third of each model's points inherited from a parent; assets spread over the models by
Zipf's law with exponent 1; 1 to 4 firmware variants a model, each without up to a tenth of its points; 0.5 % of pairs
missing at random. The small models are the common ones, as in real fleets: it is also what makes 500,000 assets come
to about 50,000,000 pairs, where models in any order come to 128,000,000.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

SEED = 1
_LETTERS = np.frombuffer((string.ascii_letters + string.digits).encode(), dtype=np.uint8)


@dataclass(frozen=True)
class Shape:
    """The size of a fleet. `missing` is the share of pairs left out; `common_is_small` orders models by size."""

    assets: int = 500_000
    models: int = 300
    fewest_points: int = 20
    most_points: int = 500
    missing: float = 0.005
    common_is_small: bool = True


@dataclass(frozen=True)
class Fleet:
    """Encoded pairs in compressed rows: asset `i` has `points[starts[i]:starts[i + 1]]`, ascending."""

    starts: NDArray[np.int64]
    points: NDArray[np.int32]
    point_count: int


def make_fleet(shape: Shape, seed: int) -> Fleet:
    """A fleet drawn from `seed`; assets in random order."""
    rng = np.random.default_rng(seed)
    catalogue, point_count = _models(shape, rng)
    variants = [list(_variants(points, rng)) for points in catalogue]
    model_of = _assets(shape, rng)
    rows: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for model, choices in enumerate(variants):
        members = np.flatnonzero(model_of == model)
        which = rng.integers(len(choices), size=members.size)
        for number, points in enumerate(choices):
            rows.append(_with_holes(members[which == number], points, shape.missing, rng))
    return _compressed(rows, shape.assets, point_count)


def _models(shape: Shape, rng: np.random.Generator) -> tuple[list[NDArray[np.int64]], int]:
    sizes = rng.integers(shape.fewest_points, shape.most_points + 1, size=shape.models)
    if shape.common_is_small:
        sizes.sort()
    catalogue: list[NDArray[np.int64]] = []
    fresh = 0
    for number, size in enumerate(sizes.tolist()):
        inherited = _inherited(catalogue, size // 3, number, rng)
        own = np.arange(fresh, fresh + size - inherited.size)
        fresh += own.size
        catalogue.append(np.concatenate([inherited, own]))
    return catalogue, fresh


def _inherited(
    catalogue: list[NDArray[np.int64]], size: int, number: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    if not number:
        return np.empty(0, dtype=np.int64)
    parent = catalogue[rng.integers(number)]
    return rng.choice(parent, size=min(size, parent.size), replace=False)


def _variants(points: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    for _ in range(rng.integers(1, 5)):
        lacking = rng.integers(0, points.size // 10 + 1)
        yield np.sort(rng.permutation(points)[lacking:])


def _assets(shape: Shape, rng: np.random.Generator) -> NDArray[np.int64]:
    weights = 1 / np.arange(1, shape.models + 1)
    return rng.choice(shape.models, size=shape.assets, p=weights / weights.sum())


def _with_holes(
    assets: NDArray[np.int64], points: NDArray[np.int64], missing: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    kept = rng.random((assets.size, points.size), dtype=np.float32) >= missing
    asset, point = np.nonzero(kept)
    return assets[asset], points[point]


def _compressed(rows: list[tuple[NDArray[np.int64], NDArray[np.int64]]], assets: int, point_count: int) -> Fleet:
    codes = np.concatenate([asset * point_count + point for asset, point in rows])
    codes.sort()
    starts = np.searchsorted(codes, np.arange(assets + 1) * point_count)
    return Fleet(starts, (codes % point_count).astype(np.int32), point_count)


def identifiers(count: int, length: int, seed: int) -> list[str]:
    """`count` different random IDs of letters and digits."""
    rng = np.random.default_rng(seed)
    seen: dict[str, None] = {}
    while len(seen) < count:
        drawn = _LETTERS[rng.integers(_LETTERS.size, size=(count, length))]
        seen.update(dict.fromkeys(bytes(row).decode() for row in drawn))
    return list(seen)[:count]


def write_parquet(fleet: Fleet, path: Path, seed: int) -> None:
    """Write the fleet as Parquet with columns `asset_id` (8 characters) and `point_id` (16), in random order."""
    order = np.random.default_rng(seed).permutation(fleet.points.size)
    assets = np.repeat(np.arange(fleet.starts.size - 1, dtype=np.int32), np.diff(fleet.starts))[order]
    asset_ids = pl.Series(identifiers(fleet.starts.size - 1, 8, seed))
    point_ids = pl.Series(identifiers(fleet.point_count, 16, seed + 1))
    frame = pl.DataFrame({"asset_id": asset_ids.gather(assets), "point_id": point_ids.gather(fleet.points[order])})
    frame.write_parquet(path)


def write_sparse(folder: Path, seed: int, assets: int = 4_000_000, models: int = 500) -> int:
    """Write about 200,000,000 pairs as a folder of 20 Parquet files, each in random order. Returns how many there are.

    Models of 20 to 80 points of 5,000; two assets in a hundred lack one of their model's.
    """
    rng = np.random.default_rng(seed)
    catalogue = [rng.choice(5_000, size, replace=False) for size in rng.integers(20, 81, models)]
    of_model = rng.integers(models, size=assets)
    lacking = np.where(rng.random(assets) < 0.02, rng.integers(80, size=assets), -1)
    asset_ids = pl.Series([f"WTG{number:07d}" for number in range(assets)])
    point_ids = pl.Series([f"INV.Point{number:04d}" for number in range(5_000)])
    pairs = 0
    for part in range(20):
        found = []
        for model, points in enumerate(catalogue):
            members = np.flatnonzero(of_model == model)
            for place in range(part, points.size, 20):
                whole = members[lacking[members] != place]
                found.append((whole.astype(np.int32), np.full(whole.size, points[place], np.int32)))
        rows, columns = (np.concatenate(side) for side in zip(*found, strict=True))
        order = rng.permutation(rows.size)
        frame = pl.DataFrame({"asset_id": asset_ids.gather(rows[order]), "point_id": point_ids.gather(columns[order])})
        frame.write_parquet(folder / f"part-{part:02d}.parquet")
        pairs += rows.size
    return pairs
