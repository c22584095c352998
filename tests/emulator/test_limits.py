"""Flow control: no window ever admits more than it allows, and the 429 comes with or without a wish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.emulator.limits import FlowControl, WindowKind
from bulkstate.emulator.world import GatewayLimits
from bulkstate.rates import Rate
from tests.emulator.callers import caller, small_world

windows = st.lists(st.builds(Rate, st.integers(1, 5), st.sampled_from([0.5, 1.0, 7.0, 60.0])), min_size=1, max_size=3)
arrivals = st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=80)


def admitted(limits: list[Rate], kind: WindowKind, gaps: list[float]) -> list[float]:
    """When calls were let in, of a caller who comes every so many seconds."""
    flow, now, times = FlowControl(limits, kind), 1_700_000_000.0, []
    for gap in gaps:
        now += gap
        if flow.admit(now) == 0:
            times.append(now)
    return times


@given(windows, arrivals)
def test_a_fixed_window_admits_no_more_than_it_allows(limits: list[Rate], gaps: list[float]) -> None:
    times = admitted(limits, WindowKind.FIXED, gaps)
    for window in limits:
        numbers = [time // window.seconds for time in times]
        assert max(map(numbers.count, numbers), default=0) <= window.calls


@given(windows, arrivals)
def test_a_sliding_window_admits_no_more_than_it_allows(limits: list[Rate], gaps: list[float]) -> None:
    times = admitted(limits, WindowKind.SLIDING, gaps)
    for window in limits:
        assert all(sum(end - window.seconds < time <= end for time in times) <= window.calls for end in times)


@given(windows, st.sampled_from(WindowKind), arrivals)
def test_whoever_waits_as_long_as_told_is_let_in(limits: list[Rate], kind: WindowKind, gaps: list[float]) -> None:
    flow, now = FlowControl(limits, kind), 1_700_000_000.0
    for gap in gaps:
        now += gap
        wait = flow.admit(now)
        if wait:
            now += wait + 0.001
            assert flow.admit(now) == 0


@pytest.mark.anyio
@pytest.mark.parametrize("wish", [False, True])
async def test_all_callers_and_all_calls_share_a_window(wish: bool) -> None:
    limits = GatewayLimits(windows=(Rate(3, 86_400.0),), retry_after=wish)
    async with caller(small_world(limits=limits)) as someone:
        url = someone.emulator.url + "/streaming/v2.0/streaming/pipelines?orgId=o1"
        statuses = []
        for headers in ({"Authorization": someone.token}, {"Authorization": "Bearer " + someone.token}, {}):
            async with someone.session.get(url, headers=headers) as response:
                statuses.append(response.status)
        assert statuses == [200, 200, 429]
        assert ("Retry-After" in response.headers) is wish
        assert someone.emulator.record.throttled == 1
