"""A plan's chunks and their parts."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import LowerBound, Pair, Part, Plan, Rectangle, Span, Stage, StagePlan
from bulkstate.pairs.chunks import Chunks, holders

ASSETS, POINTS = tuple("abcdef"), tuple("pqrs")


def a_stage(name: str, *sides: tuple[list[int], list[int]]) -> StagePlan:
    rectangles = tuple(Rectangle(np.array(a, np.int32), np.array(p, np.int32)) for a, p in sides)
    return StagePlan(Stage("pipe", name), ASSETS, POINTS, rectangles, 0, LowerBound(0, ""))


PLAN = Plan((a_stage("S", ([0, 2, 4], [0, 1]), ([1, 3], [2])), a_stage("T", ([5], [0, 3]))), "digest", 0)


def ids(chunks: Chunks, number: int) -> tuple[str, str, str]:
    chunk = chunks.chunk(number)
    assert chunk.number == number
    assert chunk.pairs == chunks.pairs(number)
    return chunk.stage.name, "".join(chunk.assets), "".join(chunk.points)


def test_chunks_are_numbered_through_the_plan() -> None:
    chunks = Chunks(PLAN)
    assert len(chunks) == 3
    assert [ids(chunks, number) for number in range(3)] == [("S", "ace", "pq"), ("S", "bd", "r"), ("T", "f", "ps")]
    assert [chunks.origin(number) for number in range(3)] == [0, 1, 2]


def test_parts_go_on_where_the_plan_ends_and_know_what_they_are_of() -> None:
    chunks = Chunks(PLAN, [Part(3, 0, Span(0, 1), Span(0, 2))])
    second, third = chunks.split(0, [(Span(1, 3), Span(0, 1)), (Span(1, 3), Span(1, 2))])
    assert (second, third) == (Part(4, 0, Span(1, 3), Span(0, 1)), Part(5, 0, Span(1, 3), Span(1, 2)))
    (of_a_part,) = chunks.split(5, [(Span(1, 2), Span(0, 1))])
    assert of_a_part == Part(6, 5, Span(1, 2), Span(0, 1))
    (of_the_last,) = chunks.split(2, [(Span(0, 1), Span(1, 2))])
    found = [ids(chunks, number) for number in range(3, len(chunks))]
    assert found == [("S", "a", "pq"), ("S", "ce", "p"), ("S", "ce", "q"), ("S", "e", "q"), ("T", "f", "s")]
    assert [chunks.origin(number) for number in range(3, len(chunks))] == [0, 0, 0, 0, 2]
    assert of_the_last.number == 7


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (Part(4, 0, Span(0, 1), Span(0, 1)), "part 4 of chunk 0 is out of order"),
        (Part(2, 0, Span(0, 1), Span(0, 1)), "out of order"),
        (Part(3, 3, Span(0, 1), Span(0, 1)), "out of order"),
        (Part(3, -1, Span(0, 1), Span(0, 1)), "out of order"),
        (Part(3, 0, Span(0, 4), Span(0, 1)), "part 3 holds more than chunk 0"),
        (Part(3, 0, Span(0, 3), Span(0, 3)), "holds more"),
        (Part(3, 0, Span(1, 1), Span(0, 1)), "holds more"),
        (Part(3, 0, Span(-1, 1), Span(0, 1)), "holds more"),
    ],
)
def test_a_part_that_cannot_be_one_is_refused(part: Part, why: str) -> None:
    chunks = Chunks(PLAN)
    with pytest.raises(ValueError, match=why):
        chunks.add(part)
    assert len(chunks) == 3


@given(st.sets(st.tuples(st.sampled_from("ST"), st.sampled_from(ASSETS), st.sampled_from(POINTS))))
def test_who_holds_which_pair(wanted: set[tuple[str, str, str]]) -> None:
    """The first of those chunks that does; a pair that none holds is left out."""
    chunks = Chunks(PLAN)
    chunks.split(0, [(Span(0, 3), Span(0, 1)), (Span(0, 3), Span(1, 2))])
    numbers = [1, 2, 4, 3, 0]
    expected = {}
    for stage, asset, point in wanted:
        for number in numbers:
            name, assets, points = ids(chunks, number)
            if name == stage and (asset, point) in product(assets, points):
                expected.setdefault((Stage("pipe", stage), Pair(asset, point)), number)
    asked = [(Stage("pipe", stage), Pair(asset, point)) for stage, asset, point in wanted]
    assert holders(chunks, numbers, asked) == expected
    assert holders(chunks, [], asked) == {}
