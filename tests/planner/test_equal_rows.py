"""Classes of equal rows: written as blocks, pairs or both, the same rows end up together."""

from __future__ import annotations

import numpy as np

from bulkstate.model import Effort, Rectangle, Stage
from bulkstate.pairs.relation import Relation, equal_rows
from bulkstate.planner import plan


def relation(
    assets: int,
    points: int,
    blocks: list[tuple[list[int], list[int]]],
    pairs: list[tuple[int, int]],
    kept: list[tuple[int, int]] | None = None,
) -> Relation:
    return Relation(
        Stage("p", "s"),
        tuple(f"a{i:04}" for i in range(assets)),
        tuple(f"p{i:04}" for i in range(points)),
        tuple(Rectangle(np.array(a, np.int32), np.array(p, np.int32)) for a, p in blocks),
        np.array(sorted(a * points + p for a, p in pairs), np.int64),
        kept=np.array(sorted(a * points + p for a, p in kept or []), np.int64),
    )


def classes(of: Relation) -> list[tuple[list[int], list[int]]]:
    return [(each.assets.tolist(), each.points.tolist()) for each in equal_rows(of).rectangles]


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


def test_what_is_kept_is_taken_out_of_blocks_and_pairs() -> None:
    of = relation(4, 3, [([0, 1, 2], [0, 1])], [(3, 2)], kept=[(1, 0), (2, 1), (2, 2), (3, 0)])
    assert classes(of) == [([0], [0, 1]), ([1], [1]), ([2], [0]), ([3], [2])]
    assert equal_rows(of).kept_pairs == 2


def test_rows_that_keeping_makes_equal_are_one_class() -> None:
    assert classes(relation(3, 3, [([0], [0, 1]), ([1], [0, 2])], [(2, 0)], kept=[(0, 1), (1, 2)])) == [
        ([0, 1, 2], [0]),
    ]


def test_a_large_block_with_a_few_kept_pairs_is_not_expanded() -> None:
    block = Rectangle(np.arange(300_000, dtype=np.int32), np.arange(1_000, dtype=np.int32))
    ids = tuple(map(str, range(300_000))), tuple(map(str, range(1_000)))
    kept = np.arange(0, 300_000_000, 1_000_001)
    found = equal_rows(Relation(Stage("p", "s"), *ids, (block,), np.empty(0, np.int64), kept=kept))
    assert found.kept_pairs == len(kept) == 300
    assert sum(each.pairs for each in found.rectangles) == 300_000_000 - 300
    assert len(found.rectangles) == 301


def test_ids_that_are_kept_altogether_change_nothing() -> None:
    """An asset and a point of which all pairs are selected and kept: written or not, it is the same plan."""
    flags = np.random.default_rng(3).random((150, 60)) < 0.9
    wide = np.ones((151, 61), np.bool_)
    wide[:150, 1:] = flags
    kept = np.zeros_like(wide)
    kept[:, 0] = kept[150] = True
    digests = set()
    for selected, spared in ((flags, flags & False), (wide, kept)):
        first = 61 - selected.shape[1]
        assets = tuple(f"A{number:03}" for number in range(len(selected)))
        points = tuple(f"P{number:02}" for number in range(first, 61))
        codes = np.flatnonzero(selected), np.flatnonzero(spared)
        relation = Relation(Stage("p", "s"), assets, points, (), codes[0], kept=codes[1])
        made = plan([relation], pairs_per_request=100_000, bytes_per_request=1 << 20, effort=Effort.QUICK)
        digests.add(made.digest)
    assert len(digests) == 1
