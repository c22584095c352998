"""Limits let through what they allow, no more and no less, by an independent count."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, islice, takewhile
from random import Random

import pytest
from gateway_limits import (
    ROUNDING,
    Bursts,
    FixedCounter,
    FixedWindow,
    Limit,
    Poisson,
    SlidingWindow,
    Steps,
    TokenBucket,
    steady,
)
from hypothesis import given
from hypothesis import strategies as st

from . import limits


@given(limits.steady_fixed, st.floats(0.0, 0.999), limits.arrivals)
def test_a_fixed_window_is_filled_and_never_over(limit: FixedWindow, part: float, times: list[float]) -> None:
    phase = part * limit.seconds
    passed = limits.let_through(FixedCounter(limit, phase), times)

    def window(now: float) -> int:
        return int((now - phase) // limit.seconds)

    came, admitted = Counter(map(window, times)), Counter(map(window, passed))
    assert all(admitted[number] == min(came[number], limit.calls.at(0.0)) for number in came)


@given(limits.fixed, limits.arrivals)
def test_a_window_whose_limit_steps_never_holds_more_than_the_higher(limit: FixedWindow, times: list[float]) -> None:
    passed = limits.let_through(FixedCounter(limit, 0.0), times)
    assert max(Counter(now // limit.seconds for now in passed).values(), default=0) <= limit.calls.most


@given(limits.sliding, limits.arrivals)
def test_a_sliding_window_holds_no_more_wherever_it_lies(limit: SlidingWindow, times: list[float]) -> None:
    passed = limits.let_through(limit.counter(Random(0)), times)
    for first in passed:
        assert sum(first <= now < first + limit.seconds - ROUNDING for now in passed) <= limit.calls.at(0.0)


@given(limits.buckets, limits.arrivals)
def test_a_bucket_gives_its_burst_and_then_its_rate(limit: TokenBucket, times: list[float]) -> None:
    passed = limits.let_through(limit.counter(Random(0)), times)
    for first, last in combinations(range(len(passed)), 2):
        allowed = limit.burst + (passed[last] - passed[first]) * limit.per_second.at(0.0)
        assert last - first + 1 <= allowed + 1e-6


@given(limits.steady_limits, limits.arrivals, st.integers(0, 9))
def test_who_is_refused_is_told_truly_when_to_come_back(limit: Limit, times: list[float], seed: int) -> None:
    counter = limit.counter(Random(seed))
    for now in times:
        room = counter.room_at(now)
        if room > now:
            assert counter.room_at(room - min(0.001, (room - now) / 2)) > now
            assert counter.room_at(room + ROUNDING) <= room + ROUNDING
            break
        counter.take(now)


def test_without_a_burst_two_calls_keep_their_distance() -> None:
    counter = TokenBucket(steady(50)).counter(Random(0))
    passed = limits.let_through(counter, [0.0, 0.019, 0.021, 0.040, 0.042])
    assert passed == [0.0, 0.021, 0.042]


@pytest.mark.parametrize(("begins", "ends", "rate"), [(0, 1_000, 30), (1_000, 2_000, 60), (2_000, 3_000, 10)])
def test_others_call_as_often_as_they_are_said_to(begins: float, ends: float, rate: float) -> None:
    others = Poisson(Steps(((0, 30), (1_000, 60), (2_000, 10))))
    times = takewhile(lambda now: now < ends, others.times(Random("others")))
    expected = rate * (ends - begins)
    assert abs(sum(now >= begins for now in times) - expected) < 4 * expected**0.5


def test_bursts_come_together() -> None:
    times = list(islice(Bursts(3, 5.0).times(Random(1)), 6))
    assert times[:3] == [times[0]] * 3
    assert times[3:] == [times[0] + 5.0] * 3
