"""What a journal says of pipelines that were paused for the run, at every row that a killed process may have left."""

from __future__ import annotations

import pytest

from bulkstate.disk.journal import Pause
from bulkstate.model import SOMEBODY_ELSE, THIS_RUN, Pipeline
from tests.disk.runs import grid, new_journal

BEFORE = ("seen", "RUNNING")
PAUSING = ("pause", THIS_RUN, "RUNNING")
PAUSED = ("seen", "PAUSED")
STARTING = ("pause", "", "PAUSED")
STARTED = ("pause", "", "RUNNING")
RUNS = ("seen", "RUNNING")


@pytest.mark.parametrize(
    ("rows", "now", "paused_by", "started_again"),
    [
        ([BEFORE], "RUNNING", "", False),
        ([BEFORE, PAUSING], "", "", False),
        ([BEFORE, PAUSING, RUNS], "RUNNING", "", False),
        ([BEFORE, PAUSING, RUNS, STARTING, STARTED, RUNS], "RUNNING", "", False),
        ([BEFORE, PAUSING, PAUSED], "PAUSED", THIS_RUN, False),
        ([BEFORE, PAUSING, ("pause", SOMEBODY_ELSE, "RUNNING"), PAUSED], "PAUSED", SOMEBODY_ELSE, False),
        ([BEFORE, PAUSING, PAUSED, STARTING], "", THIS_RUN, False),
        ([BEFORE, PAUSING, PAUSED, STARTING, PAUSED], "PAUSED", THIS_RUN, False),
        ([BEFORE, PAUSING, PAUSED, STARTING, STARTED], "RUNNING", THIS_RUN, True),
        ([BEFORE, PAUSING, PAUSED, STARTING, STARTED, RUNS], "RUNNING", THIS_RUN, True),
    ],
)
def test_what_is_known_of_a_pipeline(
    rows: list[tuple[str, ...]], now: str, paused_by: str, started_again: bool
) -> None:
    with new_journal(grid(4, 4, 2, 2)) as journal:
        for at, (kind, *what) in enumerate(rows):
            if kind == "seen":
                journal.saw_pipelines(float(at), [Pipeline("p", "P", what[0])])
            else:
                journal.paused(Pause(float(at), "p", *what))
        (seen,) = journal.pipelines_seen()
    assert (seen.before, seen.now, seen.paused_by, seen.started_again) == ("RUNNING", now, paused_by, started_again)
