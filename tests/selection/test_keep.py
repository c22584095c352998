"""What is kept, from files to requests."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.errors import InputError
from bulkstate.model import Stage
from bulkstate.pairs.relation import Relation, Unlisted
from bulkstate.planner import plan
from bulkstate.selection import Entry, PairSource, select
from tests.selection.conftest import Write
from tests.selection.spoken import block, ids, pairs

ASSETS, POINTS = [f"a{i}" for i in range(8)], [f"p{i}" for i in range(5)]
STAGES = [Stage("pipe", name) for name in ("One", "Two")]

tables = st.lists(st.tuples(st.sampled_from([*ASSETS, "x"]), st.sampled_from([*POINTS, "y"])), min_size=1, max_size=25)
crosses = st.tuples(*(st.lists(st.sampled_from(side), min_size=1, max_size=6) for side in (ASSETS, POINTS)))
numbers = count()


def table(folder: Path, rows: list[tuple[str, str]]) -> PairSource:
    path = folder / f"kept{next(numbers)}.csv"
    path.write_text("asset_id,point_id\n" + "".join(f"{asset},{point}\n" for asset, point in rows))
    return pairs(path)


def kept(relation: Relation) -> set[tuple[str, str]]:
    codes = (divmod(code, len(relation.points)) for code in relation.kept.tolist())
    return {(relation.assets[asset], relation.points[point]) for asset, point in codes}


written = st.tuples(crosses, tables | st.none(), st.sets(st.sampled_from(STAGES), min_size=1))


@given(entries=st.lists(written, min_size=1, max_size=4))
def test_law_one_over_merged_entries(
    entries: list[tuple[tuple[list[str], list[str]], list[tuple[str, str]] | None, set[Stage]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The target of a stage is all that its entries select, without all that any of them keeps."""
    folder = tmp_path_factory.getbasetemp()
    selected: dict[Stage, set[tuple[str, str]]] = {}
    forbidden: dict[Stage, set[tuple[str, str]]] = {stage: set() for stage in STAGES}
    for (assets, points), rows, stages in entries:
        for stage in stages:
            selected.setdefault(stage, set()).update((asset, point) for asset in assets for point in points)
            forbidden[stage].update(rows or ())
    spoken = [
        Entry(
            "pipe",
            tuple(stage.name for stage in stages),
            (block(ids(*crossed[0]), ids(*crossed[1], field="points")),),
            None if rows is None else table(folder, rows),
        )
        for crossed, rows, stages in entries
    ]
    relations = select(spoken)
    whole = [stage for stage in sorted(selected) if selected[stage] <= forbidden[stage]]
    if whole:
        with pytest.raises(InputError, match=f"{whole[0]}: all {len(selected[whole[0]])} selected pairs are kept"):
            plan(relations, pairs_per_request=7, bytes_per_request=1_000)
        return
    made = plan(relations, pairs_per_request=7, bytes_per_request=1_000)
    sent = {(c.stage, asset, point) for c in made.chunks() for asset in c.assets for point in c.points}
    assert sent == {(s, asset, point) for s in selected for asset, point in selected[s] - forbidden[s]}
    assert made.kept_pairs == sum(len(selected[stage] & forbidden[stage]) for stage in selected)


def test_only_pairs_that_a_request_could_name_get_a_code(write: Write) -> None:
    source = pairs(write("keep.csv", "asset_id,point_id\na,p\na,q\nx,p\nb,y\nx,y\nb,p\na,p\n"))
    crossed = block(ids("a", "b"), ids("p", "q", field="points"))
    (relation,) = select([Entry("pipe", ("One",), (crossed,), source)])
    assert kept(relation) == {("a", "p"), ("a", "q"), ("b", "p")}
    assert relation.kept.tolist() == [0, 1, 2]


def test_a_kept_pair_between_the_selected_ones_stays_forbidden(write: Write) -> None:
    keep = pairs(write("keep.csv", "asset_id,point_id\na,q\n"))
    (relation,) = select([Entry("p", ("s",), (block("a", "p"), block("b", "q")), keep, Unlisted.MAY_DELETE)])
    assert kept(relation) == {("a", "q")}
    assert relation.unlisted is Unlisted.MAY_DELETE


def test_unlisted_pairs_may_go_only_where_all_entries_say_so() -> None:
    free, strict = (
        Entry("p", stages, (block("a", "p"),), None, unlisted)
        for stages, unlisted in ((("One", "Two"), Unlisted.MAY_DELETE), (("Two",), Unlisted.KEEP))
    )
    assert [each.unlisted for each in select([free, strict])] == [Unlisted.MAY_DELETE, Unlisted.KEEP]


def test_mistakes_in_what_is_kept_are_told_with_the_others(write: Write) -> None:
    keep = pairs(write("keep.csv", "asset_id,point_id\na,\n"))
    with pytest.raises(InputError) as caught:
        select([Entry("p", ("s",), (block("a,b", "p"),), keep)])
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 2
    assert "keep.csv:2" in told[1]
