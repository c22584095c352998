"""A list of IDs, wherever it stands: in the configuration, in a text file, in a column of a table."""

from __future__ import annotations

from collections.abc import Sequence

from bulkstate.errors import InputError, Problem
from bulkstate.pairs.patterns import unfold
from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import Mistakes, fault, show
from bulkstate.selection.lines import lines
from bulkstate.selection.sources import IdList


def read_values(source: IdList) -> list[str]:
    """The IDs that stand in the configuration, in order, patterns unfolded, duplicates included."""
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


def read_files(files: Sequence[NamedFile], column: str) -> list[str]:
    """The IDs of all files together, duplicates included; `column` is what they are called in a table.

    InputError names every mistake's place (the first few, and how many more).
    """
    texts = [file for file in files if file.kind == ".txt"]
    tables = [file for file in files if file.kind != ".txt"]
    ids = [id_ for file in texts for id_ in _read_text(file)]
    if tables:
        # Polars takes a fifth of a second to import, which a run without tables needn't wait for.
        from bulkstate.selection.tables import read_columns

        ids += read_columns(tables, (column,))[0].spelt_out()
    return ids


def _read_text(file: NamedFile) -> list[str]:
    """One ID a line, UTF-8, with or without a byte order mark or carriage returns."""
    mistakes = Mistakes()
    ids: list[str] = []
    for number, line in enumerate(lines(file), 1):
        try:
            id_ = line.removesuffix(b"\n").removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            mistakes.add("the line isn't UTF-8", file.line(number), file.field)
            continue
        if wrong := fault(id_):
            mistakes.add(f"the ID {wrong}", file.line(number), file.field)
        ids.append(id_)
    mistakes.refuse()
    return ids


def refuse_empty(source: IdList, ids: Sequence[str]) -> None:
    """InputError if a list names nothing."""
    if not ids:
        raise InputError(Problem("the list is empty", source.where, source.field, "name at least one ID"))
