"""How hard it is worth searching: the same for everybody who plans, and no harder than it saves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bulkstate.model import Effort, Plan
from bulkstate.pairs.relation import Relation
from bulkstate.planner import plan
from bulkstate.planner.cover.holes import Allowance, HoledBlock, Sets, cover_block
from tests.planner.test_fewest import relation


def holes(seed: int) -> Relation:
    """A block of which each asset lacks up to three points: too many different rows for a kernel."""
    chance = np.random.default_rng(seed)
    marks = [["#"] * 40 for _ in range(300)]
    for row in marks:
        for point in chance.integers(0, 40, chance.integers(0, 4)).tolist():
            row[point] = "."
    return relation(list(map("".join, marks)))


def planned(of: Relation, effort: Effort, pace: Callable[[int], float] | None = None) -> Plan:
    return plan([of], pairs_per_request=100_000, bytes_per_request=1 << 20, effort=effort, pace=pace)


def test_without_a_limit_it_is_normal() -> None:
    made = planned(holes(1), Effort.AUTO)
    assert (made.effort, made.digest) == (Effort.NORMAL, planned(holes(1), Effort.NORMAL).digest)


@pytest.mark.parametrize(
    ("a_request", "effort"), [(0.001, Effort.QUICK), (0.5, Effort.NORMAL), (3_600.0, Effort.THOROUGH)]
)
def test_the_slower_the_sending_the_harder_the_search(a_request: float, effort: Effort) -> None:
    """And told what it comes to, it is the same plan."""
    made = planned(holes(2), Effort.AUTO, lambda requests: requests * a_request)
    assert (made.effort, made.digest) == (effort, planned(holes(2), effort).digest)


def test_where_nothing_better_is_possible_it_is_quick() -> None:
    block = relation(["####", "####"])
    assert planned(block, Effort.AUTO, lambda requests: requests * 3_600.0).effort is Effort.QUICK


@pytest.mark.parametrize("cap", [100, 100_000], ids=["heavy", "light"])
def test_a_block_without_a_better_cover_is_given_up(cap: int) -> None:
    """Intervals, of which no two are alike: rectangle after rectangle would spare nothing."""
    ends = np.sort(np.random.default_rng(1).integers(0, 120, (600, 2)), axis=1)
    flags = (ends[:, :1] <= np.arange(120)) & (np.arange(120) <= ends[:, 1:])
    block = HoledBlock(flags, flags, np.ones(600), np.ones(120))

    def covered(requests: int, cells: int) -> tuple[Sets | None, int]:
        allowance = Allowance(requests, cells)
        return cover_block(block, cap, 0, allowance, np.random.default_rng(1)), cells - allowance.cells

    plenty = 1 << 50
    dearest = 24 * flags.size // 16 + 4 * flags.size  # two climbs of 12 rounds, by products, and as many rectangles
    found, spent = covered(20, plenty)
    assert found is None
    assert spent <= 2 * 30 * dearest
    found, spent = covered(plenty, 10 * dearest)
    assert found is None
    assert spent <= 14 * dearest


@pytest.mark.parametrize("width", [300, 3_000])
def test_a_wide_block_takes_hardly_more_than_it_may(width: int) -> None:
    flags = np.random.default_rng(2).random((1_000, width)) < 0.7
    allowance = Allowance(width, 20_000_000)
    block = HoledBlock(flags, flags, np.ones(1_000), np.ones(width))
    assert cover_block(block, 100_000, 0, allowance, np.random.default_rng(2)) is None
    assert allowance.cells >= -10_000_000
