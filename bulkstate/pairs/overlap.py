"""Rectangles that overlap, painted on a raster: what they hold together, each pair once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import IndexArray, Rectangle

_CELLS: Final = 1 << 26
"""Most cells of a raster, unless a single asset has more."""
_HEIGHT: Final = 4_096
"""Most assets of a raster."""


def without(rectangles: Sequence[Rectangle], others: Sequence[Rectangle]) -> Iterator[Rectangle]:
    """What `rectangles` hold and `others` don't, as rectangles that have no pair in common.

    Takes time by pairs, and memory by assets and 64 MiB. Assets that share a rectangle are painted together, so that a
    raster has no points but theirs.
    """
    if not rectangles:
        return
    order = _order(rectangles)
    height = max(1, min(_HEIGHT, _CELLS // (1 + max(int(each.points[-1]) for each in rectangles))))
    kept, taken = _Strokes(rectangles, order, height), _Strokes(others, order, height)
    for number, start in enumerate(range(0, len(order), height)):
        yield from _difference(order[start : start + height], list(kept.on(number)), list(taken.on(number)))


def _order(rectangles: Sequence[Rectangle]) -> IndexArray:
    """The rectangles' assets, each once, in the order in which they come first."""
    assets = np.concatenate([each.assets for each in rectangles])
    _, first = np.unique(assets, return_index=True)
    return assets[np.sort(first)]


@dataclass(frozen=True, slots=True, eq=False)
class _Stroke:
    """What one rectangle paints on a raster: places among its assets, and points."""

    places: NDArray[np.int64]
    points: IndexArray


class _Strokes:
    """The rectangles of a layer, cut up by the rasters that they are painted on."""

    def __init__(self, rectangles: Sequence[Rectangle], order: IndexArray, height: int) -> None:
        sizes = np.fromiter((len(each.assets) for each in rectangles), np.int64, len(rectangles))
        ranks = _ranks(np.concatenate([np.empty(0, np.int32), *(each.assets for each in rectangles)]), order)
        numbers = np.repeat(np.arange(len(rectangles)), sizes)
        by_raster = np.argsort(ranks // height, kind="stable")
        by_raster = by_raster[ranks[by_raster] >= 0]
        self._rectangles = rectangles
        self._places = ranks[by_raster] % height
        self._numbers = numbers[by_raster]
        self._starts = np.searchsorted(ranks[by_raster] // height, np.arange(-(-len(order) // height) + 1))

    def on(self, raster: int) -> Iterator[_Stroke]:
        start, end = self._starts[raster : raster + 2].tolist()
        numbers, places = self._numbers[start:end], self._places[start:end]
        cuts = np.flatnonzero(np.diff(numbers, prepend=-1))
        for number, part in zip(numbers[cuts].tolist(), np.split(places, cuts[1:]), strict=False):
            yield _Stroke(part, self._rectangles[number].points)


def _ranks(assets: IndexArray, order: IndexArray) -> NDArray[np.int64]:
    """Where the assets are in the order, -1 for one that isn't there."""
    ranks = np.full(1 + max(int(order.max()), int(assets.max(initial=0))), -1, np.int64)
    ranks[order] = np.arange(len(order))
    return ranks[assets]


def _difference(assets: IndexArray, kept: Sequence[_Stroke], taken: Sequence[_Stroke]) -> Iterator[Rectangle]:
    points = _union([stroke.points for stroke in kept])
    flags = np.zeros((len(assets), len(points)), np.bool_)
    place_of = np.full(1 + max(int(stroke.points[-1]) for stroke in chain(kept, taken)), -1, np.int64)
    place_of[points] = np.arange(len(points))
    for paint, strokes in ((True, kept), (False, taken)):
        for stroke in strokes:
            columns = place_of[stroke.points]
            flags[stroke.places[:, None], columns if paint else columns[columns >= 0]] = paint
    for rows in _equal_rows(flags):
        yield Rectangle(np.sort(assets[rows]), points[flags[rows[0]]])


def _union(sides: Sequence[IndexArray]) -> IndexArray:
    """The positions that are in some side, without sorting them all."""
    there = np.zeros(1 + max(int(side[-1]) for side in sides), np.bool_)
    for side in sides:
        there[side] = True
    return np.flatnonzero(there).astype(np.int32)


def _equal_rows(flags: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """The rows that have a flag, those with the same flags together."""
    found: dict[bytes, list[int]] = {}
    packed = np.packbits(flags, axis=1)
    for row in np.flatnonzero(flags.any(axis=1)).tolist():
        found.setdefault(packed[row].tobytes(), []).append(row)
    return map(np.array, found.values())
