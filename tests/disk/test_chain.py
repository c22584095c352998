"""A journal's chain: whatever is changed, removed or added afterwards is found, by us and by a checker of its own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.disk.journal import FILE_NAME, Deadline, Ending, Input, Journal, Pause, Record, inline
from bulkstate.disk.journal.chain import LATEST
from bulkstate.errors import InputError, JournalDamaged
from bulkstate.model import (
    Circumstances,
    Outcome,
    Pair,
    Plan,
    Point,
    Remark,
    RemarkKind,
    RunResult,
    Stage,
    Use,
    Verdict,
    Verification,
)
from tests.disk.runs import FACTS, fast_folder, grid, record, stories, tell

NUMBERED = {"seq", "id"}


def checked_alone(file: Path) -> tuple[int, str]:
    """How many links there are, and the last of them, by what the documentation says of them and by nothing else."""
    with closing(sqlite3.connect(file)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: list(_rows(connection, name)) for name in tables}
        links = connection.execute("SELECT rows, hash FROM link ORDER BY number").fetchall()
    before, seen = "bulkstate journal 3", dict.fromkeys(rows, 0)
    for counts, link in links:
        lines = [before, counts]
        for name, count in json.loads(counts).items():
            if count > seen[name]:
                lines.append(f"{name} {json.dumps(rows[name][seen[name] : count], separators=(',', ':'))}")
                seen[name] = count
        before = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        assert before == link
    return len(links), before


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[list[Any]]:
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    shown = [name for _, name, _, _, _, key in columns if not (key and name in NUMBERED)]
    if not any(kind == "BLOB" for _, _, kind, _, _, _ in columns):
        yield from map(list, connection.execute(f"SELECT {', '.join(shown)} FROM {table} ORDER BY rowid"))


@given(stories())
def test_another_checker_finds_the_same_head(story: tuple[Plan, list[list[list[Outcome]]]]) -> None:
    plan, sessions = story
    with fast_folder() as folder:
        tell(plan, sessions, Path(folder))
        with Record.open(Path(folder)) as found:
            assert found.head is not None
            found.verify_chain(None)
            assert (found.head.count, found.head.link) == checked_alone(Path(folder) / FILE_NAME)


def a_full_run(folder: Path) -> Path:
    """A journal with rows in every table."""
    inputs = (Input("points.txt", 12, "ab" * 32, 3),)
    with Journal.create(folder, grid(4, 4, 2, 2), FACTS, inputs, hop=inline) as journal:
        journal.agree(1.0, "--yes", "somebody")
        for ahead in (0.5, -3_600.0, None):
            journal.keep_circumstances(
                Circumstances("ada", "ops-7", "gitlab", "job", "c0ffee", "CHG", "+0000", ahead, 1.5)
            )
        journal.begin(2.0)
        journal.paused(Pause(2.5, "pipeline", "bulkstate", "RUNNING"))
        journal.set_deadline(Deadline(99.0, "05:00 UTC"))
        journal.keep_witnesses([(Stage("p", "s"), Pair("b", "x")), (Stage("p", "s"), Pair("a", "x"))])
        record(journal, [Outcome(0, Verdict.DELETED, 1, first_sent_at=3.0, last_answered_at=4.0)])
        record(journal, [Outcome(1, Verdict.REFUSED, 1, message="no"), Outcome(2, Verdict.DELETED)])
        journal._insert("use", ("5", Use(5.0, "rate", "3/s").command, "3/s"))
        journal._insert("point", tuple(getattr(POINT, name) for name in Point.__dataclass_fields__))
        journal.settle_grants(6.0)
        journal._insert("call_grant", (6.0, 5, 0))
        journal._insert("part", (4, 3, 0, 1, 0, 1))
        journal.verified(7.0, Verification(4, 0, 2, 0))
        journal.finish(Ending(8.0, RunResult.PARTIAL, "one is refused", 3))
    return folder / FILE_NAME


POINT = Point(1.0, 1.0, 2.0, float("inf"), 1, 0, 0.1, 0.2, "limit")


def test_what_was_written_besides_outcomes_is_read_back(tmp_path: Path) -> None:
    a_full_run(tmp_path)
    with Record.open(tmp_path) as found:
        assert [each.how for each in found.agreements()] == ["--yes"]
        assert found.inputs() == (Input("points.txt", 12, "ab" * 32, 3),)
        assert [each.clock_ahead for each in found.circumstances()] == [0.5, -3_600.0, None]
        assert found.pauses() == (Pause(2.5, "pipeline", "bulkstate", "RUNNING"),)
        assert found.deadlines() == (Deadline(99.0, "05:00 UTC"),)


CHANGES = [
    "UPDATE {table} SET {column} = coalesce({column}, '') || '1'",
    "DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})",
    "DELETE FROM {table} WHERE rowid = (SELECT min(rowid) FROM {table})",
]


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_found(change: str) -> None:
    with fast_folder() as folder:
        file = a_full_run(Path(folder))
        whole = file.read_bytes()
        for table, column in _places(file):
            file.write_bytes(whole)
            _change(file, change.format(table=table, column=column))
            with pytest.raises((JournalDamaged, InputError)):
                Record.open(file.parent)
                pytest.fail(f"{change} in {table}.{column} wasn't found")


def _change(file: Path, statement: str) -> None:
    """As somebody would who knows about the triggers."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
        for _, trigger in triggers:
            connection.execute(trigger)


