"""NDJSON: one JSON object a line.

Read by orjson, five times slower than by Polars (0.6 s for a million pairs): Polars makes text of numbers and lists
without a word (7.0 becomes "7"), and what becomes an ID here is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import orjson
import polars as pl

from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import Mistakes, fault, show
from bulkstate.selection.lines import lines

BATCH: Final = 100_000
"""Lines that are in memory at a time."""


def frames(file: NamedFile, names: Sequence[str]) -> Iterator[pl.LazyFrame]:
    """The named keys, as text; null where a line holds no ID."""
    text = lines(file)
    while batch := [_object(line) for line in islice(text, BATCH)]:
        ids = {name: [_text(row.get(name)) for row in batch] for name in names}
        yield pl.LazyFrame(ids, schema=dict.fromkeys(names, pl.String))


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return row if isinstance(row, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def find_mistakes(file: NamedFile, names: Sequence[str]) -> Mistakes:
    """What is wrong in which line. InputError for what makes it senseless to read on."""
    mistakes = Mistakes()
    for number, line in enumerate(lines(file), 1):
        if message := _mistake(line, names):
            mistakes.add(message, file.line(number), file.field)
    return mistakes


def _mistake(line: bytes, names: Sequence[str]) -> str | None:
    if not line.strip():
        return "the line is empty"
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"isn't JSON: {error}"
    if not isinstance(row, dict):
        return "isn't a JSON object"
    for name in names:
        if message := _mistake_of(row, name):
            return message
    return None


def _mistake_of(row: dict[str, Any], name: str) -> str | None:
    if name not in row:
        return f"has no {name}; it has {', '.join(map(show, list(row)[:8])) or 'nothing'}"
    id_ = row[name]
    if not isinstance(id_, str):
        return f"the {name} must be text, and is {show(orjson.dumps(id_).decode())}"
    wrong = fault(id_)
    return f"the {name} {wrong}" if wrong else None
