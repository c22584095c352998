"""SQLite files that may come from anybody: what is asked of one before a row of it is believed.

A journal and a saved plan travel, and whoever sends one can write anything into it. So its header is compared with the
format that it claims, and its tables with those that the format has: no view, trigger or column that isn't ours is ever
run. No value may be larger than a reasonable one, every column holds what it was declared for, and whatever reads many
more rows than the file has room for is ended.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

LARGEST_VALUE: Final = 1 << 28
"""Bytes of the largest text or blob that is read: the IDs of ten million assets take less."""

MOST_COPIED: Final = 4 << 30

_HEADER_BYTES: Final = 100
_HEADER: Final = slice(0, 16)
_VERSION: Final = slice(60, 64)
_APPLICATION: Final = slice(68, 72)
"""Where SQLite's header holds its own name, `user_version` and `application_id` (sqlite.org/fileformat)."""

_STRIDE: Final = 1 << 16
_LEAST_STEPS: Final = 1 << 22
_STEPS_A_BYTE: Final = 64
"""A statement may take so many steps of SQLite's machine, and so many more a byte of the file: ours take a tenth."""

_LAST_TIME: Final = 253_402_300_800
"""The year 10000 in UNIX seconds: no clock shows it."""


class Foreign(ValueError):
    """The file isn't of the format that was asked for, or of a version that this program doesn't know."""


