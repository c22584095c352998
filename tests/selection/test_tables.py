"""Tables at scale: every kind, compressed, in folders, from standard input; and where their mistakes are."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from bulkstate.selection import IdList, PairSource
from bulkstate.selection.files import NamedFile
from bulkstate.selection.tables import read_columns
from tests.selection.conftest import Write
from tests.selection.spoken import FIELD, WHERE, block, complaints, ids, one, pairs, target

ROWS = [("a", "p"), ("風", "q"), ("a", "q"), ("a", "p")]
TABLE = pl.DataFrame(ROWS, schema=["asset_id", "point_id"], orient="row").with_columns(n=pl.int_range(pl.len()))


def table(path: Path, frame: pl.DataFrame = TABLE) -> Path:
    """Write a frame as whatever the name says."""
    compression = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix, "uncompressed")
    match path.with_suffix("").suffix or path.suffix:
        case ".csv":
            frame.lazy().sink_csv(path, compression=compression)
        case ".ndjson":
            frame.lazy().sink_ndjson(path, compression=compression)
        case ".parquet":
            frame.write_parquet(path, row_group_size=2)
        case ".txt":
            frame.lazy().select("asset_id").sink_csv(path, include_header=False, compression=compression)
    return path


KINDS = ["x.csv", "x.csv.gz", "x.csv.zst", "x.ndjson", "x.ndjson.gz", "x.ndjson.zst", "x.parquet"]


@pytest.mark.parametrize("name", KINDS)
def test_pairs_of_every_kind(tmp_path: Path, name: str) -> None:
    relation = one(pairs(table(tmp_path / name)))
    assert target(relation) == set(ROWS)
    assert relation.duplicates == 1


@pytest.mark.parametrize("name", [*KINDS, "x.txt", "x.txt.gz", "x.txt.zst"])
def test_lists_of_every_kind(tmp_path: Path, name: str) -> None:
    relation = one(block(ids(file=table(tmp_path / name)), "p"))
    assert relation.assets == ("a", "風")
    assert relation.duplicates == 2


def test_a_folder_of_tables(tmp_path: Path) -> None:
    for name in KINDS:
        table(tmp_path / name)
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".hidden.csv").write_text("?")
    relation = one(pairs(tmp_path))
    assert target(relation) == set(ROWS)
    assert relation.duplicates == 7 * 4 - 3


def test_a_folder_of_lists(tmp_path: Path) -> None:
    table(tmp_path / "x.parquet")
    (tmp_path / "y.txt").write_text("b\n")
    assert one(block(ids(file=tmp_path), "p")).assets == ("a", "b", "風")


def test_columns_by_name(tmp_path: Path) -> None:
    path = table(tmp_path / "x.parquet", TABLE.rename({"asset_id": "Anlage", "point_id": "Punkt"}))
    assert target(one(PairSource(path, WHERE, FIELD, "Anlage", "Punkt"))) == set(ROWS)
    assert one(block("a", IdList((), path, WHERE, FIELD, "Anlage"))).points == ("a", "風")


def test_categories_and_enums_are_text(tmp_path: Path) -> None:
    typed = TABLE.with_columns(pl.col("asset_id").cast(pl.Categorical), pl.col("point_id").cast(pl.Enum(["p", "q"])))
    assert target(one(pairs(table(tmp_path / "x.parquet", typed)))) == set(ROWS)


def test_a_name_that_looks_like_a_glob_is_a_name(tmp_path: Path) -> None:
    assert target(one(pairs(table(tmp_path / "[x]*.csv")))) == set(ROWS)
    assert target(one(pairs(table(tmp_path / "[x]*.parquet")))) == set(ROWS)


# ── standard input ────────────────────────────────────────────────────────────────────────────────────────────────

READ = """
import sys
from bulkstate.errors import InputError
from bulkstate.selection import *
stdin, one = IdList((), STDIN, "c:1", "list"), IdList(("x",), None, "", "")
pairs = PairSource(STDIN, "c:1", "pairs")
source = {"pairs": pairs, "list": BlockSource(stdin, one), "both": BlockSource(stdin, stdin)}
try:
    (relation,) = select([Entry("p", ("s",), (source[sys.argv[1]],))])
    print(len(relation.pairs), *relation.assets)
except InputError as error:
    print(error)
