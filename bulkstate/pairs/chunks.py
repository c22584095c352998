"""Everything that may be sent: a plan's chunks, and the parts of those that were split."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import Chunk, Cut, Pair, Part, Plan, Rectangle, Stage, StagePlan


class Chunks:
    """Chunks by number: first the plan's, then `parts`, in the order of their numbers. Parts can be added, never taken.

    A part shares its parent's memory, so that many of them cost little.
    """

    def __init__(self, plan: Plan, parts: Iterable[Part] = ()) -> None:
        self.plan = plan
        self._parts: list[tuple[StagePlan, Rectangle]] = []
        self._origins: list[int] = []
        for part in parts:
            self.add(part)

    def __len__(self) -> int:
        return self.plan.requests + len(self._parts)

    def add(self, part: Part) -> None:
        """Take up a part. ValueError if it isn't the next one, or no part of what its parent holds."""
        if part.number != len(self) or not 0 <= part.parent < part.number:
            raise ValueError(f"part {part.number} of chunk {part.parent} is out of order")
        stage, whole = self.place(part.parent)
        if not (part.assets.within(len(whole.assets)) and part.points.within(len(whole.points))):
            raise ValueError(f"part {part.number} holds more than chunk {part.parent}, which it is of")
        assets = whole.assets[part.assets.start : part.assets.end]
        points = whole.points[part.points.start : part.points.end]
        self._parts.append((stage, Rectangle(assets, points)))
        self._origins.append(self.origin(part.parent))

    def split(self, number: int, cuts: Iterable[Cut]) -> tuple[Part, ...]:
        """Make parts of chunk `number`, and take them up."""
        parts = tuple(Part(at, number, *cut) for at, cut in enumerate(cuts, len(self)))
        for part in parts:
            self.add(part)
        return parts

    def place(self, number: int) -> tuple[StagePlan, Rectangle]:
        """The stage that chunk `number` belongs to, and what it holds."""
        if number >= self.plan.requests:
            return self._parts[number - self.plan.requests]
        stage, position = self.plan.place(number)
        return stage, stage.rectangles[position]

    def origin(self, number: int) -> int:
        """The plan's chunk that chunk `number` is, or is a part of."""
        return number if number < self.plan.requests else self._origins[number - self.plan.requests]

    def pairs(self, number: int) -> int:
        """How many pairs chunk `number` holds."""
        return self.place(number)[1].pairs

    def chunk(self, number: int) -> Chunk:
        """Chunk `number`, spelt out."""
        stage, rectangle = self.place(number)
        return stage.spelt_out(number, rectangle)


def by_stage(chunks: Chunks, numbers: Sequence[int]) -> Iterator[tuple[Stage, Sequence[int]]]:
    """The numbers, which are ascending, stage by stage; a stage whose chunks were split comes again with its parts."""
    start = 0
    for stage in chunks.plan.stages:
        end = start + len(stage.rectangles)
        yield stage.stage, numbers[bisect_left(numbers, start) : bisect_left(numbers, end)]
        start = end
    for number in numbers[bisect_left(numbers, start) :]:
        yield chunks.place(number)[0].stage, (number,)


def holders(
    chunks: Chunks, numbers: Iterable[int], wanted: Iterable[tuple[Stage, Pair]]
) -> dict[tuple[Stage, Pair], int]:
    """For each of the wanted pairs one of these chunks that holds it; a pair that none of them holds is left out."""
    by_stage: dict[Stage, set[Pair]] = {}
    for stage, pair in wanted:
        by_stage.setdefault(stage, set()).add(pair)
    flags: dict[Stage, _Wanted] = {}
    found: dict[tuple[Stage, Pair], int] = {}
    for number in numbers:
        plan, rectangle = chunks.place(number)
        if plan.stage in by_stage:
            if plan.stage not in flags:
                flags[plan.stage] = _Wanted(plan, by_stage[plan.stage])
            for pair in flags[plan.stage].inside(rectangle):
                found.setdefault((plan.stage, pair), number)
    return found


class _Wanted:
    """Pairs of one stage, to be looked for in many rectangles."""

    def __init__(self, plan: StagePlan, pairs: set[Pair]) -> None:
        self._plan = plan
        self._pairs = pairs
        self._assets = _flags(plan.assets, {pair.asset for pair in pairs})
        self._points = _flags(plan.points, {pair.point for pair in pairs})

    def inside(self, rectangle: Rectangle) -> Iterator[Pair]:
        """Those of the pairs that the rectangle holds."""
        assets = rectangle.assets[self._assets[rectangle.assets]]
        if not len(assets):
            return
        points = rectangle.points[self._points[rectangle.points]]
        for asset, point in product(assets.tolist(), points.tolist()):
            pair = Pair(self._plan.assets[asset], self._plan.points[point])
            if pair in self._pairs:
                yield pair


def _flags(ids: tuple[str, ...], wanted: set[str]) -> NDArray[np.bool_]:
    return np.fromiter((id_ in wanted for id_ in ids), np.bool_, len(ids))
