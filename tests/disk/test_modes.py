"""What is written is its owner's alone, whatever the umask: run directories, journals, plans and state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkstate.disk import saved_plan
from bulkstate.disk.gateway_file import StateFile, default_path
from bulkstate.disk.journal import Journal, inline, make_run_directory
from bulkstate.disk.locks import lock_pipelines, lock_run
from bulkstate.disk.saved_plan import SavedPlan
from tests.disk.runs import FACTS, grid


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_nobody_else_may_read_or_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state" / "of" / "mine"))
    directory = tmp_path / "runs" / "tonight"
    make_run_directory(directory)
    with (
        lock_run(directory),
        lock_pipelines("https://g", "o1", ["p"]),
        Journal.create(directory, grid(4, 4, 2, 2), FACTS, hop=inline) as journal,
    ):
        journal.begin(1.0)
    StateFile(default_path("https://g", "o1"), "https://g", "o1").keep_learnt({})
    saved_plan.write(SavedPlan(grid(4, 4, 2, 2), "{}", (), (), 1.0, "1"), tmp_path / "runs" / "plan")
    found = {path: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert len(found) > 10
    assert {path: mode for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}
