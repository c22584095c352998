"""How long everybody pauses after a 429."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.throttling import LONGEST_PAUSE, LONGEST_WISH, Throttling


def test_pauses_double_while_refusals_follow_each_other() -> None:
    throttling, now, pauses = Throttling(), 0.0, []
    for _ in range(9):
        until = throttling.refused(now + 0.1, now, None)
        pauses.append(until - now - 0.1)
        now = until
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])


def test_calls_under_way_when_the_pause_began_are_one_refusal() -> None:
    throttling = Throttling()
    until = throttling.refused(1.0, 0.5, None)
    assert [throttling.refused(now, 0.6, None) for now in (1.1, 1.2, 1.9)] == [until] * 3


def test_a_call_that_was_let_through_ends_the_row() -> None:
    throttling = Throttling()
    throttling.refused(1.0, 0.0, None)
    throttling.refused(3.0, 2.5, None)
    throttling.accepted(2.9)
    assert throttling.refused(9.0, 8.0, None) - 9.0 == 4.0
    throttling.accepted(20.0)
    assert throttling.refused(30.0, 29.0, None) - 30.0 == 1.0


@given(st.floats(0.0, 1e6))
def test_the_gateways_wish_is_granted_up_to_an_hour(wish: float) -> None:
    assert Throttling().refused(7.0, 6.0, wish) == 7.0 + min(wish, LONGEST_WISH)


@given(st.lists(st.tuples(st.floats(0.0, 50.0), st.floats(0.0, 30.0), st.booleans()), max_size=60))
def test_a_pause_is_never_longer_than_a_minute_unless_it_is_wished_for(steps: list[tuple[float, float, bool]]) -> None:
    throttling, now = Throttling(), 0.0
    for later, age, accepted in steps:
        now += later
        if accepted:
            throttling.accepted(now - age)
        else:
            assert throttling.refused(now, now - age, None) <= now + LONGEST_PAUSE


@given(st.lists(st.tuples(st.floats(0.0, 50.0), st.floats(0.0, 9000.0)), min_size=1, max_size=20))
def test_a_pause_is_never_shortened(wishes: list[tuple[float, float]]) -> None:
    throttling, now, latest = Throttling(), 0.0, 0.0
    for later, wish in wishes:
        now += later
        throttling.answered(now, now, True, wish)
        latest = max(latest, now + min(wish, LONGEST_WISH))
        assert throttling.ready_at(now) == latest