def _places(file: Path) -> list[tuple[str, str]]:
    places = _places_in(file)
    assert len({table for table, _ in places}) > 12
    return places


def test_a_row_that_was_slipped_in_is_found(tmp_path: Path) -> None:
    file = a_full_run(tmp_path)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("INSERT INTO agreement VALUES (9.0, '--yes', 'somebody else')")
    with pytest.raises(JournalDamaged, match="its table agreement holds 2 rows, and 1 were written"):
        Record.open(tmp_path)


def test_what_is_older_than_the_latest_links_is_found_by_looking_at_all(tmp_path: Path) -> None:
    file = a_full_run(tmp_path)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        (statement,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'outcome_UPDATE'").fetchone()
        connection.execute("DROP TRIGGER outcome_UPDATE")
        connection.execute("UPDATE outcome SET attempts = 5 WHERE chunk = 0")
        connection.execute(statement)
        record = Record(connection, file)
        record.verify_chain(3)
        with pytest.raises(JournalDamaged, match=r"link 10 isn't what its rows make it"):
            record.verify_chain(None)


PLAN_TABLES = "plan", "dictionary", "evidence", "stage", "side", "stage_side", "remark"
REMARK = Remark("delete[0].keep (c.yaml:7)", RemarkKind.KEEPS_NOTHING, 5, 5)


@given(stories(), st.data())
def test_any_value_of_the_plan_that_was_changed_is_found(
    story: tuple[Plan, list[list[list[Outcome]]]], data: st.DataObject
) -> None:
    """Also what the plan's digest, which is of its chunks, says nothing of: counts, bounds, evidence, remarks."""
    plan, sessions = story
    with fast_folder() as folder:
        tell(replace(plan, remarks=(REMARK, replace(REMARK, count=3))), sessions, Path(folder))
        file = Path(folder) / FILE_NAME
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            table = data.draw(st.sampled_from(PLAN_TABLES))
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            column = data.draw(st.sampled_from(columns))
            rows = connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
            if not rows:
                return
            row, value = data.draw(st.sampled_from(rows))
            other = data.draw(st.sampled_from([0, 1, 7, 2.5, "", "[]", "keeps_nothing", b"", b"\1\0\0\0"]))
            with contextlib.suppress(sqlite3.IntegrityError):  # a key that is there
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (other, row))
            written = connection.execute(f"SELECT {column} FROM {table}").fetchall()
        if written == [(each,) for _, each in rows]:
            return
        with pytest.raises(JournalDamaged, match="its plan isn't the one that was written"):
            Record.open(file.parent)
            pytest.fail(f"{table}.{column}: {value!r} became {other!r}, and nobody saw it")


@pytest.mark.parametrize("table", PLAN_TABLES)
@pytest.mark.parametrize("change", CHANGES[1:])
def test_a_row_of_the_plan_that_was_taken_away_is_found(table: str, change: str, tmp_path: Path) -> None:
    with Journal.create(tmp_path, replace(grid(4, 4, 2, 2), remarks=(REMARK,)), FACTS, hop=inline):
        pass
    _change(tmp_path / FILE_NAME, change.format(table=table))
    with pytest.raises(JournalDamaged):
        Record.open(tmp_path)


