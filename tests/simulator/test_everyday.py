"""`rate: auto` on gateways as they are every day: windows that others used up, and windows that end in mid-job.

In virtual time, beside a caller who knows every edge and bursts there. The same cases every time: what is found of an
unknown gateway is a matter of chance, and one in some hundred takes longer than is said here. `benchmarks/everyday.py`
tries others, and tells how often.
"""

from __future__ import annotations

from gateway_limits import FixedWindow, Nodes, steady
from gateway_sim import Job, Load, Taken, World, simulate
from hypothesis import given, settings
from hypothesis import strategies as st
from omniscient import least
from program import DAY, HOUR, MINUTE, Program, per

lengths = st.sampled_from([20.0, MINUTE, 300.0, 600.0, 900.0, HOUR, 2 * HOUR, DAY])
used = st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0)
seconds_limits = st.none() | st.sampled_from([5.0, 20.0, 50.0])


def late(job: Job, seed: str) -> tuple[float, Taken]:
    """Seconds over who knows all, and what it came to."""
    taken = simulate(job, seed, Program())
    assert taken.deleted == job.calls
    soonest = least(job, seed)
    assert soonest is not None
    return taken.seconds - soonest, taken


def job(window: FixedWindow, windows: float, second: float | None) -> Job:
    limits = (window,) if second is None else (window, per(second))
    return Job(World(limits), int(windows * window.calls.at(0.0)) + 1, workers=1_000)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(lengths, st.integers(20, 300), used, seconds_limits, st.floats(0.2, 2.8), st.integers(0, 1 << 30))
def test_a_window_with_edges_on_the_clock_costs_seconds(
    seconds: float, calls: int, used: float, second: float | None, windows: float, seed: int
) -> None:
    over, _ = late(job(FixedWindow(steady(calls), seconds, True, used), windows, second), str(seed))
    assert over <= 30.0 + 0.02 * seconds


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    lengths,
    st.integers(50, 300),
    st.sampled_from([0.0, 1.0]),
    seconds_limits,
    st.floats(0.2, 2.8),
    st.integers(0, 1 << 30),
)
def test_a_window_with_edges_anywhere_costs_at_most_the_gap_between_two_looks(
    seconds: float, calls: int, used: float, second: float | None, windows: float, seed: int
) -> None:
    over, _ = late(job(FixedWindow(steady(calls), seconds, False, used), windows, second), str(seed))
    assert over <= 60.0 + min(0.36 * seconds, 900.0)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(lengths.filter(lambda seconds: seconds >= MINUTE), st.integers(20, 300), st.integers(0, 1 << 30))
def test_who_waits_looks_a_few_times_only(seconds: float, calls: int, seed: int) -> None:
    _, taken = late(job(FixedWindow(steady(calls), seconds, False, 1.0), 0.5, None), str(seed))
    assert taken.refused <= 40 + seconds / 800


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.integers(2, 4), st.integers(0, 1 << 30))
def test_machines_that_count_each_for_itself_arent_pushed_while_some_have_none_left(nodes: int, seed: int) -> None:
    world = World((Nodes(per(200, MINUTE), nodes),))
    taken = simulate(Job(world, 1_500, workers=1_000), str(seed), Program())
    assert taken.deleted == 1_500
    assert taken.refused <= 0.25 * taken.calls


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.sampled_from([10, 20, 50]), st.floats(0.5, 20.0), st.integers(0, 1 << 30))
def test_deletes_that_take_long_cost_a_few_of_them(limit: int, seconds: float, seed: int) -> None:
    """Doublings from a few at once to as many as the limit bears, and no look that waits for one of them."""
    world = World((per(limit),), load=Load(seconds, 1_000_000))
    taken = simulate(Job(world, 20 * limit, workers=1_000), str(seed), Program())
    assert taken.deleted == 20 * limit
    assert taken.seconds <= 30.0 + 8 * seconds
    assert taken.refused <= 40
