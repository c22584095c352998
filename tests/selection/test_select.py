"""What is selected, and where what is wrong stands."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.errors import InputError
from bulkstate.model import Pair, Stage
from bulkstate.selection import Entry, read_pairs, select
from tests.selection.conftest import Write
from tests.selection.spoken import FIELD, WHERE, block, complaints, ids, one, pairs, pairs_in_place, target

PAIRS = "asset_id,point_id\na,p\nb,q\na,p\n"


# ── what is selected ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_block_of_patterns_and_lists() -> None:
    relation = one(block("T{09..11}", ids("p", "q", "p", field="points")))
    assert (relation.assets, relation.points) == (("T09", "T10", "T11"), ("p", "q"))
    assert len(target(relation)) == 6
    assert relation.duplicates == 1


def test_blocks_and_pairs_of_one_stage_share_dictionaries(write: Write) -> None:
    relation = one(block("b", "p"), pairs(write("pairs.csv", PAIRS)), block(ids("c", "a"), "q"))
    assert (relation.assets, relation.points) == (("a", "b", "c"), ("p", "q"))
    assert target(relation) == {("b", "p"), ("a", "p"), ("b", "q"), ("c", "q"), ("a", "q")}
    assert relation.pairs.tolist() == [0, 3]
    assert relation.duplicates == 1


def test_pairs_in_place_are_those_of_a_table(write: Write) -> None:
    in_place = one(pairs_in_place(("a", "p"), ("b", "q"), ("a", "p")))
    table = one(pairs(write("pairs.csv", PAIRS)))
    assert (in_place.assets, in_place.points, in_place.duplicates) == (table.assets, table.points, table.duplicates)
    assert target(in_place) == target(table) == {("a", "p"), ("b", "q")}
    assert target(one(pairs_in_place(("a*", "p"), literal=True))) == {("a*", "p")}
    assert read_pairs(pairs_in_place(("b", "q"), ("a", "p"))) == (Pair("a", "p"), Pair("b", "q"))


def test_entries_for_one_stage_are_merged_and_stages_sorted() -> None:
    entries = [Entry("y", ("B", "A"), (block("a", "p"),)), Entry("x", ("C",), (block("a", "p"),))]
    relations = select([*entries, Entry("y", ("A",), (block("b", "q"),))])
    assert [relation.stage for relation in relations] == [Stage("x", "C"), Stage("y", "A"), Stage("y", "B")]
    assert [len(target(relation)) for relation in relations] == [1, 2, 1]


def test_text_lists(write: Write) -> None:
    assets = write("assets.txt", b"\xef\xbb\xbfb\r\na\r\n\xe9\xa2\xa8")
    assert one(block(ids("c", file=assets), "p")).assets == ("a", "b", "c", "風")


def test_patterns_are_unfolded_wherever_a_list_stands(write: Write) -> None:
    text, table = write("a.txt", "T{1..3}\nU\n"), write("a.csv", "asset_id\nV{08..10}\n")
    assert one(block(ids("W{1..2}", file=text), "p")).assets == ("T1", "T2", "T3", "U", "W1", "W2")
    assert one(block(ids(file=table), "p")).assets == ("V08", "V09", "V10")


def test_comments_and_empty_lines_at_the_end_are_no_ids(write: Write) -> None:
    text = write("a.txt", "# pumps\na\n#b\nc#d\n\n# that's all\n\n")
    assert one(block(ids(file=text), "p")).assets == ("a", "c#d")


DOUBTFUL = {
    "a #1": "holds a #, and a comment stands on a line of its own",
    "a*": "holds * or ?, and there are no wildcards",
    "a?b": "holds * or ?, and there are no wildcards",
    "a{b}": "a brace",
    "a{1-3}": "a brace",
    "1E+05": "is what a spreadsheet makes of a long number",
    "1.23457E+11": "is what a spreadsheet makes of a long number",
    "1e-07": "is what a spreadsheet makes of a long number",
    "#N/A": "is what a spreadsheet makes of a long number, or of an error",
}


@pytest.mark.parametrize(("id_", "why"), DOUBTFUL.items())
def test_ids_that_nobody_means_are_refused_with_their_place(write: Write, id_: str, why: str) -> None:
    table = write("pairs.csv", f"asset_id,point_id\na,p\n{id_},p\n")
    (in_place,) = complaints(block(ids("a", id_), "p"))
    (in_list,) = complaints(block(ids(file=table), "p"))
    (in_pairs,) = complaints(pairs(table))
    assert in_place.startswith(f"{WHERE}: {FIELD}.assets[1]: ")
    assert in_list.startswith(f"{table}:3: ")
    assert in_pairs.startswith(f"{table}:3: ")
    for message in (in_place, in_list, in_pairs):
        assert why in message
        assert "`ids: literal`" in message


@pytest.mark.parametrize("id_", [*DOUBTFUL, "# a", "a{1..3}", "5E10", "a#b", "ns=2;s=x", "{", "}{"])
def test_a_literal_source_takes_ids_as_they_stand(write: Write, id_: str) -> None:
    table, text = write("pairs.csv", f"asset_id,point_id\n{id_},p\n"), write("list.txt", f"{id_}\n\n")
    values, file = replace(ids(id_), literal=True), replace(ids(file=text), literal=True)
    assert one(block(values, "p")).assets == (id_,)
    assert one(block(file, "p")).assets == (id_,)
    assert target(one(replace(pairs(table), literal=True))) == {(id_, "p")}


@pytest.mark.parametrize("name", ["x.csv", "x.tsv"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_what_yields_the_columns(write: Write, name: str, separator: str) -> None:
    rows = [("n;o", "asset_id", "po,int"), ("1", "a", "p"), ("2", 'b"', "q")]
    text = "".join(
        separator.join(f'"{field}"' if "," in field or ";" in field else field for field in row) + "\n" for row in rows
    )
    source = replace(pairs(write(name, text)), point_column="po,int")
    assert target(one(source)) == {("a", "p"), ('b"', "q")}


@pytest.mark.parametrize("kind", [".csv", ".ndjson", ".parquet"])
def test_rows_of_a_stage_are_of_that_stage(tmp_path: Path, kind: str) -> None:
    rows = [("p", "One", "a", "x"), ("p", "Two", "b", "y"), ("p", "One", "b", "x"), ("q", "One", "c", "z")]
    frame = pl.DataFrame(rows, schema=["pipeline", "stage", "asset_id", "point_id"], orient="row")
    path = tmp_path / f"failed{kind}"
    {".csv": frame.write_csv, ".ndjson": frame.write_ndjson, ".parquet": frame.write_parquet}[kind](path)
    source = pairs(path)
    entries = [Entry("p", ("One", "Two", "Three"), (source,)), Entry("q", ("One",), (source, block("d", "x")))]
    found = {str(relation.stage): (relation.assets, target(relation)) for relation in select(entries)}
    assert found == {
        "p/One": (("a", "b"), {("a", "x"), ("b", "x")}),
        "p/Two": (("b",), {("b", "y")}),
        "q/One": (("c", "d"), {("c", "z"), ("d", "x")}),
    }
    with pytest.raises(InputError, match="has rows of q/One, and no entry deletes in that stage"):
        select(entries[:1])
    keep = Entry("p", ("One",), (block("b", "x"), block("a", "x")), source)
    (relation,) = select([keep])
    assert relation.kept.tolist() == [0, 1]


def test_tables_of_a_folder_all_say_the_stage_or_none_does(write: Write) -> None:
    write("d/a.csv", "pipeline,stage,asset_id,point_id\np,s,a,x\n")
    path = write("d/b.csv", "asset_id,point_id\na,x\n")
    (message,) = complaints(pairs(path.parent))
    assert "b.csv: has no columns pipeline and stage, and other tables beside it have" in message


@pytest.mark.parametrize(
    "titles",
    [
        "stage,asset_id,point_id",
        "Pipeline,Stage,asset_id,point_id",
        "asset_id,point_id,pipeline",
        "asset_id,STAGE ,point_id",
        "pipelineId,stageInstanceName,asset_id,point_id",
        "Pipeline Name,asset_id,point_id",
        "asset_id,point_id,stage_id",
        "asset_id,point_id,pipeline.instance-ID,stage name",
    ],
)
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_column_that_may_be_meant_as_the_stage_is_not_passed_over(write: Write, titles: str, separator: str) -> None:
    row = "x" + ",x" * titles.count(",")
    table = f"{titles}\n{row}\n".replace(",", separator)
    (message,) = complaints(pairs(write("rows.csv", table)))
    assert "for a row to be for one stage alone it takes pipeline and stage" in message


def test_columns_of_other_names_are_passed_over(write: Write) -> None:
    """What has to do with neither; what names the asset or the point; and what stands beside the right ones."""
    table = write("rows.csv", "stages_total,staged,pipe,asset_id,stage_id,video\n1,2,3,a,x,5\n")
    assert one(replace(pairs(table), point_column="stage_id")).points == ("x",)
    table = write("full.csv", "pipeline,stage,stageName,asset_id,point_id\np,s,S,a,x\n")
    (relation,) = select([Entry("p", ("s",), (pairs(table),))])
    assert relation.points == ("x",)


def test_one_column_is_not_asset_and_point_at_once(write: Write) -> None:
    source = replace(pairs(write("rows.csv", "asset_id,point_id\na,p\n")), asset_column="point_id")
    (message,) = complaints(source)
    assert "the column point_id is to be asset and point at once" in message


def test_csv_lists_find_their_column(write: Write) -> None:
    table = write("Both.CSV", b'\xef\xbb\xbfx,point_id,"asset_id"\r\n1,p,a\r\n"2\n2",q,"b ""c"""\r\n3,p,a')
    relation = one(block(ids(file=table), ids(file=table, field="points")))
    assert (relation.assets, relation.points) == (("a", 'b "c"'), ("p", "q"))
    assert relation.duplicates == 2


