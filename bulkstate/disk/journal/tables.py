"""The journal's file: its tables, how it is opened, and what SQLite's errors mean to people."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Final

from bulkstate.disk import plan_tables
from bulkstate.errors import InputError, JournalNotWritable, Problem

FILE_NAME: Final = "journal.sqlite"
FORMAT_VERSION: Final = 2

_APPLICATION_ID: Final = 0x424B5354
"""What SQLite's header calls the application: BKST."""

_TABLES: Final = {
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
    "look": """seq INTEGER PRIMARY KEY, at REAL NOT NULL, after INTEGER NOT NULL, read INTEGER NOT NULL,
        pipeline TEXT NOT NULL, stage TEXT NOT NULL, entry TEXT NOT NULL, asset TEXT NOT NULL, point TEXT NOT NULL,
        state INTEGER""",
    "pipeline_seen": """seq INTEGER PRIMARY KEY, at REAL NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
        status TEXT NOT NULL""",
    "ending_reason": "session INTEGER PRIMARY KEY REFERENCES session, code TEXT NOT NULL, unread TEXT NOT NULL",
    "requests_read": """verification INTEGER PRIMARY KEY REFERENCES verification, requests INTEGER NOT NULL,
        of_requests INTEGER NOT NULL, requests_remaining INTEGER NOT NULL, at_most INTEGER NOT NULL""",
    "verification": """seq INTEGER PRIMARY KEY, at REAL NOT NULL, sampled INTEGER NOT NULL, remaining INTEGER NOT NULL,
        witnesses INTEGER NOT NULL, witnesses_lost INTEGER NOT NULL""",
}
"""Times are UNIX seconds. A part's positions count among those of its parent. A look was made before the first delete,
or after the last one. SQLite itself refuses to change or remove a row of any of these."""

_APPEND_ONLY: Final = """CREATE TRIGGER {table}_{action} BEFORE {action} ON {table}
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"""

_ADVICE: Final = {
    "FULL": "Free some space on that disk, then resume the run.",
    "READONLY": "Make the file and its directory writable, then resume the run.",
    "CANTOPEN": "Make the directory and what is in it writable, then resume the run.",
    "BUSY": "Another program has the file open for writing: close it, then resume the run.",
    "IOERR": "The disk reports an error: see the system's log. A copy of the run directory can be resumed elsewhere.",
}


def existing(directory: Path) -> Path:
    """The journal in `directory`. InputError if there is none."""
    path = directory / FILE_NAME
    if not path.is_file():
        problem = "no such directory" if not directory.exists() else f"not a run directory: it has no {FILE_NAME}"
        raise InputError(Problem(problem, where=str(directory)))
    return path


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that sees the journal as it is now, whatever a writer adds later."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        with closed_on_error(connection):
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection = _copied(path)
    return connection


def _copied(path: Path) -> sqlite3.Connection:
    """A copy in memory. After a kill -9 SQLite must fold the log into the file, and on a read-only disk it can't."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    with closed_on_error(copy), TemporaryDirectory(prefix="bulkstate-") as folder:
        file = Path(folder, FILE_NAME)
        copyfile(path, file)
        log = path.with_name(f"{FILE_NAME}-wal")
        if log.exists():
            copyfile(log, file.with_name(log.name))
        with closing(sqlite3.connect(file)) as source:
            source.backup(copy)
    return copy


def connect_to_write(path: Path) -> sqlite3.Connection:
    """A connection for the one writer, who may use it from one thread after another.

    A commit is on disk when it returns, and readers neither wait for it nor hold it up.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with closed_on_error(connection):
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """The connection is closed if this ends badly, and left open if it ends well."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def end_log(connection: sqlite3.Connection) -> None:
    """Fold the log into the file, so that one file can be moved, or read from a read-only disk.

    Where somebody reads it just now, or the disk is full, the log stays beside the file: nothing is lost.
    """
    try:
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError:
        return


def make_tables(connection: sqlite3.Connection) -> None:
    """All tables of a new journal, the plan's too, within the connection's transaction."""
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    for statement in plan_tables.SCHEMA:
        connection.execute(statement)
    add_missing_tables(connection)


def add_missing_tables(connection: sqlite3.Connection) -> None:
    """The tables that an earlier version's journal doesn't have: later ones only add some."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, columns in _TABLES.items():
        if table not in there:
            connection.execute(f"CREATE TABLE {table} ({columns})")
            for action in ("UPDATE", "DELETE"):
                connection.execute(_APPEND_ONLY.format(table=table, action=action))


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the journal was written by a version that knew this table."""
    query = "SELECT EXISTS (SELECT * FROM sqlite_master WHERE type = 'table' AND name = ?)"
    return bool(connection.execute(query, (name,)).fetchone()[0])


def check_format(connection: sqlite3.Connection) -> None:
    """ValueError if the file isn't a journal, or one of another version."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        raise ValueError("it isn't a journal of bulkstate")
    if version != FORMAT_VERSION:
        raise ValueError(f"its format is version {version}, and this bulkstate knows version {FORMAT_VERSION}")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """InputError for whatever keeps the journal at `path` from being read, or from making sense."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError) as error:
        raise InputError(Problem(f"can't read the journal: {error}", where=str(path))) from error
    except (TypeError, LookupError, OverflowError) as error:
        raise InputError(Problem(f"the journal is damaged ({error})", where=str(path))) from error


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


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; on disk when it ends well."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
