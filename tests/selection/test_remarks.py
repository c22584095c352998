"""What in a selection does nothing is said, by entry; what is kept of something else altogether is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.errors import KeepUnmatched
from bulkstate.model import Pair, Remark, RemarkKind
from bulkstate.pairs.relation import Unlisted
from bulkstate.selection import Entry, PairSource, Source, select, strangers
from tests.selection.conftest import Write
from tests.selection.spoken import WHERE, block, ids, one, pairs

ASSETS, POINTS = [f"a{i}" for i in range(5)], [f"p{i}" for i in range(4)]
numbers = count()

Row = tuple[str, str]

rows = st.lists(st.tuples(st.sampled_from([*ASSETS, "x"]), st.sampled_from([*POINTS, "y"])), min_size=1, max_size=9)
crosses = st.tuples(*(st.lists(st.sampled_from(side), min_size=1, max_size=4) for side in (ASSETS, POINTS)))


def table(folder: Path, content: Iterable[Row], field: str) -> PairSource:
    path = folder / f"rows{next(numbers)}.csv"
    path.write_text("asset_id,point_id\n" + "".join(f"{asset},{point}\n" for asset, point in content))
    return replace(pairs(path), field=field)


def told(remarks: Iterable[Remark]) -> dict[tuple[str, RemarkKind], int]:
    return {(remark.entry, remark.kind): remark.count for remark in remarks}


@given(where=st.lists(crosses | rows, min_size=1, max_size=4), keep=rows)
def test_rows_that_do_nothing_are_counted(
    where: list[tuple[list[str], list[str]] | list[Row]], keep: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    sources: list[Source] = []
    selected: set[Row] = set()
    expected: dict[tuple[str, RemarkKind], int] = {}
    blocks = [each for each in where if isinstance(each, tuple)]
    for number, (assets, points) in enumerate(blocks):
        field = f"where[{number}]"
        sources.append(block(ids(*assets, field=f"{number}.assets"), ids(*points, field=f"{number}.points")))
        sources[-1] = replace(
            sources[-1],
            assets=replace(sources[-1].assets, field=f"{field}.assets"),
            points=replace(sources[-1].points, field=f"{field}.points"),
        )
        for side, names in (("assets", assets), ("points", points)):
            if again := len(names) - len(set(names)):
                expected[f"{field}.{side} ({WHERE})", RemarkKind.REPEATED] = again
        pairs_of_block = set(product(assets, points))
        if pairs_of_block <= selected:
            expected[f"{field} ({WHERE})", RemarkKind.NOTHING_NEW] = len(pairs_of_block)
        selected |= pairs_of_block
    for number, content in enumerate((each for each in where if isinstance(each, list)), len(blocks)):
        again = 0
        for row in content:
            again += row in selected
            selected.add(row)
        if again:
            kind = RemarkKind.NOTHING_NEW if again == len(content) else RemarkKind.REPEATED
            expected[f"where[{number}] ({WHERE})", kind] = again
        sources.append(table(folder, content, f"where[{number}].pairs"))
    known_assets, known_points = {asset for asset, _ in selected}, {point for _, point in selected}
    for asset, point in keep:
        kind = (
            RemarkKind.NO_ASSET
            if asset not in known_assets
            else RemarkKind.NO_POINT
            if point not in known_points
            else RemarkKind.NO_PAIR
        )
        if (asset, point) not in selected:
            expected[f"keep ({WHERE})", kind] = expected.get((f"keep ({WHERE})", kind), 0) + 1
    if selected.isdisjoint(keep):
        expected[f"keep ({WHERE})", RemarkKind.KEEPS_NOTHING] = len(keep)
    (relation,) = select([Entry("p", ("s",), tuple(sources), table(folder, keep, "keep"))])
    assert told(relation.remarks) == expected
    assert len(relation.remarks) == len(expected)


def test_examples_are_spelt_out(write: Write) -> None:
    keep = pairs(write("keep.csv", "asset_id,point_id\nx,p\na,y\nz,p\na,q\n"))
    (relation,) = select([Entry("p", ("s",), (block("a", "p"), block("b", "q")), keep)])
    assert [(remark.kind.value, remark.count, remark.of, remark.examples) for remark in relation.remarks] == [
        ("no_selected_asset", 2, 4, ("x, p", "z, p")),
        ("no_selected_point", 1, 4, ("a, y",)),
        ("no_selected_pair", 1, 4, ("a, q",)),
        ("keeps_nothing", 4, 4, ()),
    ]


def test_between_the_selected_pairs_a_kept_one_is_no_stranger(write: Write) -> None:
    keep = pairs(write("keep.csv", "asset_id,point_id\na,q\n"))
    (relation,) = select([Entry("p", ("s",), (block("a", "p"), block("b", "q")), keep, Unlisted.MAY_DELETE)])
    assert relation.remarks == ()


@pytest.mark.parametrize("unlisted", Unlisted)
def test_what_is_kept_of_something_else_is_refused(write: Write, unlisted: Unlisted) -> None:
    keep = pairs(write("keep.csv", "asset_id,point_id\nx,y\n"))
    entry = Entry("p", ("s",), (block("a", "p"),), keep, unlisted, keep_must_match=True)
    with pytest.raises(KeepUnmatched, match="names no asset and no point that is selected in p/s"):
        select([entry])
    (relation,) = select([replace(entry, keep_must_match=False, unlisted=Unlisted.KEEP)])
    assert told(relation.remarks) == {(keep.place, RemarkKind.NO_ASSET): 1, (keep.place, RemarkKind.KEEPS_NOTHING): 1}


@pytest.mark.parametrize("row", ["a,y", "x,p"])
def test_an_asset_or_a_point_in_common_is_enough(write: Write, row: str) -> None:
    keep = pairs(write("keep.csv", f"asset_id,point_id\n{row}\nx,y\n"))
    (relation,) = select([Entry("p", ("s",), (block("a", "p"),), keep, keep_must_match=True)])
    assert sum(remark.count for remark in relation.remarks if remark.kind is not RemarkKind.KEEPS_NOTHING) == 2


def test_where_unlisted_pairs_may_go_only_what_no_request_can_name_keeps_nothing(write: Write) -> None:
    for row, kept in (("a,y", 0), ("x,p", 0), ("a,q", 1)):
        keep = pairs(write("keep.csv", f"asset_id,point_id\n{row}\nx,y\n"))
        (relation,) = select([Entry("p", ("s",), (block("a", "p"), block("b", "q")), keep, Unlisted.MAY_DELETE)])
        assert told(relation.remarks) == ({} if kept else {(keep.place, RemarkKind.KEEPS_NOTHING): 2})


def test_what_keeps_something_in_one_stage_is_not_said_to_keep_nothing(write: Write) -> None:
    keep = pairs(write("keep.csv", "asset_id,point_id\na,q\n"))
    entries = [Entry("p", ("s", "t"), (block("a", "p"),), keep), Entry("p", ("t",), (block("a", "q"),))]
    s, t = select(entries)
    assert (told(s.remarks), told(t.remarks)) == ({(keep.place, RemarkKind.NO_POINT): 1}, {})


def test_rows_for_one_stage_alone_that_keep_nothing_there(write: Write) -> None:
    keep = pairs(write("keep.csv", "pipeline,stage,asset_id,point_id\np,s,a,q\n"))
    s, t = select([Entry("p", ("s", "t"), (block("a", "p"),), keep)])
    nothing = {(keep.place, RemarkKind.NO_POINT): 1, (keep.place, RemarkKind.KEEPS_NOTHING): 1}
    assert (told(s.remarks), told(t.remarks)) == (nothing, {})


def test_witnesses_that_have_nothing_to_do_with_the_selection(write: Write) -> None:
    source = pairs(write("w.csv", "asset_id,point_id\n"))
    witnesses = [Pair("a", "q"), Pair("a", "z"), Pair("x", "p"), Pair("x", "z")]
    found = strangers(source, witnesses, [one(block("a", "p")), one(block("b", "q"))])
    assert told(found) == {(source.place, RemarkKind.NO_ASSET): 2, (source.place, RemarkKind.NO_POINT): 1}