def test_pairs_for_reading_back(write: Write) -> None:
    assert read_pairs(pairs(write("w.csv", PAIRS))) == (Pair("a", "p"), Pair("b", "q"))


def test_too_many_pairs_for_reading_back(write: Write) -> None:
    many = write("w.csv", "asset_id,point_id\n" + "".join(f"a{i},p\n" for i in range(100_001)))
    with pytest.raises(InputError, match="holds 100,001 pairs"):
        read_pairs(pairs(many))


def test_a_selection_of_blocks_does_not_load_polars() -> None:
    code = (
        "import sys; from bulkstate.selection import *; i = IdList(('a',), None, '', '');"
        "select([Entry('p', ('s',), (BlockSource(i, i),))]); sys.exit('polars' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


clean = st.text(st.characters(exclude_categories=("Cc", "Cs", "Z"), exclude_characters=","), min_size=1)


@given(rows=st.lists(st.tuples(clean, clean), min_size=1))
def test_csv_gives_back_what_was_written(rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("csv") / "pairs.csv"
    quoted = (
        f'"{asset.replace(chr(34), chr(34) * 2)}","{point.replace(chr(34), chr(34) * 2)}"' for asset, point in rows
    )
    path.write_text("\n".join(["asset_id,point_id", *quoted]) + "\n", encoding="utf-8")
    relation = one(replace(pairs(path), literal=True))
    assert target(relation) == set(rows)
    assert relation.duplicates == len(rows) - len(set(rows))


# ── what is wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_selected() -> None:
    assert complaints() == ["nothing is selected in pipe/stage"]
    assert complaints(block(ids(), "p")) == [f"{WHERE}: {FIELD}.assets: the list is empty (name at least one ID)"]
    with pytest.raises(InputError, match="nothing is selected"):
        select([])


@pytest.mark.parametrize(
    ("id_", "why"),
    [
        ("", "the ID is empty"),
        ("a,b", "the ID 'a,b' holds a comma"),
        ("a\tb", r"the ID 'a\tb' holds a control character (U+0009)"),
        ("a\x7f", r"the ID 'a\x7f' holds a control character (U+007F)"),
        ("a\n", r"the ID 'a\n' holds a control character (U+000A)"),
        ("a\x85", r"the ID 'a\x85' holds a control character (U+0085)"),
        (" a", "the ID ' a' begins or ends with a space"),
        ("a\u3000", r"the ID 'a\u3000' begins or ends with a space"),
        ("a\ud800", r"the ID 'a\ud800' is not valid Unicode"),
        ("a{3..1}", "the ID 'a{3..1}' counts down from 3 to 1"),
        ("x" * 10_000_000, "is longer than 65,536 characters"),
    ],
)
def test_bad_ids_in_place(id_: str, why: str) -> None:
    (line,) = complaints(block(ids("good", id_), "p"))
    assert line.startswith(f"{WHERE}: {FIELD}.assets[1]: the ID ")
    assert why in line
    assert len(line) < 300


def test_bad_pairs_in_place() -> None:
    assert complaints(pairs_in_place(("a", "p"), ("b,c", "p"), ("d", "q*"))) == [
        f"{WHERE}: {FIELD}.pairs[1]: the ID 'b,c' holds a comma, by which the gateway separates IDs",
        f"{WHERE}: {FIELD}.pairs[2]: the ID 'q*' holds * or ?, and there are no wildcards "
        "(if it is meant, say `ids: literal` beside the source)",
    ]


def test_all_mistakes_of_all_sources_are_told(write: Write) -> None:
    lines = complaints(block("a,b", "p"), block(ids("a", " b", file=None), "p"), pairs(write("p.csv", "x\n1\n")))
    assert len(lines) == 3


def test_bad_lines_of_a_text_file_are_named(write: Write) -> None:
    path = write("assets.txt", b"a\n\nb,c\nd\xff\n e\n")
    assert complaints(block(ids(file=path), "p")) == [
        f"{path}:2: {FIELD}.assets: the ID is empty",
        f"{path}:3: {FIELD}.assets: the ID 'b,c' holds a comma, by which the gateway separates IDs",
        f"{path}:4: {FIELD}.assets: the line isn't UTF-8",
        f"{path}:5: {FIELD}.assets: the ID ' e' begins or ends with a space",
    ]


def test_the_first_twenty_mistakes_are_shown_and_the_rest_counted(write: Write) -> None:
    path = write("assets.txt", "a,b\n" * 1_500)
    lines = complaints(block(ids(file=path), "p"))
    assert len(lines) == 21
    assert lines[-1] == f"{path}: {FIELD}.assets: and 1,480 more such mistakes"


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        ("asset_id,point_id\na,p\nb,\n", 3, "the point_id is empty"),
        ('asset_id,point_id\na,p\nb,""\n', 3, "the point_id is empty"),
        ("asset_id,point_id\na,p\n\nb,q\n", 3, "the line is empty"),
        ("asset_id,point_id\na,p\nb\n", 3, "the header has 2 columns, this row 1"),
        ("asset_id,point_id\na,p\nb,c,d\n", 3, "the header has 2 columns, this row 3"),
        ("asset_id,point_id\na,p\nasset_id,point_id\n", 3, "the header stands here again"),
        ("x,asset_id,point_id\nx,asset_id,p\ny,asset_id,point_id\n", 3, "the header stands here again"),
        ('asset_id,point_id,x\na,p,"1\n2\n3"\nb,"q,r",1\n', 5, "the point_id 'q,r' holds a comma"),
        ("asset_id,point_id\r\na,p\r\n b,q\r\n", 3, "the asset_id ' b' begins or ends with a space"),
        ('asset_id,point_id\na,p\n"b\nc",q\n', 3, "the asset_id 'b\\nc' holds a control character"),
        (b"asset_id,point_id\na,p\n\xff,q\n", 3, "isn't UTF-8"),
        ('asset_id,point_id\na,p\n"b"c,q\n', 3, "isn't CSV: ',' expected after '\"'"),
        ('asset_id,point_id\na,p\n"b,q\n', 3, "isn't CSV: unexpected end of data"),
        ("asset_id,point_id\na,p\n" + "x" * 10_000_000 + ",p\n", 3, "the line is longer than 1,048,576 bytes"),
        ("x" * 10_000_000, 1, "the line is longer than 1,048,576 bytes"),
    ],
)
def test_bad_rows_of_a_csv_file_are_named(write: Write, content: str | bytes, line: int, why: str) -> None:
    path = write("pairs.csv", content)
    (message,) = complaints(pairs(path))
    assert message.startswith(f"{path}:{line}: {FIELD}.pairs: ")
    assert why in message
    assert len(message) < 400


