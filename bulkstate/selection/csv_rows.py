"""CSV, with commas, semicolons or tabs: what Python's strict reader finds in it, and nothing else.

As long as no quote has come by, a line is a row and a separator ends a field: numpy proves that every line has as many
as the header, and Polars, told that there are no quotes, only cuts the columns out. From the first block with a quote
on, Python's strict reader does it all, at a third of the pace. (Polars' own way with quotes drops rows without a word:
it cuts a file up where a count of all quotes is even, in columns that nobody asked for as well.)
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from bulkstate.selection.columns import find_columns
from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import Fault, Mistakes
from bulkstate.selection.text import TextBlock, blocks, decoded

if TYPE_CHECKING:
    from _csv import Reader

_SEPARATORS: Final = {".csv": (",", ";", "\t"), ".tsv": ("\t", ",", ";")}
"""By the kind of file; a later one counts only if it, and none before it, yields the columns."""

_BATCH: Final = 10_000
"""Rows of Python's reader that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class _Header:
    """The first row. `lines` is how many lines it takes, `places` are the positions of the columns that are wanted."""

    titles: list[str]
    separator: str
    lines: int
    places: Sequence[int] = ()

    @property
    def width(self) -> int:
        return len(self.titles)


def titles(file: NamedFile, names: Sequence[str]) -> Collection[str]:
    """What all columns are called. InputError if one of `names` isn't among them."""
    return _opened(file, names)[0].titles


def frames(file: NamedFile, names: Sequence[str]) -> Iterator[pl.LazyFrame]:
    """The named columns, as text; null where a row holds no ID, isn't like the header, or is the header once more."""
    header, text = _opened(file, names)
    again = pl.all_horizontal(pl.col(name) == name for name in names)
    for ids in _columns(file, header, text, names):
        yield ids.lazy().select(pl.when(again).then(None).otherwise(pl.col(name)).alias(name) for name in names)


def find_mistakes(file: NamedFile, names: Sequence[str], fault: Fault) -> Mistakes:
    """What is wrong in which line. InputError for what makes it senseless to read on."""
    mistakes = Mistakes()
    # The same IDs come again and again: looking at each anew takes twice as long for a whole file.
    known = lru_cache(maxsize=500_000)(fault)
    header, text = _opened(file, names)
    for line, row in _rows(file, header, text):
        if not row:
            mistakes.add("the line is empty", file.line(line), file.field, "take it out")
        elif len(row) != header.width:
            message = f"the header has {header.width} columns, this row {len(row)}"
            mistakes.add(message, file.line(line), file.field)
        elif wrong := _mistake(names, [row[place] for place in header.places], known):
            mistakes.add(wrong, file.line(line), file.field)
    return mistakes


def _mistake(names: Sequence[str], ids: list[str], fault: Fault) -> str | None:
    if ids == list(names):
        return "the header stands here again"
    for name, id_ in zip(names, ids, strict=True):
        if wrong := fault(id_):
            return f"the {name} {wrong}"
    return None


# ── the header ────────────────────────────────────────────────────────────────────────────────────────────────────


def _opened(file: NamedFile, names: Sequence[str]) -> tuple[_Header, Iterator[TextBlock]]:
    """The header, and the text after it. InputError if a column is missing, or there twice."""
    text = blocks(file)
    first = next(text)
    header = _header(file, first, names)
    start = 0
    for _ in range(header.lines):
        start = first.data.index(b"\n", start) + 1
    rest = TextBlock(first.line + header.lines, first.data[start:])
    return header, chain([rest] if rest.data else [], text)


def _header(file: NamedFile, first: TextBlock, names: Sequence[str]) -> _Header:
    headers = []
    for separator in _SEPARATORS[file.kind]:
        reader = csv.reader(_lines(file, [first]), delimiter=separator, strict=True)
        try:
            headers.append(_Header(next(reader), separator, reader.line_num))
        except csv.Error as error:
            broken = file.line_error(first.line, f"isn't CSV: {error}")
    if not headers:
        raise broken
    header = next((each for each in headers if set(names) <= set(each.titles)), headers[0])
    return _Header(header.titles, header.separator, header.lines, find_columns(file, names, header.titles))


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _columns(
    file: NamedFile, header: _Header, text: Iterator[TextBlock], names: Sequence[str]
) -> Iterator[pl.DataFrame]:
    for block in text:
        if b'"' in block.data:
            yield from _strictly_read(_reader(file, header, chain([block], text)), header, names)
        else:
            decoded(file, block)
            yield _cut_out(block.data, header, names)


def _cut_out(data: bytes, header: _Header, names: Sequence[str]) -> pl.DataFrame:
    """The columns of lines without a quote, or a single null if a line isn't like the header."""
    if rows := _rows_of_a_width(data, header):
        # Below a line of our own Polars takes nothing for a byte order mark.
        titles = header.separator.join(map(str, range(header.width))).encode()
        columns = [str(place) for place in header.places]
        found = pl.read_csv(
            b"%b\n%b" % (titles, data), columns=columns, separator=header.separator, quote_char=None, infer_schema=False
        )
        if len(found) == rows:
            return found.rename(dict(zip(columns, names, strict=True)))
    return _nothing(names)


def _rows_of_a_width(data: bytes, header: _Header) -> int:
    """How many lines there are; 0 if one of them is empty, or hasn't as many separators as the header."""
    characters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    separators = np.flatnonzero(characters == ord(header.separator))
    if len(separators) != len(ends) * (header.width - 1) or np.any(starts == ends):
        return 0
    of_line = separators.reshape(len(ends), -1)
    alike = np.all(of_line >= starts[:, None]) and np.all(of_line < ends[:, None])
    return len(ends) if alike else 0


def _strictly_read(rows: Iterator[list[str]], header: _Header, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The columns of what Python's reader finds, as far as it can read and all rows are like the header."""
    try:
        while batch := list(islice(rows, _BATCH)):
            if set(map(len, batch)) != {header.width}:
                yield _nothing(names)
                return
            fields = list(zip(*batch, strict=True))
            yield pl.DataFrame({name: fields[place] for name, place in zip(names, header.places, strict=True)})
    except csv.Error:
        yield _nothing(names)


def _nothing(names: Sequence[str]) -> pl.DataFrame:
    """A row without any ID: `find_mistakes` says why."""
    return pl.DataFrame([pl.Series(name, [None], pl.String) for name in names])


def _rows(file: NamedFile, header: _Header, text: Iterator[TextBlock]) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the number of its first line. InputError where the text isn't CSV."""
    first = next(text, None)
    if first is None:
        return
    reader = _reader(file, header, chain([first], text))
    line = first.line
    try:
        for row in reader:
            yield line, row
            line = first.line + reader.line_num
    except csv.Error as error:
        raise file.line_error(line, f"isn't CSV: {error}") from None


def _reader(file: NamedFile, header: _Header, text: Iterable[TextBlock]) -> Reader:
    return csv.reader(_lines(file, text), delimiter=header.separator, strict=True)


def _lines(file: NamedFile, text: Iterable[TextBlock]) -> Iterator[str]:
    return chain.from_iterable(io.StringIO(decoded(file, block), newline="\n") for block in text)
