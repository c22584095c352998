"""One call at a time while every delete fails, and all of them again with the first that doesn't."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.breaker import FAILURES, PATIENCE, Breaker, Suspicion
from bulkstate.policy.retry import RetryPolicy

POLICY = RetryPolicy(attempts=6, first_delay=1.0, max_delay=60.0)
LATE = 1000.0


def opened(policy: RetryPolicy = POLICY) -> Breaker:
    """One that has just opened, at LATE."""
    breaker = Breaker(policy)
    for _ in range(FAILURES):
        breaker.failed(LATE, LATE - 100.0, Suspicion.NO_CONNECTION)
    assert breaker.open
    return breaker


def test_it_opens_when_chunk_after_chunk_fails_and_one_of_them_again() -> None:
    breaker = Breaker(POLICY)
    for second in range(FAILURES):
        breaker.failed(second, second - 0.5, Suspicion.FIRST)
        assert not breaker.open
        assert breaker.ready_at() == -inf
    breaker.failed(30.0, 29.0, Suspicion.AGAIN)
    assert breaker.open
    assert breaker.down_for(100.0) == 100.5


def test_it_is_doubtful_from_the_first_failure_to_the_next_answer() -> None:
    breaker = Breaker(POLICY)
    assert breaker.doubtful is False
    breaker.failed(1.0, 0.5, Suspicion.AGAIN)
    assert breaker.doubtful is False, "that may be the chunk's own fault"
    breaker.failed(1.0, 0.5, Suspicion.FIRST)
    assert breaker.doubtful is True
    assert breaker.answered() is False
    assert breaker.doubtful is False
    assert opened().answered() is True


def test_what_was_under_way_when_a_server_restarted_costs_no_more_than_a_retry() -> None:
    breaker = Breaker(POLICY)
    for _ in range(10 * FAILURES):
        breaker.failed(2.0, 1.5, Suspicion.NO_CONNECTION)
    assert breaker.ready_at() == 2.0 + POLICY.first_delay


@given(st.lists(st.sampled_from(["again", "answered", "refused"]), min_size=1))
def test_chunks_that_fail_again_are_at_fault_themselves(between: list[str]) -> None:
    """Nor does it open while anything is answered."""
    breaker = Breaker(POLICY)
    for number, what in enumerate(between * FAILURES):
        if what == "again":
            breaker.failed(100.0 * number, 100.0 * number - 50.0, Suspicion.AGAIN)
        elif what == "answered":
            breaker.failed(100.0 * number, 100.0 * number - 50.0, Suspicion.FIRST)
            assert not breaker.answered()
        else:
            breaker.ended(100.0 * number, 100.0 * number - 50.0)
        assert not breaker.open
        assert breaker.ready_at() == -inf


def test_single_probes_come_ever_more_rarely_but_as_often_as_a_last_retry() -> None:
    breaker, gaps = Breaker(POLICY), []
    for _ in range(FAILURES):
        breaker.failed(1.0, 0.0, Suspicion.NO_CONNECTION)
    now = 1.0
    for _ in range(30):
        gaps.append(breaker.ready_at() - now)
        now = breaker.ready_at()
        breaker.sent(now)
        assert breaker.ready_at() == now + PATIENCE
        breaker.ended(now, now)
        breaker.failed(now, now, Suspicion.AGAIN)
    assert gaps == sorted(gaps)
    assert gaps[0] == POLICY.first_delay
    assert gaps[-1] == POLICY.longest_delay == 16.0
    assert sum(gap < 16.0 for gap in gaps) < 20


def test_a_gateway_may_say_when_to_try_again() -> None:
    breaker = opened()
    breaker.sent(LATE + 1.0)
    breaker.failed(LATE + 2.0, LATE + 1.0, Suspicion.AGAIN, wish=50.0)
    assert breaker.ready_at() == LATE + 52.0


def test_calls_that_were_under_way_when_it_opened_are_no_probes() -> None:
    breaker = opened()
    probe_at = breaker.ready_at()
    for _ in range(50):
        breaker.ended(LATE + 0.1, LATE - 1.0)
        breaker.failed(LATE + 0.1, LATE - 1.0, Suspicion.FIRST)
    assert breaker.ready_at() == probe_at


@pytest.mark.parametrize("sent_at", [LATE - 1.0, LATE + 1.0])
def test_any_delete_that_is_answered_closes_it(sent_at: float) -> None:
    breaker = opened()
    breaker.sent(LATE + 1.0)
    assert breaker.answered()
    assert not breaker.open
    assert breaker.ready_at() == -inf
    assert breaker.down_for(2 * LATE) == 0.0
    breaker.failed(2 * LATE, LATE, Suspicion.FIRST)
    assert not breaker.open


def test_after_a_call_that_says_nothing_the_next_may_go_at_once() -> None:
    """A read, a token, a 429, a call that was broken off: the next probe isn't put off, nor lost."""
    breaker = opened()
    breaker.sent(LATE + 1.0)
    breaker.ended(LATE + 3.0, LATE + 1.0)
    assert breaker.ready_at() == LATE + 3.0


def test_a_probe_of_which_nobody_says_how_it_ended_is_lost_some_time() -> None:
    breaker = opened()
    breaker.sent(LATE + 1.0)
    assert breaker.ready_at() == LATE + 1.0 + PATIENCE


def test_what_cannot_be_tried_is_no_outage() -> None:
    breaker = opened()
    breaker.held(LATE + 5000.0)
    assert breaker.down_for(LATE + 5010.0) == 10.0


def test_whoever_gave_up_waits_no_more() -> None:
    breaker = opened()
    breaker.give_up()
    for _ in range(10 * FAILURES):
        breaker.failed(2 * LATE, LATE + 1.0, Suspicion.NO_CONNECTION)
    assert not breaker.open
    assert breaker.ready_at() == -inf


def test_with_one_attempt_each_nothing_fails_again() -> None:
    breaker = Breaker(RetryPolicy(attempts=1))
    for _ in range(FAILURES):
        breaker.failed(2.0, 1.0, Suspicion.FIRST)
    assert breaker.open


@given(
    st.builds(RetryPolicy, st.integers(1, 30), st.floats(0.001, 10.0), st.floats(10.0, 1000.0)),
    st.lists(st.tuples(st.sampled_from(["failed", "answered", "ended", "sent"]), st.floats(0.0, 50.0), st.booleans())),
)
def test_whoever_waits_has_a_probe_to_wait_for(policy: RetryPolicy, events: list[tuple[str, float, bool]]) -> None:
    """Whatever happens, once every call has ended the next one is due, and never later than a last retry."""
    breaker, now, latest = opened(policy), LATE, LATE
    for what, seconds, first in events:
        now += seconds
        if what == "sent" and breaker.ready_at() <= now:
            breaker.sent(now)
            latest = now
        elif what == "failed":
            breaker.failed(now, latest, Suspicion.FIRST if first else Suspicion.AGAIN)
        elif what == "answered":
            breaker.answered()
        elif what == "ended":
            breaker.ended(now, latest)
    breaker.ended(now, now)
    assert breaker.ready_at() <= now
    breaker.failed(now, now, Suspicion.AGAIN)
    assert breaker.ready_at() <= now + policy.longest_delay
