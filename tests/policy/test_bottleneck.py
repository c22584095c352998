"""What holds a run back, and the points that tell its course."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.bottleneck import By, Holding, Moment, holding
from bulkstate.policy.pacing import Pacer
from bulkstate.rates import Rate

BUSY = Moment(False, "", 3, None, Rate(20, 1.0), False, False, True, 4, 4)


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        (BUSY, Holding(By.YOUR_LIMIT, "20/s")),
        (replace(BUSY, window=Rate(1000, 60.0)), Holding(By.YOUR_LIMIT, "1000/min")),
        (replace(BUSY, paused=True, gateway_limit=""), Holding(By.PAUSE)),
        (replace(BUSY, gateway_limit=""), Holding(By.GATEWAY_LIMIT)),
        (replace(BUSY, gateway_limit="per minute"), Holding(By.GATEWAY_LIMIT, "per minute")),
        (replace(BUSY, gateway_limit="per second", searched=True), Holding(By.SEARCH)),
        (replace(BUSY, in_line=0, gateway_limit=""), Holding(By.GATEWAY_SLOW)),
        (replace(BUSY, window=None), Holding(By.MACHINE)),
        (replace(BUSY, in_line=0), Holding(By.GATEWAY_SLOW)),
        (replace(BUSY, in_line=0, told=True), Holding(By.YOUR_LIMIT, "concurrency 4")),
        (replace(BUSY, in_line=0, told=True, at_hand=False), Holding(By.GATEWAY_SLOW)),
        (replace(BUSY, in_line=0, full=True), Holding(By.MACHINE)),
        (replace(BUSY, in_line=0, under_way=2), Holding(By.MACHINE)),
        (replace(BUSY, in_line=0, under_way=2, at_hand=False), Holding(By.GATEWAY_SLOW)),
    ],
)
def test_what_holds(moment: Moment, found: Holding) -> None:
    assert holding(moment) == found


windows = st.builds(Rate, st.integers(1, 30), st.sampled_from([1.0, 2.0, 10.0, 60.0]))


@given(st.lists(windows, min_size=1, max_size=3), st.lists(st.tuples(st.integers(0, 40), windows), max_size=4))
def test_a_rate_set_by_hand_never_lifts_a_window(limits: list[Rate], by_hand: list[tuple[int, Rate]]) -> None:
    pacer, now, starts = Pacer(limits), 0.0, []
    changes = dict(by_hand)
    for call in range(60):
        if call in changes:
            pacer.set_rate(changes[call])
        ready = pacer.ready_at(now)
        assert ready <= now or pacer.binds(now) in [*limits, *changes.values()]
        now = max(now, ready)
        pacer.sent(now)
        starts.append(now)
    for window in limits:
        assert all(
            later - first >= window.seconds for first, later in zip(starts, starts[window.calls :], strict=False)
        )


def test_a_rate_set_by_hand_holds_from_the_next_call_on_and_says_so() -> None:
    pacer = Pacer([Rate(100, 1.0)])
    pacer.sent(0.0)
    pacer.set_rate(Rate(2, 1.0))
    assert pacer.ready_at(0.0) == pytest.approx(0.5, abs=0.02)
    assert pacer.binds(0.1) == Rate(2, 1.0)
    pacer.set_rate(Rate(500, 1.0))
    assert pacer.ready_at(0.0) <= 0.011
    assert pacer.rate == Pacer([Rate(100, 1.0)]).rate
