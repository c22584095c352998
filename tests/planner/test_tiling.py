"""Grids: how few tiles, and how few bytes among equally many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import Rectangle
from bulkstate.planner.limits import RequestLimits, Tiles, Weights
from bulkstate.planner.tiling import tile


def block(assets: int, points: int) -> Rectangle:
    return Rectangle(np.arange(assets, dtype=np.int32), np.arange(points, dtype=np.int32))


def tiled(assets: int, points: int, limits: RequestLimits, asset_size: int = 9, point_size: int = 17) -> Tiles:
    weights = Weights(np.full(assets, asset_size, np.int64), np.full(points, point_size, np.int64), 100)
    return tile(block(assets, points), weights, limits)


@pytest.mark.parametrize(
    ("assets", "points", "requests"),
    [
        (316, 316, 1),
        (100_000, 1, 1),
        (1_000_000, 7, 70),
        (1_000_000, 100, 1_000),
        (2, 100_001, 3),
        (3_163, 317, 11),
    ],
)
def test_how_many_tiles_a_grid_takes(assets: int, points: int, requests: int) -> None:
    assert len(tiled(assets, points, RequestLimits(100_000, 10_000_000)).rectangles) == requests


def test_an_asset_with_many_points_is_split() -> None:
    tiles = tiled(1, 200_000, RequestLimits(100_000, 1_048_576))
    assert len(tiles.rectangles) == 4
    assert max(100 + 9 + 17 * len(rectangle.points) for rectangle in tiles.rectangles) <= 1_048_576


def test_near_square_tiles_send_the_fewest_bytes() -> None:
    tiles = tiled(4_000, 4_000, RequestLimits(160_000, 10_000_000), asset_size=10, point_size=10)
    assert {(len(t.assets), len(t.points)) for t in tiles.rectangles} == {(400, 400)}


def test_tiles_share_the_sides_of_their_grid() -> None:
    rectangles = tiled(1_000, 1_000, RequestLimits(10_000, 1_000_000)).rectangles
    assert len(rectangles) == 100
    assert len({id(t.assets) for t in rectangles}) + len({id(t.points) for t in rectangles}) <= 25


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60))
def test_no_grid_has_fewer_tiles_where_only_pairs_bind(assets: int, points: int, pairs: int) -> None:
    fewest = min(-(-assets // height) * -(-points // (pairs // height)) for height in range(1, pairs + 1))
    assert len(tiled(assets, points, RequestLimits(pairs, 1_000_000)).rectangles) <= fewest


@given(st.lists(st.integers(1, 50), min_size=1), st.lists(st.integers(1, 50), min_size=1), st.integers(101, 400))
def test_bytes_bind_exactly(asset_sizes: list[int], point_sizes: list[int], room: int) -> None:
    weights = Weights(np.array(asset_sizes, np.int64), np.array(point_sizes, np.int64), 100)
    tiles = tile(block(len(asset_sizes), len(point_sizes)), weights, RequestLimits(30, 100 + room))
    bodies = [100 + weights.assets[t.assets].sum() + weights.points[t.points].sum() for t in tiles.rectangles]
    assert max(bodies) <= 100 + room
    assert sum(bodies) == tiles.body_bytes
    assert max(t.pairs for t in tiles.rectangles) <= 30
    assert sum(t.pairs for t in tiles.rectangles) == len(asset_sizes) * len(point_sizes)
