"""A gateway that is down for a while costs a run that while, a few calls, and no chunk."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.errors import GatewayDown, TooManyFailed
from bulkstate.gateway.wire import Code
from bulkstate.model import Answer, Verdict
from bulkstate.policy.answers import FEW, FEW_SHARE
from bulkstate.policy.breaker import FAILURES
from bulkstate.policy.retry import ANYWAY, DOWN, RESERVE, RetryPolicy
from bulkstate.policy.turns import MANY_DOUBTS
from bulkstate.rates import Rate

from .gateway import Say, World
from .session import Settings, a_folder, a_plan, first, last_records, reopen, virtually

POLICY = RetryPolicy()
RATE = 20
SETTINGS = Settings(workers=16, windows=(Rate(RATE, 1.0),), status_every=30.0)
PLAN = a_plan(150)
TAKES = 151 / RATE * 1.02
"""Seconds, if nothing fails."""

fails = st.builds(Say, st.sampled_from(sorted(DOWN)), st.sampled_from([0.001, 0.1, 5.0]))


@given(fails, st.floats(0.0, 4.0), st.sampled_from([30.0, 240.0, 1200.0]), st.sampled_from([1, 4, 32]))
def test_an_outage_loses_nothing_and_is_over_when_it_is_over(
    outage: Say, begins: float, lasts: float, workers: int
) -> None:
    """It is tried less and less, and at the latest after the longest delay of a retry everything goes on."""
    world = World(PLAN, down=[(begins, begins + lasts)], outage=outage)
    world.fill()
    settings = Settings(workers, windows=SETTINGS.windows, status_every=30.0)
    with a_folder() as folder:
        ending, _ = virtually(first, world, Path(folder, "run"), settings)
        verdicts = {outcome.verdict for outcome in last_records(Path(folder, "run")).values()}
    assert ending is None
    assert verdicts == {Verdict.DELETED}
    failed = [call for call in world.deletes() if call.answer in DOWN]
    until_open = 2 * FAILURES + 2 * workers
    assert len(failed) <= until_open + 25 + lasts / POLICY.longest_delay
    after = [call.at for call in world.deletes() if call.at >= begins + lasts]
    assert after[0] <= begins + lasts + min(POLICY.longest_delay, max(0.5, 0.26 * lasts)) + outage.seconds + 1.0
    assert after[-1] - after[0] <= TAKES + POLICY.max_delay


def test_one_call_at_a_time_is_under_way_while_every_delete_fails() -> None:
    world = World(PLAN, down=[(2.0, 500.0)], outage=Say(Answer.UNAVAILABLE, 7.0))
    with a_folder() as folder:
        virtually(first, world, Path(folder, "run"), SETTINGS)
    probes = [call for call in world.calls if 30.0 < call.at < 500.0]
    assert len(probes) > 10
    assert all(one.answered_at <= other.at for one, other in pairwise(probes))


def test_an_outage_that_never_ends_ends_the_run_and_resume_goes_on() -> None:
    world = World(PLAN, down=[(2.0, 20_000.0)], outage=Say(Answer.UNREACHED, 0.001))
    world.fill()
    with a_folder() as folder:
        directory = Path(folder, "run")
        ending, _ = virtually(first, world, directory, SETTINGS)
        assert isinstance(ending, GatewayDown)
        assert "has failed for 1,8" in ending.message
        stopped = last_records(directory)
        assert {outcome.verdict for outcome in stopped.values()} <= {Verdict.DELETED, Verdict.NOT_SENT}
        world.down = ()

        async def go_on() -> object:
            journal, session = reopen(world, directory, SETTINGS)
            try:
                return await session.run()
            finally:
                journal.close()

        assert virtually(go_on) is None
        assert {outcome.verdict for outcome in last_records(directory).values()} == {Verdict.DELETED}
    assert not world.planned_left


def test_chunks_that_always_fail_are_no_outage_and_hold_nobody_up() -> None:
    """Every third: the others are deleted as if there were none, these are exhausted, one by one."""
    poisoned = range(0, PLAN.requests, 3)
    always = [Say(Answer.UNAVAILABLE)] * POLICY.attempts
    world = World(PLAN, dict.fromkeys(poisoned, always))
    with a_folder() as folder:
        ending, _ = virtually(first, world, Path(folder, "run"), SETTINGS)
        outcomes = last_records(Path(folder, "run"))
    assert ending is None
    assert {number for number, outcome in outcomes.items() if outcome.verdict is Verdict.EXHAUSTED} == set(poisoned)
    deleted_by = max(call.at for call in world.deletes() if call.answer is Answer.OK)
    sent_by_then = [call for call in world.deletes() if call.at <= deleted_by]
    repeats = len(sent_by_then) - len({call.chunk for call in sent_by_then})
    assert repeats <= RESERVE + POLICY.budget * len(sent_by_then) + ANYWAY / POLICY.first_delay * deleted_by


@pytest.mark.parametrize("rate", [20, 1000])
@pytest.mark.parametrize("workers", [1, 16])
def test_chunks_that_each_fail_once_are_no_outage(rate: int, workers: int) -> None:
    world = World(PLAN, {number: [Say(Answer.UNAVAILABLE)] for number in range(PLAN.requests)})
    with a_folder() as folder:
        ending, _ = virtually(first, world, Path(folder, "run"), Settings(workers, windows=(Rate(rate, 1.0),)))
        outcomes = last_records(Path(folder, "run"))
    assert ending is None
    assert {(each.verdict, each.attempts) for each in outcomes.values()} == {(Verdict.DELETED, 2)}
    assert max(call.at for call in world.calls) <= 2 * PLAN.requests * max(1 / rate, 0.05 / workers) + 3.0


@given(
    st.sampled_from([1, 2, 3, 10, FAILURES - 1]),
    st.builds(Say, st.sampled_from([*sorted(DOWN), Answer.THROTTLED]), st.sampled_from([0.001, 0.1, 5.0])),
    st.floats(0.0, 1.0),
    st.sampled_from([5.0, 90.0, 170.0]),
    st.sampled_from([1, 4, 16]),
    st.sampled_from([2, 8]),
)
def test_a_small_run_outlives_an_outage_too(
    chunks: int, outage: Say, begins: float, lasts: float, workers: int, attempts: int
) -> None:
    """What is left of it counts, however little. Attempts made while all fail use up none."""
    world = World(a_plan(chunks), down=[(begins, begins + lasts)], outage=outage)
    world.fill()
    settings = Settings(workers, RetryPolicy(attempts), windows=(Rate(4, 1.0),))
    with a_folder() as folder:
        ending, _ = virtually(first, world, Path(folder, "run"), settings)
        verdicts = {outcome.verdict for outcome in last_records(Path(folder, "run")).values()}
    assert ending is None
    assert verdicts == {Verdict.DELETED}
    assert not world.planned_left


def test_a_small_run_that_always_fails_ends_with_the_outage() -> None:
    world = World(a_plan(3), say=Say(Answer.UNAVAILABLE))
    with a_folder() as folder:
        ending, _ = virtually(first, world, Path(folder, "run"), Settings())
        outcomes = last_records(Path(folder, "run"))
    assert isinstance(ending, GatewayDown)
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.NOT_SENT}


@pytest.mark.parametrize("chunks", [1, FEW - 1])
def test_the_last_few_that_always_fail_wait_a_tenth_of_that_and_then_use_up_their_attempts(chunks: int) -> None:
    others = 40
    world = World(a_plan(others + chunks), {n: [Say(Answer.UNAVAILABLE)] * 999 for n in range(others, others + chunks)})
    with a_folder() as folder:
        ending, _ = virtually(first, world, Path(folder, "run"), SETTINGS)
        outcomes = last_records(Path(folder, "run"))
    assert ending is None
    assert {number for number, each in outcomes.items() if each.verdict is Verdict.EXHAUSTED} == {
        others,
        others + chunks - 1,
    }
    assert max(call.at for call in world.calls) < FEW_SHARE * POLICY.outage + 2 * 8 * POLICY.max_delay


def test_what_never_left_is_never_given_up() -> None:
    """Where others are answered meanwhile."""
    world = World(a_plan(30), {3: [Say(Answer.UNREACHED, 0.001)] * 40}, say=Say(Answer.OK, 2.0, 0, True))
    with a_folder() as folder:
        ending, _ = virtually(first, world, Path(folder, "run"), Settings(workers=2))
        outcomes = last_records(Path(folder, "run"))
    assert ending is None
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.DELETED}


@pytest.mark.parametrize(("most", "stops"), [(3, True), (4, False), (0.02, True), (0.05, False), (None, False)])
def test_a_run_stops_where_more_fails_than_may_and_can_be_resumed(most: float | None, stops: bool) -> None:
    refused = {key: [Say(Answer.REFUSED, code=Code.MISSING_PARAMETER)] for key in range(0, 120, 30)}
    world = World(PLAN, refused)
    world.fill()
    with a_folder() as folder:
        directory = Path(folder, "run")
        ending, _ = virtually(first, world, directory, replace(SETTINGS, max_failed=most))
        outcomes = last_records(directory)
    assert isinstance(ending, TooManyFailed) == stops
    if isinstance(ending, TooManyFailed):
        assert "requests failed" in ending.message
        assert "most with code 61102" in ending.message
    else:
        assert {number for number, each in outcomes.items() if each.verdict is Verdict.REFUSED} == set(refused)


# ── throttling in other words ─────────────────────────────────────────────────────────────────────────────────────

IN_DOUBT = Say(Answer.UNDECIDED, 0.05, Code.OTHER, status=200)


@given(st.sampled_from([30.0, 600.0, 1500.0, 3600.0]), st.floats(0.5, 4.0), st.sampled_from([4, 32]))
def test_throttling_told_as_a_code_in_doubt_loses_nothing(lasts: float, begins: float, workers: int) -> None:
    """Some passed, then many chunks are in doubt, none passes: they wait, and but one of them is tried in parts."""
    world = World(PLAN, down=[(begins, begins + lasts)], outage=IN_DOUBT)
    world.fill()
    settings = Settings(workers, RetryPolicy(split=True), windows=SETTINGS.windows, status_every=30.0)
    with a_folder() as folder:
        ending, _ = virtually(first, world, Path(folder, "run"), settings)
        outcomes = last_records(Path(folder, "run"))
    assert ending is None
    assert {outcome.verdict for outcome in outcomes.values()} <= {Verdict.DELETED, Verdict.SPLIT}
    assert not world.planned_left
    failed = [call for call in world.deletes() if call.answer is Answer.UNDECIDED]
    assert len(failed) <= 2 * MANY_DOUBTS + 3 * workers + 25 + lasts / POLICY.longest_delay


def test_where_neither_chunks_nor_parts_ever_pass_the_run_ends() -> None:
    world = World(PLAN, say=IN_DOUBT)
    settings = Settings(16, RetryPolicy(split=True), windows=SETTINGS.windows)
    with a_folder() as folder:
        ending, _ = virtually(first, world, Path(folder, "run"), settings)
        outcomes = last_records(Path(folder, "run"))
    assert isinstance(ending, GatewayDown)
    assert {outcome.verdict for outcome in outcomes.values()} <= {Verdict.NOT_SENT, Verdict.SPLIT}


@pytest.mark.parametrize("poisoned", [1, 2, 3, 12])
@pytest.mark.parametrize("attempts", [2, 4])
def test_chunks_that_are_left_over_in_doubt_are_no_quota_that_ran_out(poisoned: int, attempts: int) -> None:
    """Everything else has passed: nobody waits for an hour, but as long as for any outage at the most."""
    bad = (*range(poisoned), *range(PLAN.requests, 10 * PLAN.requests))  # and all their parts
    world = World(PLAN, script={number: [IN_DOUBT] * 9_999 for number in bad})
    world.fill()
    policy = RetryPolicy(attempts, 0.001, 0.005, split=True, outage=300.0)
    with a_folder() as folder:
        virtually(first, world, Path(folder, "run"), Settings(16, policy, windows=(Rate(400, 1.0),)))
        verdicts = [outcome.verdict for outcome in last_records(Path(folder, "run")).values()]
    assert verdicts.count(Verdict.DELETED) == PLAN.requests - poisoned
    assert world.calls[-1].at <= 400.0
