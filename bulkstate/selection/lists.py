"""A list of IDs, wherever it stands: in the configuration, in a text file, in a column of a table.

Patterns are unfolded, wherever they stand; a literal list takes every line and value as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import lt

from bulkstate.errors import InputError, Problem
from bulkstate.pairs.patterns import unfold
from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import SHOWN, Fault, Mistakes, literal_fault, pattern_fault
from bulkstate.selection.sources import IdList
from bulkstate.selection.text import blocks


@dataclass(frozen=True, slots=True)
class Listed:
    """The IDs of a list, each once, and how often those are there that it names more than once."""

    ids: tuple[str, ...]
    again: Mapping[str, int]

    @classmethod
    def of(cls, ids: Counter[str]) -> Listed:
        """Those that were counted."""
        return cls(tuple(ids), {id_: count for id_, count in ids.items() if count > 1})

    def counts(self) -> Counter[str]:
        """All of them, and how often each is there."""
        return Counter({**dict.fromkeys(self.ids, 1), **self.again})


def ascends(ids: Sequence[str]) -> bool:
    """Whether each ID comes after the one before it, so that none is there twice."""
    return all(map(lt, ids, islice(ids, 1, None)))


def read_values(source: IdList) -> Listed:
    """The IDs that stand in the configuration. InputError with every mistake."""
    mistakes = Mistakes()
    fault = _fault(source)
    for position, value in enumerate(source.values):
        if wrong := fault(value):
            mistakes.add(f"the ID {wrong}", source.where, f"{source.field}[{position}]")
    mistakes.refuse()
    ids = tuple(chain.from_iterable(map(_spelt_out(source), source.values)))
    # Counting them takes more memory than they do, and a pattern is in order as it stands.
    return Listed(ids, {}) if ascends(ids) else Listed.of(Counter(ids))


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


def _spelt_out(source: IdList) -> Callable[[str], Sequence[str]]:
    """What makes IDs of a value."""
    return lambda value: unfold(value) if "{" in value and not source.literal else (value,)


def _unfolded(source: IdList, values: Counter[str]) -> Counter[str]:
    if not any("{" in value for value in values):
        return values
    ids: Counter[str] = Counter()
    for value, count in values.items():
        ids.update(dict.fromkeys(_spelt_out(source)(value), count))
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


def refuse_empty(source: IdList, found: Listed) -> None:
    """InputError if a list names nothing."""
    if not found.ids:
        raise InputError(Problem("the list is empty", source.where, source.field, "name at least one ID"))
