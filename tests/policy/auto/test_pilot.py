"""The pilot against gateways of a few lines: it finds what they allow, and says what it is that holds it back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bulkstate.model import Told
from bulkstate.policy.auto.learnt import NOTHING, Learnt, LearntQuota
from bulkstate.policy.auto.pilot import Pilot, per

ROUND_TRIP = 0.08


class Fixed:
    """So many calls in each window of so many seconds, by the clock on the wall."""

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls, self.seconds = calls, seconds
        self._window, self._used = -1, 0

    def admits(self, at: float) -> bool:
        window = int(at // self.seconds)
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        return self._used <= self.calls


def flown(
    pilot: Pilot,
    admits: Callable[[float], bool],
    calls: int,
    told: tuple[Told, ...] = (),
    begin: float = 0.37,
    more: int = 0,
    wish: Callable[[float], float | None] = lambda at: None,
) -> tuple[float, int]:
    """Have so many calls accepted: the seconds that it took, and how many were refused. 64 are in flight at most, and
    the pilot expects so many `more`. A refusal at some time comes with that `wish`."""
    now, accepted, refused = begin, 0, 0
    under_way: deque[tuple[float, bool]] = deque()
    while accepted < calls:
        pilot.expect(calls - accepted + more)
        ready = pilot.ready_at(now) if len(under_way) < 64 else float("inf")
        if under_way and under_way[0][0] + ROUND_TRIP <= ready:
            sent_at, passed = under_way.popleft()
            now = max(now, sent_at + ROUND_TRIP)
            wished = None if passed else wish(sent_at + ROUND_TRIP / 2)
            pilot.answered(now, sent_at, not passed, wished, told)
            accepted, refused = accepted + passed, refused + (not passed)
        else:
            now = ready
            pilot.sent(now)
            under_way.append((now, admits(now + ROUND_TRIP / 2)))
    return now - begin, refused


@hypothesis_settings(max_examples=6)
@given(st.sampled_from([12, 37, 60, 90]), st.floats(0.0, 0.99))
def test_a_limit_a_second_is_found(limit: int, begin: float) -> None:
    seconds, refused = flown(Pilot(), Fixed(limit, 1.0).admits, 6000, begin=begin)
    assert 6000 / limit / seconds >= 0.95
    assert refused / (6000 + refused) <= 0.01


@pytest.mark.parametrize(("limit", "window"), [(100, 10.0), (600, 30.0), (1200, 60.0)])
def test_a_longer_window_is_found_and_its_length_learnt(limit: int, window: float) -> None:
    pilot = Pilot()
    seconds, refused = flown(pilot, Fixed(limit, window).admits, 6000)
    assert 6000 / limit * window / seconds >= 0.93
    assert refused <= 60
    assert [quota.seconds for quota in pilot.learnt().quotas] == [window]
    assert pilot.learnt().quotas[0].limit == pytest.approx(limit, rel=0.05)


def test_a_limit_that_falls_and_rises_is_followed() -> None:
    slow, fast = Fixed(18, 1.0), Fixed(60, 1.0)
    first = Fixed(37, 1.0)

    def admits(at: float) -> bool:
        return (first if at < 60.0 else slow if at < 200.0 else fast).admits(at)

    calls = 37 * 60 + 18 * 140 + 60 * 60
    seconds, refused = flown(Pilot(), admits, calls)
    assert 260.0 / seconds >= 0.92
    assert refused / calls <= 0.011


def test_the_next_run_starts_warm() -> None:
    cold = Pilot()
    _, first = flown(cold, Fixed(150, 1.0).admits, 3000)
    known = Learnt.from_dict(cold.learnt().as_dict())
    seconds, again = flown(Pilot(learnt=known), Fixed(150, 1.0).admits, 3000)
    assert again < first
    assert 3000 / 150 / seconds >= 0.96


def test_what_is_spent_of_a_quota_stays_spent() -> None:
    warm = Pilot(learnt=Learnt(None, (LearntQuota(100.0, 60.0, 0.0, 98),)))
    warm.sent(1.0)
    warm.sent(1.5)
    assert warm.ready_at(2.0) >= 60.0


def test_a_share_is_left_to_others() -> None:
    gateway = Fixed(150, 1.0)
    seconds, _ = flown(Pilot(share=0.5, learnt=Learnt(150.0)), gateway.admits, 6000)
    assert 0.44 <= 6000 / 150 / seconds <= 0.53


@pytest.mark.parametrize("percent", [1, 10, 80, 95])
def test_whatever_the_share(percent: int) -> None:
    calls = 60 * percent
    seconds, _ = flown(Pilot(share=percent / 100, learnt=Learnt(150.0)), Fixed(150, 1.0).admits, calls)
    assert calls / 150 / seconds <= percent / 100 + 0.03


def test_a_window_that_only_headers_know_is_tried_before_long() -> None:
    """Two calls, said to be all for a month: nobody would find out within the run."""
    month = (Told(2.0, 2_592_000.0, None, None),)
    seconds, _ = flown(Pilot(), Fixed(40, 1.0).admits, 2000, month)
    assert seconds <= 500.0
    pilot = Pilot()
    flown(pilot, Fixed(40, 1.0).admits, 3, month)
    assert not pilot.learnt().quotas, "the next run would be held by it"


def test_an_honest_window_is_tried_once() -> None:
    told = (Told(300.0, 3600.0, None, None),)
    _, refused = flown(Pilot(), Fixed(300, 3600.0).admits, 1000, told, begin=10.0)
    assert refused <= 4


def test_of_several_short_limits_the_least_counts() -> None:
    for told in ((Told(20.0, 1.0), Told(200.0, 1.0)), (Told(200.0, 1.0), Told(20.0, 1.0))):
        seconds, refused = flown(Pilot(), Fixed(20, 1.0).admits, 1000, told)
        assert 1000 / 20 / seconds >= 0.95
        assert refused <= 10


def test_headers_are_heeded_from_the_first_answer() -> None:
    told = (Told(40.0, 1.0, None, None),)
    seconds, refused = flown(Pilot(), Fixed(40, 1.0).admits, 4000, told)
    assert refused <= 20
    assert 4000 / 40 / seconds >= 0.95


def test_where_headers_lie_the_429s_win() -> None:
    lies = (Told(100_000.0, 1.0, 99_999.0, 1.0),)
    seconds, refused = flown(Pilot(), Fixed(40, 1.0).admits, 4000, lies)
    assert 4000 / 40 / seconds >= 0.9
    assert refused / 4000 <= 0.03


def test_a_wish_that_lies_is_found_out() -> None:
    for seconds in (2.0, 60.0, 3600.0, 86400.0):
        taken, refused = flown(Pilot(), Fixed(40, 1.0).admits, 4000, wish=lambda at, said=seconds: said)
        assert 4000 / 40 / taken >= 0.93
        assert refused <= 40


@pytest.mark.parametrize("begin", [0.1, 0.37, 0.6, 0.9])
def test_an_honest_wish_of_a_second_doesnt_hide_when_the_window_ended(begin: float) -> None:
    """It is kept to the letter twice, and then nobody waits for it."""
    seconds, refused = flown(Pilot(), Fixed(37, 1.0).admits, 3000, begin=begin, wish=lambda at: 1.0)
    fewest_seconds, fewest = flown(Pilot(), Fixed(37, 1.0).admits, 3000, begin=begin)
    assert seconds <= fewest_seconds + 2.5
    assert refused <= fewest + 10


@pytest.mark.parametrize("begin", [500.0, 3500.0])
def test_an_honest_wish_of_an_hour_costs_a_handful_of_calls_once(begin: float) -> None:
    plain, wishing, refusals = Fixed(300, 3600.0), Fixed(300, 3600.0), list[float]()

    def left(at: float) -> float:
        refusals.append(at)
        return float(ceil(3600.0 - at % 3600.0))

    flown(Pilot(), plain.admits, 1200, begin=begin)
    flown(Pilot(), wishing.admits, 1200, begin=begin, wish=left)
    first = [at for at in refusals if at < 3600.0]
    probes = [at for at in first if at > first[0] + ROUND_TRIP]
    assert len(probes) <= 8
    assert len(refusals) - len(first) <= 8 + 3, "so many probes, and what is under way when it runs out"


@given(st.floats(0.0, 59.0), st.floats(0.01, 0.9))
def test_what_is_left_of_a_window_isnt_carried_over_its_edge(since: float, late: float) -> None:
    """Calls that left before the edge are answered after it: none was left, and that says nothing of the next ones."""
    pilot, edge = Pilot(), 60.0 - since
    for now, left in ((0.0, 30.0), (0.1, 29.0)):
        pilot.sent(now)
        pilot.answered(now + 0.01, now, False, None, (Told(60.0, 60.0, left, edge - now),))
    sent_at = edge - 0.02
    pilot.sent(sent_at)
    pilot.answered(edge + 1.0 + late, sent_at, False, None, (Told(60.0, 60.0, 0.0, 60.0),))
    pilot.sent(edge + 1.0 + late)
    assert pilot.ready_at(edge + 2.0 + late) <= edge + 5.0


def test_nothing_left_isnt_believed_of_a_gateway_that_lets_calls_through() -> None:
    for seconds in (60.0, 3600.0):
        taken, _ = flown(Pilot(), Fixed(40, 1.0).admits, 4000, (Told(2400.0, seconds, 0.0, seconds),))
        assert 4000 / 40 / taken >= 0.9


def test_a_reset_beyond_its_own_window_says_nothing_and_the_limit_still_counts() -> None:
    pilot, told = Pilot(), (Told(100.0, 60.0, 0.0, 3e7),)
    for now in (1.0, 70.0, 140.0):
        pilot.sent(now)
        pilot.answered(now + ROUND_TRIP, now, False, None, told)
    assert pilot.binds(140.0) == "per minute"
    assert pilot.rate < 3.0
    assert pilot.learnt() == NOTHING, "nobody but the headers says so"


def test_headers_that_never_say_the_same_are_no_longer_listened_to() -> None:
    pilot, admits, refused = Pilot(), Fixed(40, 1.0).admits, 0
    for number in range(400):
        sent_at = pilot.ready_at(number * 0.025)
        pilot.sent(sent_at)
        throttled = not admits(sent_at)
        refused += throttled
        pilot.answered(
            sent_at + 0.01, sent_at, throttled, None, (Told(1e6 + number, 1.0), Told(5.0, 60.0 + 9 * number))
        )
    assert pilot.rate < 100
    assert refused < 100


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1.0, "per second"),
        (30.0, "per 30 s"),
        (86_400.0, "per day"),
        (259_200.0, "per 3 days"),
        (2_592_000.0, "per month"),
    ],
)
def test_windows_in_words(seconds: float, words: str) -> None:
    assert per(seconds) == words


def test_it_says_which_window_holds_it() -> None:
    pilot = Pilot()
    flown(pilot, Fixed(40, 1.0).admits, 500)
    assert pilot.binds(0.0) == "per second"
    pilot = Pilot()
    flown(pilot, Fixed(300, 60.0).admits, 1000, more=5000)
    assert pilot.binds(0.0) == "per minute"
    assert pilot.rate == pytest.approx(5.0, rel=0.3)
    assert Pilot(learnt=NOTHING).binds(0.0) == "per second"


def test_an_outage_of_429s_isnt_taken_for_a_window_for_ever() -> None:
    """Nobody can tell them apart at first; but where calls pass beyond what such a window held, there was none."""
    limit = Fixed(37, 1.0)

    def admits(at: float) -> bool:
        return not 50.0 <= at < 650.0 and limit.admits(at)

    seconds, refused = flown(Pilot(), admits, 10_000)
    assert seconds <= 10_000 / 37 + 600 + 1100
    assert refused <= 60
