"""The emulator's memory: pipelines, their stages and the state that these hold, in one SQLite file.

Blocking, and used by one thread at a time. One emulator works on a file: it holds it locked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from bulkstate.emulator.world import PipelineSeed, StateBlock, StatePairs
from bulkstate.errors import InputError, Problem
from bulkstate.model import PipelineStatus
from bulkstate.pairs.patterns import unfold_all

FORMAT: Final = 1
"""Kept in the file's `user_version`: 0 is a file in which nothing was ever seeded, or not to the end."""

_SCHEMA: Final = """
CREATE TABLE pipeline (id TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL, updated INTEGER NOT NULL);
CREATE TABLE stage (
    number INTEGER PRIMARY KEY, pipeline TEXT NOT NULL REFERENCES pipeline, name TEXT NOT NULL, UNIQUE (pipeline, name)
);
CREATE TABLE state (
    stage INTEGER NOT NULL REFERENCES stage, asset TEXT NOT NULL, point TEXT NOT NULL,
    model TEXT NOT NULL, time INTEGER NOT NULL, value REAL NOT NULL,
    PRIMARY KEY (stage, asset, point)
) WITHOUT ROWID;
"""

_SEED_BLOCK: Final = """
INSERT OR IGNORE INTO state
SELECT :stage, a.value, p.value, :model, :time, (a.key * 7919 + p.key * 104729) % 100000 / 100.0
FROM json_each(:assets) AS a CROSS JOIN json_each(:points) AS p
"""

_RECTANGLE: Final = """
stage = :stage AND asset IN (SELECT value FROM json_each(:assets)) AND point IN (SELECT value FROM json_each(:points))
"""


@dataclass(frozen=True, slots=True)
class StoredPipeline:
    """A pipeline as it is now. `updated` is in UNIX milliseconds."""

    id: str
    name: str
    status: PipelineStatus
    updated: int


@dataclass(frozen=True, slots=True)
class StoredState:
    """What a stage remembers of one pair. `time` is in UNIX milliseconds."""

    asset: str
    point: str
    model: str
    time: int
    value: float


