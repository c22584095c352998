"""What overlapping rectangles hold together, against sets of pairs."""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import Rectangle
from bulkstate.pairs.overlap import without

Pairs = set[tuple[int, int]]


def rectangle(assets: set[int], points: set[int]) -> Rectangle:
    return Rectangle(np.array(sorted(assets), np.int32), np.array(sorted(points), np.int32))


def held(rectangles: list[Rectangle]) -> Pairs:
    return {pair for each in rectangles for pair in product(each.assets.tolist(), each.points.tolist())}


def is_difference(found: list[Rectangle], rectangles: list[Rectangle], others: list[Rectangle]) -> bool:
    """Every pair once, sides ascending and not empty, and no others."""
    assert all(len(side) and np.all(np.diff(side) > 0) for each in found for side in (each.assets, each.points))
    assert sum(each.pairs for each in found) == len(held(found))
    return held(found) == held(rectangles) - held(others)


sides = st.sets(st.integers(0, 12), min_size=1)
layers = st.lists(st.builds(rectangle, sides, sides), max_size=6)


@given(layers, layers)
def test_each_pair_of_the_difference_once(rectangles: list[Rectangle], others: list[Rectangle]) -> None:
    assert is_difference(list(without(rectangles, others)), rectangles, others)


def test_nothing_of_nothing() -> None:
    assert list(without([], [])) == []
    assert list(without([], [rectangle({1}, {2})])) == []
    assert list(without([rectangle({1}, {2})], [rectangle({0, 1}, {2, 3})])) == []


def test_assets_with_the_same_points_stay_together() -> None:
    (found,) = without([rectangle({1, 5}, {2}), rectangle({3, 5}, {2}), rectangle({1}, {2})], [])
    assert (found.assets.tolist(), found.points.tolist()) == ([1, 3, 5], [2])


@pytest.mark.parametrize(("assets", "points"), [(9_000, 6), (4_096, 3), (4_097, 3), (70, 1_100_000)])
def test_more_than_one_raster_holds(assets: int, points: int) -> None:
    """A raster has 4,096 assets, and as many cells as fit into 64 MiB."""
    chance = Random(f"{assets}/{points}")
    columns = sorted({0, points - 1, *(chance.randrange(points) for _ in range(4))})

    def some() -> Rectangle:
        chosen = set(chance.sample(range(assets), chance.randint(1, assets // 2)))
        return rectangle(chosen, set(chance.sample(columns, chance.randint(1, len(columns)))))

    everybody = rectangle(set(range(assets)), {columns[-1]})
    rectangles, others = [everybody, *(some() for _ in range(4))], [some(), some()]
    assert is_difference(list(without(rectangles, others)), rectangles, others)