"""


def piped(what: str, data: bytes) -> str:
    done = subprocess.run([sys.executable, "-X", "utf8", "-c", READ, what], input=data, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_pairs_from_standard_input(tmp_path: Path, name: str) -> None:
    assert piped("pairs", table(tmp_path / name).read_bytes()) == "3 a 風"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x.csv.zst", "x.ndjson", "x.parquet", "x.txt", "x.txt.gz"])
def test_lists_from_standard_input(tmp_path: Path, name: str) -> None:
    assert piped("list", table(tmp_path / name).read_bytes()) == "0 a 風"


@pytest.mark.slow
def test_mistakes_in_standard_input() -> None:
    assert piped("pairs", b"") == "c:1: pairs: standard input: the file is empty"
    assert piped("pairs", b"asset_id,point_id\n,p\n") == "standard input:2: pairs: the asset_id is empty"
    assert piped("list", b"a\nb,\n").startswith("standard input:2: list: the ID 'b,' holds a comma")
    assert piped("both", b"a\n") == "c:1: list: standard input: is read already, by list (c:1)"


def test_a_terminal_is_not_waited_for() -> None:
    ours, theirs = os.openpty()
    with os.fdopen(ours, "wb"), os.fdopen(theirs, "rb") as terminal:
        done = subprocess.run([sys.executable, "-c", READ, "list"], stdin=terminal, capture_output=True, check=True)
    assert done.stdout.decode() == "c:1: list: standard input: is a terminal, or closed (pipe the IDs in)\n"


# ── what is wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS[:-1])
def test_bad_ids_are_named_with_their_line(tmp_path: Path, name: str) -> None:
    rows = [(f"a{i}", "p") for i in range(100_000)]
    rows[65_432] = ("a,b", "p")
    path = table(tmp_path / name, pl.DataFrame(rows, schema=["asset_id", "point_id"], orient="row"))
    line = 65_433 + (".csv" in name)
    assert complaints(pairs(path)) == [
        f"{path}:{line}: {FIELD}.pairs: the asset_id 'a,b' holds a comma, by which the gateway separates IDs"
    ]


def test_bad_ids_are_named_with_their_row(tmp_path: Path) -> None:
    frame = TABLE.with_columns(asset_id=pl.Series(["a", "b", None, " c"]), point_id=pl.Series(["p", "", "q", "q"]))
    path = table(tmp_path / "x.parquet", frame)
    assert complaints(pairs(path)) == [
        f"{path}: row 3: {FIELD}.pairs: the asset_id is missing (null)",
        f"{path}: row 4: {FIELD}.pairs: the asset_id ' c' begins or ends with a space",
        f"{path}: row 2: {FIELD}.pairs: the point_id is empty",
    ]


def test_the_bad_file_of_a_folder_is_named(tmp_path: Path) -> None:
    table(tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("asset_id,point_id\n a,p\n")
    assert complaints(pairs(tmp_path))[0].startswith(f"{tmp_path}/b.csv:2: ")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("", "the line is empty"),
        ("{", "isn't JSON"),
        ('{"asset_id": "a", "point_id": "\\ud800"}', "isn't JSON"),
        ("[1]", "isn't a JSON object"),
        ('{"asset_id": "a"}', "has no point_id; it has 'asset_id'"),
        ("{}", "has no asset_id; it has nothing"),
        ('{"asset_id": 7, "point_id": "p"}', "the asset_id must be text, and is '7'"),
        ('{"asset_id": null, "point_id": "p"}', "the asset_id must be text, and is 'null'"),
        ('{"asset_id": ["a"], "point_id": "p"}', "the asset_id must be text, and is '[\"a\"]'"),
        ('{"asset_id": "a", "point_id": "p\\n"}', "the point_id 'p\\n' holds a control character"),
        (json.dumps({"asset_id": "x" * 10_000_000, "point_id": "p"}), "the line is longer than 1,048,576 bytes"),
    ],
)
def test_bad_rows_of_ndjson_are_named(write: Write, row: str, why: str) -> None:
    path = write("x.ndjson", f'{{"asset_id": "a", "point_id": "p"}}\n{row}\n')
    (message,) = complaints(pairs(path))
    assert message.startswith(f"{path}:2: {FIELD}.pairs: ")
    assert why in message


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pl.int_range(4), "the column asset_id must be text, and is Int64"),
        (pl.concat_list(pl.col("point_id")), "the column asset_id must be text, and is List(String)"),
        (pl.col("point_id").cast(pl.Binary), "the column asset_id must be text, and is Binary"),
        (pl.lit(None, pl.Null), "the column asset_id must be text, and is Null"),
    ],
)
def test_parquet_columns_that_are_no_text(tmp_path: Path, column: pl.Expr, why: str) -> None:
    (message,) = complaints(pairs(table(tmp_path / "x.parquet", TABLE.with_columns(asset_id=column))))
    assert why in message


def test_parquet_without_the_column(tmp_path: Path) -> None:
    (message,) = complaints(pairs(table(tmp_path / "x.parquet", TABLE.drop("point_id"))))
    assert "has no column point_id; its columns are 'asset_id', 'n'" in message


@pytest.mark.parametrize("kept", [5, 100, -1, -200])
def test_truncated_parquet(tmp_path: Path, kept: int) -> None:
    path = table(tmp_path / "x.parquet")
    path.write_bytes(path.read_bytes()[:kept])
    (message,) = complaints(pairs(path))
    assert message.startswith(f"{WHERE}: {FIELD}.pairs: {path}: can't be read as .parquet: ")


def test_damaged_parquet(tmp_path: Path) -> None:
    path = table(tmp_path / "x.parquet")
    path.write_bytes(path.read_bytes()[:4] + b"x" * 60 + path.read_bytes()[64:])
    (message,) = complaints(pairs(path))
    assert "can't be read as .parquet" in message


@pytest.mark.parametrize("kind", ["csv", "ndjson", "txt"])
@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_compressed_files_that_are_cut_off(tmp_path: Path, kind: str, compression: str) -> None:
    many = pl.DataFrame({"asset_id": [f"a{i * i % 99_991}" for i in range(50_000)], "point_id": "p"})
    path = table(tmp_path / f"x.{kind}.{compression}", many)
    path.write_bytes(path.read_bytes()[:-1_000])
    (message,) = complaints(block(ids(file=path), "p"))
    assert str(path) in message
    assert "cut off or damaged" in message


def test_what_only_says_that_it_is_compressed(write: Write) -> None:
    (message,) = complaints(pairs(write("x.csv.gz", "asset_id,point_id\na,p\n")))
    assert "x.csv.gz: is called .gz, and holds no gzip data (take .gz off its name if it isn't compressed)" in message
    (message,) = complaints(pairs(write("x.csv.zst", "asset_id,point_id\na,p\n")))
    assert "x.csv.zst: is called .zst, and holds no zstd data (take .zst off its name if it isn't" in message
    (message,) = complaints(pairs(write("x.parquet.gz", gzip.compress(b"PAR1"))))
    assert "Parquet is compressed inside (unpack .gz first)" in message


@pytest.mark.slow
def test_rows_that_are_there_again_and_again_take_no_room(tmp_path: Path) -> None:
    again = 5 << 20
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"asset_id,point_id\nb,q\n" + b"a,p\n" * again, 1))
    relation = one(pairs(path))
    assert target(relation) == {("a", "p"), ("b", "q")}
    assert relation.duplicates == again - 1
    (remark,) = relation.remarks
    assert (remark.count, remark.of) == (again - 1, again + 1)


@pytest.mark.slow
def test_rows_that_are_there_again_far_apart_take_no_room(tmp_path: Path) -> None:
    once = 2_200_000
    rows = b"".join(b"a%d,p\n" % number for number in range(once))
    path = tmp_path / "x.csv"
    path.write_bytes(b"asset_id,point_id\n" + rows * 4)
    (file,) = [NamedFile.of(path, "", "")]
    table = read_columns([file], ("asset_id", "point_id"), lambda _: None)
    assert table.dropped > once
    assert len(table.columns[0].codes) + table.dropped == 4 * once
    assert len(set(table.columns[0].codes.tolist())) == once


def test_too_many_mistakes_are_counted(tmp_path: Path) -> None:
    path = table(tmp_path / "x.parquet", pl.DataFrame({"asset_id": [" a"] * 1_000, "point_id": ["p"] * 1_000}))
    lines = complaints(pairs(path))
    assert lines[-1] == f"{path}: {FIELD}.pairs: and 980 more such mistakes"
    assert len(lines) == 21
