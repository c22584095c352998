"""Whatever `record` returned for is there after a kill -9."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bulkstate.disk.journal import FILE_NAME, Journal, Record
from bulkstate.errors import InputError, JournalNotWritable

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from pathlib import Path
import anyio
from bulkstate.disk.journal import Journal
from bulkstate.model import Outcome, Verdict
from tests.disk.runs import FACTS, grid

async def main():
    journal = Journal.create(Path(sys.argv[1]), grid(1000, 100, 10, 10), FACTS)
    journal.begin(1.0)
    for chunk in range(1000):
        await journal.record([Outcome(chunk, Verdict.DELETED, attempts=1, message="x" * 500)])
        print(chunk, flush=True)

anyio.run(main)
"""


def killed_after(count: int, directory: Path) -> int:
    """Kill a process that records one chunk after the other, once it said `count` of them are on disk; the last one."""
    command = [sys.executable, "-c", WRITER, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout
        said = [int(writer.stdout.readline()) for _ in range(count)]
        writer.kill()
        said += map(int, writer.stdout.read().split())
    return said[-1]


def test_nothing_is_lost(tmp_path: Path) -> None:
    last = killed_after(40, tmp_path)
    assert (tmp_path / f"{FILE_NAME}-wal").exists()
    with Record.open(tmp_path) as record:
        found = [outcome.chunk for _, outcome in record.records()]
        assert found in (list(range(last + 1)), list(range(last + 2)))
        assert record.pending() == list(range(len(found), 1000))


@pytest.mark.slow
def test_after_a_kill_it_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    last = killed_after(40, tmp_path)
    # A link to nowhere in the place of its shared memory keeps SQLite from opening the log, for root as well.
    shared = tmp_path / f"{FILE_NAME}-shm"
    shared.unlink()
    shared.symlink_to(tmp_path / "no" / "where")
    with Record.open(tmp_path) as record:
        assert len(list(record.records())) >= last + 1
    with pytest.raises(JournalNotWritable, match=FILE_NAME):
        Journal.resume(tmp_path)


def test_a_run_that_goes_on_leaves_one_file(tmp_path: Path) -> None:
    killed_after(5, tmp_path)
    with Journal.resume(tmp_path) as journal:
        journal.begin(2.0)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    with Record.open(tmp_path) as record:
        assert [session.number for session in record.sessions] == [1, 2]


FULL_DISK = """
import resource, sys
from pathlib import Path
import anyio
from bulkstate.errors import InputError, JournalNotWritable
from bulkstate.disk.journal import Journal
from bulkstate.model import Outcome, Verdict
from tests.disk.runs import FACTS, grid

async def main():
    journal = Journal.create(Path(sys.argv[1]), grid(4, 4, 2, 2), FACTS)
    journal.begin(1.0)
    await journal.record([Outcome(0, Verdict.DELETED)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        while True:
            await journal.record([Outcome(1, Verdict.DELETED, message="x" * 9000)])
    except JournalNotWritable as error:
        print(error)

anyio.run(main)
"""


@pytest.mark.slow
def test_a_full_disk_is_said_and_keeps_what_is_there(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert str(tmp_path / FILE_NAME) in ran.stdout
    assert "resume" in ran.stdout
    with Record.open(tmp_path) as record:
        assert record.pending() == [2, 3]


def test_a_journal_is_there_once_it_is_whole(tmp_path: Path) -> None:
    """Whoever is killed while the plan is being written leaves nothing that looks like a journal."""
    script = """
import os, sys
from pathlib import Path
from bulkstate.disk import plan_tables
from bulkstate.disk.journal import Journal
from tests.disk.runs import FACTS, grid

class Deadly(str):
    def __conform__(self, protocol):
        os.kill(os.getpid(), 9)

from dataclasses import replace
Journal.create(Path(sys.argv[1]), grid(10, 10, 5, 5), replace(FACTS, version=Deadly("1")))
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(InputError, match="has sent nothing"):
        Record.open(tmp_path)
