"""What a gateway can't delete is found by few requests, by name where it is a whole asset or point, and nothing else
is left."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bulkstate.model import Chunk, Span, Stage
from bulkstate.policy.cutting import MOST_FRUITLESS, STOPPED, Axis, Cutting, even
from bulkstate.policy.retry import DOUBTS, Settle, Split

STAGE = Stage("pipeline", "stage")
Pairs = set[tuple[str, str]]


@dataclass(frozen=True)
class Bad:
    """What can't be deleted: whole assets, whole points, single pairs."""

    assets: frozenset[str] = frozenset()
    points: frozenset[str] = frozenset()
    pairs: frozenset[tuple[str, str]] = frozenset()

    def __or__(self, other: Bad) -> Bad:
        return Bad(self.assets | other.assets, self.points | other.points, self.pairs | other.pairs)

    def is_in(self, chunk: Chunk) -> bool:
        if not (self.assets.isdisjoint(chunk.assets) and self.points.isdisjoint(chunk.points)):
            return True
        assets, points = set(chunk.assets), set(chunk.points)
        return any(asset in assets and point in points for asset, point in self.pairs)

    def is_all_of(self, chunk: Chunk) -> bool:
        if self.assets.issuperset(chunk.assets) or self.points.issuperset(chunk.points):
            return True
        return all(a in self.assets or p in self.points or (a, p) in self.pairs for a, p in pairs_of(chunk))


@dataclass
class Search:
    """A gateway that fails what holds something bad, and a caller who does what he is told, one call after another."""

    bad: Bad
    cutting: Cutting = field(default_factory=Cutting)
    requests: int = 0
    deleted: list[Chunk] = field(default_factory=list)
    given_up: list[Chunk] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    _next: int = 0

    def send(self, chunks: Iterable[Chunk]) -> None:
        """All of the plan's chunks, and what becomes of them."""
        for chunk in map(self._numbered, chunks):
            if split := self.cutting.set_apart(chunk):
                self._cut(chunk, split)
            else:
                self._try_whole(chunk)

    def _numbered(self, chunk: Chunk) -> Chunk:
        self._next += 1
        return replace(chunk, number=self._next)

    def _try_whole(self, chunk: Chunk) -> None:
        self.requests += 1
        if not self.bad.is_in(chunk):
            self.deleted.append(chunk)
            return
        self.requests += DOUBTS - 1
        if chunk.pairs == 1:
            self.given_up.append(chunk)
        else:
            self._cut(chunk, self.cutting.begin(chunk))

    def _cut(self, chunk: Chunk, split: Split) -> None:
        waiting: dict[int, Chunk] = {}
        queue = deque(self._parts(chunk, split))
        while queue:
            part = queue.pop()
            self.requests += 1
            if self.bad.is_in(part):
                waiting[part.number] = part
                self.cutting.failed(part)
            else:
                self.deleted.append(part)
                self.cutting.settled(part.number, passed=True)
            for release in self.cutting.released():
                freed = waiting.pop(release.number)
                match release.step:
                    case Settle(_, why):
                        self.given_up.append(freed)
                        self.reasons.append(why)
                    case Split():
                        queue.extend(self._parts(freed, release.step))
        assert not waiting
        assert not self.cutting.searching

    def _parts(self, chunk: Chunk, split: Split) -> list[Chunk]:
        parts = [
            self._numbered(Chunk(0, chunk.stage, chunk.assets[a.start : a.end], chunk.points[p.start : p.end]))
            for a, p in split.cuts
        ]
        assert len(parts) >= 2
        assert sum(part.pairs for part in parts) == chunk.pairs
        assert {asset for part in parts for asset in part.assets} == set(chunk.assets)
        assert {point for part in parts for point in part.points} == set(chunk.points)
        self.cutting.was_cut(chunk.number, [part.number for part in parts])
        return parts


def pairs_of(chunk: Chunk) -> Pairs:
    return {(asset, point) for asset in chunk.assets for point in chunk.points}


def a_chunk(assets: int, points: int, first: int = 0) -> Chunk:
    ids = (f"a{n:06}" for n in range(first, first + assets))
    return Chunk(0, STAGE, tuple(ids), tuple(f"p{n:05}" for n in range(points)))


def bad_assets(chunk: Chunk, places: Iterable[int]) -> Bad:
    return Bad(assets=frozenset(chunk.assets[place] for place in places))


def bad_points(chunk: Chunk, places: Iterable[int]) -> Bad:
    return Bad(points=frozenset(chunk.points[place] for place in places))


def searched(bad: Bad, *chunks: Chunk) -> Search:
    search = Search(bad)
    search.send(chunks)
    ended = search.deleted + search.given_up
    assert sum(part.pairs for part in ended) == sum(chunk.pairs for chunk in chunks)
    assert all(bad.is_all_of(part) for part in search.given_up), "a healthy pair is left"
    return search


