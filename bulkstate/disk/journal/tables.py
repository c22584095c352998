"""The journal's file: its tables, where it is, and what SQLite's errors mean to people."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bulkstate.disk import plan_tables
from bulkstate.disk.database import FileFormat
from bulkstate.errors import InputError, JournalNotWritable, Problem

FILE_NAME: Final = "journal.sqlite"
_FORMAT_2: Final = {
    "run": """name TEXT NOT NULL, created_at REAL NOT NULL, gateway TEXT NOT NULL, organisation TEXT NOT NULL,
        configuration TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL""",
    "agreement": "at REAL NOT NULL",
    "session": "id INTEGER PRIMARY KEY, started_at REAL NOT NULL",
    "ending": """session INTEGER PRIMARY KEY REFERENCES session, at REAL NOT NULL, result TEXT NOT NULL,
        reason TEXT NOT NULL, exit INTEGER NOT NULL""",
    "outcome": """seq INTEGER PRIMARY KEY, session INTEGER NOT NULL, chunk INTEGER NOT NULL, verdict TEXT NOT NULL,
        attempts INTEGER NOT NULL, throttled INTEGER NOT NULL, status INTEGER, code INTEGER, message TEXT NOT NULL,
        request_id TEXT, body_bytes INTEGER NOT NULL, first_sent_at REAL, last_answered_at REAL""",
    "part": """number INTEGER PRIMARY KEY, parent INTEGER NOT NULL, assets_start INTEGER NOT NULL,
        assets_end INTEGER NOT NULL, points_start INTEGER NOT NULL, points_end INTEGER NOT NULL""",
    "use": "seq INTEGER PRIMARY KEY, at REAL NOT NULL, command TEXT NOT NULL, value TEXT NOT NULL",
    "point": """seq INTEGER PRIMARY KEY, at REAL NOT NULL, seconds REAL NOT NULL, rate REAL NOT NULL,
        call_limit REAL NOT NULL, in_flight INTEGER NOT NULL, refused INTEGER NOT NULL, p50 REAL NOT NULL,
        p99 REAL NOT NULL, held_by TEXT NOT NULL, which TEXT NOT NULL""",
    "call_grant": "seq INTEGER PRIMARY KEY, at REAL NOT NULL, calls INTEGER NOT NULL, spent INTEGER NOT NULL",
    "witness": """pipeline TEXT NOT NULL, stage TEXT NOT NULL, asset TEXT NOT NULL, point TEXT NOT NULL,
        PRIMARY KEY (pipeline, stage, asset, point)""",
    "verification": """seq INTEGER PRIMARY KEY, at REAL NOT NULL, sampled INTEGER NOT NULL, remaining INTEGER NOT NULL,
        witnesses INTEGER NOT NULL, witnesses_lost INTEGER NOT NULL""",
}

_FORMAT_3: Final = {
    **_FORMAT_2,
    "run": f"{_FORMAT_2['run']}, target TEXT NOT NULL, approval TEXT NOT NULL, plan_seal TEXT NOT NULL",
    "agreement": "at REAL NOT NULL, how TEXT NOT NULL, by TEXT NOT NULL",
    "input": "path TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, rows INTEGER",
    "look": """seq INTEGER PRIMARY KEY, at REAL NOT NULL, after INTEGER NOT NULL, read INTEGER NOT NULL,
        pipeline TEXT NOT NULL, stage TEXT NOT NULL, entry TEXT NOT NULL, asset TEXT NOT NULL, point TEXT NOT NULL,
        state INTEGER""",
    "pipeline_seen": """seq INTEGER PRIMARY KEY, at REAL NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
        status TEXT NOT NULL, version TEXT NOT NULL""",
    "circumstance": """seq INTEGER PRIMARY KEY, at REAL NOT NULL, user TEXT NOT NULL, host TEXT NOT NULL,
        ci TEXT NOT NULL, job TEXT NOT NULL, commit_id TEXT NOT NULL, reference TEXT NOT NULL, zone TEXT NOT NULL,
        clock_ahead REAL, clock_behind REAL""",
    "pause": """seq INTEGER PRIMARY KEY, at REAL NOT NULL, pipeline TEXT NOT NULL, paused_by TEXT NOT NULL,
        status TEXT NOT NULL""",
    "deadline": "session INTEGER PRIMARY KEY REFERENCES session, at REAL NOT NULL, words TEXT NOT NULL",
    "ending_reason": "session INTEGER PRIMARY KEY REFERENCES session, code TEXT NOT NULL, unread TEXT NOT NULL",
    "requests_read": """verification INTEGER PRIMARY KEY REFERENCES verification, requests INTEGER NOT NULL,
        of_requests INTEGER NOT NULL, requests_remaining INTEGER NOT NULL, at_most INTEGER NOT NULL""",
    "link": "number INTEGER PRIMARY KEY, rows TEXT NOT NULL, hash TEXT NOT NULL",
}
"""Times are UNIX seconds. A part's positions count among those of its parent. A look was made before the first delete,
or after the last one. A clock is ahead of the gateway's or behind it, by so many seconds. Of a pipeline that was
paused, `status` is what it was before. A column `seq` or `id` that is a key is numbered by SQLite itself, which
refuses to change or remove a row of any of these tables. A run's `plan_seal` is that of the plan's tables, so that the
chain holds them too."""

_APPEND_ONLY: Final = """CREATE TRIGGER {table}_{action} BEFORE {action} ON {table}
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"""


def _statements(tables: Mapping[str, str]) -> Iterator[str]:
    for table, columns in tables.items():
        yield f"CREATE TABLE {table} ({columns})"
        for action in ("UPDATE", "DELETE"):
            yield _APPEND_ONLY.format(table=table, action=action)


CHAINED: Final = 3
"""The first format with a chain."""

_TABLES: Final = {2: _FORMAT_2, 3: _FORMAT_3}

FORMAT: Final = FileFormat(
    "a journal of bulkstate",
    0x424B5354,
    {
        2: (*plan_tables.EARLIER_SCHEMA, *_statements(_TABLES[2])),
        3: (*plan_tables.SCHEMA, *_statements(_TABLES[3])),
    },
)
"""SQLite's header calls it BKST."""


