"""Parquet, by Polars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import Mistakes, fault, show


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
    """What is wrong in which row, counted from 1."""
    mistakes = Mistakes()
    table = pl.scan_parquet(file.path, glob=False).with_row_index("row number", offset=1)
    for name in names:
        ids = table.select("row number", pl.col(name).cast(pl.String))
        faulty = [id_ for id_ in ids.select(pl.col(name).unique()).collect().to_series() if _fault(id_)]
        rows = ids.filter(pl.col(name).is_in(faulty, nulls_equal=True)).collect()
        for row, id_ in rows.iter_rows():
            mistakes.add(f"the {name} {_fault(id_)}", f"{file.name}: row {row}", file.field)
    return mistakes


def _fault(id_: str | None) -> str | None:
    return "is missing (null)" if id_ is None else fault(id_)
