"""What two plans delete differently, against sets of pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from bulkstate.model import LowerBound, Pair, Plan, Rectangle, Stage, StagePlan
from bulkstate.planner.difference import EXAMPLES, Difference, OnlyThere, compare
from tests.disk.runs import grid, plans


def deleted(plan: Plan) -> dict[Stage, set[tuple[str, str]]]:
    found: dict[Stage, set[tuple[str, str]]] = {}
    for chunk in plan.chunks():
        pairs = {(asset, point) for asset in chunk.assets for point in chunk.points}
        found.setdefault(chunk.stage, set()).update(pairs)
    return found


def pairs_of(share: OnlyThere) -> set[tuple[str, str]]:
    return {(pair.asset, pair.point) for pair in share.examples}


def one_pipeline(plan: Plan) -> Plan:
    """The same chunks in stages that another plan has too."""
    return Plan(tuple(replace(each, stage=Stage("p", each.stage.name)) for each in plan.stages), plan.digest, 0)


@given(plans(), plans())
def test_the_difference_is_that_of_sets(old: Plan, new: Plan) -> None:
    old, new = one_pipeline(old), one_pipeline(new)
    olds, news = deleted(old), deleted(new)
    found = compare(old, new).stages
    assert [each.stage for each in found] == sorted(olds.keys() | news.keys())
    for each in found:
        before, after = olds.get(each.stage, set()), news.get(each.stage, set())
        assert (each.only_old.pairs, each.only_new.pairs) == (len(before - after), len(after - before))
        assert each.both == len(before & after)
        for share, pairs in ((each.only_old, before - after), (each.only_new, after - before)):
            assert pairs_of(share) <= pairs
            assert len(share.examples) == min(len(pairs), EXAMPLES)


@given(plans())
def test_a_plan_is_like_itself(plan: Plan) -> None:
    none = OnlyThere(0, ())
    expected = {stage: Difference(stage, none, none, len(pairs)) for stage, pairs in deleted(plan).items()}
    assert list(compare(plan, plan).stages) == [expected[stage] for stage in sorted(expected)]


@pytest.mark.slow
def test_a_billion_pairs_are_not_expanded() -> None:
    old, new = grid(1_000_000, 1_000, 1_000, 100), grid(1_000_000, 999, 900, 111)
    (found,) = compare(old, new).stages
    assert (found.only_old.pairs, found.only_new.pairs, found.both) == (1_000_000, 0, 999_000_000)
    assert found.only_old.examples[0] == Pair("WTG0000000", "p0999")


def test_chunks_that_overlap_count_their_pairs_once() -> None:
    def plan(*chunks: tuple[list[int], list[int]]) -> Plan:
        rectangles = tuple(Rectangle(np.array(a, np.int32), np.array(p, np.int32)) for a, p in chunks)
        stage = StagePlan(Stage("p", "s"), ("a", "b"), ("x", "y", "z"), rectangles, 0, LowerBound(0, ""))
        return Plan((stage,), "", 0)

    (found,) = compare(plan(([0, 1], [0, 1]), ([1], [1, 2])), plan(([0], [0, 2]))).stages
    assert (found.only_old.pairs, found.only_new.pairs, found.both) == (4, 1, 1)
    assert found.only_new.examples == (Pair("a", "z"),)
