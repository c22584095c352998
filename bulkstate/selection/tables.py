"""Columns of IDs from tables, by Polars: 1,000,000 pairs of CSV take a quarter of the time of Python's own reader.

Every row becomes a number that stands for its ID as soon as it is read: memory is about those numbers and the different
IDs, never about the text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np
import polars as pl
from polars.exceptions import PanicException, PolarsError

from bulkstate.errors import InputError
from bulkstate.selection import csv_rows, ndjson_rows, parquet_rows
from bulkstate.selection.column import Column
from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import Fault, Mistakes, show

NO_ID: Final = 2**32 - 1
"""Stands for a missing ID."""

MANY_ROWS: Final = 1 << 22
"""After so many rows, and whenever there are twice as many, it is seen whether most of them are there again."""

_SAMPLED_OF: Final = 61


class TableFormat(Protocol):
    """One kind of table."""

    def titles(self, file: NamedFile, names: Sequence[str]) -> Collection[str]:
        """What all columns are called; `names` are those that have to be there. InputError if that can't be told."""
        ...

    def frames(self, file: NamedFile, names: Sequence[str]) -> Iterator[pl.LazyFrame]:
        """The named columns as text, in one or more parts; null where there is no ID. InputError if that can't be."""
        ...

    def find_mistakes(self, file: NamedFile, names: Sequence[str], fault: Fault) -> Mistakes:
        """Read again, slowly, now that something is known to be wrong: what, and where. InputError likewise."""
        ...


FORMATS: Final[Mapping[str, TableFormat]] = {
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".ndjson": ndjson_rows,
    ".jsonl": ndjson_rows,
    ".parquet": parquet_rows,
}
"""By the kind of file."""


@dataclass(frozen=True, slots=True, eq=False)
class IdTable:
    """Columns of IDs. Rows that are there again may have been `dropped`, where many had been read."""

    columns: tuple[Column, ...]
    dropped: int


def read_columns(files: Sequence[NamedFile], names: Sequence[str], fault: Fault) -> IdTable:
    """The named columns of all files together, whatever other columns there are; `fault` says what is no ID.

    InputError names the file, and the line or row where there is one, if a file can't be read, a column is missing or
    there twice, a row isn't like the header, an ID isn't text or is at fault.
    """
    coders = [_Coder(name) for name in names]
    parts = [_read(file, coders, fault) for file in files]
    _refuse_faults(files, parts, coders, fault)
    columns = tuple(
        Column(coder.ids(), pl.concat(part.rows[coder.name] for part in parts).to_numpy()) for coder in coders
    )
    return IdTable(columns, sum(part.dropped for part in parts))


def has_columns(files: Sequence[NamedFile], names: Sequence[str], more: Sequence[str]) -> bool:
    """Whether the tables, which have the columns `names`, have `more` as well. InputError if only some of them do, or
    one has columns that may be meant so, as `stageInstanceName` may, and aren't all of `more`."""
    titles = [_titles(file, names) for file in files]
    there = [set(more) <= set(each) for each in titles]
    for file, each, whole in zip(files, titles, there, strict=True):
        alike = [title for title in each if _meant(title) in more and title not in names]
        if alike and not whole:
            message = (
                f"has a column {alike[0]!r}, and for a row to be for one stage alone it takes {' and '.join(more)}"
            )
            raise file.error(message, "give the table both, by these names, or call the column something else")
    if any(there) and not all(there):
        message = f"has no columns {' and '.join(more)}, and other tables beside it have"
        raise files[there.index(False)].error(message, "let all tables of a folder have the same columns")
    return any(there)


def _meant(title: str) -> str:
    """What a title says in letters alone, in lower case, but for the words by which a thing is known."""
    return re.sub("instance|name|id", "", re.sub("[^a-z]", "", title.lower()))


def _titles(file: NamedFile, names: Sequence[str]) -> Collection[str]:
    file.open().close()
    try:
        return _format(file).titles(file, names)
    except (PolarsError, PanicException, OSError):
        return ()  # reading it tells


