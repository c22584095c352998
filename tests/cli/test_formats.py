"""A run that an earlier version began is gone on with, and reported, by the installed command."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest

from tests.cli.conftest import Bulkstate

FORMATS = Path(__file__).parents[1] / "formats"


def test_a_finished_run_of_an_earlier_version_is_reported(bulkstate: Bulkstate) -> None:
    copytree(FORMATS / "journal-2" / "finished", bulkstate.folder / "run")
    report = bulkstate("report", "run", "--format", "json").document
    assert (report["result"], report["chunks"]["deleted"], report["pairs"]["deleted"]) == ("deleted", 24, 164)
    assert report["journal"] == {"format": 2, "links": 0, "head": ""}
    assert "journal of format 2, without a chain" in bulkstate("report", "run").out


@pytest.mark.slow
def test_a_killed_run_of_an_earlier_version_goes_on(bulkstate: Bulkstate) -> None:
    """Its gateway was of the rehearsal: what was deleted before has state again, which reading back may find once."""
    copytree(FORMATS / "journal-2" / "killed", bulkstate.folder / "run")
    done = bulkstate("resume", "run", "--json")
    chunks = done.document["chunks"]
    assert (chunks["deleted"] + chunks["suspect"], chunks["not_sent"]) == (24, 0)
    assert "this run's journal has no chain" in done.err
