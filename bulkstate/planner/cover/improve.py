"""From a greedy cover of a component to the best that the effort allows, and the bound that says how good it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bulkstate.planner.cover.bits import from_array, members
from bulkstate.planner.cover.chance import Chance
from bulkstate.planner.cover.effort import Steps
from bulkstate.planner.cover.graph import Graph
from bulkstate.planner.cover.greedy import by_cells, covers, grown, independent_set, without_spare
from bulkstate.planner.cover.holes import Walk
from bulkstate.planner.cover.setcover import fractional_weights, maximum_independent, minimum_cover

_CELLS = 300  # graphs up to this size get all repairs, larger ones fewer


@dataclass(frozen=True)
class Solved:
    """A clique cover of a graph, and vertices of which no two are near each other.

    `weights` bound from below, too: no clique's weights sum to more than `load`, so a cover needs sum(weights) /
    load cliques. Empty where the maximal cliques weren't listed.
    """

    cliques: tuple[int, ...]
    fooling: int
    weights: tuple[int, ...] = ()
    load: int = 1

    @property
    def bound(self) -> int:
        """The number of cliques that any cover needs."""
        return max(self.fooling.bit_count(), -(-sum(self.weights) // self.load))


def solve(graph: Graph, allowed: tuple[int, ...], effort: Steps, rng: Chance, expired: Callable[[], bool]) -> Solved:
    """The best cover and bound of a connected graph within the effort; `allowed` are the allowed columns of each
    row."""
    restarts = int(effort.restarts * min(1.0, _CELLS / len(graph.cells)))
    fooling = independent_set(graph, None)
    for _ in range(restarts):
        if not expired():
            fooling = max(fooling, independent_set(graph, rng), key=int.bit_count)
    pool = covers(graph, rng, restarts, expired)
    best = min(pool, key=len)
    seen = dict.fromkeys(clique for cover in pool for clique in cover)
    if len(best) == fooling.bit_count():
        return Solved(tuple(best), fooling)
    listed = maximal_cliques(graph, effort.cliques, expired)
    if listed is not None:
        return _exact(graph, best, fooling, listed, effort, expired)
    best = _walked(graph, allowed, best, effort, expired)
    return _searched(graph, best, fooling, seen, effort, rng, expired)


def _walked(
    graph: Graph, allowed: tuple[int, ...], cover: list[int], effort: Steps, expired: Callable[[], bool]
) -> list[int]:
    """The walk of `holes.py` on the rows and columns of the graph's cells: strong where rows are alike but for a
    few holes."""
    rows = sorted({row for row, _ in graph.cells})
    columns = sorted({column for _, column in graph.cells})
    place = {row: i for i, row in enumerate(rows)}, {column: i for i, column in enumerate(columns)}
    inside = np.array([[allowed[row] >> column & 1 for column in columns] for row in rows], dtype=bool)
    at = np.array([(place[0][row], place[1][column]) for row, column in graph.cells])
    target = np.zeros(inside.shape, dtype=bool)
    target[at[:, 0], at[:, 1]] = True
    start = np.array([inside[np.unique(at[list(members(clique)), 0])].all(axis=0) for clique in cover])
    walk = Walk(target, inside, start, np.random.default_rng(0))
    walk.run(int(effort.walk * min(1.0, 1e5 / target.size)), expired)
    if len(walk.best) >= len(cover):
        return cover
    whole = walk.best.astype(np.float32) @ (~inside).T.astype(np.float32) == 0
    held = whole[:, at[:, 0]] & walk.best[:, at[:, 1]]
    return without_spare([from_array(np.flatnonzero(cells), len(graph.cells)) for cells in held])


def _exact(
    graph: Graph, best: list[int], fooling: int, listed: list[int], effort: Steps, expired: Callable[[], bool]
) -> Solved:
    """Set cover and packing over all maximal cliques."""
    size = len(graph.cells)
    choice = minimum_cover(listed, size, effort.nodes, effort.entries, len(best), expired)
    if choice and len(choice.chosen) < len(best):
        best = [listed[number] for number in choice.chosen]
    packing = maximum_independent(listed, size, effort.nodes, effort.entries, expired)
    if packing and len(packing.chosen) > fooling.bit_count():
        fooling = sum(1 << vertex for vertex in packing.chosen)
    if len(best) == fooling.bit_count():
        return Solved(tuple(best), fooling)
    weights = fractional_weights(listed, size, expired).tolist()
    load = max(sum(weights[vertex] for vertex in members(clique)) for clique in listed)
    return Solved(tuple(best), fooling, tuple(weights), max(load, 1))


def _searched(
    graph: Graph,
    best: list[int],
    fooling: int,
    seen: dict[int, None],
    effort: Steps,
    rng: Chance,
    expired: Callable[[], bool],
) -> Solved:
    """Destroy and repair, and now and then the best combination of all cliques seen."""
    turns = int(effort.repairs * min(1.0, _CELLS / len(graph.cells)))
    for turn in range(turns):
        if len(best) == fooling.bit_count() or expired():
            break
        repaired = _repair(graph, best, rng)
        seen.update(dict.fromkeys(repaired))
        if len(repaired) <= len(best):
            best = repaired
        if turn % effort.repairs_a_round == effort.repairs_a_round - 1 or turn == turns - 1:
            choice = minimum_cover(list(seen), len(graph.cells), effort.nodes, effort.entries, len(best), expired)
            if choice and len(choice.chosen) < len(best):
                cliques = list(seen)
                best = [cliques[number] for number in choice.chosen]
            seen = dict.fromkeys([*best, *list(seen)[-effort.pool :]])
    return Solved(tuple(best), fooling)


def _repair(graph: Graph, cover: list[int], rng: Chance) -> list[int]:
    """Drop cliques around a random cell, cover what they alone covered anew, and drop what is spare."""
    centre = graph.near[rng.randrange(len(graph.cells))]
    around = [clique for clique in cover if clique & centre]
    rng.shuffle(around)
    dropped = set(around[: rng.randint(2, max(2, min(12, len(cover) // 2)))])
    kept = [clique for clique in cover if clique not in dropped]
    uncovered = (1 << len(graph.cells)) - 1
    for clique in kept:
        uncovered &= ~clique
    kept = [_turned(graph, clique, cover, rng) for clique in kept] if rng.random() < 0.2 else kept
    return without_spare(kept + by_cells(graph, uncovered, rng))


def _turned(graph: Graph, clique: int, cover: list[int], rng: Chance) -> int:
    """The clique cut down to what it alone covers, then grown another way."""
    alone = clique
    for other in cover:
        if other != clique:
            alone &= ~other
    return grown(graph, alone, clique, rng) if alone else clique


def maximal_cliques(graph: Graph, limit: int, expired: Callable[[], bool]) -> list[int] | None:
    """All maximal cliques (Bron and Kerbosch 1973, pivot of Tomita et al. 2006), or None if there are more than
    `limit`, or no time is left to list them."""
    found: list[int] = []
    stack = [(0, (1 << len(graph.cells)) - 1, 0)]
    visits = 0
    while stack:
        clique, candidates, excluded = stack.pop()
        visits += 1
        if len(found) > limit or visits > 4 * limit or expired():
            return None
        if not candidates and not excluded:
            found.append(clique)
            continue
        stack.extend(_branches(graph, clique, candidates, excluded))
    return found


def _branches(graph: Graph, clique: int, candidates: int, excluded: int) -> list[tuple[int, int, int]]:
    pivots = list(members(candidates | excluded))[:32]
    if not candidates:
        return []
    pivot = max(pivots, key=lambda vertex: (graph.near[vertex] & candidates).bit_count())
    branches = []
    for vertex in members(candidates & ~(graph.near[pivot] & ~(1 << pivot))):
        around = graph.near[vertex] & ~(1 << vertex)
        branches.append((clique | 1 << vertex, candidates & around, excluded & around))
        candidates &= ~(1 << vertex)
        excluded |= 1 << vertex
    return branches
