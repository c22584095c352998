"""The digest is what docs and other programs can compute too."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from bulkstate.model import LowerBound, Rectangle, Stage, StagePlan
from bulkstate.pairs.digest import digest


def stage(
    name: str, assets: tuple[str, ...], points: tuple[str, ...], *chunks: tuple[list[int], list[int]]
) -> StagePlan:
    rectangles = tuple(Rectangle(np.array(a, np.int32), np.array(p, np.int32)) for a, p in chunks)
    return StagePlan(Stage("pipe", name), assets, points, rectangles, 0, LowerBound(0, ""))


def test_golden_bytes() -> None:
    parts = ["pipe", "One", "a,b", "p", "pipe", "One", "風", "p,q", "pipe", "Two", "b", "p"]
    expected = sha256(b"bulkstate plan 1\n" + b"".join(sha256(part.encode()).digest() for part in parts))
    one = stage("One", ("a", "b", "風"), ("p", "q"), ([0, 1], [0]), ([2], [0, 1]))
    assert digest([one, stage("Two", ("b",), ("p",), ([0], [0]))]) == expected.hexdigest()


def test_the_layout_of_dictionaries_does_not_matter() -> None:
    one = stage("s", ("a", "b"), ("p",), ([1], [0]))
    assert digest([one]) == digest([stage("s", ("b", "unused"), ("o", "p"), ([0], [1]))])


def test_order_and_shape_of_chunks_matter() -> None:
    ids = ("a", "b"), ("p",)
    chunks = [[([0, 1], [0])], [([0], [0]), ([1], [0])], [([1], [0]), ([0], [0])]]
    assert len({digest([stage("s", *ids, *each)]) for each in chunks}) == 3
    assert (
        digest([])
        != digest([stage("s", ("p",), ("a",), ([0], [0]))])
        != digest([stage("s", ("a",), ("p",), ([0], [0]))])
    )