def test_an_asset_may_be_called_like_its_column(write: Write) -> None:
    assert target(one(pairs(write("p.csv", "asset_id,point_id\nasset_id,p\n")))) == {("asset_id", "p")}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the file is empty"),
        ("\n", "has no column asset_id: its first line is empty (it must name the columns)"),
        ("asset_id,point_id\n", "has no rows"),
        ("asset_id,point_id", "has no rows"),
        ("asset_id,point\na,p\n", "has no column point_id; its columns are 'asset_id', 'point'"),
        (
            "asset_id|point_id\na|p\n",
            "has no column asset_id; its columns are 'asset_id|point_id' (the first line must",
        ),
        ("assetId,Point-ID\na,p\n", "(rename it, or write `columns: {asset: assetId, point: Point-ID}` beside the"),
        ("asset_id, point_id\na,p\n", "its columns are 'asset_id', ' point_id' (take the space out of ' point_id')"),
        ("sep=;\nasset_id;point_id\na;p\n", "begins with Excel's line sep=, not with the names of its columns"),
        ("sep=,\nasset_id,point_id\na,p\n", "begins with Excel's line sep=, not with the names of its columns"),
        ("asset_id,point_id,asset_id\na,p,a\n", "has the column asset_id twice"),
        (b"\x7fELF\x00\x01", "is binary"),
        ("asset_id,point_id\na,p\n".encode("utf-16"), "is UTF-16, as Excel's “Unicode text” is"),
        ("asset_id,point_id\na,p\n".encode("utf-16-le"), "is UTF-16, as Excel's “Unicode text” is"),
        ("asset_id,point_id\na,p\n".encode("utf-32"), "is UTF-32"),
        (b"PK\x03\x04", "is a ZIP archive or an Excel workbook"),
        (b"PAR1", "is Parquet, and UTF-8 text is needed (let its name end in .parquet)"),
        (b"\x1f\x8b\x08", "is gzip, and UTF-8 text is needed (let its name end in .gz)"),
        (b"asset_id,point_id\n" + bytes(range(1, 256)), "isn't UTF-8"),
    ],
)
def test_bad_csv_files(write: Write, content: str | bytes, why: str) -> None:
    path = write("pairs.csv", content)
    (message,) = complaints(pairs(path))
    assert str(path) in message
    assert FIELD in message
    assert why in message


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "the file is empty"), (b"\x00\x01", "is binary"), (b"x" * 10_000_000, "longer than 1,048,576 bytes")],
)
def test_bad_text_files(write: Write, content: bytes, why: str) -> None:
    (message,) = complaints(block(ids(file=write("assets.txt", content)), "p"))
    assert why in message
    assert len(message) < 400


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").mkdir()
    (tmp_path / "kind.xlsx").write_text("a")
    names = ("no.txt", "empty.txt", "socket.txt", "x\0.txt", "kind.xlsx", "no.xlsx")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.txt"))
        found = [complaints(block(ids(file=tmp_path / name), "p")) for name in names]
    assert [line.split(": ", 3)[3] for (line,) in found] == [
        "there is no such file",
        "is a directory that holds no file",
        "isn't a regular file",
        "isn't a possible file name",
        "isn't a kind of table that is known (known are .csv, .tsv, .ndjson, .jsonl, .parquet, and .txt for a list)",
        "there is no such file",
    ]


def test_a_directory_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a" / "b.csv").mkdir(parents=True)
    (line,) = complaints(pairs(tmp_path / "a"))
    assert line == f"{WHERE}: {FIELD}.pairs: {tmp_path}/a/b.csv: is a directory, and a file is needed"
