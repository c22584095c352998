"""A relation remembers which entry of `where` selected what, so that each can be looked at."""

from __future__ import annotations

from dataclasses import replace

from bulkstate.pairs.relation import Relation, Selected
from bulkstate.selection.select import MOST_REMEMBERED
from tests.selection.conftest import Write
from tests.selection.spoken import block, one, pairs


def _pairs_of(relation: Relation, entry: Selected) -> set[tuple[str, str]]:
    if entry.block is not None:
        codes = {(asset, point) for asset in entry.block.assets.tolist() for point in entry.block.points.tolist()}
    else:
        codes = {divmod(code, len(relation.points)) for code in entry.codes.tolist()}
    return {(relation.assets[asset], relation.points[point]) for asset, point in codes}


def test_each_entry_by_its_name(write: Write) -> None:
    table = replace(pairs(write("pairs.csv", "asset_id,point_id\na,p\nc,q\n")), field="delete[0].where[1].pairs")
    relation = one(block("T{1..2}", "p"), table, block("z", "y"))
    first, second, third = relation.entries
    assert first.entry == "delete[0].where[0] (config.yaml:12)"
    assert second.entry == "delete[0].where[1] (config.yaml:12)"
    assert _pairs_of(relation, first) == {("T1", "p"), ("T2", "p")}
    assert _pairs_of(relation, second) == {("a", "p"), ("c", "q")}
    assert _pairs_of(relation, third) == {("z", "y")}


def test_of_many_pairs_a_few_are_remembered_the_same_ones_each_time(write: Write) -> None:
    rows = {(f"A{number % 997}", f"P{number % 89}") for number in range(20_000)}
    text = "asset_id,point_id\n" + "".join(f"{asset},{point}\n" for asset, point in sorted(rows))
    relation = one(pairs(write("pairs.csv", text)))
    again = one(pairs(write("pairs.csv", text)))
    (entry,), (other,) = relation.entries, again.entries
    assert len(entry.codes) == MOST_REMEMBERED
    assert _pairs_of(relation, entry) <= rows
    assert entry.codes.tolist() == other.codes.tolist()
    assert len({asset for asset, _ in _pairs_of(relation, entry)}) > 900
