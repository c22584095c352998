"""Parquet, by Polars."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import polars as pl

from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import Mistakes, fault, show
from bulkstate.selection.parquet_footer import row_group_ends


def frames(file: NamedFile, names: Sequence[str]) -> Iterator[pl.LazyFrame]:
    """The named columns, as text; null where a row holds no ID."""
    if file.compression:
        raise file.error("Parquet is compressed inside", f"unpack {file.compression} first")
    _refuse_schema(file, names)
    yield pl.scan_parquet(file.path, glob=False).select(pl.col(name).cast(pl.String) for name in names)


def _refuse_schema(file: NamedFile, names: Sequence[str]) -> None:
    schema = pl.scan_parquet(file.path, glob=False).collect_schema()
    for name in names:
        if name not in schema:
            raise file.error(f"has no column {name}; its columns are {', '.join(map(show, list(schema)[:8]))}")
        if not isinstance(schema[name], pl.String | pl.Categorical | pl.Enum):
            raise file.error(
                f"the column {name} must be text, and is {schema[name]}", "IDs are text, also if all digits"
            )


def find_mistakes(file: NamedFile, names: Sequence[str]) -> Mistakes:
    """What is wrong in which row; rows and row groups are counted from 1."""
    mistakes = Mistakes()
    table = pl.scan_parquet(file.path, glob=False).with_row_index("row number", offset=1)
    ends = row_group_ends(file.path)
    for name in names:
        for row, id_ in _faulty(table.select("row number", pl.col(name).cast(pl.String)), name).iter_rows():
            place = f"{file.name}: row {row} (in row group {bisect_left(ends, row) + 1})"
            mistakes.add(f"the {name} {_fault(id_)}", place, file.field)
    return mistakes


def _faulty(rows: pl.LazyFrame, name: str) -> pl.DataFrame:
    different = rows.select(pl.col(name).unique()).collect().to_series()
    return rows.filter(pl.col(name).is_in([id_ for id_ in different if _fault(id_)], nulls_equal=True)).collect()


def _fault(id_: str | None) -> str | None:
    return "is missing (null)" if id_ is None else fault(id_)
