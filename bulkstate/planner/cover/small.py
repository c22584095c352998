"""The fewest rectangles that cover every target cell of a relation and no forbidden one: minimum biclique cover.

Reduced to a kernel by dominance, split into connected components, and each of these solved: by a portfolio of
greedies if a fooling set of the same size shows that nothing is better, else by set cover over all maximal cliques
or, where these are too many, by destroy and repair. What a rectangle costs is not looked at here; caps are the
business of `requests.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from bulkstate.planner.cover.bits import bit_set, from_array, members, transpose
from bulkstate.planner.cover.chance import Chance
from bulkstate.planner.cover.effort import Steps
from bulkstate.planner.cover.graph import Cell, Matrix, components
from bulkstate.planner.cover.improve import Solved, solve
from bulkstate.planner.cover.incidence import ClassRelation, Incidence
from bulkstate.planner.cover.reduction import kernel


@dataclass(frozen=True)
class Biclique:
    """Row classes × column classes, as bit sets."""

    rows: int
    columns: int


@dataclass(frozen=True)
class Weighted:
    """A bound from weights: cells with whole weights of which no rectangle holds more than `load` in all."""

    cells: tuple[tuple[Cell, int], ...]
    load: int

    @property
    def needed(self) -> int:
        """The rectangles that the cells need."""
        return -(-sum(weight for _, weight in self.cells) // self.load)


@dataclass(frozen=True)
class Cover:
    """Rectangles that cover the targets; cells of which no two fit in one (`fooling`); and weights for components
    where these say more.

    A cover needs at least `bound` rectangles. It is the fewest if `bound` equals their number.
    """

    rectangles: tuple[Biclique, ...]
    fooling: tuple[Cell, ...]
    weighted: tuple[Weighted, ...]

    @property
    def bound(self) -> int:
        """The number of rectangles that any cover needs."""
        return len(self.fooling) + sum(one.needed for one in self.weighted)


def matrix_of(classes: ClassRelation) -> Matrix:
    """The relation between classes as bit sets."""
    target = _bit_rows(classes.target)
    if classes.forbidden is None:
        return Matrix(target, target, classes.target.width)
    everything = (1 << classes.target.width) - 1
    return Matrix(target, tuple(everything & ~row for row in _bit_rows(classes.forbidden)), classes.target.width)


def _bit_rows(incidence: Incidence) -> tuple[int, ...]:
    starts = incidence.starts.tolist()
    return tuple(from_array(incidence.columns[a:b], incidence.width) for a, b in pairwise(starts))


def cover_matrix(matrix: Matrix, cells: list[Cell], effort: Steps, expired: Callable[[], bool]) -> Cover:
    """The cover of a relation, the same for the same relation and effort (unless `expired` cuts the search short);
    `cells` are its undominated ones."""
    reduced = kernel(matrix, cells, effort.comparisons, expired)
    core = reduced.graph.induced(list(reduced.core))
    rng = Chance(0)
    cliques: list[int] = []
    fooling: list[Cell] = []
    weighted: list[Weighted] = []
    for part in components(core):
        solved = solve(core.induced(part), matrix.allowed, effort, rng, expired)
        names = [reduced.core[vertex] for vertex in part]
        named = [core.cells[vertex] for vertex in part]
        cliques += [bit_set(names[vertex] for vertex in members(clique)) for clique in solved.cliques]
        if solved.bound > solved.fooling.bit_count():
            weighted.append(_weighted(solved, named))
        else:
            fooling += [named[vertex] for vertex in members(solved.fooling)]
    columns = matrix.allowed_columns()
    target_columns = transpose(matrix.target, matrix.width)
    widened = [_widened(matrix, columns, [reduced.graph.cells[v] for v in members(c)]) for c in reduced.lift(cliques)]
    needed = [_needed(matrix, target_columns, rectangle) for rectangle in widened]
    return Cover(tuple(needed), tuple(fooling), tuple(weighted))


def _weighted(solved: Solved, cells: list[Cell]) -> Weighted:
    pairs = zip(cells, solved.weights, strict=True)
    return Weighted(tuple((cell, weight) for cell, weight in pairs if weight), solved.load)


def _widened(matrix: Matrix, columns: list[int], cells: list[Cell]) -> Biclique:
    """The maximal rectangle around some cells: all columns allowed on their rows, then all rows allowed on these
    columns."""
    wide = (1 << matrix.width) - 1
    for row in {cell[0] for cell in cells}:
        wide &= matrix.allowed[row]
    tall = (1 << matrix.height) - 1
    for column in members(wide):
        tall &= columns[column]
    return Biclique(tall, wide)


def _needed(matrix: Matrix, target_columns: list[int], rectangle: Biclique) -> Biclique:
    """The rectangle without rows and columns that hold no target in it."""
    rows = bit_set(row for row in members(rectangle.rows) if matrix.target[row] & rectangle.columns)
    return Biclique(rows, bit_set(column for column in members(rectangle.columns) if target_columns[column] & rows))
