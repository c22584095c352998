"""Law 3, one outcome, and law 4, a killed run goes on: against a plain dictionary of what was recorded."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from bulkstate.disk.journal import FILE_NAME, RETRIED, Record
from bulkstate.model import Outcome, Plan, Verdict
from tests.disk.runs import fast_folder, grid, new_journal, record, stories, tell

Story = tuple[Plan, list[list[list[Outcome]]]]


def last_verdicts(sessions: list[list[list[Outcome]]]) -> dict[int, Verdict]:
    return {outcome.chunk: outcome.verdict for batches in sessions for batch in batches for outcome in batch}


@given(stories())
def test_a_chunks_last_record_counts(story: Story) -> None:
    plan, sessions = story
    with fast_folder() as folder:
        tell(plan, sessions, Path(folder))
        with Record.open(Path(folder)) as journal:
            expected = last_verdicts(sessions)
            tally = journal.tally()
            recorded = np.flatnonzero(~tally.unrecorded()).tolist()
            assert {chunk: tally.verdict(chunk) for chunk in recorded} == expected
            assert tally.counts() == Counter(expected.get(chunk, Verdict.NOT_SENT) for chunk in range(len(tally)))
            assert list(journal.records()) == [
                (number, outcome)
                for number, batches in enumerate(sessions, 1)
                for batch in batches
                for outcome in batch
            ]


@given(stories())
def test_resume_sends_what_has_no_record_or_is_not_settled_and_no_other(story: Story) -> None:
    plan, sessions = story
    with fast_folder() as folder:
        tell(plan, sessions, Path(folder))
        with Record.open(Path(folder)) as journal:
            last = last_verdicts(sessions)
            verdicts = [last.get(chunk) for chunk in range(plan.requests)]
            again = [None, Verdict.NOT_SENT, Verdict.UNKNOWN, Verdict.SUSPECT]
            failed = [Verdict.REFUSED, Verdict.EXHAUSTED]
            assert journal.pending() == [chunk for chunk, verdict in enumerate(verdicts) if verdict in again]
            assert journal.pending(RETRIED) == [
                chunk for chunk, verdict in enumerate(verdicts) if verdict in again + failed
            ]
            assert journal.deleted() == [chunk for chunk, verdict in enumerate(verdicts) if verdict is Verdict.DELETED]
            assert journal.undeleted() == [chunk for chunk, verdict in enumerate(verdicts) if verdict in again + failed]


@pytest.mark.parametrize("statement", ["UPDATE outcome SET verdict = 'deleted'", "DELETE FROM outcome"])
def test_a_row_is_never_changed_nor_removed(statement: str) -> None:
    with new_journal(grid(4, 4, 2, 2)) as journal:
        record(journal, [Outcome(0, Verdict.UNKNOWN)])
        with (
            closing(sqlite3.connect(journal.directory / FILE_NAME)) as other,
            pytest.raises(sqlite3.IntegrityError, match="append-only"),
        ):
            other.execute(statement)
