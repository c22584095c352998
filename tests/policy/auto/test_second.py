"""What losses teach about the limit that is felt within a second, piece by piece."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.auto.climb import Cruise
from bulkstate.policy.auto.quota import Edge, Quota
from bulkstate.policy.auto.second import Bracket, Noise

ROUND_TRIP = 0.08
AT_RISK = 7.0


def cruised(cruise: Cruise, seconds: float) -> list[float]:
    """The rates of the calls that it makes in so many seconds."""
    rates, now = [], 0.0
    while now < seconds:
        cruise.advance(1.0 / cruise.rate, ROUND_TRIP, AT_RISK)
        now += 1.0 / cruise.rate
        rates.append(cruise.rate)
    return rates


@given(st.floats(5.0, 300.0), st.floats(4.0, 20.0))
def test_a_cruise_only_gets_faster_with_however_many_calls_under_way(floor: float, period: float) -> None:
    rates = cruised(Cruise(floor, period), period + 6.0)
    assert rates == sorted(rates)
    assert rates[-1] > 1.2 * floor


def test_what_a_cruise_has_proven_are_whole_calls_below_its_rate() -> None:
    cruise = Cruise(17.4, 10.0)
    assert cruise.proven(ROUND_TRIP) == 0.0
    cruised(cruise, 9.9)
    assert cruise.proven(ROUND_TRIP) == 18.0
    assert cruise.rate > 18.5


def test_what_was_borne_narrows_a_bracket_but_not_after_a_fall() -> None:
    assert Bracket(17, 18).above(18) == Bracket(18, 18)
    assert Bracket(17, 18).above(12) == Bracket(17, 18)
    assert Bracket(13, 20).above(36) == Bracket(13, 20)


def test_brackets_meet_where_both_may_be_right() -> None:
    assert Bracket(17, 18).meets(Bracket(18, 19))
    assert not Bracket(17, 18).meets(Bracket(18.5, 19))


def test_a_loss_that_could_be_either_leaves_the_noise_as_it_is() -> None:
    noise = Noise()
    noise.add(True, 0.02)
    heard = noise.value
    noise.add(None, 0.02)
    assert noise.value == heard > 0.0
    noise.add(False, 0.02)
    assert noise.value < heard


def test_a_limit_that_has_fallen_is_no_noise() -> None:
    noise = Noise()
    assert not noise.outdone(0.1, 10.0)
    noise.add(True, 0.1)
    assert noise.outdone(0.4, 11.0)
    noise.add(True, 0.4)
    noise.explained()
    assert noise.value == 0.0


def test_a_window_that_others_may_have_eaten_of_is_spent_at_once_but_for_its_believed_end() -> None:
    for quota in (Quota(1200.0, 6.0, Edge(0.0, 1.0)), Quota(1200.0, 60.0, Edge(0.0, 1.0), known=True, sure=False)):
        assert quota.rate(2.0, 10_000, 1.0, 25.0) >= 1200.0
        quota.spent = 1190
        assert quota.rate(7.0, 10_000, 1.0, 25.0) == 25.0
        quota.spent = 1230
        assert quota.rate(8.0, 10_000, 1.0, 25.0) == inf, "there is more, or no such window"
        assert quota.ready_at(1.0) == -inf
    measured = Quota(1200.0, 60.0, Edge(0.0, 0.0), known=True)
    assert measured.rate(0.0, 10_000, 1.0, 25.0) == pytest.approx(20.0)


def test_its_next_edge_is_looked_for_in_steps_as_coarse_as_it_is_old() -> None:
    quota = Quota(1200.0, 6.0, Edge(0.0, 1.0))
    assert quota.gap(31.0) == 0.0
    quota.spent = 1200
    assert quota.gap(31.0) == pytest.approx(3.6)
    known = Quota(1200.0, 60.0, Edge(0.0, 1.0), known=True, spent=1200)
    assert known.gap(31.0) == pytest.approx(3.6)
