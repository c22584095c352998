"""The pairs that aren't deleted, as CSV for the next run."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given

from bulkstate.disk.journal import Record
from bulkstate.model import Outcome, Plan, Stage, Verdict
from bulkstate.report import write_failures
from tests.disk.runs import fast_folder, pair_set, stories, tell


@given(stories())
def test_the_target_pairs_that_no_chunk_deleted(story: tuple[Plan, list[list[list[Outcome]]]]) -> None:
    plan, sessions = story
    last = {outcome.chunk: outcome.verdict for batches in sessions for batch in batches for outcome in batch}
    with fast_folder() as folder:
        tell(plan, sessions, Path(folder))
        with Record.open(Path(folder)) as journal:
            files = write_failures(journal, Path(folder, "failed.csv"))
        read = {stage: list(csv.reader(path.read_text().splitlines())) for stage, path in files.items()}
        assert len(set(files.values())) == len(files)
        assert len(files) != 1 or Path(folder, "failed.csv") in files.values()
    expected = dict(left(plan, last))
    assert set(read) == set(expected)
    for stage, (header, *rows) in read.items():
        assert header == ["asset_id", "point_id"]
        assert sorted(map(tuple, rows)) == sorted(expected[stage])


def left(plan: Plan, last: dict[int, Verdict]) -> Iterator[tuple[Stage, list[tuple[str, str]]]]:
    """For each stage with chunks that aren't deleted: the target pairs that none deleted. A split one's parts tell."""
    verdicts = (last.get(number) for number in range(plan.requests))
    for of in plan.stages:
        chunks = [(each, next(verdicts)) for each in of.rectangles]
        deleted = pair_set(each for each, verdict in chunks if verdict is Verdict.DELETED)
        undeleted = pair_set(each for each, verdict in chunks if verdict not in (Verdict.DELETED, Verdict.SPLIT))
        pairs = undeleted - deleted - pair_set(of.unlisted)
        if undeleted:
            yield of.stage, [(of.assets[asset], of.points[point]) for asset, point in pairs]
