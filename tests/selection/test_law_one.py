"""Law 1 from files to requests: what is written is what is sent, however it is written."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import Plan
from bulkstate.planner import plan
from bulkstate.selection import Entry, PairSource, Source, select
from tests.selection.spoken import block, ids, pairs

ASSETS, POINTS = [f"a{i:02}" for i in range(15)], [f"p{i}" for i in range(8)]

blocks = st.tuples(*(st.lists(st.sampled_from(side), min_size=1, max_size=9) for side in (ASSETS, POINTS)))
singles = st.lists(st.tuples(st.sampled_from(ASSETS), st.sampled_from(POINTS)), min_size=1, max_size=60)
numbers = count()


def written(folder: Path, rows: list[tuple[str, str]], kind: str) -> PairSource:
    frame = pl.DataFrame(rows, schema=["asset_id", "point_id"], orient="row")
    path = folder / f"pairs{next(numbers)}{kind}"
    {".csv": frame.write_csv, ".ndjson": frame.write_ndjson, ".parquet": frame.write_parquet}[kind](path)
    return pairs(path)


def planned(sources: tuple[Source, ...]) -> Plan:
    relations = select([Entry("pipe", ("stage",), (source,)) for source in sources])
    return plan(relations, pairs_per_request=12, bytes_per_request=1_000)


@given(crossed=st.lists(blocks, max_size=3), rows=singles, kind=st.sampled_from([".csv", ".ndjson", ".parquet"]))
def test_what_is_written_is_what_is_sent(
    crossed: list[tuple[list[str], list[str]]],
    rows: list[tuple[str, str]],
    kind: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    target = {(asset, point) for assets, points in crossed for asset in assets for point in points} | set(rows)
    sources = [*(block(ids(*a), ids(*p, field="points")) for a, p in crossed), written(folder, rows, kind)]
    made = planned(tuple(sources))
    assert {(a, p) for chunk in made.chunks() for a in chunk.assets for p in chunk.points} == target
    assert planned((written(folder, sorted(target, reverse=True), ".csv"),)).digest == made.digest
    assert planned(tuple(sources[::-1])).digest == made.digest
