"""A list of IDs, wherever it stands: in the configuration, in a text file, in a column of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from bulkstate.errors import InputError, Problem
from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import LONGEST_ID, Mistakes, fault, show
from bulkstate.selection.patterns import unfold
from bulkstate.selection.sources import IdList

_LONGEST_LINE = 4 * LONGEST_ID + 2
_BOM = b"\xef\xbb\xbf"


def read_list(source: IdList, column: str) -> list[str]:
    """All IDs of a list, in order, patterns unfolded, duplicates included; `column` is their name in a table.

    InputError names every mistake's place (the first few, and how many more), or says that there is no ID.
    """
    ids = _in_place(source)
    if source.file is not None:
        ids += _of_file(NamedFile(source.file, source.where, source.field), column)
    if not ids:
        raise InputError(Problem("the list is empty", source.where, source.field, "name at least one ID"))
    return ids


def _in_place(source: IdList) -> list[str]:
    mistakes = Mistakes()
    ids: list[str] = []
    for position, value in enumerate(source.values):
        try:
            unfolded = unfold(value)
        except ValueError as error:
            mistakes.add(f"the ID {show(value)} {error}", source.where, f"{source.field}[{position}]")
            continue
        # The IDs of a pattern differ in digits only: the first one speaks for all.
        if wrong := fault(unfolded[0]):
            mistakes.add(f"the ID {wrong}", source.where, f"{source.field}[{position}]")
        ids += unfolded
    mistakes.refuse()
    return ids


def _of_file(file: NamedFile, column: str) -> list[str]:
    match file.path.suffix.lower():
        case ".txt":
            return read_text(file)
        case ".csv":
            # Polars takes a fifth of a second to import, which a run without tables needn't wait for.
            from bulkstate.selection.tables import read_columns

            (ids,) = read_columns(file, (column,))
            return ids.spelt_out()
    raise file.error("isn't a kind of file that is known", "lists are read from .txt and .csv")


def read_text(file: NamedFile) -> list[str]:
    """The IDs of a text file: one a line, UTF-8, with or without a byte order mark or carriage returns."""
    mistakes = Mistakes()
    ids: list[str] = []
    with file.open() as stream:
        for number, line in enumerate(_lines(file, stream), 1):
            try:
                id_ = line.decode()
            except UnicodeDecodeError:
                mistakes.add("the line isn't UTF-8", file.line(number), file.field)
                continue
            if wrong := fault(id_):
                mistakes.add(f"the ID {wrong}", file.line(number), file.field)
            ids.append(id_)
    mistakes.refuse()
    return ids


def _lines(file: NamedFile, stream: BinaryIO) -> Iterator[bytes]:
    """Lines without their ends. A file that isn't text is told by its first bytes, or by a line without end."""
    start = stream.read(_LONGEST_LINE)
    if b"\0" in start:
        raise file.error("is binary (it holds a NUL byte), and text is needed")
    stream.seek(len(_BOM) if start.startswith(_BOM) else 0)
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise file.line_error(number, f"the line is longer than any ID ({LONGEST_ID:,} characters)")
        yield line.removesuffix(b"\n").removesuffix(b"\r")
