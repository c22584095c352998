"""What earlier versions wrote: it is read, gone on with, or refused by name, for ever."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from shutil import copytree

import anyio
import pytest
from structlog.testing import capture_logs

from bulkstate.disk import saved_plan
from bulkstate.disk.journal import Agreement, Journal, Record, inline
from bulkstate.errors import InputError
from bulkstate.model import Outcome, RunResult, Verdict

FORMATS = Path(__file__).parents[1] / "formats"
PLAN = "bd8336b214ee51dd2258cf3b002bd5153851e930c0d148660cfba0ae1bdb2824"


def test_a_finished_run_of_format_2(tmp_path: Path) -> None:
    directory = copytree(FORMATS / "journal-2" / "finished", tmp_path / "run")
    with Record.open(directory) as found:
        assert (found.plan.digest, found.ending, found.pending()) == (PLAN, (RunResult.DELETED, ""), [])
        assert Counter(outcome.verdict for _, outcome in found.records()) == {Verdict.DELETED: 24}
        assert (found.head, found.facts.target, found.inputs(), found.deadlines()) == (None, "", (), ())
        assert [each.how for each in found.agreements()] == [""]
        assert found.verification is not None


def test_a_killed_run_of_format_2_goes_on_without_a_chain(tmp_path: Path) -> None:
    directory = copytree(FORMATS / "journal-2" / "killed", tmp_path / "run")
    with Record.open(directory) as found:
        assert found.pending() == list(range(6, 24))
    with capture_logs() as logs, Journal.resume(directory, hop=inline) as journal:
        journal.agree(1.0, "--yes", "somebody")
        journal.begin(2.0)
        anyio.run(journal.record, [Outcome(6, Verdict.DELETED)])
        assert (journal.head, journal.pending()) == (None, list(range(7, 24)))
    assert [(line["event"], line["format"]) for line in logs] == [("this run's journal has no chain", 2)]
    with Record.open(directory) as found:
        assert found.pending() == list(range(7, 24))
        assert found.agreements()[-1] == Agreement(1.0)


def test_a_plan_of_format_1_has_to_be_made_anew() -> None:
    told = "its format is version 1, and this bulkstate knows version 2 .make the plan anew."
    with pytest.raises(InputError, match=told):
        saved_plan.read(FORMATS / "plan-1" / "plan.bulkstate")