@dataclass(frozen=True, eq=False)
class FileFormat:
    """A kind of file: `what` it is, what SQLite's header calls it, and the statements that make the tables of each of
    its versions that can be read. The last version is the one that is written."""

    what: str
    application_id: int
    versions: Mapping[int, tuple[str, ...]]

    @property
    def newest(self) -> int:
        """The version that is written."""
        return max(self.versions)

    def make(self, connection: sqlite3.Connection) -> None:
        """The header's words and all tables of the newest version, within the connection's transaction."""
        connection.execute(f"PRAGMA application_id = {self.application_id}")
        connection.execute(f"PRAGMA user_version = {self.newest}")
        for statement in self.versions[self.newest]:
            connection.execute(statement)

    def claimed_by(self, path: Path) -> bool:
        """Whether a file's header says that it is of this format, in whatever version. OSError."""
        start = _start(path)
        return start[_HEADER] == b"SQLite format 3\0" and start[_APPLICATION] == self.application_id.to_bytes(4, "big")

    def version_of(self, connection: sqlite3.Connection) -> int:
        """Foreign unless the file is of this format, in a version that is known; ValueError if its tables aren't."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != self.application_id:
            raise Foreign(f"it isn't {self.what}")
        if version not in self.versions:
            known = " and ".join(map(str, sorted(self.versions)))
            raise Foreign(f"its format is version {version}, and this bulkstate knows version {known}")
        if _objects(connection) != _expected(self.versions[version]):
            raise ValueError("its tables aren't those of its format")
        return int(version)


def _start(path: Path) -> bytes:
    """A file's first bytes, none if it isn't a regular one. OSError."""
    if path.exists() and not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(_HEADER_BYTES)


def _objects(connection: sqlite3.Connection) -> frozenset[tuple[str, ...]]:
    return frozenset(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


@cache
def _expected(statements: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements:
            connection.execute(statement)
        return _objects(connection)


# ── connections ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Bounded(sqlite3.Connection):
    """A connection whose statements end before they take for ever."""

    def bound(self, path: Path | None) -> None:
        """From here on no statement takes more steps than the file at `path` can give reason for."""
        self._path = path
        self._strides = 0
        self.execute("PRAGMA trusted_schema = OFF")
        self.execute("PRAGMA cell_size_check = ON")
        self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
        self.set_progress_handler(self._runs_on, _STRIDE)

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        self._strides = 0
        return super().execute(*statement)

    def _runs_on(self) -> bool:
        self._strides += 1
        steps = self._strides * _STRIDE
        return steps > _LEAST_STEPS and steps > _LEAST_STEPS + _STEPS_A_BYTE * _size(self._path)


def _size(path: Path | None) -> int:
    """How large a database is, with its log, in bytes."""
    if path is None:
        return 0
    return sum(file.stat().st_size for file in (path, _log_of(path)) if file.exists())


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


@contextmanager
def closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """The connection is closed if this ends badly, and left open if it ends well."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _check_neighbours(path: Path) -> None:
    """ValueError where something else than a file bears the name of one of SQLite's logs: it would wait for a pipe."""
    for log in (_log_of(path), path.with_name(f"{path.name}-journal")):
        if log.exists() and not log.is_file():
            raise ValueError(f"{log.name} beside it is no file")


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that sees the file as it is now, whatever a writer adds later. sqlite3.Error, OSError or ValueError
    where it can't be."""
    _check_neighbours(path)
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, factory=_Bounded
        )
        with closed_on_error(connection):
            connection.bound(path)
            connection.execute("BEGIN")
            connection.execute("SELECT * FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        connection = _copied(path)
    return connection


def _copied(path: Path) -> _Bounded:
    """A copy in memory. After a kill -9 SQLite must fold the log into the file, and on a read-only disk it can't."""
    if _size(path) > MOST_COPIED:
        raise ValueError(f"it can't be read where it is, and is larger than {MOST_COPIED:,} bytes: too large to copy")
    copy = sqlite3.connect(":memory:", isolation_level=None, factory=_Bounded)
    with closed_on_error(copy), TemporaryDirectory(prefix="bulkstate-") as folder:
        file = Path(folder, path.name)
        copyfile(path, file)
        if _log_of(path).exists():
            copyfile(_log_of(path), _log_of(file))
        with closing(sqlite3.connect(file)) as source:
            source.backup(copy)
        copy.bound(path)
    return copy


def connect_to_write(path: Path) -> sqlite3.Connection:
    """A connection for the one writer, who may use it from one thread after another.

    A commit is on disk when it returns, and readers neither wait for it nor hold it up.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=_Bounded)
    with closed_on_error(connection):
        connection.bound(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


def end_log(connection: sqlite3.Connection) -> None:
    """Fold the log into the file, so that one file can be moved, or read from a read-only disk.

    Where somebody reads it just now, or the disk is full, the log stays beside the file: nothing is lost.
    """
    try:
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError:
        return


@contextmanager
def made_whole(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection, within a transaction, to a new file that takes the place of `path` once it is whole and on disk.

    Whoever is killed meanwhile leaves nothing at `path` that is half a file. sqlite3.Error or OSError.
    """
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        new.touch(0o600, exist_ok=False)
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = MEMORY")
            with transaction(connection):
                yield connection
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


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


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_rows(connection: sqlite3.Connection, *tables: str) -> None:
    """ValueError if a table holds what its columns weren't declared for: SQLite itself minds neither type nor sign.

    Numbers aren't negative, unless a column may be empty: a server chose those. Times are before the year 10000.
    """
    for table in tables:
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        sound = " AND ".join(_soundness(name, kind, not needed | key) for _, name, kind, needed, _, key in columns)
        query = f"SELECT EXISTS (SELECT * FROM {table} WHERE NOT ({sound}))"  # noqa: S608 - our own tables' names
        if connection.execute(query).fetchone()[0]:
            raise ValueError(f"its table {table} holds what can't have been written")


def seal(connection: sqlite3.Connection, queries: Sequence[str]) -> str:
    """SHA-256, in hex, of every value that the queries find, each with its type and length."""
    total = sha256()
    for query in queries:
        total.update(f"{query}\n".encode())
        for value in chain.from_iterable(connection.execute(query)):
            content = value if isinstance(value, bytes) else str(value).encode()
            total.update(f"{type(value).__name__} {len(content)}\n".encode())
            total.update(content)
    return total.hexdigest()


def check_times(*times: object) -> None:
    """ValueError if one of them is neither a time in UNIX seconds, before the year 10000, nor None."""
    if not all(at is None or (isinstance(at, float) and 0 <= at < _LAST_TIME) for at in times):
        raise ValueError("it holds a time that no clock shows")


def row_count(connection: sqlite3.Connection, table: str) -> int:
    """How many rows a table has. `count(*)` would be one step of SQLite's machine, which nothing ends."""
    (count,) = connection.execute(f"SELECT coalesce(sum(1), 0) FROM {table}").fetchone()  # noqa: S608 - a table of ours
    return int(count)


def _soundness(name: str, kind: str, may_be_empty: bool) -> str:
    conditions = [f"typeof({name}) = '{kind.lower()}'"]
    if kind == "REAL" or (kind == "INTEGER" and not may_be_empty):
        conditions.append(f"{name} >= 0")
    if kind == "REAL" and (name == "at" or name.endswith("_at")):
        conditions.append(f"{name} < {_LAST_TIME}")
    sound = " AND ".join(conditions)
    return f"({name} IS NULL OR {sound})" if may_be_empty else f"({sound})"
