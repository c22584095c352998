"""The callers who know everything are as fast as can be, by brute force."""

from __future__ import annotations

import pytest
from gateway_limits import FixedWindow, Limit, Poisson, Steps, TokenBucket, steady
from gateway_sim import Job, Load, World, counters
from hypothesis import given
from hypothesis import strategies as st
from omniscient import least, paced, starts

from . import limits

TICK = 0.001
SLACK = 1e-7
"""Seconds by which each of some sums of floats may be off."""

AT_ONCE = (0.0, 0.0)

worlds = st.lists(limits.steady_limits, min_size=1, max_size=3).map(lambda drawn: World(tuple(drawn), one_way=AT_ONCE))
jobs = st.builds(Job, worlds, st.integers(1, 20))
window_jobs = st.builds(
    Job,
    st.lists(limits.steady_fixed, min_size=1, max_size=3).map(lambda drawn: World(tuple(drawn), one_way=AT_ONCE)),
    st.integers(1, 20),
)


def knocking(job: Job, seed: str) -> float:
    """When the last call of someone passes who knocks once a tick until he is let in."""
    doors = counters(job.world.limits, seed)
    passed, now = 0, 0.0
    while True:
        while max(door.room_at(now) for door in doors) <= now:
            for door in doors:
                door.take(now)
            passed += 1
            if passed == job.calls:
                return now
        now += TICK


@given(jobs, st.integers(0, 3).map(str))
def test_nobody_who_knocks_all_the_time_is_through_sooner(job: Job, seed: str) -> None:
    soonest = least(job, seed)
    assert soonest is not None
    assert soonest - SLACK <= knocking(job, seed) <= soonest + 2 * TICK * job.calls


@given(jobs, st.integers(0, 9).map(str))
def test_who_is_paced_is_never_refused(job: Job, seed: str) -> None:
    doors = counters(job.world.limits, seed)
    for number, start in enumerate(starts(job), 1):
        now = start + number * SLACK
        for door in doors:
            assert door.room_at(now) == now
            door.take(now)


@given(jobs, st.integers(0, 9).map(str))
def test_who_knows_the_edges_is_not_slower(job: Job, seed: str) -> None:
    soonest = least(job, seed)
    assert soonest is not None
    assert soonest <= paced(job) + 1e-6


@given(window_jobs)
def test_pacing_is_as_soon_as_windows_that_slide_and_an_even_pace_allow(job: Job) -> None:
    windows = sorted((limit.seconds, round(limit.per_second.at(0.0) * limit.seconds)) for limit in job.world.limits)
    pace = windows[0][0] / windows[0][1]
    made: list[float] = []
    now = 0.0
    while len(made) < job.calls:
        even = not made or now - made[-1] >= pace
        if even and all(sum(at > now - seconds for at in made) < calls for seconds, calls in windows):
            made.append(now)
        now = round(now + TICK, 3)
    assert paced(job) <= made[-1] + 1e-6
    assert made[-1] <= paced(job) + 2 * TICK * job.calls


def test_one_window() -> None:
    job = Job(World((FixedWindow(steady(37), 1.0),)), 10_000)
    assert paced(job) == pytest.approx(9_999 / 37 + 0.077)


def test_two_windows_of_which_both_bind_by_turns() -> None:
    job = Job(World((FixedWindow(steady(50), 1.0), FixedWindow(steady(1_200), 60.0))), 10_000)
    assert paced(job) == pytest.approx(8 * 60 + 399 / 50 + 0.077)


def test_a_bucket_gives_its_burst_first() -> None:
    assert paced(Job(World((TokenBucket(steady(37), 10),)), 10_000)) == pytest.approx(9_990 / 37 + 0.077)


@pytest.mark.parametrize(
    ("limit", "others", "seconds"),
    [
        (FixedWindow(Steps(((0, 37), (90, 18), (275, 60))), 1.0), (), 275 + 3_340 / 60),
        (FixedWindow(steady(100), 1.0), (Poisson(steady(30)),), 10_000 / 70),
        (FixedWindow(steady(1_200), 60.0), (Poisson(steady(5)),), 10_000 / 15),
    ],
)
def test_others_and_steps_are_the_integral_of_what_is_left(
    limit: Limit, others: tuple[Poisson, ...], seconds: float
) -> None:
    assert paced(Job(World((limit,), others))) == pytest.approx(seconds, abs=0.3)


def test_where_others_call_nobody_can_say_what_is_least() -> None:
    assert least(Job(World((FixedWindow(steady(9), 1.0),), (Poisson(steady(1)),))), "seed") is None


def test_work_that_is_done_so_many_at_once_is_a_limit() -> None:
    world = World((FixedWindow(steady(1_000_000), 1.0),), one_way=AT_ONCE, load=Load(0.5, 2))
    assert paced(Job(world, 100)) == pytest.approx(50 * 0.5)
    assert least(Job(world, 100), "seed") == pytest.approx(50 * 0.5)


def test_phases_are_the_seeds() -> None:
    window = FixedWindow(steady(1), 60.0)
    first, again, other = (counters([window], seed)[0] for seed in ("a", "a", "b"))
    for counter in (first, again, other):
        counter.room_at(0.0)
        counter.take(0.0)
    assert first.room_at(0.0) == again.room_at(0.0) != other.room_at(0.0)
