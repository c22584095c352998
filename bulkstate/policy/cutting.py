"""Finds what a gateway can't delete, in chunks of which it only says that something is wrong: group testing by halves.

A chunk that was answered in doubt again and again is cut in two, and so is each part that fails, once all parts of the
same chunk were answered: that is what siblings teach.

- Where one part fails, the next cut goes the same way; where all do, it goes across: a bad asset is in every half of
  the points.
- A part of one asset (or one point) whose own parts all fail, many of them, is concluded: the ID is to blame, and not
  asked about pair by pair.
- Of parts that failed together one is searched at a time: what is to blame there, or may be, is set apart in the
  others; and what is, in all chunks of the stage that follow.
- Where nothing passes for long, cutting stops, and says so. What is left of it can be gone on with.

Pure. A part is known by its chunk's number; `released` says what becomes of the parts that wait for their siblings.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import pairwise
from typing import Final

from bulkstate.model import Chunk, Cut, Span, Stage, Verdict
from bulkstate.policy.retry import Settle, Split

WITNESSES: Final = 16
"""A line, one asset with many points or the other way about, is concluded where so many parts of it fail, or all its
pairs: fewer bad pairs than that can't look like a bad line."""

FEWER_WITNESSES: Final = 4
FAMILIAR: Final = 4
"""Fewer will do where the ID is to blame elsewhere, or after so many lines of a chunk with nothing that passed."""

MOST_FRUITLESS: Final = 1_000
"""Parts of one chunk that fail, with none passing in between, before cutting it stops: it isn't the pairs then."""

STOPPED: Final = "cutting stopped: none of so many parts passed; `bulkstate resume --retry-failed` goes on with it"


class Axis(Enum):
    """Along which side a chunk is cut."""

    ASSETS = "asset"
    POINTS = "point"

    @property
    def other(self) -> Axis:
        """The other side."""
        return Axis.POINTS if self is Axis.ASSETS else Axis.ASSETS

    def ids(self, chunk: Chunk) -> tuple[str, ...]:
        """The IDs of that side."""
        return chunk.assets if self is Axis.ASSETS else chunk.points

    def cut(self, chunk: Chunk, span: Span) -> Cut:
        """The part of the chunk that holds those of the side's IDs, with all of the other's."""
        if self is Axis.ASSETS:
            return span, Span(0, len(chunk.points))
        return Span(0, len(chunk.assets)), span


@dataclass(slots=True)
class _Search:
    """Of the parts of one chunk so many failed since one passed, and so many lines were concluded. IDs of single pairs
    that failed are suspected of more."""

    fruitless: int = 0
    lines: int = 0
    suspected: dict[Axis, set[str]] = field(default_factory=lambda: {axis: set() for axis in Axis})


@dataclass(slots=True, eq=False)
class _Family:
    """The parts of a chunk that was cut along `axis`. `conclusive`: if all of them fail, the line itself is bad."""

    chunk: Chunk
    axis: Axis
    parent: _Family | None
    search: _Search
    conclusive: bool
    members: int = 0
    unanswered: int = 0
    failed: deque[Chunk] = field(default_factory=deque)
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Release:
    """What becomes of the part with this number."""

    number: int
    step: Settle | Split


