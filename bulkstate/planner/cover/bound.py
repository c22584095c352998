"""Proven lower bounds on the number of requests, each with a witness that ten lines can check.

A bound is parts of the target of which no request touches two, and what each part needs: by the pairs that a request
may hold, by weights, or because its lines are different (`sperner`). One part of everything is the *volume* bound,
parts of single cells are a *fooling set*, parts of equal cells a *weighted fooling set*; parts grown around a fooling
set are stronger than either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.bits import members
from bulkstate.planner.cover.graph import Cell, Graph, Matrix, compatibility, components
from bulkstate.planner.cover.lines import Piece
from bulkstate.planner.cover.small import Cover, Weighted

_GROWN = 6_000  # cells up to which groups are grown: their compatibility graph is quadratic


@dataclass(frozen=True)
class Group:
    """Target cells (row class, column class), and how many requests their pairs fill."""

    cells: tuple[Cell, ...]
    needed: int


@dataclass(frozen=True, eq=False)
class Region:
    """The target cells inside rows × columns, too many to list, and how many requests their pairs fill."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    needed: int


@dataclass(frozen=True, eq=False)
class Unlike:
    """The target cells inside rows × columns, which need requests because the rows are different there (or, if
    `by_columns`, the columns)."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    needed: int
    by_columns: bool


Part: TypeAlias = Group | Region | Unlike | Weighted


@dataclass(frozen=True)
class Bound:
    """At least `requests` are needed: what the parts need together. No request touches two of them."""

    parts: tuple[Part, ...]

    @property
    def requests(self) -> int:
        """What the parts need together."""
        return sum(part.needed for part in self.parts)

    def transposed(self) -> Bound:
        """The bound on the transposed relation."""
        return Bound(tuple(map(_transposed, self.parts)))


def _transposed(part: Part) -> Part:
    match part:
        case Group(cells, needed):
            return Group(tuple((column, row) for row, column in cells), needed)
        case Region(rows, columns, needed):
            return Region(columns, rows, needed)
        case Unlike(rows, columns, needed, by_columns):
            return Unlike(columns, rows, needed, not by_columns)
        case Weighted(cells, load):
            return Weighted(tuple(((column, row), weight) for (row, column), weight in cells), load)


@dataclass(frozen=True)
class Sizes:
    """How many rows and columns each class stands for, and the pairs that one request may hold."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    pairs: int

    def of(self, cell: Cell) -> int:
        """The pairs of a cell."""
        return int(self.rows[cell[0]]) * int(self.columns[cell[1]])

    def group(self, cells: Iterable[Cell]) -> Group:
        """Cells as a part of a bound."""
        listed = tuple(cells)
        return Group(listed, -(-sum(map(self.of, listed)) // self.pairs))

    def area(self, piece: Piece) -> int:
        """The pairs of a rectangle."""
        return int(self.rows[piece[0]].sum()) * int(self.columns[piece[1]].sum())

    def transposed(self) -> Sizes:
        """The sizes of the transposed relation."""
        return Sizes(self.columns, self.rows, self.pairs)


def by_fooling(cells: Iterable[Cell], sizes: Sizes) -> Bound:
    """By cells of which no two fit in one request."""
    return Bound(tuple(sizes.group((cell,)) for cell in cells))


def by_kernel(matrix: Matrix, sizes: Sizes, cover: Cover, expired: Callable[[], bool]) -> Bound:
    """The best of what a cover of the kernel has proven, and of groups where the cap binds."""
    cells = [(row, column) for row, line in enumerate(matrix.target) for column in members(line)]
    bounds = [Bound((*by_fooling(cover.fooling, sizes).parts, *cover.weighted))]
    if len(cells) <= _GROWN and not expired():
        groups = _best_groups(compatibility(matrix, cells), sizes, frozenset(cover.fooling))
        bounds.append(Bound(groups))
    return max(bounds, key=lambda bound: bound.requests)


def _best_groups(graph: Graph, sizes: Sizes, fooling: frozenset[Cell]) -> tuple[Group, ...]:
    """For each connected component the better of one group (volume) and groups grown around cells of which no two
    fit."""
    chosen: list[Group] = []
    for part in components(graph):
        cells = tuple(graph.cells[vertex] for vertex in part)
        within = graph.induced(part)
        heavy = sorted(range(len(cells)), key=lambda vertex: (-sizes.of(cells[vertex]), vertex))
        known = [vertex for vertex in range(len(cells)) if cells[vertex] in fooling]
        ways = [[sizes.group(cells)], _grown_groups(within, _independent(within, [*known, *heavy]), heavy, sizes)]
        ways.append(_grown_groups(within, _independent(within, heavy), heavy, sizes))
        chosen += max(ways, key=lambda groups: sum(group.needed for group in groups))
    return tuple(chosen)


def _independent(graph: Graph, order: list[int]) -> list[int]:
    """Vertices of which no two are near each other, taken in order."""
    taken, blocked = [], 0
    for vertex in order:
        if not blocked >> vertex & 1:
            taken.append(vertex)
            blocked |= graph.near[vertex]
    return taken


def _grown_groups(graph: Graph, seeds: list[int], order: list[int], sizes: Sizes) -> list[Group]:
    """Groups around the seeds, each given what is near no other group."""
    groups = [1 << seed for seed in seeds]
    reach = [graph.near[seed] for seed in seeds]
    for vertex in order:
        touched = [number for number, near in enumerate(reach) if near >> vertex & 1]
        if len(touched) == 1:
            groups[touched[0]] |= 1 << vertex
            reach[touched[0]] |= graph.near[vertex]
    return [sizes.group(graph.cells[vertex] for vertex in members(group)) for group in groups]
