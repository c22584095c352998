"""An independent check of law 1, pair by pair: every target pair is in a request, and no other is. Knows no planner."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Requests = Iterable[tuple[NDArray[np.int32], NDArray[np.int32]]]
"""Positions of assets and points, a request each."""

_BATCH = 1 << 25
"""Pairs that are spelt out at once."""


def check_pairs(
    requests: Requests, target: NDArray[np.int64], width: int, cap: int, spared: NDArray[np.int64] | None = None
) -> None:
    """AssertionError unless the requests hold exactly `target`, each at most `cap` pairs; or, where only `spared`
    mustn't be touched, all of `target` and none of those.

    Both are codes, ascending, each once: asset times `width` plus point.
    """
    seen = np.zeros(len(target), np.bool_)
    batch: list[NDArray[np.int64]] = []
    size = 0
    for assets, points in requests:
        assert 0 < len(assets) * len(points) <= cap, "a request is empty, or over the cap"
        batch.append((assets.astype(np.int64)[:, None] * width + points).ravel())
        size += len(batch[-1])
        if size > _BATCH:
            _tick(seen, target, np.concatenate(batch), spared)
            batch, size = [], 0
    if batch:
        _tick(seen, target, np.concatenate(batch), spared)
    assert seen.all(), f"{np.count_nonzero(~seen)} target pairs are in no request"


def _tick(
    seen: NDArray[np.bool_], target: NDArray[np.int64], codes: NDArray[np.int64], spared: NDArray[np.int64] | None
) -> None:
    places, known = _find(codes, target)
    if spared is None:
        assert known.all(), f"{np.count_nonzero(~known)} pairs are sent that aren't to be deleted"
    else:
        assert not _find(codes, spared)[1].any(), "pairs are sent that are kept"
    seen[places[known]] = True


def _find(codes: NDArray[np.int64], among: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    places = np.searchsorted(among, codes)
    known = places < len(among)
    known[known] = among[places[known]] == codes[known]
    return places, known


def check_block(requests: Requests, assets: int, points: int, cap: int) -> None:
    """AssertionError unless the requests hold every pair of a whole block, each once and at most `cap` a request.

    Corners are counted: requests of intervals tile a block if each corner but the block's is shared evenly, and the
    areas add up.
    """
    area = 0
    corners: dict[tuple[int, int], int] = {}
    for rows, columns in requests:
        assert 0 < len(rows) * len(columns) <= cap, "a request is empty, or over the cap"
        edges = [(int(side[0]), int(side[-1]) + 1) for side in (rows, columns)]
        assert all(last - first == len(side) for (first, last), side in zip(edges, (rows, columns), strict=True))
        area += len(rows) * len(columns)
        for row, down in zip(edges[0], (1, -1), strict=True):
            for column, across in zip(edges[1], (1, -1), strict=True):
                corners[row, column] = corners.get((row, column), 0) + down * across
    whole = {(row, column): a * b for row, a in ((0, 1), (assets, -1)) for column, b in ((0, 1), (points, -1))}
    assert {corner: sign for corner, sign in corners.items() if sign} == whole, "the tiles don't tile the block"
    assert area == assets * points
