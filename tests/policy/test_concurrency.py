"""How many calls may be in flight: laws, and gateways of a few lines that queue, defend themselves or fall silent."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bulkstate.policy.concurrency import FEW, ConcurrencyPilot, at_first

ROUND_TRIP = 0.08
TIMEOUT = 5.0

Answer = tuple[float, bool, bool, int]
answers = st.lists(
    st.tuples(st.floats(0.0, 10.0), st.booleans(), st.booleans(), st.integers(1, 200)), min_size=1, max_size=200
)
"""Seconds that calls took, whether they ended by overload or a 429, and how many were in flight."""


def told(pilot: ConcurrencyPilot, steps: list[Answer]) -> list[int]:
    """The limit after each of these answers, 50 ms apart; 429s change nothing of the time."""
    limits = []
    for number, (seconds, overloaded, throttled, in_flight) in enumerate(steps):
        now = 100.0 + 0.05 * number
        pilot.answered(now, now - seconds, overloaded and not throttled, throttled, in_flight)
        limits.append(pilot.limit)
    return limits


@given(answers, st.integers(1, 300), st.integers(1, 300))
def test_the_limit_is_never_below_one_or_over_the_most(steps: list[Answer], most: int, start: int) -> None:
    assert all(1 <= limit <= most for limit in told(ConcurrencyPilot(most, start), steps))


@given(answers)
def test_a_429_says_nothing_here(steps: list[Answer]) -> None:
    pilot, same = ConcurrencyPilot(256), ConcurrencyPilot(256)
    for number, (seconds, overloaded, throttled, in_flight) in enumerate(steps):
        now = 100.0 + 0.05 * number
        pilot.answered(now, now - seconds, overloaded and not throttled, throttled, in_flight)
        if not throttled:
            same.answered(now, now - seconds, overloaded, False, in_flight)
        assert pilot.limit == same.limit


@given(answers, st.lists(st.floats(0.0, 3.0), max_size=50))
def test_an_epoch_of_overload_cuts_once(before: list[Answer], ages: list[float]) -> None:
    pilot = ConcurrencyPilot(256)
    told(pilot, before)
    now = 200.0
    pilot.answered(now, now - 0.001, True, False, pilot.limit)
    cut = pilot.limit
    for age in ages:
        pilot.answered(now + 0.1, now - age, True, False, cut)
    assert pilot.limit == cut


Latency = Callable[[float, int], float]
"""Seconds that a call takes that begins at a time, as the so manieth in flight; infinity if it is never answered."""


def driven(pilot: ConcurrencyPilot, until: float, latency: Latency, most: float = 1e9, begin: float = 0.0) -> int:
    """Keep as many calls under way as the pilot allows: how many were refused as overload, beyond `most` at once."""
    under_way: list[tuple[float, float, bool]] = []
    now, refused, working = begin, 0, 0
    while now < until:
        while len(under_way) < pilot.limit:
            now += 1e-4
            seconds = latency(now, len(under_way) + 1)
            defended = working >= most
            working += not defended
            takes = ROUND_TRIP if defended else min(seconds, TIMEOUT)
            heappush(under_way, (now + takes, now, defended))
        ends, sent_at, defended = heappop(under_way)
        now = max(now, ends)
        working -= not defended
        overloaded = defended or ends - sent_at >= TIMEOUT
        refused += overloaded
        pilot.answered(now, sent_at, overloaded, False, len(under_way) + 1)
    return refused


def queueing(knee: int, seconds: float = 0.2) -> Latency:
    """A gateway that works on so many at once, each for so long."""
    return lambda now, in_flight: seconds * max(1.0, in_flight / knee)


@hypothesis_settings(max_examples=15)
@given(st.integers(10, 120), st.floats(0.05, 1.0))
def test_it_settles_where_a_gateway_begins_to_queue(knee: int, seconds: float) -> None:
    pilot = ConcurrencyPilot(512)
    driven(pilot, 200 * seconds, queueing(knee, seconds))
    assert 0.9 * knee <= pilot.limit <= 2.0 * knee + 10


@pytest.mark.slow
@hypothesis_settings(max_examples=15)
@given(st.integers(4, 200))
def test_it_settles_below_where_a_gateway_defends_itself(most: int) -> None:
    pilot = ConcurrencyPilot(512)
    driven(pilot, 10.0, queueing(1000), most)
    refused = driven(pilot, 70.0, queueing(1000), most, begin=10.0)
    assert 0.7 * most <= pilot.limit <= 1.3 * most + 2
    assert refused <= 0.005 * 60.0 / 0.2 * most + 40


def test_it_comes_back_once_overload_has_ended() -> None:
    pilot = ConcurrencyPilot(256)
    driven(pilot, 20.0, queueing(60))
    before = pilot.limit
    driven(pilot, 30.0, queueing(60), most=0, begin=20.0)
    assert pilot.limit == 1
    driven(pilot, 60.0, queueing(60), begin=30.0)
    assert pilot.limit >= 0.8 * before


def test_it_comes_back_after_a_time_without_any_answer() -> None:
    pilot = ConcurrencyPilot(256)
    driven(pilot, 20.0, queueing(60))
    before = pilot.limit
    driven(pilot, 80.0, lambda now, in_flight: float("inf"), begin=20.0)
    assert pilot.limit <= before / 3
    driven(pilot, 120.0, queueing(60), begin=80.0)
    assert pilot.limit >= 0.8 * before


def test_a_few_replies_that_are_lost_say_nothing_of_the_load() -> None:
    calls = iter(range(10**6))
    pilot = ConcurrencyPilot(256)
    driven(pilot, 30.0, lambda now, in_flight: float("inf") if next(calls) % 60 == 0 else queueing(60)(now, in_flight))
    assert pilot.limit >= 60


@pytest.mark.parametrize("slower", [1.3, 2.0, 3.0, 10.0])
def test_a_gateway_that_becomes_slower_for_good_isnt_taken_for_one_that_queues(slower: float) -> None:
    pilot = ConcurrencyPilot(100)
    driven(pilot, 20.0, queueing(1000))
    assert pilot.limit == 100
    driven(pilot, 20.0 + 60.0 * slower, queueing(1000, 0.2 * slower), begin=20.0)
    assert pilot.limit >= 50


@pytest.mark.parametrize("begin", range(3))
def test_latencies_that_scatter_are_no_queue(begin: int) -> None:
    random, pilot = Random(begin), ConcurrencyPilot(60)
    driven(pilot, 300.0, lambda now, in_flight: min(random.lognormvariate(-1.0, 0.8), 4.0))
    assert pilot.limit >= 30


def test_answers_without_any_latency_are_borne() -> None:
    pilot = ConcurrencyPilot(256)
    for number in range(100):
        pilot.answered(0.05 * number, 0.05 * number, False, False, pilot.limit)
    assert pilot.limit > 8


def test_nothing_grows_that_isnt_used() -> None:
    pilot = ConcurrencyPilot(256)
    for number in range(1000):
        now = 0.05 * number
        pilot.answered(now, now - ROUND_TRIP, False, False, 3)
    assert pilot.limit == 8


def test_overload_of_a_few_calls_cuts_what_is_used() -> None:
    pilot = ConcurrencyPilot(256, start=200)
    for number in range(8):
        now = float(number)
        pilot.answered(now, now - ROUND_TRIP, True, False, 10)
    assert pilot.limit <= 10


def test_who_is_known_to_take_many_calls_gets_many_at_first() -> None:
    assert [at_first(rate) for rate in (0.5, 40.0, 2000.0)] == [FEW, FEW, 100]
    assert ConcurrencyPilot(64, at_first(2000.0)).limit == 64


def test_a_few_calls_that_take_ever_so_long_are_no_queue() -> None:
    chance = Random(3)
    pilot = ConcurrencyPilot(200)
    driven(pilot, 30.0, lambda now, in_flight: 4.9 if chance.random() < 0.02 else 0.05)
    assert pilot.limit >= 150
