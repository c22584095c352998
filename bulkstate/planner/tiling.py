"""A rectangle over the limits becomes tiles: fewest requests first, then fewest bytes."""

from __future__ import annotations

import numpy as np

from bulkstate.model import IndexArray, Rectangle
from bulkstate.planner import grid, strips
from bulkstate.planner.limits import Limits, Tiles, Weights


def tile(rectangle: Rectangle, weights: Weights, limits: Limits) -> Tiles:
    """The rectangle's tiles: strips or a grid, whichever is better. They share the memory of its arrays.

    Any asset of the rectangle must fit into one request with any of its points.
    """
    whole = weights.of(rectangle)
    if rectangle.pairs <= limits.pairs and whole <= limits.bytes:
        return Tiles((rectangle,), whole)
    ways = _strips(rectangle, weights, limits), grid.tile(rectangle, weights, limits)
    return min(ways, key=lambda way: (len(way.rectangles), way.body_bytes))


def _strips(rectangle: Rectangle, weights: Weights, limits: Limits) -> Tiles:
    within = strips.Limits(limits.pairs, limits.bytes - weights.frame)
    found = strips.tiles(weights.assets[rectangle.assets], weights.points[rectangle.points], within)
    assets, points = _Slices(rectangle.assets), _Slices(rectangle.points)
    cut = [Rectangle(assets.cut(tile.top, tile.bottom), points.cut(tile.left, tile.right)) for tile in found]
    asset_sums, point_sums = _sums(weights.assets[rectangle.assets]), _sums(weights.points[rectangle.points])
    body_bytes = sum(
        weights.frame + asset_sums[tile.bottom] - asset_sums[tile.top] + point_sums[tile.right] - point_sums[tile.left]
        for tile in found
    )
    return Tiles(tuple(cut), int(body_bytes))


def _sums(sizes: np.ndarray) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(sizes)))


class _Slices:
    """Slices of one side: tiles beside each other get the same array."""

    def __init__(self, side: IndexArray) -> None:
        self._side = side
        self._cut: dict[tuple[int, int], IndexArray] = {}

    def cut(self, start: int, end: int) -> IndexArray:
        return self._cut.setdefault((start, end), self._side[start:end])
