"""How hard to search, in steps: the same effort gives the same answer on every machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """Bounds of the search.

    `words` of 64 flags looked at by a greedy over all cells; `comparisons` of neighbourhoods in the reduction;
    `restarts` of greedies; `cliques` that are listed at most; `repairs` in all, and after how many set cover is tried;
    `pool` of cliques it chooses from; `nodes` of branch and bound, and `entries` of the programmes it is given; `walk`
    steps for a block of 100,000 cells; `squeeze`: rows looked at while requests under a cap are improved, in all and
    for each pair.
    """

    words: int
    comparisons: int
    restarts: int
    cliques: int
    repairs: int
    repairs_a_round: int
    pool: int
    nodes: int
    entries: int
    walk: int
    squeeze: int
    squeeze_a_pair: int


QUICK = Steps(200_000_000, 2_000_000, 2, 500, 40, 20, 500, 1, 4_000, 300, 500_000, 100)
NORMAL = Steps(1_500_000_000, 20_000_000, 6, 3_000, 200, 100, 1_000, 10, 12_000, 1_000, 4_000_000, 500)
THOROUGH = Steps(15_000_000_000, 200_000_000, 20, 30_000, 2_000, 400, 5_000, 500, 100_000, 10_000, 20_000_000, 10_000)