@dataclass(frozen=True, slots=True)
class TableForm:
    """What is written of a table's rows: the columns that SQLite doesn't number itself, and their types."""

    columns: tuple[str, ...]
    kinds: tuple[str, ...]

    def insert_into(self, table: str) -> str:
        """The statement that writes a row."""
        places = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {table} ({', '.join(self.columns)}) VALUES ({places})"  # noqa: S608 - a table of ours

    def stored(self, row: Iterable[object]) -> tuple[object, ...]:
        """A row as it is read back: numbers as their columns have them, and no more values than there are columns."""
        fitting = zip(row, self.kinds, strict=False)
        return tuple(_CASTS[kind](value) if value is not None else None for value, kind in fitting)


_CASTS: Final[Mapping[str, Callable[[Any], object]]] = {"REAL": float, "INTEGER": int, "TEXT": str}


def tables_of(connection: sqlite3.Connection) -> dict[str, TableForm]:
    """The append-only tables of a journal, but for the chain's own."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return {name: _table(connection, name) for name in _TABLES[version] if name != "link"}


def _table(connection: sqlite3.Connection, name: str) -> TableForm:
    columns = connection.execute(f"PRAGMA table_info({name})")
    written = [(column, kind) for _, column, kind, _, _, key in columns if not (key and column in ("seq", "id"))]
    return TableForm(*map(tuple, zip(*written, strict=True)))


_ADVICE: Final = {
    "FULL": "Free some space on that disk, then resume the run.",
    "READONLY": "Make the file and its directory writable, then resume the run.",
    "CANTOPEN": "Make the directory and what is in it writable, then resume the run.",
    "BUSY": "Another program has the file open for writing: close it, then resume the run.",
    "IOERR": "The disk reports an error: see the system's log. A copy of the run directory can be resumed elsewhere.",
}


_NEVER_BEGUN: Final = "a run that was killed before its plan was there has sent nothing: start it anew"


def existing(directory: Path) -> Path:
    """The journal in `directory`. InputError if there is none."""
    path = directory / FILE_NAME
    if not path.is_file():
        problem = "no such directory" if not directory.exists() else f"not a run directory: it has no {FILE_NAME}"
        raise InputError(Problem(problem, where=str(directory), hint=_NEVER_BEGUN if directory.exists() else ""))
    return path


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """InputError for whatever keeps the journal at `path` from being read, or from making sense."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError) as error:
        raise InputError(Problem(f"can't read the journal: {error}", where=str(path))) from error
    except (TypeError, LookupError, OverflowError) as error:
        problem = "the journal is damaged: it holds what no run has written"  # Python's words help nobody here
        raise InputError(Problem(problem, where=str(path))) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """JournalNotWritable for whatever keeps the journal at `path` from being written."""
    try:
        yield
    except sqlite3.Error as error:
        name = str(getattr(error, "sqlite_errorname", "")).split("_")
        advice = next((_ADVICE[part] for part in name if part in _ADVICE), "")
        raise JournalNotWritable(f"{path} can't be written: {error}", hint=advice) from error
    except OSError as error:
        raise JournalNotWritable(f"{path} can't be written: {error.strerror}") from error
