"""The pacer's arithmetic, over any pattern of calls: an hour of running in milliseconds."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulkstate.policy.pacing import CATCH_UP, FORGIVEN, Pacer, forecast
from bulkstate.rates import Rate

from ..engine.gateway import most_in_a_window

lengths = st.sampled_from([1.0, 2.0, 7.5, 60.0, 3600.0])
windows = st.lists(st.builds(Rate, st.integers(1, 60), lengths), min_size=1, max_size=3)
arrivals = st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.000_4, 0.003, 0.02, 0.7, 5.0, 90.0]), min_size=1, max_size=120)
"""How long after the one before each call comes: mostly at once, sometimes there is nothing to do."""


def paced(pacer: Pacer, pauses: list[float], late: float = 0.0) -> list[float]:
    """When calls start that come so long after each other, and whose timers are late."""
    now, times = 0.0, []
    for pause in pauses:
        now += pause
        ready = pacer.ready_at(now)
        now = ready + late if ready > now else now
        pacer.sent(now)
        times.append(now)
    return times


@given(windows, arrivals, st.floats(0.0, 0.1))
def test_no_window_ever_holds_more_calls_than_it_allows(limits: list[Rate], pauses: list[float], late: float) -> None:
    times = paced(Pacer(limits), pauses, late)
    for window in limits:
        assert most_in_a_window(times, window.guarded - FORGIVEN - 1e-6) <= window.calls


@given(windows, arrivals, st.lists(st.tuples(st.floats(-4000.0, 0.0), st.integers(1, 9)), max_size=30).map(sorted))
def test_calls_of_earlier_sessions_count(
    limits: list[Rate], pauses: list[float], earlier: list[tuple[float, int]]
) -> None:
    past = [at for at, calls in earlier for _ in range(calls)]
    times = paced(Pacer(limits, earlier), pauses)
    for window in limits:
        for number, at in enumerate(times):
            in_window = [one for one in past + times[: number + 1] if one > at - window.seconds]
            assert len(in_window) <= window.calls


@given(st.integers(1, 500), lengths)
def test_the_shortest_window_is_paced_evenly(calls: int, seconds: float) -> None:
    window = Rate(calls, seconds)
    times = paced(Pacer([window, Rate(10_000, 86_400.0)]), [0.0] * 200)
    drift = [at - number / window.per_second for number, at in enumerate(times)]
    assert max(drift) - min(drift) <= CATCH_UP + 1e-6


@given(st.integers(1, 2000), lengths, st.floats(0.0, FORGIVEN))
def test_late_timers_cost_nothing_in_the_long_run(calls: int, seconds: float, late: float) -> None:
    window = Rate(calls, seconds)
    times = paced(Pacer([window]), [0.0] * 3000, late)
    assert (len(times) - 1) / (times[-1] - times[0]) >= 0.98 * calls / seconds


@given(st.integers(1, 20), st.integers(1, 300), lengths, st.integers(1, 600))
def test_a_forecast_is_what_it_takes(few: int, many: int, seconds: float, calls: int) -> None:
    limits = [Rate(few, 1.0), Rate(many, seconds)]
    assume(len({window.seconds for window in limits}) == 2)
    assume(few <= many)
    times = paced(Pacer(limits), [0.0] * calls)
    seconds = forecast(limits, calls).seconds
    assert times[-1] - times[0] == pytest.approx(seconds, abs=0.02 + CATCH_UP * (1 + calls // many))


@pytest.mark.parametrize(
    ("windows", "calls", "binding"),
    [
        ("20/s", 1, "20/s"),
        ("20/s 1000000/min", 50, "20/s"),
        ("20/s 1000000/min", 2_000_000, "20/s"),
        ("20/s 1000/min", 1_000, "20/s"),
        ("20/s 1000/min", 1_001, "1000/min"),
        ("1000000/min 20/s 5/h", 6, "5/h"),
        ("30/s 20/s", 7, "20/s"),
        ("30/s 20/s", 700, "20/s"),
        ("20/s 1000/min 50000/h 500000/d", 40_000, "1000/min"),
        ("20/s 1000/min 50000/h 500000/d", 400_000, "50000/h"),
        ("20/s 1000/min 50000/h 500000/d", 4_000_000, "500000/d"),
    ],
)
def test_a_forecast_says_which_limit_binds(windows: str, calls: int, binding: str) -> None:
    lengths = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
    pairs = (window.split("/") for window in windows.split())
    limits = [Rate(int(calls), lengths[unit]) for calls, unit in pairs]
    assert str(forecast(limits, calls).binding) == binding


def test_a_window_shows_itself_as_it_is_written() -> None:
    shown = [str(Rate(20, seconds)) for seconds in (1.0, 60.0, 3600.0, 86_400.0, 7.5)]
    assert shown == ["20/s", "20/min", "20/h", "20/d", "20/7.5s"]


@pytest.mark.parametrize("windows", [[Rate(1000, 3600.0)], [Rate(1000, 3600.0), Rate(500_000, 86_400.0)]])
def test_what_fits_into_long_windows_goes_at_once(windows: list[Rate]) -> None:
    pacer = Pacer(windows, [(0.0, 700)])
    pacer.expect(301)
    assert paced(pacer, [0.0])[0] == 0.0
    assert pacer.ready_at(0.0) > 3.0, "a call too many for what is left"
    pacer.expect(299)
    assert paced(pacer, [0.0] * 299)[-1] == 0.0
    assert pacer.ready_at(0.0) > 3000.0, "and no call more than it holds"
    assert forecast(windows, 1000).seconds == 0.0
    assert forecast(windows, 1001).seconds > 3600.0


def test_short_windows_are_paced_evenly_all_the_same() -> None:
    pacer = Pacer([Rate(1000, 60.0), Rate(50_000, 3600.0)])
    pacer.expect(10)
    assert paced(pacer, [0.0] * 10)[-1] == pytest.approx(9 * 0.06, abs=0.03)


@given(
    st.lists(st.tuples(st.floats(0.0, 500.0), st.integers(0, 60)), min_size=1, max_size=80),
    st.integers(1, 30),
    st.sampled_from([90.0, 3600.0]),
)
def test_no_window_overflows_whatever_is_expected(steps: list[tuple[float, int]], calls: int, seconds: float) -> None:
    pacer, now, times = Pacer([Rate(calls, seconds)]), 0.0, []
    for later, expected in steps:
        now += later
        pacer.expect(expected)
        now = max(now, pacer.ready_at(now))
        pacer.sent(now)
        times.append(now)
    assert all(late - early >= seconds for early, late in zip(times, times[calls:], strict=False))


@pytest.mark.parametrize("limits", [[Rate(50, 1.0), Rate(5, 1.0)], [Rate(5, 1.0), Rate(50, 1.0)]])
def test_of_windows_of_one_length_the_smallest_binds(limits: list[Rate]) -> None:
    pacer = Pacer(limits)
    pacer.sent(0.0)
    assert pacer.binds(0.01) == Rate(5, 1.0)
