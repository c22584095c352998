"""Dominance: cells that need no care of their own (Ene et al., SACMAT 2008; Kellerman 1973 for clique
covers).

Cell f is dominated by cell e when every rectangle that covers e can be widened to cover f, too. Dropping dominated
cells until none is left gives the *kernel*; a cover of the kernel, widened, covers everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bulkstate.planner.cover.bits import members, transpose
from bulkstate.planner.cover.graph import Cell, Graph, Matrix, compatibility

MOST_INSIDE: Final = 10_000_000
"""Pairs of a row and another that contains it, up to which they are gone through: where nearly everything is allowed
nearly every row lies inside nearly every other."""


@dataclass(frozen=True)
class Kernel:
    """What dominance leaves of a relation.

    `graph` holds the cells that plain containment of rows and columns leaves, `core` the vertices that survive
    the rest, and `dropped` the others as (vertex, the vertex that dominated it), in the order in which they fell.
    """

    graph: Graph
    core: tuple[int, ...]
    dropped: tuple[tuple[int, int], ...]

    def lift(self, cliques: list[int]) -> list[int]:
        """Widen cliques that cover the core until they cover every vertex of the graph: what fell last returns
        first."""
        lifted = list(cliques)
        for vertex, by in reversed(self.dropped):
            lifted = [clique | 1 << vertex if clique >> by & 1 else clique for clique in lifted]
        return lifted


def kernel(matrix: Matrix, cells: list[Cell], steps: int, expired: Callable[[], bool]) -> Kernel:
    """The kernel of a relation, of which `cells` are undominated.

    `steps` bounds the number of neighbourhoods compared; a bound that bites leaves a larger, still valid kernel.
    """
    return _undominated(compatibility(matrix, cells), steps, expired)


def undominated_cells(matrix: Matrix, expired: Callable[[], bool]) -> list[Cell] | None:
    """Target cells (v, q) without a target cell (u, p), u's row inside v's and p's column inside q's (equal ones
    count by their order). None if the time was up before they were found, or that many rows lie inside others'."""
    row_above = _above(matrix.allowed, matrix.width, expired)
    if sum(map(int.bit_count, row_above)) > MOST_INSIDE:
        return None
    columns = matrix.allowed_columns()
    column_above = _above(columns, matrix.height, expired)
    dropped = [0] * matrix.height
    for u, row in enumerate(matrix.target):
        if expired():
            return None
        beside = wide = 0
        for p in members(row):
            beside |= column_above[p]
            wide |= 1 << p
        dropped[u] |= beside
        for v in members(row_above[u]):
            dropped[v] |= beside | wide
    return [(v, q) for v, row in enumerate(matrix.target) for q in members(row & ~dropped[v])]


def _above(sets: tuple[int, ...] | list[int], width: int, expired: Callable[[], bool]) -> list[int]:
    """For each set the others that contain it; of equal ones, only those that come later."""
    everyone = (1 << len(sets)) - 1
    holders = transpose(sets, width)
    above = []
    earlier: dict[int, int] = {}
    for number, one in enumerate(sets):
        supersets = 0 if expired() else everyone & ~(1 << number)
        for member in members(one):
            supersets &= holders[member]
            if not supersets:
                break
        before = earlier.get(one, 0)
        above.append(supersets & ~before)
        earlier[one] = before | 1 << number
    return above


def _undominated(graph: Graph, steps: int, expired: Callable[[], bool]) -> Kernel:
    near = list(graph.near)
    alive = (1 << len(near)) - 1
    dropped: list[tuple[int, int]] = []
    before = -1
    while len(dropped) > before and steps > 0:
        before = len(dropped)
        for vertex in sorted(members(alive), key=lambda v: (-near[v].bit_count(), v)):
            if expired():
                return Kernel(graph, tuple(members(alive)), tuple(dropped))
            dominator, taken = _dominator(near, alive, vertex)
            steps -= taken
            if dominator is not None:
                alive &= ~(1 << vertex)
                dropped.append((vertex, dominator))
        near = [bits & alive for bits in near]
    return Kernel(graph, tuple(members(alive)), tuple(dropped))


def _dominator(near: list[int], alive: int, vertex: int) -> tuple[int | None, int]:
    """A living neighbour of `vertex` whose neighbourhood lies inside that of `vertex`; and the steps it took to
    know.

    A neighbour that fails has a neighbour g outside; g's other neighbours fail for the same reason and are struck
    off with it.
    """
    around = near[vertex] & alive
    outside = alive & ~around
    candidates = around & ~(1 << vertex)
    taken = 0
    while candidates:
        taken += 1
        candidate = (candidates & -candidates).bit_length() - 1
        beyond = near[candidate] & outside
        if not beyond:
            return candidate, taken
        candidates &= ~near[(beyond & -beyond).bit_length() - 1]
    return None, taken + 1
