"""A rectangle over the limits becomes tiles: fewest requests first, then fewest bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bulkstate.model import IndexArray, Rectangle
from bulkstate.planner import strips
from bulkstate.planner.grid import Grid
from bulkstate.planner.limits import IdSizes, RequestLimits, Tiles, Weights, sums_before
from bulkstate.planner.strips import Tile


def tile(rectangle: Rectangle, weights: Weights, limits: RequestLimits) -> Tiles:
    """The rectangle's tiles: strips or a grid, whichever is better. They share the memory of its arrays.

    Any asset of the rectangle must fit into one request with any of its points.
    """
    whole = weights.of(rectangle)
    if rectangle.pairs <= limits.pairs and whole <= limits.bytes:
        return Tiles((rectangle,), whole)
    tiles, body_bytes = _in_strips(rectangle, weights, limits)
    grid = Grid(rectangle, weights, limits)
    if grid.cost < (len(tiles), body_bytes):
        return grid.tiles()
    return Tiles(_cut(rectangle, tiles), body_bytes)


def _in_strips(rectangle: Rectangle, weights: Weights, limits: RequestLimits) -> tuple[list[Tile], int]:
    """The rectangle's strips, and the size of their bodies together."""
    within = strips.StripLimits(limits.pairs, limits.bytes - weights.frame)
    assets, points = weights.assets[rectangle.assets], weights.points[rectangle.points]
    tiles = strips.tiles(assets, points, within)
    return tiles, len(tiles) * weights.frame + _sent(assets, points, tiles)


def _sent(assets: IdSizes, points: IdSizes, tiles: Sequence[Tile]) -> int:
    """The bytes of all tiles' IDs."""
    top, bottom, left, right = np.array(tiles, np.int64).T
    down, across = sums_before(assets), sums_before(points)
    return int((down[bottom] - down[top] + across[right] - across[left]).sum())


def _cut(rectangle: Rectangle, tiles: Sequence[Tile]) -> tuple[Rectangle, ...]:
    """The tiles as rectangles; those beside each other share an array."""
    assets, points = _Slices(rectangle.assets), _Slices(rectangle.points)
    return tuple(Rectangle(assets[top, bottom], points[left, right]) for top, bottom, left, right in tiles)


class _Slices(dict[tuple[int, int], IndexArray]):
    """Slices of one side, each made once."""

    def __init__(self, side: IndexArray) -> None:
        super().__init__()
        self._side = side

    def __missing__(self, ends: tuple[int, int]) -> IndexArray:
        self[ends] = found = self._side[slice(*ends)]
        return found
