"""Law 1 for tables: what is read is what Python's own strict reader finds, or the file is refused."""

from __future__ import annotations

import csv
import gzip
import io
from itertools import count
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkstate.errors import InputError
from bulkstate.selection import PairSource
from tests.selection.spoken import FIELD, WHERE, one, target

HEADER = "asset_id,point_id,note"
numbers = count()


def found(content: bytes) -> list[tuple[str, str]]:
    """The pairs, by a reader that shares no code with ours. ValueError where it can't make anything of the file."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    try:
        header, *rows = csv.reader(text, strict=True)
    except csv.Error as error:
        raise ValueError from error
    asset, point = header.index("asset_id"), header.index("point_id")
    rows = [row for row in rows if row]
    if any(len(row) != len(header) for row in rows):
        raise ValueError
    return [(row[asset], row[point]) for row in rows]


def read(content: bytes, folder: Path, packed: bool = False) -> set[tuple[str, str]] | None:
    """The same by ours, None if it is refused."""
    path = folder / f"{next(numbers)}.csv{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(content) if packed else content)
    try:
        relation = one(PairSource(path, WHERE, FIELD))
    except InputError as error:
        assert all(problem.message and str(path) in str(problem) for problem in error.problems)
        return None
    return target(relation)


ends = st.sampled_from(["\n", "\r\n", "\r"])
hostile_fields = st.text(st.sampled_from('ab"",;\t\r\n\0é '), max_size=6)
plain_fields = st.sampled_from(["a", "b", "a1", "風", '"a"', '"b ""c"""', "ns=2;s=x", 'pipe 3"', "a b", "'a'", "ü"])
well_formed = st.sampled_from(["-", "ok", 'pipe 3"', '"two\nlines"', '"a,b"', "'", '"\r"', "\t;", '""'])
notes = well_formed | st.sampled_from(["", '"', '"""'])
lines = st.one_of(
    st.tuples(plain_fields, plain_fields, notes).map(",".join),
    st.tuples(hostile_fields, hostile_fields, hostile_fields).map(",".join),
    st.sampled_from(["", " ", ",,", "a", "asset_id,point_id,note", "\ufeffa,b,c"]),
)


@given(
    bom=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    header=st.sampled_from(["asset_id,point_id,note", '"asset_id",point_id,"n""ote"', "note,point_id,asset_id"]),
    rows=st.lists(st.tuples(lines, ends), max_size=8),
    packed=st.booleans(),
    bare=st.booleans(),
)
@example(
    bom=b"",
    header=HEADER,
    rows=[('A1,P1,pipe 3"', "\n"), ("A2,P1,calibrated", "\n"), ("A3,P1,calibrated", "\n")],
    packed=False,
    bare=True,
)
def test_what_is_read_is_what_a_strict_reader_finds(
    bom: bytes,
    header: str,
    rows: list[tuple[str, str]],
    packed: bool,
    bare: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    last = rows[-1][1] if rows and bare else ""
    text = "".join(f"{line}{end}" for line, end in [(header, "\n"), *rows]).removesuffix(last)
    content = bom + text.encode()
    ours = read(content, tmp_path_factory.getbasetemp(), packed)
    if ours is not None:
        assert ours == set(found(content))


@given(
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    rows=st.lists(st.tuples(plain_fields, plain_fields, well_formed), min_size=1, max_size=8),
    bare=st.booleans(),
)
def test_what_is_well_formed_is_read(
    end: str, rows: list[tuple[str, str, str]], bare: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = end.join(map(",".join, [("asset_id", "point_id", "note"), *rows])).encode() + (
        b"" if bare else end.encode()
    )
    assert read(content, tmp_path_factory.getbasetemp()) == set(found(content))


def test_a_lone_quote_in_a_column_that_nobody_asked_for(tmp_path: Path) -> None:
    rows = [(f"A{i:05}", "P1", 'pipe 3"' if i % 1_000 == 7 else "valve") for i in range(6_000)]
    content = (f"{HEADER}\n" + "".join(f"{','.join(row)}\n" for row in rows)).encode()
    assert read(content, tmp_path) == {(asset, point) for asset, point, _ in rows}
