"""A plan as SQLite tables: the part of a journal that says what was going to be sent.

IDs are stored once, as a JSON list that SQLite's own `json_each` can read. Chunks are index ranges: tiles of a grid
share their sets of positions, so each distinct set is stored once, as runs of consecutive positions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, starmap
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from bulkstate.disk.database import check_rows
from bulkstate.model import Evidence, IndexArray, LowerBound, Plan, Rectangle, Remark, RemarkKind, Stage, StagePlan

SCHEMA: Final = (
    """CREATE TABLE plan (
        digest TEXT NOT NULL,
        body_bytes INTEGER NOT NULL,
        reproducible INTEGER NOT NULL    -- 0 if the search was bound by time
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
        kept_pairs INTEGER NOT NULL,
        bound INTEGER NOT NULL,
        proof TEXT NOT NULL,
        evidence TEXT NOT NULL           -- JSON: [load, how many blocks, their weights] of each
    )""",
    """CREATE TABLE side (
        stage INTEGER NOT NULL REFERENCES stage,
        kind TEXT NOT NULL,              -- assets or points: of chunks, of unlisted rectangles, of evidence
        dictionary INTEGER NOT NULL REFERENCES dictionary,
        runs BLOB NOT NULL,              -- pairs of int32, little-endian: first position, how many follow each other
        ends BLOB NOT NULL,              -- int32 per set: the runs of set i end before run ends[i]
        sets BLOB NOT NULL,              -- int32 per chunk of the stage: its set
        PRIMARY KEY (stage, kind)
    )""",
    """CREATE TABLE remark (
        entry TEXT NOT NULL,             -- where it stands in the configuration
        kind TEXT NOT NULL,
        count INTEGER NOT NULL,
        total INTEGER NOT NULL,
        examples TEXT NOT NULL           -- a JSON list
    )""",
)
"""Statements that make the tables, to be run once in an empty file."""

MOST_POSITIONS: Final = 1 << 27
"""Positions that the sets of one side name together: a plan of a million requests has a tenth."""

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
    connection.execute("INSERT INTO plan VALUES (?, ?, ?)", (plan.digest, plan.body_bytes, plan.reproducible))
    dictionaries: dict[str, int] = {}
    for number, stage in enumerate(plan.stages):
        _write_stage(connection, number, stage, dictionaries)
    connection.executemany("INSERT INTO dictionary (ids, id) VALUES (?, ?)", dictionaries.items())
    remarks = ((r.entry, r.kind, r.count, r.of, orjson.dumps(r.examples).decode()) for r in plan.remarks)
    connection.executemany("INSERT INTO remark VALUES (?, ?, ?, ?, ?)", remarks)


def _write_stage(connection: sqlite3.Connection, number: int, plan: StagePlan, dictionaries: dict[str, int]) -> None:
    bound = plan.lower_bound
    connection.execute(
        "INSERT INTO stage VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            plan.stage.pipeline,
            plan.stage.name,
            plan.pairs,
            plan.kept_pairs,
            bound.requests,
            bound.proof,
            orjson.dumps([[each.load, len(each.blocks), each.weights] for each in bound.evidence]).decode(),
        ),
    )
    assets = dictionaries.setdefault(orjson.dumps(plan.assets).decode(), len(dictionaries))
    points = dictionaries.setdefault(orjson.dumps(plan.points).decode(), len(dictionaries))
    for of, rectangles in zip(_RECTANGLES, _rectangles(plan), strict=True):
        sides = (
            ("assets", assets, [each.assets for each in rectangles]),
            ("points", points, [each.points for each in rectangles]),
        )
        for kind, dictionary, arrays in sides:
            side = _encode(arrays)
            row = (number, f"{of}{kind}", dictionary, side.runs, side.ends, side.sets)
            connection.execute("INSERT INTO side VALUES (?, ?, ?, ?, ?, ?)", row)


_RECTANGLES: Final = "", "unlisted ", "evidence "
"""What the kinds of rectangles of a stage are called in the table `side`."""


def _rectangles(plan: StagePlan) -> tuple[Sequence[Rectangle], ...]:
    return plan.rectangles, plan.unlisted, [block for each in plan.lower_bound.evidence for block in each.blocks]


def read(connection: sqlite3.Connection) -> Plan:
    """The plan that `write` put there.

    Whoever calls checks the digest. ValueError, IndexError or sqlite3.Error where the tables hold something else.
    """
    check_rows(connection, "plan", "dictionary", "stage", "side", "remark")
    found = connection.execute("SELECT digest, body_bytes, reproducible FROM plan").fetchone()
    if found is None:
        raise ValueError("it holds no plan")
    plan_digest, body_bytes, reproducible = found
    dictionaries = {id_: _ids(text) for id_, text in connection.execute("SELECT id, ids FROM dictionary")}
    rows = connection.execute("SELECT * FROM stage ORDER BY id").fetchall()
    stages = tuple(_read_stage(connection, row, dictionaries) for row in rows)
    return Plan(stages, plan_digest, body_bytes, bool(reproducible), _remarks(connection))


def _remarks(connection: sqlite3.Connection) -> tuple[Remark, ...]:
    found = connection.execute("SELECT entry, kind, count, total, examples FROM remark ORDER BY rowid")
    return tuple(
        Remark(entry, RemarkKind(kind), count, total, _texts(examples)) for entry, kind, count, total, examples in found
    )


def _texts(text: str) -> tuple[str, ...]:
    texts = orjson.loads(text)
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise ValueError("a remark's examples aren't a list of texts")
    return tuple(texts)


def _ids(text: str) -> tuple[str, ...]:
    ids = orjson.loads(text)
    if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids) or "" in ids or "," in "".join(ids):
        raise ValueError("a dictionary isn't a list of IDs")
    if not all(before < after for before, after in pairwise(ids)):
        raise ValueError("a dictionary's IDs aren't in order, or not each once")
    return tuple(ids)


def _read_stage(
    connection: sqlite3.Connection,
    row: tuple[int, str, str, int, int, int, str, str],
    dictionaries: dict[int, tuple[str, ...]],
) -> StagePlan:
    number, pipeline, name, pairs, kept_pairs, bound, proof, evidence = row
    found = []
    for of in _RECTANGLES:
        assets, asset_sets = _read_side(connection, number, f"{of}assets", dictionaries)
        points, point_sets = _read_side(connection, number, f"{of}points", dictionaries)
        found.append(tuple(starmap(Rectangle, zip(asset_sets, point_sets, strict=True))))
    rectangles, unlisted, blocks = found
    lower_bound = LowerBound(bound, proof, _evidence(orjson.loads(evidence), blocks))
    return StagePlan(Stage(pipeline, name), assets, points, rectangles, pairs, lower_bound, unlisted, kept_pairs)


def _evidence(parts: object, blocks: tuple[Rectangle, ...]) -> tuple[Evidence, ...]:
    left = iter(blocks)
    match parts:
        case list():
            return tuple(_piece_of_evidence(part, left) for part in parts)
    raise ValueError("its evidence isn't a list")


def _piece_of_evidence(part: object, blocks: Iterator[Rectangle]) -> Evidence:
    match part:
        case [int(load), int(count), list(weights)] if load >= 0 and all(isinstance(each, int) for each in weights):
            return Evidence(tuple(islice(blocks, count)), load, tuple(weights))
    raise ValueError("its evidence isn't such")


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
    """One array a chunk; equal ones are the same object.

    ValueError for positions beyond a dictionary of `size`, or that aren't ascending, each once.
    """
    first, lengths = np.frombuffer(side.runs, _INT32).reshape(-1, 2).astype(np.int64).T
    set_ends = np.frombuffer(side.ends, _INT32)
    sets = np.frombuffer(side.sets, _INT32)
    if np.any(first < 0) or np.any(lengths < 1) or np.any(first + lengths > size):
        raise ValueError("a chunk names positions that its dictionary doesn't have")
    if lengths.sum() > MOST_POSITIONS:
        raise ValueError(f"its chunks name more than {MOST_POSITIONS:,} positions")
    if np.any(np.diff(set_ends, prepend=0) < 1) or set_ends[-1:].tolist() != [len(first)][: len(set_ends)]:
        raise ValueError("its sets of positions don't end where the next ones begin")
    if np.any(sets < 0) or np.any(sets >= len(set_ends)):
        raise ValueError("a chunk has a set of positions that isn't there")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    positions = (np.arange(ends[-1]) + np.repeat(first - ends[:-1], lengths)).astype(np.int32)
    if np.any(np.delete(np.diff(positions), ends[set_ends[:-1]] - 1) < 1):
        raise ValueError("a set of positions isn't ascending")
    positions.setflags(write=False)
    cuts = [0, *ends[set_ends].tolist()]
    distinct = [positions[start:end] for start, end in pairwise(cuts)]
    return [distinct[number] for number in sets.tolist()]
