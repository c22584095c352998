"""The pairs that aren't deleted, as CSV for the next run."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

from hypothesis import given

from bulkstate.journal import Record
from bulkstate.model import Outcome, Plan, Verdict
from bulkstate.report import write_failures
from tests.journal.runs import fast_folder, stories, tell


@given(stories())
def test_the_pairs_of_every_chunk_that_is_not_deleted(story: tuple[Plan, list[list[list[Outcome]]]]) -> None:
    plan, sessions = story
    file = StringIO(newline="")
    with fast_folder() as folder:
        tell(plan, sessions, Path(folder))
        with Record.open(Path(folder)) as journal:
            written = write_failures(journal, file)
    last = {outcome.chunk: outcome.verdict for batches in sessions for batch in batches for outcome in batch}
    done = (Verdict.DELETED, Verdict.SPLIT)
    expected = [
        [asset, point, chunk.stage.pipeline, chunk.stage.name]
        for chunk in plan.chunks()
        if last.get(chunk.number) not in done
        for asset in chunk.assets
        for point in chunk.points
    ]
    file.seek(0)
    header, *rows = csv.reader(file)
    assert header == ["asset_id", "point_id", "pipeline", "stage"]
    assert rows == expected
    assert written == len(rows)