SHAPES = [(1_000, 100), (316, 316), (100, 1_000), (10, 10_000), (10_000, 10), (100_000, 1), (1, 100_000), (7, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("where", [0.0, 0.37, 1.0])
def test_one_bad_asset_costs_at_most_sixty_requests_in_any_chunk(shape: tuple[int, int], where: float) -> None:
    chunk = a_chunk(*shape)
    search = searched(bad_assets(chunk, [int(where * (shape[0] - 1))]), chunk)
    assert search.requests - 1 <= 60


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("where", [0.0, 0.37, 1.0])
def test_so_does_one_bad_point_and_one_bad_pair(shape: tuple[int, int], where: float) -> None:
    chunk = a_chunk(*shape)
    place = int(where * (shape[1] - 1))
    pair = chunk.assets[len(chunk.assets) // 3], chunk.points[place]
    assert searched(bad_points(chunk, [place]), chunk).requests - 1 <= 60
    assert searched(Bad(pairs=frozenset({pair})), chunk).requests - 1 <= 60


@pytest.mark.parametrize("shape", SHAPES[:5])
@pytest.mark.parametrize("many", [2, 5, 20])
def test_several_bad_assets_cost_as_much_each(shape: tuple[int, int], many: int) -> None:
    chunk = a_chunk(*shape)
    places = Random(many).sample(range(shape[0]), min(many, shape[0]))
    search = searched(bad_assets(chunk, places), chunk)
    assert search.requests - 1 <= 60 * len(places)
    assert {chunk.assets[place] for place in places} <= search.cutting.blamed(STAGE, Axis.ASSETS)
    places = Random(many).sample(range(shape[1]), min(many, shape[1] // 2))
    assert searched(bad_points(chunk, places), chunk).requests - 1 <= 60 * len(places)


def test_a_fleet_with_one_in_every_chunk() -> None:
    chunks = [a_chunk(1_000, 50, 1_000 * number) for number in range(20)]
    bad = Bad(assets=frozenset(chunk.assets[37 * number] for number, chunk in enumerate(chunks)))
    assert searched(bad, *chunks).requests - 20 <= 60 * 20


def test_what_is_to_blame_is_set_apart_in_the_chunks_that_follow() -> None:
    chunk = a_chunk(500, 200)
    strips = [replace(chunk, points=chunk.points[start : start + 20]) for start in range(0, 200, 20)]
    bad = bad_assets(chunk, [123])
    search = searched(bad, *strips)
    assert search.requests - len(strips) <= 60 + 10 * (len(strips) - 1)
    split = search.cutting.set_apart(replace(chunk, number=9_999))
    assert split is not None
    assert [assets for assets, _ in split.cuts] == [Span(0, 123), Span(123, 124), Span(124, 500)]
    assert {points for _, points in split.cuts} == {Span(0, 200)}
    assert "to blame in another chunk" in split.why


def test_what_is_set_apart_already_or_healthy_may_be_whole() -> None:
    chunk = a_chunk(50, 20)
    search = searched(bad_assets(chunk, [7]), chunk)
    alone = replace(chunk, number=9_999, assets=chunk.assets[7:8])
    others = (replace(alone, points=alone.points[:1]), alone, replace(chunk, number=9_999, assets=chunk.assets[8:]))
    assert [search.cutting.set_apart(other) for other in others] == [None, None, None]
    assert search.cutting.set_apart(replace(chunk, stage=Stage("pipeline", "another"))) is None
    assert Cutting().set_apart(chunk) is None


@hypothesis_settings(max_examples=150)
@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_any_few_bad_pairs_are_found_to_the_pair(assets: int, points: int, data: st.DataObject) -> None:
    """As long as too few for a line that only looks bad."""
    chunk = a_chunk(assets, points)
    bad = data.draw(st.sets(st.sampled_from(sorted(pairs_of(chunk))), max_size=6))
    rows = data.draw(st.sets(st.integers(0, assets - 1), max_size=2))
    searched(Bad(pairs=frozenset(bad)) | bad_assets(chunk, rows), chunk)


def test_where_nothing_passes_cutting_stops_says_so_and_goes_on_when_asked_again() -> None:
    chunk = a_chunk(400, 40)
    search = Search(bad_assets(chunk, range(400)))
    search.send([chunk])
    assert search.requests <= MOST_FRUITLESS + 100
    assert STOPPED in search.reasons
    assert not search.deleted
    assert sum(part.pairs for part in search.given_up) == chunk.pairs
    again = Search(bad_assets(chunk, range(399)))
    again.send(search.given_up)
    assert sum(part.pairs for part in again.deleted) == 40


@pytest.mark.parametrize("shape", [(5, 20), (20, 20), (20, 100), (3, 400), (50, 50)])
@pytest.mark.parametrize("healthy", [1, 2, 0.2, 0.5])
@pytest.mark.parametrize("axis", Axis)
def test_where_nearly_all_points_are_bad_no_healthy_asset_is_blamed_for_them(
    shape: tuple[int, int], healthy: float, axis: Axis
) -> None:
    """Or the other way about. What is left though it is healthy is said not to be known."""
    chunk = a_chunk(*shape) if axis is Axis.ASSETS else a_chunk(*reversed(shape))
    others = list(axis.other.ids(chunk))
    bad = Random(1).sample(others, len(others) - int(healthy if healthy >= 1 else healthy * len(others)))
    search = Search(Bad(points=frozenset(bad)) if axis is Axis.ASSETS else Bad(assets=frozenset(bad)))
    search.send([chunk])
    silent = [part for part, why in zip(search.given_up, search.reasons, strict=True) if not why]
    assert all(search.bad.is_all_of(part) for part in silent)
    if not any(search.reasons):
        assert search.cutting.blamed(STAGE, axis) == set()


@given(st.integers(1, 500), st.data())
def test_even_parts_are_the_whole_and_differ_by_one_at_most(size: int, data: st.DataObject) -> None:
    parts = even(size, data.draw(st.integers(1, size)))
    assert [n for part in parts for n in range(part.start, part.end)] == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
