"""The report's sums, counted once more in the plainest way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hypothesis import given

from bulkstate.disk.journal import Ending, Record
from bulkstate.model import Outcome, Plan, RunResult, Verdict, Verification
from bulkstate.report import fold
from tests.disk.runs import FACTS, fast_folder, grid, new_journal, pair_set, record, stories, tell


@given(stories())
def test_totals(story: tuple[Plan, list[list[list[Outcome]]]]) -> None:
    plan, sessions = story
    with fast_folder() as folder:
        tell(plan, sessions, Path(folder))
        with Record.open(Path(folder)) as journal:
            report = fold(journal)
    history = [
        [outcome for batches in sessions for batch in batches for outcome in batch if outcome.chunk == number]
        for number in range(plan.requests)
    ]
    verdicts = [outcomes[-1].verdict if outcomes else Verdict.NOT_SENT for outcomes in history]
    attempts = [sum(outcome.attempts for outcome in outcomes) for outcomes in history]
    assert report.chunks.planned == plan.requests
    assert all(getattr(report.chunks, verdict) == verdicts.count(verdict) for verdict in Verdict)
    assert report.attempts == sum(attempts)
    assert report.retries == sum(max(0, count - 1) for count in attempts)
    assert report.throttled == sum(outcome.throttled for outcomes in history for outcome in outcomes)
    assert (report.pairs_planned, report.pairs_deleted) == (plan.pairs, sum(map(len, deleted_pairs(plan, verdicts))))
    failed = [(outcomes[-1].chunk, outcomes[-1]) for outcomes in history if outcomes]
    assert [(failure.chunk, failure.outcome) for failure in report.failures] == [
        found for found in failed if found[1].verdict not in (Verdict.DELETED, Verdict.SPLIT)
    ]
    for total in ("pairs_planned", "pairs_deleted", "attempts", "retries", "throttled"):
        assert getattr(report, total) == sum(getattr(stage, total) for stage in report.stages)
    for verdict in Verdict:
        assert getattr(report.chunks, verdict) == sum(getattr(stage.chunks, verdict) for stage in report.stages)
    assert [stage.stage for stage in report.stages] == [stage.stage for stage in plan.stages]


def deleted_pairs(plan: Plan, verdicts: list[Verdict]) -> Iterator[set[tuple[int, int]]]:
    """Stage by stage the target pairs that some deleted chunk holds."""
    left = iter(verdicts)
    for stage in plan.stages:
        deleted = [each for each, verdict in zip(stage.rectangles, left, strict=False) if verdict is Verdict.DELETED]
        yield pair_set(deleted) - pair_set(stage.unlisted)


def test_seconds_run_from_the_first_call_to_the_last_answer_of_each_session() -> None:
    def outcome(chunk: int, sent: float, answered: float) -> Outcome:
        return Outcome(chunk, Verdict.DELETED, 1, first_sent_at=sent, last_answered_at=answered)

    with new_journal(grid(4, 4, 2, 2)) as journal:
        journal.begin(90.0)
        record(journal, [outcome(1, 101.0, 104.0), outcome(0, 100.0, 102.5)])
        journal.begin(900.0)
        record(journal, [outcome(2, 1000.0, 1001.0), Outcome(3, Verdict.NOT_SENT)])
        report = fold(journal)
    assert report.seconds == 5.0
    assert report.requests_per_second == 0.6


def test_what_the_run_is_and_how_it_ended() -> None:
    plan = grid(4, 4, 2, 2)
    with new_journal(plan) as journal:
        journal.begin(1.0)
        journal.verified(2.0, Verification(5, 1, 3, 0))
        journal.finish(Ending(3.0, RunResult.STOPPED, "credentials lost", 5))
        report = fold(journal)
        assert report.run_dir == str(journal.directory)
    assert (report.run, report.plan) == (FACTS.name, plan.digest)
    assert (report.result, report.reason) == (RunResult.STOPPED, "credentials lost")
    assert report.verified == Verification(5, 1, 3, 0)
    assert (report.seconds, report.requests_per_second, report.chunks.not_sent) == (0.0, 0.0, 4)
