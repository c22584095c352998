"""Where in a CSV file the mistake is: read again, slowly, line by line, once it is known that there is one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import lru_cache

from bulkstate.errors import InputError
from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import Mistakes, fault

_known_fault = lru_cache(maxsize=1_000_000)(fault)


def explain(file: NamedFile, names: Sequence[str], otherwise: str) -> InputError:
    """The mistakes of a CSV file, each with its line; if none is found, what is known of it: `otherwise`."""
    mistakes = Mistakes()
    try:
        _gather(file, names, mistakes)
        mistakes.refuse()
    except InputError as error:
        return error
    return file.error(f"can't be read as CSV: {otherwise}")


def _gather(file: NamedFile, names: Sequence[str], mistakes: Mistakes) -> None:
    rows = _rows(file)
    _, header = next(rows, (1, []))
    places = [header.index(name) for name in names if name in header]
    for line, row in rows:
        if message := _mistake(header, row, places):
            mistakes.add(message, file.line(line), file.field)


def _mistake(header: list[str], row: list[str], places: Sequence[int]) -> str | None:
    if not row:
        return "the line is empty"
    if len(row) != len(header):
        return f"the header has {len(header)} columns, this row {len(row)}"
    if all(row[place] == header[place] for place in places):
        return "the header stands here again"
    for place in places:
        if wrong := _known_fault(row[place]):
            return f"the {header[place]} {wrong}"
    return None


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
    with file.open() as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise file.line_error(number, "isn't UTF-8: the file may be binary, or of another encoding") from None
