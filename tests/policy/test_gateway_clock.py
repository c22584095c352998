"""The gateway's clock is read from whole seconds, wherever ours stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.auto.gateway_clock import DAY, HOUR, MINUTE, OTHERS_CLOCK, GatewayClock

ahead = st.floats(-1e9, 1e9)
"""Seconds by which it is ahead of ours."""

answers = st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 2.0), st.floats(0.0, 1.0)), min_size=1, max_size=30)
"""Each: seconds since the one before, its round trip, and the part of that after which it was made."""


def heard(ahead: float, answers: list[tuple[float, float, float]]) -> tuple[GatewayClock, float]:
    clock, now = GatewayClock(), 0.0
    for gap, round_trip, part in answers:
        sent_at, now = now + gap, now + gap + round_trip
        clock.heard(float((sent_at + part * round_trip + ahead) // 1), sent_at, now)
    return clock, now


@given(ahead, answers)
def test_no_look_comes_before_the_unit_has_ended_nor_long_after(
    ahead: float, answers: list[tuple[float, float, float]]
) -> None:
    clock, now = heard(ahead, answers)
    ends = clock.ends(now)
    for unit in (MINUTE, HOUR, DAY):
        next_one = ((now + ahead) // unit + 1) * unit - ahead
        near = next_one - now < 3.2  # it may be over by now, as far as anybody knows
        assert any(-1e-6 <= end - one <= 3.2 for end in ends for one in (next_one, next_one + near * unit))
    for end in ends:
        assert (end + ahead + 1e-6) % MINUTE <= 3.2 + OTHERS_CLOCK


@given(ahead, ahead, answers)
def test_a_clock_that_was_set_is_believed_at_once(
    ahead: float, later: float, answers: list[tuple[float, float, float]]
) -> None:
    clock, now = heard(ahead, answers)
    if abs(ahead - later) < 10.0:
        return
    clock.heard(float((now + 1.0 + later) // 1), now + 1.0, now + 1.0)
    assert any((end + later + 1e-6) % HOUR <= 1.2 for end in clock.ends(now + 1.0))


def test_without_a_date_there_is_nothing_to_look_at() -> None:
    assert GatewayClock().ends(0.0) == ()
