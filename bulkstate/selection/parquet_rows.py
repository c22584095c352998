"""Parquet, by Polars (which doesn't compare the checksums of pages, where a file has some)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import polars as pl

from bulkstate.selection.columns import find_columns
from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import Fault, Mistakes

_MAGIC: Final = b"PAR1"
_ENCRYPTED: Final = b"PARE"


def titles(file: NamedFile, _names: Sequence[str]) -> Collection[str]:
    """What all columns are called. InputError if it isn't Parquet."""
    _refuse_other_files(file)
    return list(_scanned(file).collect_schema())


def frames(file: NamedFile, names: Sequence[str]) -> Iterator[pl.LazyFrame]:
    """The named columns, as text; null where a row holds no ID."""
    _refuse_other_files(file)
    _refuse_schema(file, names)
    yield _scanned(file).select(pl.col(name).cast(pl.String) for name in names)


def _scanned(file: NamedFile) -> pl.LazyFrame:
    # What a folder's name says (Hive's key=value) is no column, and statistics may be wrong.
    return pl.scan_parquet(file.path, glob=False, hive_partitioning=False, use_statistics=False)


def _refuse_other_files(file: NamedFile) -> None:
    if file.compression:
        raise file.error("Parquet is compressed inside", f"unpack {file.compression} first")
    with file.open() as stream:
        start = stream.read(len(_MAGIC))
        stream.seek(-min(len(_MAGIC), file.path.stat().st_size), 2)
        end = stream.read()
    if _ENCRYPTED in (start, end):
        raise file.error("is encrypted Parquet, which can't be read", "write it without encryption")
    if start != _MAGIC:
        message = "can't be read as .parquet: it doesn't begin as Parquet does"
        raise file.error(message, "let its name end in what it is, such as .csv")
    if end != _MAGIC:
        message = "can't be read as .parquet: it is cut off (Parquet ends in PAR1)"
        raise file.error(message, "copy it anew, or write it again")


def _refuse_schema(file: NamedFile, names: Sequence[str]) -> None:
    schema = _scanned(file).collect_schema()
    titles = list(schema)
    for place in find_columns(file, names, titles):
        name, kind = titles[place], schema[titles[place]]
        if not isinstance(kind, pl.String | pl.Categorical | pl.Enum):
            hint = "write it as strings (UTF8)" if kind == pl.Binary else "IDs are text, also if all digits"
            raise file.error(f"the column {name} must be text, and is {kind}", hint)


def find_mistakes(file: NamedFile, names: Sequence[str], fault: Fault) -> Mistakes:
    """What is wrong in which row, counted from 1."""
    mistakes = Mistakes()
    table = _scanned(file).with_row_index("row number", offset=1)
    for name in names:
        for row, id_ in _faulty(table.select("row number", pl.col(name).cast(pl.String)), name, fault).iter_rows():
            mistakes.add(f"the {name} {_fault(id_, fault)}", f"{file.name}: row {row:,}", file.field)
    return mistakes


def _faulty(rows: pl.LazyFrame, name: str, fault: Fault) -> pl.DataFrame:
    different = rows.select(pl.col(name).unique()).collect().to_series()
    faulty = [id_ for id_ in different if _fault(id_, fault)]
    return rows.filter(pl.col(name).is_in(faulty, nulls_equal=True)).collect()


def _fault(id_: str | None, fault: Fault) -> str | None:
    return "is missing (null)" if id_ is None else fault(id_)