class Cutting:
    """The searches of a run."""

    def __init__(self) -> None:
        self._families: dict[int, _Family] = {}
        self._begun: dict[int, _Family] = {}
        self._blamed: dict[tuple[Stage, Axis], set[str]] = {}
        self._released: list[Release] = []

    # ── what is told ──────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, chunk: Chunk) -> Split:
        """A whole chunk is in doubt: cut it."""
        return self._cut(chunk, None, _Search())

    def set_apart(self, chunk: Chunk) -> Split | None:
        """How to send a chunk that holds an ID which is to blame, and others; None if it may be whole."""
        if not self._blamed or chunk.pairs == 1:
            return None
        for axis in Axis:
            if len(axis.ids(chunk)) > 1 and not self.blamed(chunk.stage, axis).isdisjoint(axis.ids(chunk)):
                return replace(self._cut(chunk, None, _Search()), why="it holds what is to blame in another chunk")
        return None

    def was_cut(self, number: int, parts: Sequence[int]) -> None:
        """A chunk was cut into parts with these numbers, as it was said."""
        if (family := self._begun.pop(number, None)) is not None:
            family.members = family.unanswered = len(parts)
            self._families.update(dict.fromkeys(parts, family))

    def holds(self, number: int) -> bool:
        """It is a part whose siblings wait for its answer."""
        return number in self._families

    @property
    def searching(self) -> bool:
        """Some part's siblings wait for its answer."""
        return bool(self._families)

    def failed(self, chunk: Chunk) -> None:
        """A part was answered in doubt: it waits until it is released."""
        family = self._families.pop(chunk.number)
        family.failed.append(chunk)
        family.failures += 1
        family.search.fruitless += 1
        self._answered(family)

    def settled(self, number: int, passed: bool) -> None:
        """A chunk came to its end otherwise, well if it `passed`. If it is no part that siblings wait for, so what."""
        family = self._families.pop(number, None)
        if family is None:
            return
        if passed:
            family.search.fruitless = family.search.lines = 0
        self._answered(family)

    def released(self) -> list[Release]:
        """The parts that needn't wait any more, since this was asked last."""
        released, self._released = self._released, []
        return released

    def blamed(self, stage: Stage, axis: Axis) -> set[str]:
        """IDs of a stage that are to blame."""
        return self._blamed.get((stage, axis), set())

    # ── what follows ──────────────────────────────────────────────────────────────────────────────────────────────

    def _answered(self, family: _Family) -> None:
        family.unanswered -= 1
        if family.unanswered:
            return
        if family.conclusive and family.failures == family.members:
            self._conclude(family)
        self._go_on(family)

    def _conclude(self, family: _Family) -> None:
        """A whole line is bad."""
        axis = family.axis.other
        self._blamed.setdefault((family.chunk.stage, axis), set()).add(axis.ids(family.chunk)[0])
        family.search.lines += 1
        self._settle(family)

    def _settle(self, family: _Family, why: str = "") -> None:
        self._released += [Release(chunk.number, Settle(Verdict.EXHAUSTED, why)) for chunk in family.failed]
        family.failed.clear()

    def _go_on(self, family: _Family) -> None:
        """Search the next of the parts that failed; none left: the next one beside their parent."""
        while family.failed:
            if family.search.fruitless > MOST_FRUITLESS:
                self._settle(family, STOPPED)
                break
            chunk = family.failed.popleft()
            if chunk.pairs > 1:
                self._released.append(Release(chunk.number, self._cut(chunk, family, family.search)))
                return
            family.search.suspected[family.axis].add(family.axis.ids(chunk)[0])
            self._released.append(Release(chunk.number, Settle(Verdict.EXHAUSTED)))
        if family.parent is not None:
            self._go_on(family.parent)

    # ── where to cut ──────────────────────────────────────────────────────────────────────────────────────────────

    def _cut(self, chunk: Chunk, parent: _Family | None, search: _Search) -> Split:
        axis, spans, conclusive = self._plan(chunk, parent, search)
        self._begun[chunk.number] = _Family(chunk, axis, parent, search, conclusive)
        return Split(tuple(axis.cut(chunk, span) for span in spans), doubted=True)

    def _plan(self, chunk: Chunk, parent: _Family | None, search: _Search) -> tuple[Axis, list[Span], bool]:
        for axis in Axis:
            ids, blamed = axis.ids(chunk), self.blamed(chunk.stage, axis) | search.suspected[axis]
            if len(ids) > 1 and not blamed.isdisjoint(ids):
                return axis, list(_apart(ids, blamed)), False
        if 1 in (len(chunk.assets), len(chunk.points)):
            return self._plan_line(chunk, parent, search)
        axis = _axis(chunk, parent)
        return axis, even(len(axis.ids(chunk)), 2), False

    def _plan_line(self, chunk: Chunk, parent: _Family | None, search: _Search) -> tuple[Axis, list[Span], bool]:
        """One asset's points, or one point's assets: is it the line that is bad, or a pair in it?"""
        axis = Axis.POINTS if len(chunk.assets) == 1 else Axis.ASSETS
        pairs = len(axis.ids(chunk))
        if axis.other.ids(chunk)[0] in self.blamed(chunk.stage, axis.other) | search.suspected[axis.other]:
            return axis, even(pairs, min(pairs, FEWER_WITNESSES)), True
        if parent is None or (_is_line(parent.chunk) and parent.failures == 1):
            return axis, even(pairs, 2), pairs == 2
        witnesses = min(pairs, FEWER_WITNESSES if search.lines >= FAMILIAR else WITNESSES)
        return axis, even(pairs, witnesses), True


def _is_line(chunk: Chunk) -> bool:
    return 1 in (len(chunk.assets), len(chunk.points))


def _axis(chunk: Chunk, parent: _Family | None) -> Axis:
    """The way to cut a chunk of several assets and points: on as its parent was cut, if that told the bad from the
    good; across if all its parts failed."""
    if parent is None:
        return Axis.ASSETS if len(chunk.assets) >= len(chunk.points) else Axis.POINTS
    return parent.axis if parent.failures < parent.members else parent.axis.other


def even(size: int, parts: int) -> list[Span]:
    """So many spans of about the same length."""
    ends = [size * number // parts for number in range(parts + 1)]
    return [Span(start, end) for start, end in pairwise(ends)]


def _apart(ids: Sequence[str], blamed: set[str]) -> Iterator[Span]:
    """Each of the blamed in a span of its own, and what lies between them."""
    start = 0
    for place, id_ in enumerate(ids):
        if id_ in blamed:
            if start < place:
                yield Span(start, place)
            yield Span(place, place + 1)
            start = place + 1
    if start < len(ids):
        yield Span(start, len(ids))
