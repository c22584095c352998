"""A plan as SQLite tables: the part of a journal that says what was going to be sent.

IDs are stored once, as a JSON list that SQLite's own `json_each` can read. Chunks are index ranges: tiles of a grid
share their sets of positions, so each distinct set is stored once, as runs of consecutive positions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from bulkstate.model import IndexArray, LowerBound, Plan, Rectangle, Stage, StagePlan

SCHEMA: Final = (
    """CREATE TABLE plan (
        digest TEXT NOT NULL,
        body_bytes INTEGER NOT NULL
    )""",
    """CREATE TABLE dictionary (
        id INTEGER PRIMARY KEY,
        ids TEXT NOT NULL                -- a JSON list, in the order that positions count
    )""",
    """CREATE TABLE stage (
        id INTEGER PRIMARY KEY,          -- from 0, in the plan's order
        pipeline TEXT NOT NULL,
        name TEXT NOT NULL,
        pairs INTEGER NOT NULL,
        unlisted_pairs INTEGER NOT NULL,
        kept_pairs INTEGER NOT NULL,
        bound INTEGER NOT NULL,
        proof TEXT NOT NULL
    )""",
    """CREATE TABLE side (
        stage INTEGER NOT NULL REFERENCES stage,
        kind TEXT NOT NULL,              -- assets or points
        dictionary INTEGER NOT NULL REFERENCES dictionary,
        runs BLOB NOT NULL,              -- pairs of int32, little-endian: first position, how many follow each other
        ends BLOB NOT NULL,              -- int32 per set: the runs of set i end before run ends[i]
        sets BLOB NOT NULL,              -- int32 per chunk of the stage: its set
        PRIMARY KEY (stage, kind)
    )""",
)
"""Statements that make the tables, to be run once in an empty file."""

_INT32: Final = np.dtype("<i4")
_RUN_BYTES: Final = 2 * _INT32.itemsize


@dataclass(frozen=True, slots=True)
class _Side:
    """The sets of positions that a stage's chunks have on one side: see the columns of the table `side`."""

    runs: bytes
    ends: bytes
    sets: bytes


def write(connection: sqlite3.Connection, plan: Plan) -> None:
    """Put `plan` into the empty tables of `SCHEMA`, within the connection's transaction."""
    connection.execute("INSERT INTO plan VALUES (?, ?)", (plan.digest, plan.body_bytes))
    dictionaries: dict[str, int] = {}
    for number, stage in enumerate(plan.stages):
        _write_stage(connection, number, stage, dictionaries)
    connection.executemany("INSERT INTO dictionary (ids, id) VALUES (?, ?)", dictionaries.items())


def _write_stage(connection: sqlite3.Connection, number: int, plan: StagePlan, dictionaries: dict[str, int]) -> None:
    connection.execute(
        "INSERT INTO stage VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            plan.stage.pipeline,
            plan.stage.name,
            plan.pairs,
            plan.unlisted_pairs,
            plan.kept_pairs,
            plan.lower_bound.requests,
            plan.lower_bound.proof,
        ),
    )
    sides = (
        ("assets", plan.assets, [rectangle.assets for rectangle in plan.rectangles]),
        ("points", plan.points, [rectangle.points for rectangle in plan.rectangles]),
    )
    for kind, ids, arrays in sides:
        dictionary = dictionaries.setdefault(orjson.dumps(ids).decode(), len(dictionaries))
        side = _encode(arrays)
        row = (number, kind, dictionary, side.runs, side.ends, side.sets)
        connection.execute("INSERT INTO side VALUES (?, ?, ?, ?, ?, ?)", row)


def read(connection: sqlite3.Connection) -> Plan:
    """The plan that `write` put there.

    Whoever calls checks the digest. ValueError, IndexError or sqlite3.Error where the tables hold something else.
    """
    found = connection.execute("SELECT digest, body_bytes FROM plan").fetchone()
    if found is None:
        raise ValueError("it holds no plan")
    dictionaries = {id_: _ids(text) for id_, text in connection.execute("SELECT id, ids FROM dictionary")}
    rows = connection.execute("SELECT * FROM stage ORDER BY id").fetchall()
    return Plan(tuple(_read_stage(connection, row, dictionaries) for row in rows), *found)


