"""A rectangle over the limits becomes a grid of tiles: fewest requests first, then fewest bytes.

In a grid of r × k tiles every asset is sent k times and every point r times. So the bytes of a grid follow from r and k
alone, and among grids of equally many tiles the near-square ones send the least.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import IndexArray, Rectangle
from bulkstate.planner.limits import IdSizes, RequestLimits, Tiles, Weights, sums_before

CANDIDATES = 16
"""How many grids are cut before the best is taken. Only where bytes bind is it ever another than the first."""


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One side of a rectangle: positions in a dictionary, and `sums`, the bytes of those before each (and of all)."""

    positions: IndexArray
    sums: NDArray[np.int64] = field(repr=False)
    heaviest: int

    @classmethod
    def of(cls, positions: IndexArray, sizes: IdSizes) -> _Side:
        own = sizes[positions]
        return cls(positions, sums_before(own), int(own.max()))

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def bytes(self) -> int:
        return int(self.sums[-1])

    def cut(self, count: int, limit: int) -> NDArray[np.int64]:
        """Where to cut into the fewest runs of at most `count` IDs and `limit` bytes; `limit` >= `heaviest`."""
        even = np.append(np.arange(0, len(self), count), len(self))
        return even if self.heaviest_run(even) <= limit else self._cut_by_bytes(count, limit)

    def _cut_by_bytes(self, count: int, limit: int) -> NDArray[np.int64]:
        cuts = [0]
        while cuts[-1] < len(self):
            reach = int(np.searchsorted(self.sums, self.sums[cuts[-1]] + limit, side="right")) - 1
            cuts.append(min(cuts[-1] + count, reach))
        return np.array(cuts, np.int64)

    def heaviest_run(self, cuts: NDArray[np.int64]) -> int:
        return int(np.diff(self.sums[cuts]).max())

    def runs(self, cuts: NDArray[np.int64]) -> list[IndexArray]:
        return np.split(self.positions, cuts[1:-1])


Cost: TypeAlias = tuple[int, int]
"""Requests, then bytes: what is compared when two grids are."""


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    assets: NDArray[np.int64]
    points: NDArray[np.int64]
    cost: Cost


class Grid:
    """The best grid for a rectangle, cut only when its tiles are asked for: there may be a hundred thousand.

    Any asset of the rectangle must fit into one request with any of its points.
    """

    def __init__(self, rectangle: Rectangle, weights: Weights, limits: RequestLimits) -> None:
        self._assets = _Side.of(rectangle.assets, weights.assets)
        self._points = _Side.of(rectangle.points, weights.points)
        self._best = _best_grid(self._assets, self._points, weights.frame, limits)

    @property
    def cost(self) -> Cost:
        """How many tiles there are, and their bodies' bytes together."""
        return self._best.cost

    def tiles(self) -> Tiles:
        """The tiles, asset by asset; they share the memory of the rectangle's arrays."""
        columns = self._points.runs(self._best.points)
        tiles = tuple(Rectangle(row, column) for row in self._assets.runs(self._best.assets) for column in columns)
        return Tiles(tiles, self._best.cost[1])


def _best_grid(assets: _Side, points: _Side, frame: int, limits: RequestLimits) -> _Grid:
    (_, columns), *others = _promising(assets, points, frame, limits)
    best = _grid(assets, points, columns, frame, limits)
    for cost, columns in others:
        if best.cost <= cost:
            break
        best = min(best, _grid(assets, points, columns, frame, limits), key=lambda grid: grid.cost)
    return best


def _promising(assets: _Side, points: _Side, frame: int, limits: RequestLimits) -> list[tuple[Cost, int]]:
    """The most promising numbers of columns, best first, each with a cost that its grid can't undercut.

    A grid of k columns and r rows sends k times the assets' bytes and r times the points', in k × r bodies of limited
    size: that bounds r from below where bytes bind, and the columns' width does where pairs bind.
    """
    widths = np.arange(1, min(len(points), limits.pairs) + 1)
    columns = np.unique(-(-len(points) // widths))
    rows = -(-len(assets) // (limits.pairs // -(-len(points) // columns)))
    room = columns * (limits.bytes - frame) - points.bytes
    columns, rows, room = columns[room > 0], rows[room > 0], room[room > 0]
    rows = np.maximum(rows, -(-columns * assets.bytes // room))
    requests = columns * rows
    sizes = columns * assets.bytes + rows * points.bytes + requests * frame
    order = np.lexsort((sizes, requests))[:CANDIDATES]
    return [((int(requests[i]), int(sizes[i])), int(columns[i])) for i in order]


def _grid(assets: _Side, points: _Side, columns: int, frame: int, limits: RequestLimits) -> _Grid:
    """The grid that cuts the points into about `columns` runs (more if bytes ask for it), and the assets to suit."""
    room = limits.bytes - frame
    width = -(-len(points) // columns)
    across = points.cut(width, room - assets.heaviest)
    down = assets.cut(limits.pairs // width, room - points.heaviest_run(across))
    k, r = len(across) - 1, len(down) - 1
    return _Grid(down, across, (k * r, k * assets.bytes + r * points.bytes + k * r * frame))
