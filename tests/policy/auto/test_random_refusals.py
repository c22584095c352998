"""Refusals that come as often at any rate are excused; those of a limit never are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.auto.loss import Loss
from bulkstate.policy.auto.random_refusals import MOST, RECOUNT, RandomRefusals

SINGLE = Loss(0.0, 0.0, 0.1, 1, 1, thinned=False, run=False, round_trip=0.1)
RUN = Loss(0.0, 0.5, 0.6, 1, 9, thinned=False, run=True, round_trip=0.1)


def called(strays: RandomRefusals, rate: float, since: float, seconds: float) -> None:
    """Calls that are all accepted."""
    for number in range(int(rate * seconds)):
        strays.sent(rate)
        strays.accepted(since + number / rate)


def seen_at(peak: float) -> RandomRefusals:
    """One that has seen so many calls a second accepted."""
    strays = RandomRefusals()
    called(strays, peak, 0.0, 10.0)
    return strays


def test_single_refusals_far_below_what_was_accepted_before_are_none_of_a_limit() -> None:
    strays = seen_at(100.0)
    found, second = None, 20.0
    while found is None:
        assert not strays.excuses()
        called(strays, 50.0, second, 1.0)
        found, second = strays.learns(SINGLE, 50.0), second + 1.0
    assert second < 25.0
    assert found == pytest.approx(100.0, rel=0.02)
    assert 0.01 < strays.share < 0.05


def test_the_slower_the_sooner() -> None:
    losses = []
    for rate in (80.0, 40.0, 10.0):
        strays, number = seen_at(100.0), 1
        while strays.learns(SINGLE, rate) is None:
            number += 1
        losses.append(number)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == 1


@given(st.floats(90.0, 150.0), st.integers(1, 100))
def test_refusals_about_where_the_rate_was_are_a_limit_s(rate: float, losses: int) -> None:
    strays = seen_at(100.0)
    assert all(strays.learns(SINGLE, rate) is None for _ in range(losses))
    assert not strays.excuses()


@given(st.integers(1, 100), st.floats(1.0, 80.0))
def test_runs_of_refusals_are_a_limit_s_and_what_came_before_counts_no_more(losses: int, rate: float) -> None:
    strays = seen_at(100.0)
    for _ in range(losses):
        assert strays.learns(RUN, rate) is None
    assert strays.learns(SINGLE, rate) is None, "the limit has fallen: nobody knows what is accepted now"


def test_one_in_hundreds_is_what_looking_for_a_limit_costs() -> None:
    strays = seen_at(100.0)
    for number in range(50):
        called(strays, 50.0, 20.0 + 10 * number, 10.0)
        assert strays.learns(SINGLE, 50.0) is None


def learnt(share: float) -> RandomRefusals:
    strays = seen_at(100.0)
    while strays.learns(SINGLE, 25.0) is None:
        called(strays, 25.0, 0.0, 1.0 / (25.0 * share))
    return strays


def test_as_many_as_there_were_are_excused_and_no_run_of_them() -> None:
    strays = learnt(0.05)
    excused = [strays.excuses() for _ in range(20)]
    assert excused == [True] * int(MOST) + [False] * (20 - int(MOST))
    for _ in range(40):
        called(strays, 100.0, 0.0, 0.2)
        assert strays.excuses()


def test_when_they_end_they_are_excused_no_more() -> None:
    strays = learnt(0.05)
    called(strays, 100.0, 0.0, 3 * RECOUNT / 100.0)
    assert strays.share == 0.0
