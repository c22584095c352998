"""A portfolio of greedy clique covers of a compatibility graph, and greedy independent sets.

No single greedy is safe, so several are run and the best is kept. A cover is a list of cliques as bit sets over the
vertices.
"""

from __future__ import annotations

from collections.abc import Callable

from bulkstate.planner.cover.bits import members
from bulkstate.planner.cover.chance import Chance
from bulkstate.planner.cover.graph import Graph

_LOOK = 48  # candidates looked at before the next vertex of a clique is chosen


def covers(graph: Graph, rng: Chance, restarts: int, expired: Callable[[], bool]) -> list[list[int]]:
    """The covers of the portfolio: by rows, by columns, by single cells, then `restarts` times by cells with
    random ties."""
    rows: dict[int, int] = {}
    columns: dict[int, int] = {}
    for number, (row, column) in enumerate(graph.cells):
        rows[row] = rows.get(row, 0) | 1 << number
        columns[column] = columns.get(column, 0) | 1 << number
    found = [without_spare(_by_lines(graph, list(rows.values())))]
    if not expired():
        found.append(without_spare(_by_lines(graph, list(columns.values()))))
    for turn in range(restarts + 1):
        if expired():
            break
        found.append(without_spare(by_cells(graph, (1 << len(graph.cells)) - 1, rng if turn else None)))
    return found


def by_cells(graph: Graph, uncovered: int, rng: Chance | None) -> list[int]:
    """Cliques that cover `uncovered`, each grown from the cell with fewest uncovered neighbours; ties at random
    with `rng`."""
    cover = []
    while uncovered:
        tied = _fewest(graph, uncovered)
        seed = tied[rng.randrange(len(tied))] if rng else tied[0]
        clique = grown(graph, 1 << seed, uncovered, rng)
        uncovered &= ~clique
        cover.append(clique)
    return cover


def _fewest(graph: Graph, uncovered: int) -> list[int]:
    fewest = len(graph.cells) + 1
    tied: list[int] = []
    for vertex in members(uncovered):
        count = (graph.near[vertex] & uncovered).bit_count()
        if count < fewest:
            fewest, tied = count, []
        if count == fewest:
            tied.append(vertex)
    return tied


def _by_lines(graph: Graph, lines: list[int]) -> list[int]:
    """Cliques grown from all that is uncovered in the line (row or column) with fewest uncovered cells."""
    uncovered = (1 << len(graph.cells)) - 1
    cover = []
    while uncovered:
        line = min((line & uncovered for line in lines if line & uncovered), key=int.bit_count)
        clique = grown(graph, line, uncovered, None)
        uncovered &= ~clique
        cover.append(clique)
    return cover


def grown(graph: Graph, clique: int, wanted: int, rng: Chance | None) -> int:
    """A maximal clique around `clique`: wanted vertices first, those that leave most wanted candidates."""
    candidates = common_neighbours(graph, clique) & ~clique
    while candidates & wanted:
        looked = list(members(candidates & wanted))
        if rng and len(looked) > 1:
            rng.shuffle(looked)
        best = max(looked[:_LOOK], key=lambda vertex: (graph.near[vertex] & candidates & wanted).bit_count())
        clique |= 1 << best
        candidates &= graph.near[best] & ~(1 << best)
    while candidates:
        lowest = candidates & -candidates
        clique |= lowest
        candidates &= graph.near[lowest.bit_length() - 1] & ~lowest
    return clique


def common_neighbours(graph: Graph, clique: int) -> int:
    """The vertices near every member of the clique (its members among them)."""
    common = (1 << len(graph.cells)) - 1
    for vertex in members(clique):
        common &= graph.near[vertex]
    return common


def without_spare(cover: list[int]) -> list[int]:
    """The cover without cliques whose cells others cover, smallest clique first."""
    kept = sorted(cover, key=int.bit_count)
    place = 0
    while place < len(kept):
        once = twice = 0
        for clique in kept:
            twice |= once & clique
            once |= clique
        spare = next((number for number in range(place, len(kept)) if not kept[number] & ~twice), None)
        if spare is None:
            break
        del kept[spare]
        place = spare
    return kept


def independent_set(graph: Graph, rng: Chance | None) -> int:
    """Vertices of which no two are near each other: always the one with fewest neighbours left."""
    left, chosen = (1 << len(graph.cells)) - 1, 0
    while left:
        tied = _fewest(graph, left)
        vertex = tied[rng.randrange(len(tied))] if rng else tied[0]
        chosen |= 1 << vertex
        left &= ~graph.near[vertex]
    return chosen
