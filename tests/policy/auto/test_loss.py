"""A shut door: when it is tried, and what a gateway's wish to be left alone is worth."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.auto.loss import BELIEVED, BOLDER, COARSE, RAREST_TRY, Gaps, LossWatch, tries

ROUND_TRIP = 0.08
SLACK = COARSE + ROUND_TRIP

wishes = st.floats(2.0, 86_400.0)


@given(wishes, st.floats(1.0, 10_000.0))
def test_a_wish_is_tried_seldom_and_ever_more_seldom(wish: float, believed: float) -> None:
    times = list(tries(wish, believed, SLACK))
    assert times == sorted(times)
    assert all(0.0 < at < wish for at in times)
    assert len(times) <= 9 + wish / RAREST_TRY
    assert not times or wish > believed


def held(wish: float, believed: float = BELIEVED, hints: tuple[float, ...] = ()) -> LossWatch:
    """A door at which a call was refused at 0, with that wish."""
    door = LossWatch(0.0, ROUND_TRIP)
    door.close(ROUND_TRIP, ROUND_TRIP, Gaps(), hints, ())
    door.hold(ROUND_TRIP, wish, believed)
    return door


def probed(door: LossWatch, opens_at: float, answered: bool = True) -> tuple[int, float]:
    """Try the door whenever it is due: how often in vain, and when a probe first passed."""
    for vain in range(1000):
        at = door.ready_at
        door.sent(at)
        if at >= opens_at:
            door.passed(at)
            return vain, at
        if answered:
            door.failed(at, at + ROUND_TRIP)
        else:
            door.unanswered(at, at + 30.0)
    raise AssertionError("never opened")


@given(wishes)
def test_an_honest_wish_is_proved_once_and_then_believed(room: float) -> None:
    wish = float(ceil(room))
    door = held(wish)
    vain, passed = probed(door, room)
    assert vain <= 9 + wish / RAREST_TRY
    assert passed <= wish + 2 * ROUND_TRIP
    assert door.trust(BELIEVED) >= wish
    again = held(wish, BOLDER * wish)
    vain, passed = probed(again, room)
    assert vain == 0
    assert again.trust(BOLDER * wish) == BOLDER * wish


@given(wishes, st.floats(0.0, 0.9))
def test_a_lie_costs_a_few_times_what_it_hid(wish: float, part: float) -> None:
    room = max(0.1, part * (wish - 1.5 * (SLACK + 0.01 * wish)))
    door = held(wish)
    _, passed = probed(door, room)
    assert passed <= max(BELIEVED, BOLDER * room, room + RAREST_TRY) + 3 * ROUND_TRIP
    assert door.trust(BELIEVED) in (0.0, BELIEVED)


def test_a_gross_lie_ends_all_trust() -> None:
    for believed in (BELIEVED, 2 * BELIEVED):
        door = held(3600.0, believed)
        probed(door, 0.7)
        assert door.trust(believed) == 0.0


def test_where_a_window_is_known_to_end_a_believed_wish_is_tried_too() -> None:
    door = held(60.0, believed=3600.0, hints=(20.0,))
    assert probed(door, 19.9) == (0, 20.0)
    assert door.trust(3600.0) == 0.0


def test_a_wish_that_was_too_short_is_followed_by_ever_longer_waits() -> None:
    door, vain = held(2.0), 0
    while door.ready_at < 600.0:
        at, vain = door.ready_at, vain + 1
        door.sent(at)
        door.failed(at, at + ROUND_TRIP)
        door.hold(at + ROUND_TRIP, 2.0, BELIEVED)
    assert vain <= 15
    assert door.trust(BELIEVED) == BELIEVED


def test_a_probe_that_is_lost_doesnt_end_the_hold() -> None:
    door = held(600.0)
    assert probed(door, 599.0, answered=False)[0] <= 8


def test_a_call_that_left_before_anybody_knew_ends_the_hold_and_proves_nothing() -> None:
    door = held(3600.0)
    door.passed(ROUND_TRIP / 2)
    assert door.over
    assert door.ready_at <= 2 * ROUND_TRIP
    assert door.trust(BELIEVED) == BELIEVED


def test_what_is_known_of_a_loss_ends_with_what_was_tried_or_believed() -> None:
    tried, believed = held(60.0), held(60.0, believed=60.0)
    for door in (tried, believed):
        probed(door, 59.5)
    assert tried.loss(ROUND_TRIP, 0.01).shut_for == pytest.approx(58.0, abs=1.0)
    assert believed.loss(ROUND_TRIP, 0.01).shut_for == pytest.approx(58.0, abs=1.0)
    assert tried.loss(ROUND_TRIP, 0.01).accepted_from == pytest.approx(60.0, abs=0.2)
