"""Whatever stands in a file that somebody else may have written: it is read, or refused in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache
from io import StringIO
from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkstate.cli import ctl
from bulkstate.disk import control, saved_plan
from bulkstate.disk.gateway_file import Memory, StateFile
from bulkstate.disk.journal import FILE_NAME, RETRIED, Record
from bulkstate.disk.saved_plan import SavedPlan
from bulkstate.errors import InputError, JournalDamaged, PlanAltered
from bulkstate.model import RunResult
from bulkstate.report import fold, to_json, to_text
from bulkstate.report.asked import asset_ids
from bulkstate.report.certificate import certificate
from bulkstate.report.outcomes import write_outcomes
from tests.disk.runs import fast_folder, grid
from tests.disk.test_chain import a_full_run

FORMAT_2 = Path(__file__).parents[1] / "formats" / "journal-2" / "finished"
MANY = settings(max_examples=1_000, deadline=None)

odd_values = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=9)
    | st.binary(max_size=9)
    | st.sampled_from(["split", "unknown", "[[1, 2, 3]]", '["a", "b"]', b"\0" * 8, 0, 1, -1, 2**31, 1e12])
)


@st.composite
def spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """Some of the bytes changed, removed or said twice."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(changed)))
        end = start + draw(st.sampled_from([0, 1, 2, 4, 100, 4096]))
        changed[start:end] = draw(st.binary(max_size=8) | st.just(bytes(changed[start : start + 200])))
    return bytes(changed)


@cache
def journal() -> bytes:
    with fast_folder() as folder:
        return a_full_run(Path(folder)).read_bytes()


@cache
def plan() -> bytes:
    with fast_folder() as folder:
        file = Path(folder, "plan")
        saved_plan.write(SavedPlan(grid(6, 6, 2, 3), "{}", (), (), 1.0, "1"), file)
        return file.read_bytes()


def read_all(directory: Path) -> None:
    """All that anybody asks a journal for."""
    with suppress(InputError, JournalDamaged), Record.open(directory) as record:
        report = fold(record)
        to_text(report)
        to_json(report)
        write_outcomes(record, StringIO())
        certificate(report)
        asset_ids(record.plan)
        record.pending(RETRIED)
        record.grants(0.0)
        record.witnesses()
        record.sizing(record.chunks())
        (record.inputs(), record.agreements(), record.pauses(), record.deadlines(), record.facts, record.head)
        record.verify_chain(None)


def check_journal(content: bytes) -> None:
    with fast_folder() as folder:
        Path(folder, FILE_NAME).write_bytes(content)
        read_all(Path(folder))


def check_plan(content: bytes) -> None:
    with fast_folder() as folder:
        Path(folder, "plan").write_bytes(content)
        with suppress(InputError, PlanAltered):
            saved_plan.read(Path(folder, "plan"))


def check_value(place: tuple[str, str], value: object) -> None:
    """One value of a journal without a chain is anything: whoever makes a chain for it can write that too."""
    table, column = place
    with fast_folder() as folder:
        directory = copytree(FORMAT_2, Path(folder, "run"))
        with closing(sqlite3.connect(directory / FILE_NAME, isolation_level=None)) as connection:
            triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            with suppress(sqlite3.Error):  # NOT NULL holds for whoever uses SQLite to write
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid % 3 = 1", (value,))
            for _, statement in triggers:
                connection.execute(statement)
        read_all(directory)


@cache
def places() -> list[tuple[str, str]]:
    with closing(sqlite3.connect(FORMAT_2 / FILE_NAME)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(name, row[1]) for name in tables for row in connection.execute(f"PRAGMA table_info({name})")]


def check_control(content: bytes) -> None:
    with fast_folder() as folder:
        directory = Path(folder)
        (directory / "control.json").write_bytes(content)
        (directory / "status.json").write_bytes(content)
        with suppress(OSError, ValueError):
            control.uses(directory)
        status = control.told(directory)
        if status is not None:
            standing = ctl.RunStatus("run", "run", True, RunResult.STOPPED, "", False, status)
            list(ctl._lines(standing, 1e9))


def check_state(content: bytes) -> None:
    with fast_folder() as folder:
        file = Path(folder, "state.json")
        file.write_bytes(content)
        assert isinstance(StateFile(file, "https://g", "o1").read(), Memory)


CONTROL = b'[{"at":1.5,"command":"rate","value":"10/s"},{"at":2,"command":"pause","value":""}]'
STATUS = (
    b'{"at":1.5,"paused":false,"settled":3,"not_deleted":0,"calls":9,"refused":0,"rate":1.0,"limit":2.0,'
    b'"concurrency":4,"in_flight":1,"p50":0.1,"p99":0.2,"held_by":"the gateway"}'
)
STATE = (
    b'{"version":1,"gateways":[{"gateway":"https://g","organisation":"o1","learnt":{"rate":5},'
    b'"calls":[{"run":"r","at":1.5,"calls":3}]}]}'
)


def files() -> st.SearchStrategy[tuple[Callable[[bytes], None], bytes]]:
    return st.one_of(
        st.tuples(st.just(check_journal), spoilt(journal())),
        st.tuples(st.just(check_plan), spoilt(plan())),
        st.tuples(st.just(check_control), spoilt(CONTROL) | spoilt(STATUS)),
        st.tuples(st.just(check_state), spoilt(STATE)),
    )


@given(st.data())
def test_spoilt_files_are_refused_in_words(data: st.DataObject) -> None:
    check, content = data.draw(files())
    check(content)


@given(st.data(), odd_values)
def test_odd_values_are_refused_in_words(data: st.DataObject, value: object) -> None:
    check_value(data.draw(st.sampled_from(places())), value)


@pytest.mark.fuzz
@MANY
@given(st.data())
def test_many_spoilt_files_are_refused_in_words(data: st.DataObject) -> None:
    check, content = data.draw(files())
    check(content)


@pytest.mark.fuzz
@MANY
@given(st.data(), odd_values)
def test_many_odd_values_are_refused_in_words(data: st.DataObject, value: object) -> None:
    check_value(data.draw(st.sampled_from(places())), value)
