"""The target as a value, against sets of pairs."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import Pair, Rectangle, Stage
from bulkstate.pairs.relation import Relation, Selected, Unlisted, equal_rows, of_pairs, superfluous

STAGE = Stage("p", "S")
ASSETS = tuple(f"A{number}" for number in range(7))
POINTS = tuple(f"P{number}" for number in range(5))

Sides = tuple[set[int], set[int]]
Codes = set[tuple[int, int]]

sides = st.tuples(
    st.sets(st.integers(0, len(ASSETS) - 1), min_size=1), st.sets(st.integers(0, len(POINTS) - 1), min_size=1)
)
places = st.sets(st.tuples(st.integers(0, len(ASSETS) - 1), st.integers(0, len(POINTS) - 1)))


def rectangle(side: Sides) -> Rectangle:
    return Rectangle(*(np.array(sorted(each), np.int32) for each in side))


def codes(pairs: Codes) -> np.ndarray:
    return np.array(sorted(asset * len(POINTS) + point for asset, point in pairs), np.int64)


def relation(blocks: list[Sides], pairs: Codes, kept: Codes) -> Relation:
    return Relation(STAGE, ASSETS, POINTS, tuple(map(rectangle, blocks)), codes(pairs), kept=codes(kept))


def selected(blocks: list[Sides], pairs: Codes) -> Codes:
    return pairs | {pair for assets, points in blocks for pair in product(assets, points)}


@given(st.lists(sides, max_size=4), places, places, places)
def test_a_pair_is_held_if_it_is_selected_and_not_kept(
    blocks: list[Sides], pairs: Codes, kept: Codes, more: Codes
) -> None:
    made = relation(blocks, pairs, kept)
    also = made.keeping([Pair(ASSETS[asset], POINTS[point]) for asset, point in more] + [Pair("nobody", "P0")])
    for asset, point in product(range(len(ASSETS)), range(len(POINTS))):
        pair, chosen = Pair(ASSETS[asset], POINTS[point]), (asset, point) in selected(blocks, pairs)
        assert made.holds(pair) == (chosen and (asset, point) not in kept)
        assert also.holds(pair) == (chosen and (asset, point) not in kept | more)
    assert also.kept.tolist() == codes(kept | more).tolist()
    assert not any(made.holds(Pair(*ids)) for ids in (("A00", "P0"), ("A9", "P0"), ("A0", ""), ("A0", "Q")))


@given(st.lists(sides, max_size=4), places, places)
def test_equal_rows_are_classes_of_the_target(blocks: list[Sides], pairs: Codes, kept: Codes) -> None:
    found = equal_rows(relation(blocks, pairs, kept))
    target = selected(blocks, pairs) - kept
    held = [pair for each in found.rectangles for pair in product(each.assets.tolist(), each.points.tolist())]
    assert sorted(held) == sorted(target)
    assert found.kept_pairs == len(selected(blocks, pairs) & kept)
    rows = [tuple(each.points.tolist()) for each in found.rectangles]
    assert len(set(rows)) == len(rows)
    firsts = [int(each.assets[0]) for each in found.rectangles]
    assert firsts == sorted(firsts)
    assert all(np.all(np.diff(side) > 0) for each in found.rectangles for side in (each.assets, each.points))


@given(st.lists(sides, max_size=5))
def test_a_block_is_superfluous_if_those_before_it_hold_all_of_it(blocks: list[Sides]) -> None:
    expected = [selected([block], set()) <= selected(blocks[:place], set()) for place, block in enumerate(blocks)]
    assert superfluous(list(map(rectangle, blocks)), len(ASSETS)) == expected


@given(places)
def test_the_relation_of_single_pairs_names_nothing_else(pairs: Codes) -> None:
    wanted = {Pair(ASSETS[asset], POINTS[point]) for asset, point in pairs}
    made = of_pairs(STAGE, wanted)
    assert made.stage == STAGE
    assert made.assets == tuple(sorted({pair.asset for pair in wanted}))
    assert made.points == tuple(sorted({pair.point for pair in wanted}))
    assert {pair for pair in map(Pair, *zip(*product(ASSETS, POINTS), strict=True)) if made.holds(pair)} == wanted
    assert len(made.pairs) == len(wanted)
    assert made.blocks == ()
    assert (made.duplicates, made.kept.tolist(), made.unlisted) == (0, [], Unlisted.KEEP)


def test_relations_are_alike_if_they_share_what_is_selected_and_keep_the_same() -> None:
    made = relation([({0, 1}, {0})], {(2, 2)}, {(0, 0)})
    elsewhere = replace(made, stage=Stage("p", "T"), kept=made.kept.copy())
    assert made.is_like(elsewhere)
    changes: list[dict[str, object]] = [
        {"kept": codes({(1, 0)})},
        {"kept": codes(set())},
        {"unlisted": Unlisted.MAY_DELETE},
        {"assets": (*ASSETS,)},
        {"points": (*POINTS,)},
        {"pairs": made.pairs.copy()},
        {"blocks": (*made.blocks,)},
    ]
    assert [made.is_like(replace(made, **change)) for change in changes] == [False] * len(changes)  # type: ignore[arg-type]
    assert [replace(made, **change).is_like(made) for change in changes] == [False] * len(changes)  # type: ignore[arg-type]


def test_what_an_entry_selects_is_its_block_or_some_of_its_pairs() -> None:
    assert Selected("where[0]", rectangle(({0, 1}, {0, 1, 2}))).pairs == 6
    assert Selected("where[1]", codes=codes({(0, 0), (1, 1)})).pairs == 2
    assert Selected("where[2]").pairs == 0


def test_relations_are_compared_by_identity_for_they_hold_arrays() -> None:
    made = relation([], {(0, 0)}, set())
    assert made != replace(made)
    assert len({made, replace(made)}) == 2
