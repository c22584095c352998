"""What Hypothesis draws of gateways: limits, and times at which calls arrive."""

from __future__ import annotations

from itertools import accumulate

from gateway_limits import Counter, FixedWindow, SlidingWindow, Steps, TokenBucket, steady
from hypothesis import strategies as st

CALLS = st.integers(1, 8)
SECONDS = st.sampled_from([0.5, 1.0, 2.5, 10.0])

steps = st.builds(lambda one, two, at: Steps(((0.0, one), (at, two))), CALLS, CALLS, st.floats(0.1, 8.0))
fixed = st.builds(FixedWindow, CALLS.map(steady) | steps, SECONDS)
steady_fixed = st.builds(FixedWindow, CALLS.map(steady), SECONDS)
sliding = st.builds(SlidingWindow, CALLS.map(steady), SECONDS)
buckets = st.builds(TokenBucket, st.sampled_from([0.8, 2.0, 7.0]).map(steady), CALLS)
steady_limits = steady_fixed | sliding | buckets

gaps = st.just(0.0) | st.floats(0.001, 0.2) | st.floats(0.2, 4.0)
arrivals = st.lists(gaps, max_size=60).map(lambda drawn: list(accumulate(drawn)))


def let_through(counter: Counter, times: list[float]) -> list[float]:
    """Those of the calls that pass, where refused ones cost nothing."""
    passed = []
    for now in times:
        if counter.room_at(now) <= now:
            counter.take(now)
            passed.append(now)
    return passed
