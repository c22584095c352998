"""One process a run directory, and one a pipeline; whoever comes second is told who was first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bulkstate.disk.locks import lock_pipelines, lock_run
from bulkstate.errors import Refused, RunInUse

HOLDER = """
import sys
from contextlib import ExitStack
from pathlib import Path
from bulkstate.disk.locks import lock_pipelines, lock_run

with lock_run(Path(sys.argv[1])), lock_pipelines("https://g", "o1", sys.argv[2:]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(directory: Path, *pipelines: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(directory), *pipelines]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_another_process_is_kept_out_and_a_kill_lets_go(tmp_path: Path) -> None:
    with held(tmp_path, "p1", "p2") as process:
        with pytest.raises(RunInUse, match=f"{tmp_path} is in use by process {process.pid}"), lock_run(tmp_path):
            pass
        with (
            pytest.raises(RunInUse, match=f"pipeline p2 of https://g is in use by process {process.pid}"),
            lock_pipelines("https://g", "o1", ["p3", "p2"]),
        ):
            pass
        for gateway, organisation, pipeline in (
            ("https://h", "o1", "p1"),
            ("https://g", "o2", "p1"),
            ("https://g", "o1", "p3"),
        ):
            with lock_pipelines(gateway, organisation, [pipeline]):
                pass
        process.kill()
        process.wait()
        with lock_run(tmp_path), lock_pipelines("https://g", "o1", ["p2", "p1", "p1"]):
            pass


def test_nobody_else_reads_the_locks(state_home: Path) -> None:
    with lock_pipelines("https://g", "o1", ["p1"]):
        assert (state_home / "bulkstate" / "locks").stat().st_mode & 0o777 == 0o700


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(Refused, match="locks of pipelines") as caught, lock_pipelines("https://g", "o1", ["p1"]):
        pass
    assert "XDG_STATE_HOME" in str(caught.value)
    with pytest.raises(Refused, match="can't be locked"), lock_run(tmp_path / "file"):
        pass


def test_a_state_directory_that_is_not_absolute_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    with lock_pipelines("https://g", "o1", ["p1"]):
        assert list((tmp_path / ".local" / "state" / "bulkstate" / "locks").glob("*.lock"))


@pytest.mark.parametrize("name", ["run.owner", "run.lock"])
def test_a_link_is_not_followed(tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / name).symlink_to(precious)
    try:
        with lock_run(tmp_path):
            pass
    except Refused:
        assert name == "run.lock"
    assert precious.read_text() == "kept"


def test_a_note_that_holds_anything_is_not_repeated(tmp_path: Path) -> None:
    with lock_run(tmp_path):
        (tmp_path / "run.owner").write_bytes(b"process \x1b[31m")
        with pytest.raises(RunInUse, match=r"is in use \("), lock_run(tmp_path):
            pass


WITHOUT_LOCKS = """
import errno, fcntl, sys
from pathlib import Path

def flock(descriptor, operation):
    raise OSError(errno.ENOSYS, "Function not implemented")

fcntl.flock = flock

from bulkstate.disk.locks import lock_run
from bulkstate.errors import Refused

try:
    with lock_run(Path(sys.argv[1])):
        print("held")
except Refused as refused:
    print(refused)
"""


def test_a_disk_that_knows_no_locks_is_told(tmp_path: Path) -> None:
    """A file in place of a lock would outlive a kill, or be taken for one by nobody else."""
    told = subprocess.run([sys.executable, "-c", WITHOUT_LOCKS, tmp_path], capture_output=True, text=True, check=True)
    assert "can't be locked: Function not implemented" in told.stdout


def test_a_pipe_in_place_of_the_note_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.owner")
    with lock_run(tmp_path):
        pass
    with held(tmp_path), pytest.raises(RunInUse, match="in use"), lock_run(tmp_path):
        pass
