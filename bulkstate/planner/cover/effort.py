"""How hard to search, in steps: the same effort gives the same answer on every machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """Bounds of the search.

    `words` of 64 flags looked at by a greedy over all cells; `comparisons` of neighbourhoods in the reduction;
    `restarts` of greedies; `cliques` that are listed at most; `repairs` in all, and after how many set cover is tried;
    `pool` of cliques it chooses from; `nodes` of branch and bound, and `entries` of the programmes it is given; `walk`
    steps for a block of 100,000 cells; `climbed`: cells looked at while blocks with holes are covered, for each request
    that could be spared; `squeeze`: rows looked at while requests under a cap are improved, in all and
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
    climbed: int
    squeeze: int
    squeeze_a_pair: int


@dataclass(frozen=True)
class Work:
    """What a search works on, so that steps can be priced beforehand: blocks with holes, cells of a kernel, and pairs
    whose requests are improved one by one."""

    blocks: int = 0
    kernel: int = 0
    squeezed: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.blocks + other.blocks, self.kernel + other.kernel, self.squeezed + other.squeezed)

    def seconds(self, steps: Steps) -> float:
        """About how long so many steps take: the same on every machine, as everything that a plan depends on."""
        walked = self.blocks * steps.walk * _WALKED
        repaired = min(self.kernel, _REPAIRED_CELLS) * steps.repairs * _REPAIRED
        return walked + repaired + min(steps.squeeze, steps.squeeze_a_pair * self.squeezed) * _SQUEEZED


_WALKED = 1e-4  # seconds a step, most walks ending early
_REPAIRED = 2e-5  # seconds a repair and cell
_REPAIRED_CELLS = 300
_SQUEEZED = 7e-8  # seconds a row looked at

QUICK = Steps(200_000_000, 2_000_000, 2, 500, 40, 20, 500, 1, 4_000, 300, 1_000_000, 500_000, 100)
NORMAL = Steps(1_500_000_000, 20_000_000, 6, 3_000, 200, 100, 1_000, 10, 12_000, 1_000, 2_000_000, 4_000_000, 500)
THOROUGH = Steps(
    15_000_000_000, 200_000_000, 20, 30_000, 2_000, 400, 5_000, 500, 100_000, 10_000, 20_000_000, 20_000_000, 10_000
)
