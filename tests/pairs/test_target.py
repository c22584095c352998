"""The target's digest says what is deleted, whatever the cover, and where."""

from __future__ import annotations

from hashlib import sha256
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import LowerBound, Rectangle, Stage, StagePlan
from bulkstate.pairs.target import classes, target_digest

ASSETS = tuple(f"A{number}" for number in range(9))
POINTS = tuple(f"P{number}" for number in range(7))
Pairs = frozenset[tuple[int, int]]

sides = st.tuples(
    st.sets(st.integers(0, len(ASSETS) - 1), min_size=1), st.sets(st.integers(0, len(POINTS) - 1), min_size=1)
)
covers = st.lists(sides, max_size=6)


def rectangle(side: tuple[set[int], set[int]]) -> Rectangle:
    return Rectangle(*(np.array(sorted(each), np.int32) for each in side))


def held(sides: list[tuple[set[int], set[int]]]) -> Pairs:
    return frozenset(pair for assets, points in sides for pair in product(assets, points))


def by_hand(where: tuple[str, str], pairs: dict[Stage, Pairs]) -> str:
    """The digest as its docstring tells it, from single pairs."""

    def of(text: str) -> bytes:
        return sha256(text.encode()).digest()

    content = b"bulkstate target 1\n" + of(where[0]) + of(where[1])
    for stage in sorted(pairs):
        rows: dict[frozenset[int], list[str]] = {}
        for asset in range(len(ASSETS)):
            row = frozenset(point for of_asset, point in pairs[stage] if of_asset == asset)
            if row:
                rows.setdefault(row, []).append(ASSETS[asset])
        entries = sorted(
            of(",".join(assets)) + of(",".join(POINTS[point] for point in sorted(row))) for row, assets in rows.items()
        )
        content += of(stage.pipeline) + of(stage.name) + of(str(len(entries))) + sha256(b"".join(entries)).digest()
    return sha256(content).hexdigest()


def a_stage(name: str, cover: list[tuple[set[int], set[int]]], unlisted: list[tuple[set[int], set[int]]]) -> StagePlan:
    rectangles, others = tuple(map(rectangle, cover)), tuple(map(rectangle, unlisted))
    return StagePlan(Stage("p", name), ASSETS, POINTS, rectangles, 0, LowerBound(0, ""), others)


@given(covers, covers)
def test_classes_hold_each_pair_once_and_no_two_have_the_same_points(
    cover: list[tuple[set[int], set[int]]], without: list[tuple[set[int], set[int]]]
) -> None:
    found = list(classes(tuple(map(rectangle, cover)), tuple(map(rectangle, without))))
    pairs = [pair for each in found for pair in product(each.assets.tolist(), each.points.tolist())]
    assert sorted(pairs) == sorted(held(cover) - held(without))
    assert len({tuple(each.points.tolist()) for each in found}) == len(found)
    assert all(np.all(np.diff(side) > 0) for each in found for side in (each.assets, each.points))


@given(st.lists(st.tuples(covers, covers), min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_the_digest_is_that_of_the_pairs(stages: list[tuple[list[tuple[set[int], set[int]]], ...]], random) -> None:  # type: ignore[no-untyped-def]
    plans = [a_stage(f"S{number}", *stage) for number, stage in enumerate(stages)]
    pairs = {Stage("p", f"S{number}"): held(stage[0]) - held(stage[1]) for number, stage in enumerate(stages)}
    random.shuffle(plans)
    assert target_digest("https://g:443", "o1", plans) == by_hand(("https://g:443", "o1"), pairs)


def test_another_place_is_another_target() -> None:
    stages = [a_stage("S", [({1, 2}, {3})], [])]
    places = [("https://g:443", "o1"), ("https://h:443", "o1"), ("https://g:443", "o2"), ("https://g:443o", "1")]
    assert len({target_digest(*place, stages) for place in places}) == len(places)


def test_ids_that_no_pair_names_change_nothing() -> None:
    one = StagePlan(Stage("p", "S"), ("A", "B"), ("P",), (rectangle(({1}, {0})),), 1, LowerBound(1, ""))
    other = StagePlan(Stage("p", "S"), ("B",), ("O", "P"), (rectangle(({0}, {1})),), 1, LowerBound(1, ""))
    assert target_digest("g", "o", [one]) == target_digest("g", "o", [other])