class _Coder:
    """Numbers the IDs of one column as they come by."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._categories = pl.Categories.random()
        # Polars forgets the numbers once no column of this type is left.
        self._kept = pl.Series([], dtype=pl.Categorical(self._categories))

    @property
    def codes(self) -> pl.Expr:
        """The column's numbers, `NO_ID` for null."""
        numbers = pl.col(self.name).cast(pl.Categorical(self._categories)).to_physical()
        return numbers.fill_null(pl.lit(NO_ID, pl.UInt32))

    def ids(self) -> list[str]:
        """The different IDs, number 0 first. Polars doesn't promise to use every number: none of those is in a row."""
        return [id_ or "" for id_ in self._categories]


class _Part:
    """The rows of one file, as numbers.

    Of many, those that are there again are dropped if most are, however far apart: a few megabytes unpack to gigabytes
    of the same. So memory is about the different rows, at most some times theirs.
    """

    def __init__(self, coders: Sequence[_Coder]) -> None:
        self.dropped = 0
        self._settled = [pl.DataFrame(schema={coder.name: pl.UInt32 for coder in coders})]
        self._new: list[pl.DataFrame] = []
        self._sample = pl.Series([], dtype=pl.UInt64)
        self._count = 0
        self._most = MANY_ROWS

    def add(self, rows: pl.DataFrame) -> None:
        self._new.append(rows)
        self._count += len(rows)
        if self._count > self._most:
            self._settle()

    def _settle(self) -> None:
        self._sample = pl.concat([self._sample, *map(_sampled, self._new)]).unique()
        self._settled, self._new = [*self._settled, *self._new], []
        if len(self._sample) * _SAMPLED_OF < self._count / 2:
            once = pl.concat(self._settled).unique(maintain_order=True)
            self.dropped += self._count - len(once)
            self._settled, self._count = [once], len(once)
        self._most = self._count + max(self._count, MANY_ROWS)

    @cached_property
    def rows(self) -> pl.DataFrame:
        """All of them, once nothing is added any more."""
        return pl.concat([*self._settled, *self._new])


def _sampled(rows: pl.DataFrame) -> pl.Series:
    """The hashes of one in `_SAMPLED_OF` different rows: the same ones wherever they are."""
    hashes = rows.select(pl.struct(pl.all()).hash()).to_series()
    return hashes.filter(hashes % _SAMPLED_OF == 0)


def _read(file: NamedFile, coders: Sequence[_Coder], fault: Fault) -> _Part:
    file.open().close()
    names = [coder.name for coder in coders]
    part = _Part(coders)
    try:
        for frame in _format(file).frames(file, names):
            for rows in frame.select(coder.codes for coder in coders).collect_batches(maintain_order=True):
                part.add(rows)
    except (PolarsError, PanicException, OSError) as error:
        raise _explained(file, names, fault, str(error).strip().split("\n", 1)[0]) from None
    return part


def _format(file: NamedFile) -> TableFormat:
    if file.kind not in FORMATS:
        raise file.error("isn't a kind of table that is known", f"known are {', '.join(FORMATS)}, and .txt for a list")
    return FORMATS[file.kind]


def _refuse_faults(files: Sequence[NamedFile], parts: Sequence[_Part], coders: Sequence[_Coder], fault: Fault) -> None:
    """InputError for the first file with a row that holds no ID, or one that is at fault."""
    for coder in coders:
        faulty = [code for code, id_ in enumerate(coder.ids()) if fault(id_)]
        for file, part in zip(files, parts, strict=True):
            if np.isin(part.rows[coder.name].to_numpy(), [NO_ID, *faulty]).any():
                raise _explained(file, [coder.name for coder in coders], fault, "it holds something that is no ID")


def _explained(file: NamedFile, names: Sequence[str], fault: Fault, otherwise: str) -> InputError:
    """The mistakes of a file, each with its place; if none is found, what is known of it: `otherwise`."""
    try:
        _format(file).find_mistakes(file, names, fault).refuse()
    except InputError as error:
        return error
    except (PolarsError, PanicException, OSError):
        pass
    return file.error(f"can't be read as {file.kind}: {show(otherwise)}")
