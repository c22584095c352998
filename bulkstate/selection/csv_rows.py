"""CSV: Polars reads it; where the mistake is, Python's own reader finds out, line by line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import lru_cache

import polars as pl

from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import Mistakes, fault, show
from bulkstate.selection.lines import lines


def frames(file: NamedFile, names: Sequence[str]) -> Iterator[pl.LazyFrame]:
    """The named columns, as text; null where a row holds no ID, or the header once more."""
    next(lines(file), None)
    _refuse_header(file, names)
    again = pl.all_horizontal(pl.col(name) == name for name in names)
    ids = (pl.when(again).then(None).otherwise(pl.col(name)).alias(name) for name in names)
    yield pl.scan_csv(file.path, infer_schema=False, glob=False).select(ids)


def _refuse_header(file: NamedFile, names: Sequence[str]) -> None:
    header = pl.scan_csv(file.path, has_header=False, n_rows=1, infer_schema=False, glob=False).collect().row(0)
    for name in names:
        if name not in header:
            there = ", ".join(show(str(column)) for column in header[:8])
            raise file.error(f"has no column {name}; its columns are {there}", "the first line must name the columns")
        if header.count(name) > 1:
            raise file.error(f"has the column {name} twice")


def find_mistakes(file: NamedFile, names: Sequence[str]) -> Mistakes:
    """What is wrong in which line. InputError for what makes it senseless to read on."""
    mistakes = Mistakes()
    rows = _rows(file)
    _, header = next(rows, (1, []))
    places = [header.index(name) for name in names if name in header]
    titles = [header[place] for place in places]
    for line, row in rows:
        if message := _misshapen(row, len(header)) or _mistake(titles, [row[place] for place in places]):
            mistakes.add(message, file.line(line), file.field)
    return mistakes


def _misshapen(row: list[str], width: int) -> str | None:
    if len(row) == width:
        return None
    return f"the header has {width} columns, this row {len(row)}" if row else "the line is empty"


def _mistake(titles: list[str], ids: list[str]) -> str | None:
    if ids == titles:
        return "the header stands here again"
    for title, id_ in zip(titles, ids, strict=True):
        if wrong := _known_fault(id_):
            return f"the {title} {wrong}"
    return None


_known_fault = lru_cache(maxsize=500_000)(fault)
"""The same IDs come again and again: looking at each anew takes twice as long for a whole file."""


def _rows(file: NamedFile) -> Iterator[tuple[int, list[str]]]:
    """The rows, the header first, each with the number of its first line."""
    reader = csv.reader(_decoded(file), strict=True)
    start = 1
    try:
        for row in reader:
            yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise file.line_error(start, f"isn't CSV: {error}") from None


def _decoded(file: NamedFile) -> Iterator[str]:
    for number, line in enumerate(lines(file), 1):
        try:
            yield line.decode()
        except UnicodeDecodeError:
            raise file.line_error(number, "isn't UTF-8: the file may be binary, or of another encoding") from None
