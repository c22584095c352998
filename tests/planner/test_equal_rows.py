"""Classes of equal rows: written as blocks, pairs or both, the same rows end up together."""

from __future__ import annotations

import numpy as np

from bulkstate.model import Stage
from bulkstate.relation import Block, Relation, equal_rows


def relation(
    assets: int, points: int, blocks: list[tuple[list[int], list[int]]], pairs: list[tuple[int, int]]
) -> Relation:
    return Relation(
        Stage("p", "s"),
        tuple(f"a{i:04}" for i in range(assets)),
        tuple(f"p{i:04}" for i in range(points)),
        tuple(Block(np.array(a, np.int32), np.array(p, np.int32)) for a, p in blocks),
        np.array(sorted(a * points + p for a, p in pairs), np.int64),
    )


def classes(of: Relation) -> list[tuple[list[int], list[int]]]:
    return [(each.assets.tolist(), each.points.tolist()) for each in equal_rows(of)]


def test_a_row_is_what_it_holds_not_how_it_was_written() -> None:
    blocks = [([0, 1, 2], [0, 1]), ([2, 3], [0, 1]), ([4], [0])]
    assert classes(relation(7, 3, blocks, [(4, 1), (5, 0), (5, 1), (6, 2), (0, 0)])) == [
        ([0, 1, 2, 3, 4, 5], [0, 1]),
        ([6], [2]),
    ]


def test_overlapping_blocks_make_rows_of_their_union() -> None:
    blocks = [([0, 1], [0, 1]), ([1, 2], [1, 2])]
    assert classes(relation(3, 3, blocks, [])) == [([0], [0, 1]), ([1], [0, 1, 2]), ([2], [1, 2])]


def test_runs_of_pairs_with_the_same_bytes_elsewhere_are_different_rows() -> None:
    assert classes(relation(3, 600, [], [(0, 1), (0, 256), (1, 1), (2, 256)])) == [
        ([0], [1, 256]),
        ([1], [1]),
        ([2], [256]),
    ]


def test_assets_without_points_are_in_no_class() -> None:
    assert classes(relation(2, 1, [], [(1, 0)])) == [([1], [0])]
    assert classes(relation(2, 1, [], [])) == []
