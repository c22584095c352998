"""What is asked of a file before it is believed, and what people are told."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import product
from pathlib import Path
from shutil import copyfile, rmtree

import anyio
import pytest

from bulkstate.disk import plan_tables
from bulkstate.disk.database import connect_to_read, seal
from bulkstate.disk.journal import FILE_NAME, Ending, Journal, Record, SessionRecord, inline, make_run_directory
from bulkstate.disk.locks import lock_run
from bulkstate.errors import InputError, JournalDamaged, JournalNotWritable, RunExists
from bulkstate.model import Grant, Outcome, Pair, RunResult, Stage, Verdict, Verification
from tests.disk.runs import FACTS, grid, record
from tests.disk.test_chain import a_full_run


def a_run(folder: Path) -> Path:
    with Journal.create(folder, grid(4, 4, 2, 2), FACTS, hop=inline) as journal:
        journal.begin(1.0)
        record(journal, [Outcome(0, Verdict.DELETED)])
    return folder / FILE_NAME


def with_bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        file.write_bytes(change(file.read_bytes()))

    return spoil


def with_sql(*statements: str) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return spoil


def with_plan(*statements: str) -> Callable[[Path], None]:
    """As somebody would who makes the plan's seal anew."""

    def spoil(file: Path) -> None:
        with_sql(*statements)(file)
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            (trigger,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'run_UPDATE'").fetchone()
            connection.execute("DROP TRIGGER run_UPDATE")
            connection.execute("UPDATE run SET plan_seal = ?", (seal(connection, plan_tables.SEALED),))
            connection.execute(trigger)

    return spoil


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "text": (with_bytes(lambda _: b"hello " * 1000), "not a database"),
    "empty": (with_bytes(lambda _: b""), "isn't a journal"),
    "cut": (with_bytes(lambda old: old[:9000]), "journal"),
    "foreign": (with_sql("PRAGMA application_id = 7"), "isn't a journal"),
    "newer": (with_sql("PRAGMA user_version = 99"), "version 2"),
    "other IDs": (with_plan("UPDATE dictionary SET ids = replace(ids, 'WTG', 'WTX')"), "digest"),
    "other stage": (with_plan("UPDATE stage SET name = 'Stage_02'"), "digest"),
    "other digest": (with_plan("UPDATE plan SET digest = 'abc'"), "digest"),
    "no IDs": (with_plan("UPDATE dictionary SET ids = '7'"), "list of IDs"),
    "no stage": (with_plan("DELETE FROM stage_side"), "no assets"),
    "no side": (with_plan("DELETE FROM side"), "side 0 isn't there"),
    "half a run": (with_plan("UPDATE side SET runs = x'0102'"), "journal"),
    "no plan": (with_plan("DELETE FROM plan"), "no plan"),
    "a set too many": (with_plan("UPDATE side SET sets = x'01000000020000000300000009000000'"), "isn't there"),
    "a set before the first": (with_plan("UPDATE side SET sets = x'00000000010000000100000ffffffff0'"), "journal"),
    "a chunk without a side": (with_plan("UPDATE side SET sets = x'00000000' WHERE id = 0"), "journal"),
    "positions twice": (with_plan("UPDATE side SET runs = x'00000000020000000100000001000000'"), "ascending|end where"),
    "negative counts": (with_plan("UPDATE stage SET pairs = -5"), "table stage"),
    "a digest that is no text": (with_plan("UPDATE plan SET digest = x'00'"), "table plan"),
    "an ID that is two": (with_plan("""UPDATE dictionary SET ids = '["A,B","C"]' WHERE id = 0"""), "list of IDs"),
    "IDs twice": (with_plan("""UPDATE dictionary SET ids = '["A","A","B","C"]' WHERE id = 0"""), "in order"),
    "a view that never ends": (
        with_sql(
            "ALTER TABLE outcome RENAME TO hidden",
            """CREATE VIEW outcome AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                SELECT i AS seq, 1 AS session, 0 AS chunk, 'deleted' AS verdict FROM n""",
        ),
        "tables aren't those of its format",
    ),
    "a trigger": (
        with_sql("CREATE TRIGGER t AFTER INSERT ON session BEGIN DELETE FROM dictionary; END"),
        "tables aren't those of its format",
    ),
    "no trigger": (with_sql("DROP TRIGGER outcome_UPDATE"), "tables aren't those of its format"),
    "a column that is computed": (
        with_sql("ALTER TABLE run ADD COLUMN more GENERATED ALWAYS AS (zeroblob(2000000000))"),
        "tables aren't those of its format",
    ),
    "evidence that is none": (with_plan("""UPDATE evidence SET parts = '[{"load": 1}]'"""), "evidence"),
    "more positions than anybody can hold": (
        with_plan(
            """UPDATE dictionary SET ids = (WITH RECURSIVE n(i) AS (SELECT 100000 UNION ALL SELECT i + 1 FROM n
                WHERE i < 199999) SELECT json_group_array(CAST(i AS TEXT)) FROM n) WHERE id = 0""",
            f"UPDATE side SET runs = x'{'00000000a0860100' * 2000}' WHERE id = 0",
        ),
        "positions",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_no_journal_is_refused(tmp_path: Path, name: str) -> None:
    spoil, words = SPOILT[name]
    file = a_run(tmp_path)
    spoil(file)
    for opening in (Record.open, Journal.resume):
        with pytest.raises(InputError, match=words) as caught:
            opening(tmp_path)
        assert caught.value.problems[0].where == str(file)


def test_a_journal_that_was_cut_is_refused_in_words(tmp_path: Path) -> None:
    """Of people: what Python says of a value that isn't there helps nobody."""
    file = a_full_run(tmp_path)
    whole = file.read_bytes()
    for kept, filled in product(range(4_096, len(whole), 1_024), (True, False)):
        file.write_bytes(whole[:kept] + bytes(len(whole) - kept) * filled)
        with pytest.raises((InputError, JournalDamaged)) as caught, Record.open(tmp_path) as found:
            found.verify_chain(None)
        assert not re.search(r"NoneType|object|iterable|unpack|index|JSON|expected str", str(caught.value)), kept


@pytest.mark.parametrize(
    "start",
    [(1, 99, "deleted"), (1, -1, "deleted"), (1, 0, "gone"), (1, "x", "deleted"), (1, 1.5, "deleted")],
)
def test_outcomes_that_make_no_sense_are_refused(tmp_path: Path, start: tuple[object, ...]) -> None:
    with Journal.create(tmp_path, grid(4, 4, 2, 2), FACTS, hop=inline) as journal:
        journal._write({"outcome": [(*start, 1, 0, 200, 0, "", "", 0, 1.0, 1.0)]})
    with Record.open(tmp_path) as journal:
        with pytest.raises(InputError, match="journal"):
            journal.pending()
        with pytest.raises(InputError, match="journal"):
            list(journal.records())


def test_where_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run directory"):
        Record.open(tmp_path)
    with pytest.raises(InputError, match="no such directory"):
        Record.open(tmp_path / "nowhere")


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    before = a_run(tmp_path).read_bytes()
    with pytest.raises(RunExists, match="holds a run already"):
        Journal.create(tmp_path, grid(4, 4, 2, 2), FACTS)
    with pytest.raises(RunExists, match="exists already"):
        make_run_directory(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_a_new_run_directory_is_nobody_elses(tmp_path: Path) -> None:
    make_run_directory(tmp_path / "runs" / "tonight")
    assert (tmp_path / "runs" / "tonight").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be made"):
        make_run_directory(tmp_path / "file" / "run")
    with pytest.raises(JournalNotWritable):
        Journal.create(tmp_path / "nowhere", grid(4, 4, 2, 2), FACTS)


def test_everything_that_was_written_is_read_back(tmp_path: Path) -> None:
    witnesses = ((Stage("p", "s"), Pair("a", "x")), (Stage("p", "s"), Pair("b", "x")))
    ending = Ending(9.0, RunResult.PARTIAL, "a chunk is refused", 3)
    with Journal.create(tmp_path, grid(4, 4, 2, 2), FACTS, hop=inline) as journal:
        assert journal.agreed_at is None
        assert journal.ending == (RunResult.INTERRUPTED, "nothing was sent yet")
        journal.agree(2.0)
        journal.begin(3.0)
        journal.keep_witnesses(witnesses)
        journal.keep_witnesses(witnesses[:1])
        anyio.run(journal.grant, Grant(3.0, 5, 0))
        assert journal.ending == (RunResult.INTERRUPTED, "killed, or no longer able to write")
        journal.verified(8.0, Verification(10, 1, 2, 0))
        journal.finish(ending)
    with Record.open(tmp_path) as found:
        assert (found.facts, found.name, found.directory) == (FACTS, "night", tmp_path)
        assert found.agreed_at == 2.0
        assert found.sessions == (SessionRecord(1, 3.0, ending),)
        assert found.ending == (RunResult.PARTIAL, "a chunk is refused")
        assert found.witnesses() == witnesses
        assert found.verification == Verification(10, 1, 2, 0)
        assert found.grants(since=100.0) == (Grant(3.0, 5, 0),)


@pytest.mark.anyio
async def test_a_reader_sees_one_moment_while_the_writer_goes_on(tmp_path: Path) -> None:
    with Journal.create(tmp_path, grid(4, 4, 2, 2), FACTS) as journal:
        journal.begin(1.0)
        await journal.record([Outcome(0, Verdict.DELETED)])
        with Record.open(tmp_path) as early:
            await journal.record([Outcome(1, Verdict.DELETED)])
            with Record.open(tmp_path) as late:
                assert (early.pending(), late.pending()) == ([1, 2, 3], [2, 3])


def test_closing_waits_for_no_reader(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, grid(4, 4, 2, 2), FACTS, hop=inline)
    journal.begin(1.0)
    record(journal, [Outcome(0, Verdict.DELETED)])
    with Record.open(tmp_path) as early:
        record(journal, [Outcome(1, Verdict.DELETED)])
        journal.close()
        assert early.pending() == [1, 2, 3]
    with Record.open(tmp_path) as late:
        assert late.pending() == [2, 3]


def test_a_code_that_no_column_holds_is_left_out(tmp_path: Path) -> None:
    outcomes = [Outcome(chunk, Verdict.EXHAUSTED, code=code) for chunk, code in enumerate((2**64 - 1, -(2**62), None))]
    with Journal.create(tmp_path, grid(4, 4, 2, 2), FACTS, hop=inline) as journal:
        record(journal, outcomes)
        assert [outcome.code for _, outcome in journal.records()] == [None, -(2**62), None]


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    with Journal.create(tmp_path, grid(4, 4, 2, 2), FACTS) as journal:
        assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert journal._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("gone", ["removed", "moved", "replaced", "hidden"])
def test_a_journal_that_is_gone_is_told(tmp_path: Path, gone: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with Journal.create(folder, grid(4, 4, 2, 2), FACTS, hop=inline) as journal:
        journal.begin(1.0)
        journal.require_in_place()
        if gone == "removed":
            rmtree(folder)
        elif gone == "moved":
            folder.rename(tmp_path / "elsewhere")
        elif gone == "replaced":
            copyfile(folder / FILE_NAME, tmp_path / "copy")
            (tmp_path / "copy").replace(folder / FILE_NAME)
        else:
            folder.rename(tmp_path / "elsewhere")
            (tmp_path / "run").symlink_to(tmp_path)
        with pytest.raises(JournalNotWritable, match="removed, moved or replaced"):
            journal.require_in_place()


def test_a_statement_that_runs_on_is_ended(tmp_path: Path) -> None:
    """Pages can refer to each other in ways that no honest file has, and then a short file holds rows without end."""
    with closing(connect_to_read(a_run(tmp_path))) as connection:
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")
        assert connection.execute("SELECT count(*) FROM outcome").fetchone() == (1,)
        with pytest.raises(sqlite3.DataError, match="too big"):
            connection.execute("SELECT zeroblob(300000000)").fetchone()


def with_rows_without_end(file: Path, table: str) -> None:
    """Make a table's root refer to a page five hundred times, and that page to another, and that to the rows."""
    with closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(file.read_bytes())
    pages = len(content) // size

    def referring_to(child: int) -> bytes:
        cells = b"".join(child.to_bytes(4, "big") + b"\1" for _ in range(500))
        start = size - len(cells)
        places = b"".join((start + 5 * number).to_bytes(2, "big") for number in range(500))
        head = b"\5\0\0" + (500).to_bytes(2, "big") + start.to_bytes(2, "big") + b"\0" + child.to_bytes(4, "big")
        return (head + places).ljust(start, b"\0") + cells

    leaf = bytes(content[(root - 1) * size : root * size])
    content += leaf + referring_to(pages + 1) + referring_to(pages + 2)
    content[(root - 1) * size : root * size] = referring_to(pages + 3)
    content[28:32] = (pages + 3).to_bytes(4, "big")
    content[92:96] = content[24:28]
    file.write_bytes(content)


@pytest.mark.parametrize("table", ["run", "outcome", "session", "stage", "dictionary", "side"])
def test_pages_that_refer_to_each_other_are_not_followed_without_end(tmp_path: Path, table: str) -> None:
    """A file of a few pages and 125 million rows."""
    with_rows_without_end(a_run(tmp_path), table)
    with pytest.raises(InputError, match="interrupted"):
        Record.open(tmp_path)


@pytest.mark.parametrize("name", ["attempts", "body_bytes", "first_sent_at"])
def test_outcomes_that_nobody_can_have_written_are_refused(tmp_path: Path, name: str) -> None:
    """Also where somebody made a chain for them."""
    wrong = {"attempts": -1, "body_bytes": "many", "first_sent_at": 1e300}
    with Journal.create(tmp_path, grid(4, 4, 2, 2), FACTS, hop=inline) as journal:
        columns, values = journal._tables["outcome"].columns, (1, 0, "deleted", 1, 0, 200, 0, "", "", 0, 1.0, 1.0)
        row = dict(zip(columns, values, strict=True))
        journal._write({"outcome": [tuple({**row, name: wrong[name]}.values())]})
    with Record.open(tmp_path) as journal, pytest.raises(InputError, match="table outcome"):
        list(journal.records())


def test_whether_a_run_without_an_ending_goes_on_is_asked_of_its_lock(tmp_path: Path) -> None:
    a_run(tmp_path)
    with lock_run(tmp_path), Record.open(tmp_path) as found:
        assert found.ending == (RunResult.RUNNING, "still running")
        assert found.ended.running
    with Record.open(tmp_path) as found:
        assert found.ending == (RunResult.INTERRUPTED, "killed, or no longer able to write")
        assert not found.ended.running


@pytest.mark.parametrize("log", ["-journal", "-wal"])
def test_a_pipe_in_place_of_a_log_is_not_waited_for(tmp_path: Path, log: str) -> None:
    path = a_run(tmp_path)
    os.mkfifo(f"{path}{log}")
    with pytest.raises(InputError, match=f"journal.sqlite{log} beside it is no file"):
        Record.open(tmp_path)
    with pytest.raises(InputError, match="is no file"):
        Journal.resume(tmp_path)
