"""A plan as SQLite tables: the part of a journal that says what was going to be sent.

IDs are stored once, as a JSON list that SQLite's own `json_each` can read. Chunks are index ranges: tiles of a grid
share their sets of positions, so each distinct set is stored once, as runs of consecutive positions; and stages that
delete the same share all of it.
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
from bulkstate.model import (
    Argument,
    Effort,
    Evidence,
    IndexArray,
    LowerBound,
    Plan,
    Rectangle,
    Remark,
    RemarkKind,
    Stage,
    StagePlan,
)

_DICTIONARY: Final = """CREATE TABLE dictionary (
        id INTEGER PRIMARY KEY,
        ids TEXT NOT NULL                -- a JSON list, in the order that positions count
    )"""

SCHEMA: Final = (
    """CREATE TABLE plan (
        digest TEXT NOT NULL,
        body_bytes INTEGER NOT NULL,
        reproducible INTEGER NOT NULL,   -- 0 if the search was bound by time
        effort TEXT NOT NULL             -- how hard fewer requests were looked for
    )""",
    _DICTIONARY,
    """CREATE TABLE evidence (
        id INTEGER PRIMARY KEY,
        parts TEXT NOT NULL              -- JSON: [load, how many blocks, their weights, argument] of each
    )""",
    """CREATE TABLE stage (
        id INTEGER PRIMARY KEY,          -- from 0, in the plan's order
        pipeline TEXT NOT NULL,
        name TEXT NOT NULL,
        pairs INTEGER NOT NULL,
        kept_pairs INTEGER NOT NULL,
        bound INTEGER NOT NULL,
        proof TEXT NOT NULL,
        evidence INTEGER NOT NULL REFERENCES evidence
    )""",
    """CREATE TABLE side (
        id INTEGER PRIMARY KEY,
        runs BLOB NOT NULL,              -- pairs of int32, little-endian: first position, how many follow each other
        ends BLOB NOT NULL,              -- int32 per set: the runs of set i end before run ends[i]
        sets BLOB NOT NULL               -- int32 per chunk of the stage: its set
    )""",
    """CREATE TABLE stage_side (
        stage INTEGER NOT NULL REFERENCES stage,
        kind TEXT NOT NULL,              -- assets or points: of chunks, of unlisted rectangles, of evidence
        dictionary INTEGER NOT NULL REFERENCES dictionary,
        side INTEGER NOT NULL REFERENCES side,
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

SEALED: Final = (
    "SELECT * FROM plan",
    "SELECT * FROM dictionary ORDER BY rowid",
    "SELECT * FROM evidence ORDER BY rowid",
    "SELECT * FROM stage ORDER BY rowid",
    "SELECT * FROM side ORDER BY rowid",
    "SELECT * FROM stage_side ORDER BY rowid",
    "SELECT * FROM remark ORDER BY rowid",
)
"""Everything that is in them, for a seal: the plan's digest is that of its chunks, and holds nothing else."""

EARLIER_SCHEMA: Final = (
    """CREATE TABLE plan (
        digest TEXT NOT NULL,
        body_bytes INTEGER NOT NULL,
        reproducible INTEGER NOT NULL    -- 0 if the search was bound by time
    )""",
    _DICTIONARY,
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
)
"""The tables of a plan in journals of format 2, in which stages share nothing but dictionaries. They are only read."""

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


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def write(connection: sqlite3.Connection, plan: Plan) -> None:
    """Put `plan` into the empty tables of `SCHEMA`, within the connection's transaction."""
    shared = _Shared()
    facts = (plan.digest, plan.body_bytes, plan.reproducible, plan.effort or "")
    connection.execute("INSERT INTO plan VALUES (?, ?, ?, ?)", facts)
    for number, stage in enumerate(plan.stages):
        bound = stage.lower_bound
        names, counts = (stage.stage.pipeline, stage.stage.name), (stage.pairs, stage.kept_pairs, bound.requests)
        row = (number, *names, *counts, bound.proof, shared.evidence(bound.evidence))
        connection.execute("INSERT INTO stage VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        sides = ((number, *side) for side in shared.sides(stage))
        connection.executemany("INSERT INTO stage_side VALUES (?, ?, ?, ?)", sides)
    shared.write(connection)
    remarks = ((r.entry, r.kind, r.count, r.of, orjson.dumps(r.examples).decode()) for r in plan.remarks)
    connection.executemany("INSERT INTO remark VALUES (?, ?, ?, ?, ?)", remarks)


_RECTANGLES: Final = "", "unlisted ", "evidence "
"""What the kinds of rectangles of a stage are called in the table `stage_side`."""


class _Shared:
    """What stages have in common, numbered, so that it is stored once. Stages of one entry share the very objects."""

    def __init__(self) -> None:
        self._dictionaries: dict[str, int] = {}
        self._evidence: dict[str, int] = {}
        self._sides: dict[_Side, int] = {}
        self._encoded: dict[int, tuple[int, int]] = {}
        self._spelt: dict[int, int] = {}

    def sides(self, plan: StagePlan) -> Iterator[tuple[str, int, int]]:
        """What each side of a stage is called, and the numbers of its dictionary and of itself."""
        dictionaries = self._dictionary(plan.assets), self._dictionary(plan.points)
        owners = plan.rectangles, plan.unlisted, plan.lower_bound.evidence
        for of, owner, rectangles in zip(_RECTANGLES, owners, _rectangles(plan), strict=True):
            if id(owner) not in self._encoded:
                self._encoded[id(owner)] = self._encode(rectangles)
            numbers = zip(("assets", "points"), dictionaries, self._encoded[id(owner)], strict=True)
            yield from ((f"{of}{kind}", dictionary, side) for kind, dictionary, side in numbers)

    def evidence(self, evidence: Sequence[Evidence]) -> int:
        """The number of a stage's evidence."""
        parts = orjson.dumps([[each.load, len(each.blocks), each.weights, each.argument] for each in evidence]).decode()
        return self._evidence.setdefault(parts, len(self._evidence))

    def write(self, connection: sqlite3.Connection) -> None:
        """All of it."""
        connection.executemany("INSERT INTO dictionary (ids, id) VALUES (?, ?)", self._dictionaries.items())
        connection.executemany("INSERT INTO evidence (parts, id) VALUES (?, ?)", self._evidence.items())
        sides = ((number, side.runs, side.ends, side.sets) for side, number in self._sides.items())
        connection.executemany("INSERT INTO side VALUES (?, ?, ?, ?)", sides)

    def _dictionary(self, ids: tuple[str, ...]) -> int:
        if id(ids) not in self._spelt:
            self._spelt[id(ids)] = self._dictionaries.setdefault(orjson.dumps(ids).decode(), len(self._dictionaries))
        return self._spelt[id(ids)]

    def _encode(self, rectangles: Sequence[Rectangle]) -> tuple[int, int]:
        assets, points = _encode([each.assets for each in rectangles]), _encode([each.points for each in rectangles])
        return self._numbered(assets), self._numbered(points)

    def _numbered(self, side: _Side) -> int:
        return self._sides.setdefault(side, len(self._sides))


def _rectangles(plan: StagePlan) -> tuple[Sequence[Rectangle], ...]:
    return plan.rectangles, plan.unlisted, [block for each in plan.lower_bound.evidence for block in each.blocks]


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def read(connection: sqlite3.Connection) -> Plan:
    """The plan that `write` put there.

    Whoever calls checks the digest. ValueError, IndexError or sqlite3.Error where the tables hold something else.
    """
    earlier = not connection.execute("SELECT EXISTS (SELECT * FROM sqlite_master WHERE name = 'remark')").fetchone()[0]
    tables = _EARLIER_TABLES if earlier else _TABLES
    check_rows(connection, *tables)
    found = connection.execute("SELECT * FROM plan").fetchone()
    if found is None:
        raise ValueError("it holds no plan")
    plan_digest, body_bytes, reproducible, *effort = found
    sides = _Sides(connection, _EARLIER_SIDES if earlier else _SIDES)
    rows = connection.execute(_EARLIER_STAGES if earlier else _STAGES).fetchall()
    stages = tuple(_read_stage(row, sides) for row in rows)
    remarks = () if earlier else _remarks(connection)
    return Plan(stages, plan_digest, body_bytes, bool(reproducible), remarks, *map(Effort, filter(None, effort)))


_TABLES: Final = "plan", "dictionary", "evidence", "stage", "side", "stage_side", "remark"
_STAGES: Final = """SELECT stage.id, pipeline, name, pairs, kept_pairs, bound, proof, parts
    FROM stage JOIN evidence ON evidence.id = stage.evidence ORDER BY stage.id"""
_SIDES: Final = "SELECT stage, kind, dictionary, side FROM stage_side"

_EARLIER_TABLES: Final = "plan", "dictionary", "stage", "side"
_EARLIER_STAGES: Final = "SELECT * FROM stage ORDER BY id"
_EARLIER_SIDES: Final = "SELECT stage, kind, dictionary, rowid FROM side"


class _Sides:
    """The sides of all stages, each decoded once however many stages share it."""

    def __init__(self, connection: sqlite3.Connection, query: str) -> None:
        self._connection = connection
        self._dictionaries = {id_: _ids(text) for id_, text in connection.execute("SELECT id, ids FROM dictionary")}
        self._places = {(stage, kind): place for stage, kind, *place in connection.execute(query)}
        self._decoded: dict[tuple[int, int], list[IndexArray]] = {}
        self._rectangles: dict[tuple[int, ...], tuple[Rectangle, ...]] = {}

    def ids(self, stage: int, kind: str) -> tuple[str, ...]:
        """The dictionary that a stage's assets or points are of."""
        return self._dictionaries[self._place(stage, kind)[0]]

    def rectangles(self, stage: int, of: str) -> tuple[Rectangle, ...]:
        """A stage's rectangles of one kind."""
        assets, points = self._place(stage, f"{of}assets"), self._place(stage, f"{of}points")
        if (*assets, *points) not in self._rectangles:
            pairs = zip(self._decode(assets), self._decode(points), strict=True)
            self._rectangles[*assets, *points] = tuple(starmap(Rectangle, pairs))
        return self._rectangles[*assets, *points]

    def _place(self, stage: int, kind: str) -> tuple[int, int]:
        """The numbers of a side's dictionary and of itself."""
        dictionary, side = self._places.get((stage, kind), (-1, -1))
        if dictionary not in self._dictionaries:
            raise ValueError(f"stage {stage} has no {kind}")
        return dictionary, side

    def _decode(self, place: tuple[int, int]) -> list[IndexArray]:
        if place not in self._decoded:
            dictionary, side = place
            found = self._connection.execute("SELECT runs, ends, sets FROM side WHERE rowid = ?", (side,)).fetchone()
            if found is None:
                raise ValueError(f"side {side} isn't there")
            self._decoded[place] = _decode(_Side(*found), len(self._dictionaries[dictionary]))
        return self._decoded[place]


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


def _read_stage(row: tuple[int, str, str, int, int, int, str, str], sides: _Sides) -> StagePlan:
    number, pipeline, name, pairs, kept_pairs, bound, proof, evidence = row
    rectangles, unlisted, blocks = (sides.rectangles(number, of) for of in _RECTANGLES)
    assets, points = sides.ids(number, "assets"), sides.ids(number, "points")
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
        case [int(load), int(count), list(weights), *rest] if load >= 0 and all(isinstance(w, int) for w in weights):
            argument = Argument(str(rest[0])) if rest else Argument.WEIGHTS if weights else Argument.PAIRS
            return Evidence(tuple(islice(blocks, count)), load, tuple(weights), argument)
    raise ValueError("its evidence isn't such")


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
