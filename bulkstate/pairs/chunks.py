"""Everything that may be sent: a plan's chunks, and the parts of those that were split."""

from __future__ import annotations

from collections.abc import Iterable

from bulkstate.model import Chunk, Cut, Part, Plan, Rectangle, StagePlan


class Chunks:
    """Chunks by number: first the plan's, then `parts`, in the order of their numbers. Parts can be added, never taken.

    A part shares its parent's memory, so that many of them cost little.
    """

    def __init__(self, plan: Plan, parts: Iterable[Part] = ()) -> None:
        self.plan = plan
        self._parts: list[tuple[StagePlan, Rectangle]] = []
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

    def pairs(self, number: int) -> int:
        """How many pairs chunk `number` holds."""
        return self.place(number)[1].pairs

    def chunk(self, number: int) -> Chunk:
        """Chunk `number`, spelt out."""
        stage, rectangle = self.place(number)
        return stage.spelt_out(number, rectangle)