def _ids(text: str) -> tuple[str, ...]:
    ids = orjson.loads(text)
    if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids):
        raise ValueError("a dictionary isn't a list of IDs")
    return tuple(ids)


def _read_stage(
    connection: sqlite3.Connection,
    row: tuple[int, str, str, int, int, int, int, str],
    dictionaries: dict[int, tuple[str, ...]],
) -> StagePlan:
    number, pipeline, name, pairs, unlisted_pairs, kept_pairs, bound, proof = row
    assets, asset_sets = _read_side(connection, number, "assets", dictionaries)
    points, point_sets = _read_side(connection, number, "points", dictionaries)
    rectangles = tuple(map(Rectangle, asset_sets, point_sets))
    stage, lower_bound = Stage(pipeline, name), LowerBound(bound, proof)
    return StagePlan(stage, assets, points, rectangles, pairs, lower_bound, unlisted_pairs, kept_pairs)


def _read_side(
    connection: sqlite3.Connection, stage: int, kind: str, dictionaries: dict[int, tuple[str, ...]]
) -> tuple[tuple[str, ...], list[IndexArray]]:
    query = "SELECT dictionary, runs, ends, sets FROM side WHERE stage = ? AND kind = ?"
    found = connection.execute(query, (stage, kind)).fetchone()
    if found is None or found[0] not in dictionaries:
        raise ValueError(f"stage {stage} has no {kind}")
    ids = dictionaries[found[0]]
    return ids, _decode(_Side(*found[1:]), len(ids))


def _encode(arrays: Sequence[IndexArray]) -> _Side:
    """All at once, in numpy: a plan of a million small chunks would take twenty seconds one by one."""
    runs, ends = _runs(arrays)
    raw = runs.astype(_INT32).tobytes()
    cuts = [0, *(ends * _RUN_BYTES).tolist()]
    numbers: dict[bytes, int] = {}
    sets = [numbers.setdefault(raw[start:end], len(numbers)) for start, end in pairwise(cuts)]
    distinct_ends = np.cumsum([len(key) // _RUN_BYTES for key in numbers], dtype=_INT32)
    return _Side(b"".join(numbers), distinct_ends.tobytes(), np.array(sets, _INT32).tobytes())


def _runs(arrays: Sequence[IndexArray]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs (first, length) of all arrays in a row, and for each array where its runs end."""
    sizes = np.fromiter(map(len, arrays), np.int64, len(arrays))
    ends = np.cumsum(sizes)
    positions = np.concatenate([np.empty(0, np.int32), *arrays])
    begins = np.ones(len(positions), bool)
    begins[1:] = np.diff(positions) != 1
    begins[ends[:-1][ends[:-1] < len(positions)]] = True
    first = np.flatnonzero(begins)
    lengths = np.diff(np.append(first, len(positions)))
    return np.stack([positions[first], lengths], axis=1), np.searchsorted(first, ends)


def _decode(side: _Side, size: int) -> list[IndexArray]:
    """One array a chunk; equal ones are the same object. ValueError for positions beyond a dictionary of `size`."""
    first, lengths = np.frombuffer(side.runs, _INT32).reshape(-1, 2).astype(np.int64).T
    if np.any(first < 0) or np.any(lengths < 1) or np.any(first + lengths > size):
        raise ValueError("a chunk names positions that its dictionary doesn't have")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    positions = np.arange(ends[-1]) + np.repeat(first - ends[:-1], lengths)
    positions = positions.astype(np.int32)
    positions.setflags(write=False)
    cuts = [0, *ends[np.frombuffer(side.ends, _INT32)].tolist()]
    distinct = [positions[start:end] for start, end in pairwise(cuts)]
    return [distinct[number] for number in np.frombuffer(side.sets, _INT32).tolist()]
