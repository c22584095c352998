"""Compatibility of cells: two target cells fit in one rectangle when both cross cells are allowed.

Rectangles are the cliques of this graph, so the fewest rectangles are a minimum clique cover, and cells of which no
two are compatible (an independent set) are a *fooling set*. A graph is a list of closed neighbourhoods, each a bit
set over vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

from bulkstate.planner.cover.bits import members, transpose


@dataclass(frozen=True)
class Matrix:
    """A relation over classes as bit sets: for each row the target columns, and the allowed ones (target or free)."""

    target: tuple[int, ...]
    allowed: tuple[int, ...]
    width: int

    @property
    def height(self) -> int:
        """The number of rows."""
        return len(self.target)

    def allowed_columns(self) -> list[int]:
        """For each column the rows that are allowed in it."""
        return transpose(self.allowed, self.width)


Cell = tuple[int, int]


@dataclass(frozen=True)
class Graph:
    """The compatibility graph of some target cells; `near[i]` holds i and the cells compatible with cell i."""

    cells: tuple[Cell, ...]
    near: tuple[int, ...]

    def induced(self, vertices: list[int]) -> Graph:
        """The graph on some of the vertices, renumbered in the order given."""
        place = {vertex: number for number, vertex in enumerate(vertices)}
        keep = sum(1 << vertex for vertex in vertices)
        near = []
        for vertex in vertices:
            bits = 0
            for other in members(self.near[vertex] & keep):
                bits |= 1 << place[other]
            near.append(bits)
        return Graph(tuple(self.cells[vertex] for vertex in vertices), tuple(near))


def compatibility(matrix: Matrix, cells: list[Cell]) -> Graph:
    """The compatibility graph of the given target cells."""
    of_row = [0] * matrix.height
    of_column = [0] * matrix.width
    for number, (row, column) in enumerate(cells):
        of_row[row] |= 1 << number
        of_column[column] |= 1 << number
    columns = matrix.allowed_columns()
    by_column = {column: _union(of_row, columns[column]) for column in {cell[1] for cell in cells}}
    by_row = {row: _union(of_column, matrix.allowed[row]) for row in {cell[0] for cell in cells}}
    return Graph(tuple(cells), tuple(by_row[row] & by_column[column] for row, column in cells))


def _union(sets: list[int], chosen: int) -> int:
    union = 0
    for number in members(chosen):
        union |= sets[number]
    return union


def components(graph: Graph) -> list[list[int]]:
    """The connected components, each ascending, by their first vertex."""
    left = (1 << len(graph.cells)) - 1
    found = []
    while left:
        reached = frontier = left & -left
        while frontier:
            grown = (
                _union(list(graph.near), frontier)
                if frontier.bit_count() > 1
                else graph.near[frontier.bit_length() - 1]
            )
            frontier = grown & ~reached
            reached |= grown
        found.append(list(members(reached)))
        left &= ~reached
    return found
