"""A list of IDs, wherever it stands: in the configuration, in a text file, in a column of a table.

Patterns are unfolded, wherever they stand; a literal list takes every line and value as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain

from bulkstate.errors import InputError, Problem
from bulkstate.pairs.patterns import unfold
from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import SHOWN, Fault, Mistakes, literal_fault, pattern_fault
from bulkstate.selection.sources import IdList
from bulkstate.selection.text import blocks


def read_values(source: IdList) -> Counter[str]:
    """The IDs that stand in the configuration, and how often each does. InputError with every mistake."""
    mistakes = Mistakes()
    fault = _fault(source)
    for position, value in enumerate(source.values):
        if wrong := fault(value):
            mistakes.add(f"the ID {wrong}", source.where, f"{source.field}[{position}]")
    mistakes.refuse()
    return _unfolded(source, Counter(source.values))


def read_files(source: IdList, files: Sequence[NamedFile], column: str) -> tuple[Counter[str], int]:
    """The IDs of all files together, how often each is there, and how many rows there are that hold some; `column` is
    what they are called in a table.

    InputError names every mistake's place (the first few, and how many more).
    """
    texts = [file for file in files if file.kind == ".txt"]
    tables = [file for file in files if file.kind != ".txt"]
    fault = _fault(source)
    ids: Counter[str] = Counter()
    dropped = 0
    for file in texts:
        _read_text(file, fault, _is_comment(source), ids)
    if tables:
        # Polars takes a fifth of a second to import, which a run without tables needn't wait for.
        from bulkstate.selection.tables import read_columns

        table = read_columns(tables, (column,), fault)
        ids.update(table.columns[0].counts())
        dropped = table.dropped
    return _unfolded(source, ids), ids.total() + dropped


def _fault(source: IdList) -> Fault:
    return literal_fault if source.literal else pattern_fault


def _is_comment(source: IdList) -> Callable[[str], bool]:
    return (lambda line: False) if source.literal else (lambda line: line.startswith("#"))


def _unfolded(source: IdList, values: Counter[str]) -> Counter[str]:
    if source.literal or not any("{" in value for value in values):
        return values
    ids: Counter[str] = Counter()
    for value, count in values.items():
        ids.update(dict.fromkeys(unfold(value) if "{" in value else (value,), count))
    return ids


def _read_text(file: NamedFile, fault: Fault, is_comment: Callable[[str], bool], ids: Counter[str]) -> None:
    """Count one ID a line, UTF-8, with or without a byte order mark or carriage returns. Empty lines may stand at the
    end."""
    mistakes = Mistakes()
    empty = _EmptyLines()
    for number, line in chain.from_iterable(block.lines() for block in blocks(file)):
        try:
            id_ = line.decode()
        except UnicodeDecodeError:
            mistakes.add("the line isn't UTF-8", file.line(number), file.field)
            continue
        if is_comment(id_):
            continue
        if not id_:
            empty.add(number)
            continue
        empty.blame(mistakes, file)
        if id_ not in ids and (wrong := fault(id_)):
            mistakes.add(f"the ID {wrong}", file.line(number), file.field)
        else:
            ids[id_] += 1
    mistakes.refuse()


class _EmptyLines:
    """Lines that are a mistake if an ID comes after them: the first few, and how many."""

    def __init__(self) -> None:
        self._first: list[int] = []
        self._count = 0

    def add(self, number: int) -> None:
        """One more."""
        self._count += 1
        if self._count <= SHOWN:
            self._first.append(number)

    def blame(self, mistakes: Mistakes, file: NamedFile) -> None:
        """They are mistakes, and forgotten."""
        for number in self._first:
            mistakes.add("the ID is empty", file.line(number), file.field)
        mistakes.more(self._count - len(self._first))
        self._first, self._count = [], 0


def refuse_empty(source: IdList, ids: Counter[str]) -> None:
    """InputError if a list names nothing."""
    if not ids:
        raise InputError(Problem("the list is empty", source.where, source.field, "name at least one ID"))
