"""The pairs that aren't deleted, as CSV for the next run."""

from __future__ import annotations

import csv
from pathlib import Path

from hypothesis import given

from bulkstate.journal import Record
from bulkstate.model import Outcome, Plan, Verdict
from bulkstate.report import write_failures
from tests.journal.runs import fast_folder, stories, tell


@given(stories())
def test_the_pairs_of_every_chunk_that_is_not_deleted(story: tuple[Plan, list[list[list[Outcome]]]]) -> None:
    plan, sessions = story
    last = {outcome.chunk: outcome.verdict for batches in sessions for batch in batches for outcome in batch}
    done = (Verdict.DELETED, Verdict.SPLIT)
    left = [chunk for chunk in plan.chunks() if last.get(chunk.number) not in done]
    with fast_folder() as folder:
        tell(plan, sessions, Path(folder))
        with Record.open(Path(folder)) as journal:
            files = write_failures(journal, Path(folder, "failed.csv"))
        read = {stage: list(csv.reader(path.read_text().splitlines())) for stage, path in files.items()}
        assert len(set(files.values())) == len(files)
        assert len(files) != 1 or Path(folder, "failed.csv") in files.values()
    assert set(read) == {chunk.stage for chunk in left}
    for stage, (header, *rows) in read.items():
        assert header == ["asset_id", "point_id"]
        assert rows == [[a, p] for chunk in left if chunk.stage == stage for a in chunk.assets for p in chunk.points]