# ── a witness ─────────────────────────────────────────────────────────────────────────────────────────────────────


@given(stories(), st.data())
def test_any_value_that_was_changed_is_found_without_a_kept_head(
    story: tuple[Plan, list[list[list[Outcome]]]], data: st.DataObject
) -> None:
    with fast_folder() as folder:
        tell(*story, Path(folder))
        file = Path(folder) / FILE_NAME
        table, column = data.draw(st.sampled_from(_places_in(file)))
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
        row, value = data.draw(st.sampled_from(rows))
        other = data.draw(
            st.sampled_from([None, 0, 1, 2.5, "", "deleted", "refused"]).filter(lambda each: each != value)
        )
        with contextlib.suppress(sqlite3.IntegrityError):  # NOT NULL
            _change(file, f"UPDATE {table} SET {column} = {_literal(other)} WHERE rowid = {row}")
            with closing(sqlite3.connect(file)) as connection:
                written = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = {row}").fetchone()
            if written == (value,):
                return  # the column's type made the same of it
            with pytest.raises((JournalDamaged, InputError)):
                with Record.open(file.parent) as found:
                    found.verify_chain(None)
                pytest.fail(f"{table}.{column}: {value!r} became {other!r}, and nobody saw it")


def _literal(value: object) -> str:
    return "NULL" if value is None else repr(value)


def _places_in(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'")]
        tables = [name for name in dict.fromkeys(names) if connection.execute(f"SELECT * FROM {name}").fetchone()]
        columns = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in tables}
    return [(name, column) for name in tables for _, column, _, _, _, key in columns[name] if not key]


@given(stories(), st.integers(1, 5))
def test_a_cut_tail_is_found_by_a_kept_head_alone(story: tuple[Plan, list[list[list[Outcome]]]], cut: int) -> None:
    with fast_folder() as folder:
        tell(*story, Path(folder))
        with Record.open(Path(folder)) as whole:
            kept = whole.head
        assert kept is not None
        cut = min(cut, kept.count - 1)
        if not cut:
            return
        _cut_tail(Path(folder) / FILE_NAME, cut)
        with Record.open(Path(folder)) as found:
            found.verify_chain(None)
            assert not found.holds_link(kept.link)
            assert found.head is not None
            assert found.holds_link(found.head.link[:16])


def _cut_tail(file: Path, links: int) -> None:
    """Take away the last links, and all that they were made of, as if it had never been written."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        counts = [json.loads(rows) for (rows,) in connection.execute("SELECT rows FROM link ORDER BY number")]
        left = counts[-1 - links]
    for table, count in {**dict.fromkeys(counts[-1], 0), **left}.items():
        _change(
            file,
            f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY rowid LIMIT -1 OFFSET {count})",
        )
    _change(file, f"DELETE FROM link WHERE number > {len(counts) - links}")


@given(stories())
def test_a_journal_that_was_written_anew_is_found_by_a_kept_head(
    story: tuple[Plan, list[list[list[Outcome]]]],
) -> None:
    plan, sessions = story
    with fast_folder() as first, fast_folder() as second:
        tell(plan, sessions, Path(first))
        tell(plan, [*sessions, [[Outcome(0, Verdict.DELETED)]]], Path(second))
        with Record.open(Path(first)) as told, Record.open(Path(second)) as found:
            assert told.head is not None and found.head is not None
            found.verify_chain(None)
            assert found.holds_link(told.head.link), "going on keeps every link"
            assert not told.holds_link(found.head.link)


def test_what_opening_leaves_out_is_verified_beside_the_work(tmp_path: Path) -> None:
    """A change of an old row, in a journal of more links than are verified when it is opened."""
    with Journal.create(tmp_path, grid(4, 4, 2, 2), FACTS, hop=inline) as journal:
        journal.begin(1.0)
        record(journal, [Outcome(0, Verdict.REFUSED, 1)])
        for second in range(LATEST):
            journal.agree(float(second))
    with Record.open(tmp_path) as found:
        found.verify_older()
    _change(tmp_path / FILE_NAME, "UPDATE outcome SET verdict = 'deleted'")
    with Record.open(tmp_path) as found, pytest.raises(JournalDamaged, match="link 3 isn't what"):
        found.verify_older()
