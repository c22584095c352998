"""Proven lower bounds on the number of requests, each with a witness that ten lines can check.

The witness is groups of cells such that no request touches two groups: a request holds at most `pairs` pairs, so a
group of n pairs needs ceil(n / pairs) requests of its own. One group of everything is the *volume* bound, groups of
single cells a *fooling set*, groups of equal cells a *weighted fooling set*; groups grown around a fooling set are
stronger than either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.bits import members
from bulkstate.planner.cover.graph import Cell, Graph, Matrix, compatibility, components
from bulkstate.planner.cover.small import Cover, Weighted

_GROWN = 6_000  # cells up to which groups are grown: their compatibility graph is quadratic


@dataclass(frozen=True, eq=False)
class Region:
    """The targets inside row classes × column classes, as a group too large to list."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


@dataclass(frozen=True)
class Bound:
    """At least `requests` are needed.

    `proof` is "volume", "fooling set", "groups" or "weights". `groups` are lists of cells (row class, column
    class) of which no request touches two; `weighted` are weights on cells none of which lies in a group's reach,
    for components where they say more (see `Weighted`). `regions` are further groups, for large relations.
    """

    requests: int
    proof: str
    groups: tuple[tuple[Cell, ...], ...]
    weighted: tuple[Weighted, ...] = ()
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True)
class Sizes:
    """How many rows and columns each class stands for, and the pairs that one request may hold."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    pairs: int

    def of(self, cell: Cell) -> int:
        """The pairs of a cell."""
        return int(self.rows[cell[0]]) * int(self.columns[cell[1]])

    def needed(self, cells: tuple[Cell, ...]) -> int:
        """The requests that a group of cells needs by volume alone."""
        return -(-sum(map(self.of, cells)) // self.pairs)


def by_fooling(cells: tuple[Cell, ...], sizes: Sizes) -> Bound:
    """By cells of which no two fit in one request."""
    return Bound(sum(sizes.needed((cell,)) for cell in cells), "fooling set", tuple((cell,) for cell in cells))


def lower_bound(matrix: Matrix, sizes: Sizes, cover: Cover) -> Bound:
    """The best of the bounds: by weights where the cap doesn't bind, by groups where it does."""
    cells = [(row, column) for row, line in enumerate(matrix.target) for column in members(line)]
    everything = Bound(sizes.needed(tuple(cells)), "volume", (tuple(cells),))
    named = by_fooling(cover.fooling, sizes)
    if cover.weighted:
        weighted = sum(-(-sum(w for _, w in one.cells) // one.load) for one in cover.weighted)
        named = Bound(named.requests + weighted, "weights", named.groups, cover.weighted)
    bounds = [named, everything]
    if len(cells) <= _GROWN:
        groups = _best_groups(compatibility(matrix, cells), sizes, frozenset(cover.fooling))
        bounds.append(Bound(sum(map(sizes.needed, groups)), "groups", groups))
    return max(bounds, key=lambda bound: bound.requests)


def _best_groups(graph: Graph, sizes: Sizes, fooling: frozenset[Cell]) -> tuple[tuple[Cell, ...], ...]:
    """For each connected component the better of one group (volume) and groups grown around cells of which no two
    fit."""
    chosen: list[tuple[Cell, ...]] = []
    for part in components(graph):
        cells = tuple(graph.cells[vertex] for vertex in part)
        within = graph.induced(part)
        heavy = sorted(range(len(cells)), key=lambda vertex: (-sizes.of(cells[vertex]), vertex))
        known = [vertex for vertex in range(len(cells)) if cells[vertex] in fooling]
        ways = [(cells,), _grown_groups(within, _independent(within, [*known, *heavy]), heavy)]
        ways.append(_grown_groups(within, _independent(within, heavy), heavy))
        chosen += max(ways, key=lambda groups: sum(map(sizes.needed, groups)))
    return tuple(chosen)


def _independent(graph: Graph, order: list[int]) -> list[int]:
    """Vertices of which no two are near each other, taken in order."""
    taken, blocked = [], 0
    for vertex in order:
        if not blocked >> vertex & 1:
            taken.append(vertex)
            blocked |= graph.near[vertex]
    return taken


def _grown_groups(graph: Graph, seeds: list[int], order: list[int]) -> tuple[tuple[Cell, ...], ...]:
    """Groups around the seeds, each given what is near no other group."""
    groups = [1 << seed for seed in seeds]
    reach = [graph.near[seed] for seed in seeds]
    for vertex in order:
        touched = [number for number, near in enumerate(reach) if near >> vertex & 1]
        if len(touched) == 1:
            groups[touched[0]] |= 1 << vertex
            reach[touched[0]] |= graph.near[vertex]
    return tuple(tuple(graph.cells[vertex] for vertex in members(group)) for group in groups)