class Store:
    """An open store. Close it."""

    def __init__(self, path: Path | None) -> None:
        """Open the file at `path`, or a store in memory. InputError if it can't be opened or isn't a store."""
        self._sql = _connect(path)
        try:
            self.seeded = self._prepare()
        except sqlite3.Error as error:
            self._sql.close()
            raise InputError(_problem(error, path)) from None

    def _prepare(self) -> bool:
        self._sql.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._sql.execute("BEGIN IMMEDIATE")
        version = self._number("PRAGMA user_version")
        foreign = version not in (0, FORMAT) or (version == 0 and self._number("SELECT count(*) FROM sqlite_schema"))
        self._sql.execute("COMMIT")
        if foreign:
            raise sqlite3.DatabaseError("holds something else than an emulator's state")
        return version == FORMAT

    def close(self) -> None:
        """Let go of the file."""
        self._sql.close()

    def seed(self, pipelines: Iterable[PipelineSeed], now: int) -> None:
        """Fill a new store with `pipelines`, as of `now` (UNIX milliseconds): all of it, or after a crash nothing."""
        self._sql.execute("PRAGMA synchronous = OFF")
        self._sql.execute("BEGIN EXCLUSIVE")
        for statement in _SCHEMA.split(";\n"):
            self._sql.execute(statement)
        for pipeline in pipelines:
            self._seed_pipeline(pipeline, now)
        self._sql.execute(f"PRAGMA user_version = {FORMAT}")
        self._sql.execute("COMMIT")
        self.seeded = True

    def make_durable(self) -> None:
        """From here on every statement is a transaction, which survives a killed process."""
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("PRAGMA synchronous = NORMAL")

    def _seed_pipeline(self, pipeline: PipelineSeed, now: int) -> None:
        row = (pipeline.id, pipeline.name, pipeline.status.value, now)
        self._sql.execute("INSERT INTO pipeline VALUES (?, ?, ?, ?)", row)
        for stage in pipeline.stages:
            added = self._sql.execute("INSERT INTO stage (pipeline, name) VALUES (?, ?)", (pipeline.id, stage))
            for state in pipeline.state:
                if stage in state.stages:
                    self._seed_state(added.lastrowid or 0, state, now)

    def _seed_state(self, stage: int, state: StateBlock | StatePairs, now: int) -> None:
        if isinstance(state, StatePairs):
            rows = ((stage, pair.asset, pair.point, state.model, now) for pair in sorted(state.pairs))
            self._sql.executemany("INSERT OR IGNORE INTO state VALUES (?, ?, ?, ?, ?, 0.0)", rows)
            return
        rectangle = _rectangle(stage, unfold_all(state.assets), unfold_all(state.points))
        self._sql.execute(_SEED_BLOCK, {**rectangle, "model": state.model, "time": now})

    def pipeline(self, id_: str) -> StoredPipeline | None:
        """The pipeline with that ID."""
        rows = self._pipelines("WHERE id = ?", (id_,))
        return rows[0] if rows else None

    def page(self, number: int, size: int) -> list[StoredPipeline]:
        """Page `number` (from 1) of all pipelines, by ID."""
        return self._pipelines("ORDER BY id LIMIT ? OFFSET ?", (size, (number - 1) * size))

    def count(self) -> int:
        """How many pipelines there are."""
        return self._number("SELECT count(*) FROM pipeline")

    def stages(self, pipeline: str) -> dict[str, int]:
        """The pipeline's stages, in its own order: their names, and the numbers that stand for them here."""
        rows = self._sql.execute("SELECT name, number FROM stage WHERE pipeline = ? ORDER BY number", (pipeline,))
        return dict(rows.fetchall())

    def add(self, pipeline: str, name: str, status: PipelineStatus, now: int) -> None:
        """Add a pipeline without stages, at `now` (UNIX milliseconds)."""
        self._sql.execute("INSERT INTO pipeline VALUES (?, ?, ?, ?)", (pipeline, name, status.value, now))

    def set_status(self, pipeline: str, status: PipelineStatus, now: int) -> None:
        """Move a pipeline to `status`, at `now` (UNIX milliseconds)."""
        self._sql.execute("UPDATE pipeline SET status = ?, updated = ? WHERE id = ?", (status.value, now, pipeline))

    def states(self, stage: int) -> int:
        """How many pairs the stage holds state for."""
        return self._number("SELECT count(*) FROM state WHERE stage = ?", (stage,))

    def get(self, stage: int, assets: Sequence[str], points: Sequence[str]) -> list[StoredState]:
        """The state of those of assets × points that have any."""
        query = f"SELECT asset, point, model, time, value FROM state WHERE {_RECTANGLE}"  # noqa: S608 - a constant
        return [StoredState(*row) for row in self._sql.execute(query, _rectangle(stage, assets, points))]

    def delete(self, stage: int, assets: Sequence[str], points: Sequence[str]) -> int:
        """Forget the state of assets × points; how many pairs had any."""
        statement = f"DELETE FROM state WHERE {_RECTANGLE}"  # noqa: S608 - a constant
        return self._sql.execute(statement, _rectangle(stage, assets, points)).rowcount

    def _pipelines(self, clause: str, values: tuple[str | int, ...]) -> list[StoredPipeline]:
        rows = self._sql.execute(f"SELECT id, name, status, updated FROM pipeline {clause}", values)  # noqa: S608
        return [StoredPipeline(id_, name, PipelineStatus(status), updated) for id_, name, status, updated in rows]

    def _number(self, query: str, values: tuple[str | int, ...] = ()) -> int:
        number: int = self._sql.execute(query, values).fetchone()[0]
        return number


def _connect(path: Path | None) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path or ":memory:", timeout=0, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise InputError(_problem(error, path)) from None


def _rectangle(stage: int, assets: Sequence[str], points: Sequence[str]) -> dict[str, str | int]:
    return {"stage": stage, "assets": orjson.dumps(assets).decode(), "points": orjson.dumps(points).decode()}


def _problem(error: sqlite3.Error, path: Path | None) -> Problem:
    busy = "locked" in str(error)
    message = "another process works on it" if busy else f"can't be used as the emulator's database: {error}"
    return Problem(message, str(path), hint="" if busy else "name a new file, in a folder that can be written to")
