"""What an answer means: the table of docs/architecture.md, row by row, from the bytes to the decision."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.gateway.wire import read_delete
from bulkstate.model import Answer, Reply, Verdict
from bulkstate.policy.retry import (
    DOUBTS,
    RESERVE,
    Again,
    Decision,
    Renew,
    RetryBudget,
    RetryPolicy,
    Settle,
    Split,
    StopRun,
    StopStage,
    Tries,
    Yield,
    decide,
)

POLICY = RetryPolicy(attempts=3, first_delay=2.0, max_delay=60.0)

TABLE: list[tuple[int, bytes, Decision]] = [
    (200, b'{"code": 0, "msg": "OK", "data": true}', Settle(Verdict.DELETED)),
    (429, b"slow down", Yield()),
    (500, b"", Again(1.0)),
    (502, b"", Again(1.0)),
    (503, b"", Again(1.0)),
    (504, b"", Again(1.0)),
    (200, b"<html>", Again(1.0)),
    (200, b'{"code": 0, "data": tr', Again(1.0)),
    (200, b'{"code": 0, "data": false}', Again(1.0)),
    (200, b'{"code": 0}', Again(1.0)),
    (200, b'{"code": 61199, "msg": "anything else"}', Again(1.0)),
    (200, b'{"code": 1005}', Again(1.0)),
    (200, b'{"code": 42}', Again(1.0)),
    (200, b'{"code": 61105}', Settle(Verdict.REFUSED)),
    (413, b"", Settle(Verdict.REFUSED)),
    (401, b"", Renew()),
    (200, b'{"code": 1203}', Renew()),
    (200, b'{"apim_status": 4011}', Renew()),
    (200, b'{"apim_status": 4012}', Renew()),
    (200, b'{"code": 61102}', Settle(Verdict.REFUSED)),
    (400, b"", Settle(Verdict.REFUSED)),
    (200, b'{"code": 61106}', StopStage()),
    (200, b'{"code": 61107}', StopStage()),
    (403, b"", StopRun()),
    (404, b"", StopRun()),
    (302, b"", StopRun()),
]


@pytest.mark.parametrize(("status", "body", "decision"), TABLE)
def test_the_table(status: int, body: bytes, decision: Decision) -> None:
    assert decide(POLICY, Tries(1), read_delete(status, body), 0.5) == decision


@pytest.mark.parametrize("answer", [Answer.UNANSWERED, Answer.UNREACHED])
def test_no_answer_is_asked_again(answer: Answer) -> None:
    assert decide(POLICY, Tries(1), Reply(answer), 0.5) == Again(1.0)


@pytest.mark.parametrize("answer", [Answer.UNAVAILABLE, Answer.UNDECIDED, Answer.UNREACHED, Answer.UNANSWERED])
@pytest.mark.parametrize(("unanswered", "verdict"), [(False, Verdict.EXHAUSTED), (True, Verdict.UNKNOWN)])
def test_when_attempts_are_used_up_an_unanswered_one_leaves_it_open(
    answer: Answer, unanswered: bool, verdict: Verdict
) -> None:
    assert decide(POLICY, Tries(3, unanswered), Reply(answer), 0.5) == Settle(verdict)


@pytest.mark.parametrize(("wish", "delay"), [(None, 1.0), (0.0, 1.0), (7.0, 7.0), (1e9, 60.0), (-5.0, 1.0)])
def test_a_503_may_say_when_to_come_again(wish: float | None, delay: float) -> None:
    """RFC 9110 names it first. No longer than any delay may be: it may be a slip."""
    assert decide(POLICY, Tries(1), Reply(Answer.UNAVAILABLE, 503, retry_after=wish), 0.5) == Again(delay)


def test_credentials_are_renewed_once() -> None:
    reply: Reply[bool] = Reply(Answer.CREDENTIALS)
    assert decide(POLICY, Tries(1), reply, 0.5) == Renew()
    assert decide(POLICY, Tries(2, renewed=True), reply, 0.5) == StopRun()


@given(st.sampled_from(Answer), st.integers(1, 50), st.booleans(), st.booleans(), st.floats(0, 1, exclude_max=True))
def test_every_answer_is_decided_and_only_ok_is_deleted(
    answer: Answer, attempts: int, unanswered: bool, renewed: bool, jitter: float
) -> None:
    decision = decide(POLICY, Tries(attempts, unanswered, renewed), Reply(answer), jitter)
    assert (decision == Settle(Verdict.DELETED)) == (answer is Answer.OK)
    if attempts >= POLICY.attempts:
        assert not isinstance(decision, Again)


@given(
    st.builds(RetryPolicy, st.integers(1, 100), st.floats(1e-3, 100.0), st.floats(0.0, 1000.0)),
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
)
def test_a_delay_is_between_nothing_and_a_bound_that_doubles(policy: RetryPolicy, attempts: int, jitter: float) -> None:
    bound = min(policy.max_delay, policy.first_delay * 2.0 ** min(attempts - 1, 100))
    assert 0.0 <= policy.delay(attempts, jitter) <= bound
    assert policy.delay(attempts, 0.0) == 0.0
    assert policy.delay(attempts, 0.5) == pytest.approx(bound / 2)


FAILS: Reply[bool] = Reply(Answer.UNAVAILABLE, 503)
WORKS: Reply[bool] = Reply(Answer.OK, 200, 0, data=True)


def repeats(budget: RetryBudget, now: float) -> bool:
    """Have a call repeated now, if the budget has it."""
    if budget.ready_at() > now:
        return False
    budget.repeats(now)
    return True


@given(st.integers(1, 50), st.integers(0, 400))
def test_repeats_that_fail_are_a_share_of_the_calls(percent: int, calls: int) -> None:
    budget = RetryBudget(RetryPolicy(budget=percent / 100))
    while repeats(budget, 0.0):
        budget.answered(Tries(2), FAILS)
    for _ in range(calls):
        budget.answered(Tries(1), WORKS)
    sent = 0
    while repeats(budget, 0.01):
        budget.answered(Tries(2), FAILS)
        sent += 1
    assert sent <= min(RESERVE, calls * percent / 100) + 1e-6
    assert sent > min(RESERVE, calls * percent / 100) - 1 - 1e-6


def test_repeats_that_work_are_free() -> None:
    budget = RetryBudget(RetryPolicy())
    for _ in range(100 * int(RESERVE)):
        assert repeats(budget, 0.0)
        budget.answered(Tries(2), WORKS)


@pytest.mark.parametrize("first_delay", [0.01, 0.5, 10.0])
def test_an_empty_budget_delays_and_never_refuses(first_delay: float) -> None:
    """A few go all the same: else nobody would ever find out that they work again."""
    budget, now, sent = RetryBudget(RetryPolicy(first_delay=first_delay, budget=0.01)), 0.0, 0
    while now <= 100 * first_delay:
        sent += repeats(budget, now)
        now = max(now, budget.ready_at())
    assert sent == pytest.approx(RESERVE + 500, abs=2)


@given(st.lists(st.sampled_from([FAILS, Reply(Answer.THROTTLED, 429), Reply(Answer.UNDECIDED, 200, 61199)])))
def test_what_fails_adds_nothing_to_the_budget(replies: list[Reply[bool]]) -> None:
    budget = RetryBudget(RetryPolicy())
    while repeats(budget, 0.0):
        for reply in replies:
            budget.answered(Tries(1), reply)
    for reply in replies:
        budget.answered(Tries(1), reply)
    assert budget.ready_at() > 0.0


@pytest.mark.parametrize("doubts", [DOUBTS, DOUBTS + 1, DOUBTS + 5])
def test_what_was_in_doubt_longer_is_split_all_the_same(doubts: int) -> None:
    """In an outage nothing is cut for a while."""
    policy = RetryPolicy(attempts=20, split=True)
    tries = Tries(doubts, doubts=doubts, doubt=(200, 61199))
    reply: Reply[bool] = Reply(Answer.UNDECIDED, 200, 61199)
    assert decide(policy, tries, reply, 0.5, pairs=2) == Split()
    assert isinstance(decide(policy, tries, reply, 0.5, pairs=1), Again)
    assert decide(policy, replace(tries, level=1, doubts=doubts - 1), reply, 0.5, pairs=2) == Split()
