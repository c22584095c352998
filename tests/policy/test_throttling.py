"""How long everybody pauses after a 429."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import Told
from bulkstate.policy.throttling import LONGEST_PAUSE, LONGEST_WISH, Throttling

from ..engine.gateway import most_in_a_window


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


def test_at_once_is_believed_once() -> None:
    """`Retry-After: 0`, or a date in the past, with every 429."""
    throttling, now, pauses = Throttling(), 0.0, []
    for _ in range(9):
        throttling.answered(now + 0.1, now, True, 0.0)
        pauses.append(throttling.ready_at(now) - now - 0.1)
        now = max(now + 0.1, throttling.ready_at(now))
    assert pauses == pytest.approx([0, 2, 4, 8, 16, 32, 60, 60, 60])


TOLD = (Told(20.0, 1.0, 0.0, 0.5), Told(600.0, 60.0))


def test_what_headers_tell_is_kept_to_from_the_first_429_on() -> None:
    throttling = Throttling()
    throttling.answered(1.0, 0.9, False, None, TOLD)
    throttling.sent(1.0)
    assert throttling.ready_at(1.0) <= 1.0, "the configured rate is right as far as anybody knows"
    throttling.answered(1.1, 1.0, True, 0.0, TOLD)
    starts, now = [], 2.0
    for _ in range(700):
        now = max(now, throttling.ready_at(now))
        throttling.sent(now)
        throttling.answered(now, now, False, None, TOLD)
        starts.append(now)
    assert most_in_a_window(starts, 1.0) <= 20
    assert most_in_a_window(starts, 60.0) <= 600
    assert throttling.binds(now) in ("20/s", "600/min")
    throttling.answered(now, now, False, None, (Told(1000.0, 1.0),))
    assert throttling.rate > 900, "a limit that moves is followed"


@pytest.mark.parametrize("told", [Told(), Told(5.0), Told(None, 60.0), Told(0.0, 1.0), Told(1.0, 1e9), Told(9.0, 0.01)])
def test_what_cannot_be_kept_to_was_not_told(told: Told) -> None:
    throttling = Throttling()
    throttling.answered(1.0, 0.9, True, 0.0, (told,))
    throttling.sent(1.0)
    assert throttling.ready_at(1.0) <= 1.0
    assert throttling.binds(1.0) == ""


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
        assert throttling.ready_at(now) >= latest
        assert wish < 1.0 or throttling.ready_at(now) <= max(latest, now + LONGEST_PAUSE)
