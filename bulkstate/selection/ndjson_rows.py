"""NDJSON: one JSON object a line.

Read by orjson, five times slower than by Polars (0.6 s for a million pairs): Polars makes text of numbers and lists
without a word (7.0 becomes "7"), and what becomes an ID here is deleted. A key that an object has twice is for Python's
own reader to find: orjson takes the last.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import orjson
import polars as pl

from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import Fault, Mistakes, show
from bulkstate.selection.text import blocks

_BATCH: Final = 100_000
"""Lines that are in memory at a time."""


def titles(file: NamedFile, _names: Sequence[str]) -> Collection[str]:
    """The keys of the first line."""
    _, line = next(next(blocks(file)).lines())
    return _object(line, ())


def frames(file: NamedFile, names: Sequence[str]) -> Iterator[pl.LazyFrame]:
    """The named keys, as text; null where a line holds no ID."""
    lines = (line for block in blocks(file) for _, line in block.lines())
    while batch := [_object(line, names) for line in islice(lines, _BATCH)]:
        ids = {name: [_text(row.get(name)) for row in batch] for name in names}
        yield pl.LazyFrame(ids, schema=dict.fromkeys(names, pl.String))


def _object(line: bytes, names: Sequence[str]) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return row if isinstance(row, dict) and not _keys_fault(line, names) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _keys_fault(line: bytes, names: Sequence[str]) -> str | None:
    """What is wrong with the keys of the object on this line: which of the names it has twice."""
    # Without a backslash, a key that is there twice is spelt out twice.
    if b"\\" not in line and all(line.count(f'"{name}"'.encode()) < 2 for name in names):
        return None
    keys: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        keys[:] = [key for key, _ in pairs]  # of the last object to end, which is the line's own

    try:
        json.loads(line, object_pairs_hook=note, parse_int=str)
    except (ValueError, RecursionError):
        return "is nested too deep"
    return next((f"has the key {show(name)} twice" for name in names if keys.count(name) > 1), None)


def find_mistakes(file: NamedFile, names: Sequence[str], fault: Fault) -> Mistakes:
    """What is wrong in which line. InputError for what makes it senseless to read on."""
    mistakes = Mistakes()
    for block in blocks(file):
        for number, line in block.lines():
            if message := _mistake(line, names, fault):
                mistakes.add(message, file.line(number), file.field)
    return mistakes


def _mistake(line: bytes, names: Sequence[str], fault: Fault) -> str | None:
    if not line.strip():
        return "the line is empty, and must be taken out"
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"isn't JSON: {error}"
    if not isinstance(row, dict):
        return "isn't a JSON object"
    if wrong := _keys_fault(line, names):
        return wrong
    for name in names:
        if message := _mistake_of(row, name, fault):
            return message
    return None


def _mistake_of(row: dict[str, Any], name: str, fault: Fault) -> str | None:
    if name not in row:
        return f"has no {name}; it has {', '.join(map(show, list(row)[:8])) or 'nothing'}"
    id_ = row[name]
    if not isinstance(id_, str):
        return f"the {name} must be text, and is {show(orjson.dumps(id_).decode())}"
    message = fault(id_)
    return f"the {name} {message}" if message else None
