"""How hard it is worth searching: the same for everybody who plans, and no harder than it saves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bulkstate.model import Effort, Plan
from bulkstate.pairs.relation import Relation
from bulkstate.planner import plan
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
