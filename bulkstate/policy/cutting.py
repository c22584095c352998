"""Finds what a gateway can't delete, in chunks of which it only says that something is wrong: group testing by halves.

A chunk that was answered in doubt again and again is cut in two, and so is each part that fails, once all parts of the
same chunk were answered: that is what siblings teach.

- Where one part fails, the next cut goes the same way; where all do, it goes across: a bad asset is in every half of
  the points.
- Of one asset (or one point) single pairs are tried, and what lies between them. If all of them fail, and the same
  points pass with other assets, it is concluded: the ID is to blame, and not asked about pair by pair. Where they pass
  nowhere it may be the points that are bad: such a line waits until the rest of the chunk has shown which it is, and if
  that doesn't show it either, it is asked about pair by pair.
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

WITNESSES: Final = 6
"""Of a line, one asset with many points or the other way about, so many single pairs are tried, and the parts between
them: fewer than twice as many bad pairs can't look like a bad line."""

FEWER_WITNESSES: Final = 2
"""Fewer will do where the ID failed elsewhere."""

GOOD_ELSEWHERE: Final = 3
"""Of the other IDs in those pairs so many, or all, have to have passed with others: else it may be they."""

MOST_FRUITLESS: Final = 1_000
"""Parts of one chunk that fail, with none passing in between, before cutting it stops: it isn't the pairs then."""

FRUITLESS_A_LINE: Final = 50
"""As many for each line that failed wholly, if that is fewer, where nothing of the chunk ever passed."""

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


def _of_each_axis() -> dict[Axis, set[str]]:
    return {axis: set() for axis in Axis}


@dataclass(slots=True)
class _Search:
    """Of the parts of one chunk so many failed since one passed.

    IDs of single pairs that failed are suspected of more; those of parts that passed are good for something. Lines that
    were `put_off` failed wholly, and nothing showed yet whether they are to blame. Cutting stops when more than `most`
    were fruitless.
    """

    fruitless: int = 0
    most: int = MOST_FRUITLESS
    suspected: dict[Axis, set[str]] = field(default_factory=_of_each_axis)
    passed: dict[Axis, set[str]] = field(default_factory=_of_each_axis)
    put_off: deque[_Family] = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class _Family:
    """The parts of a chunk that was cut along `axis`, by number. `conclusive`: if all fail, the line itself may be
    bad."""

    chunk: Chunk
    axis: Axis
    parent: _Family | None
    search: _Search
    spans: list[Span]
    conclusive: bool
    parts: dict[int, Span] = field(default_factory=dict)
    unanswered: int = 0
    failed: deque[Chunk] = field(default_factory=deque)
    failures: int = 0

    @property
    def line(self) -> str:
        """The ID that all parts share, if the chunk is a line along the axis."""
        return self.axis.other.ids(self.chunk)[0]

    @property
    def fails_wholly(self) -> bool:
        """It is such a line, and all of its parts failed."""
        return self.conclusive and self.failures == len(self.parts)


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
            family.parts = dict(zip(parts, family.spans, strict=True))
            family.unanswered = len(parts)
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
            self._passed(family, family.parts[number])
        self._answered(family)

    def released(self) -> list[Release]:
        """The parts that needn't wait any more, since this was asked last."""
        released, self._released = self._released, []
        return released

    def blamed(self, stage: Stage, axis: Axis) -> set[str]:
        """IDs of a stage that are to blame."""
        return self._blamed.get((stage, axis), set())

    # ── what follows ──────────────────────────────────────────────────────────────────────────────────────────────

    def _passed(self, family: _Family, span: Span) -> None:
        search, axis, chunk = family.search, family.axis, family.chunk
        search.fruitless, search.most = 0, MOST_FRUITLESS
        for side, ids in ((axis, axis.ids(chunk)[span.start : span.end]), (axis.other, axis.other.ids(chunk))):
            search.passed[side].update(ids)
            self.blamed(chunk.stage, side).difference_update(ids)

    def _answered(self, family: _Family) -> None:
        family.unanswered -= 1
        if family.unanswered:
            return
        if family.fails_wholly and not self._is_concluded(family) and any(chunk.pairs > 1 for chunk in family.failed):
            family.search.put_off.append(family)
            family.search.suspected[family.axis.other].add(family.line)
            self._go_on(family.search, family.parent)
        else:
            self._go_on(family.search, family)

    def _is_concluded(self, family: _Family) -> bool:
        """Whether a line of which all parts failed is to blame, by what else passed: it never did, and what it failed
        with did with others. If so, it is settled; also if that is so elsewhere, which is said."""
        search, across = family.search, family.axis.other
        if family.line in search.passed[across]:
            return False
        singles = [family.axis.ids(chunk)[0] for chunk in family.failed if chunk.pairs == 1]
        is_shown = sum(id_ in search.passed[family.axis] for id_ in singles) >= min(GOOD_ELSEWHERE, len(singles))
        if not is_shown and family.line not in self.blamed(family.chunk.stage, across):
            return False
        self._blame(family)
        self._settle(family, "" if is_shown else STOPPED)
        return True

    def _blame(self, family: _Family) -> None:
        self._blamed.setdefault((family.chunk.stage, family.axis.other), set()).add(family.line)

    def _settle(self, family: _Family, why: str = "") -> None:
        self._released += [Release(chunk.number, Settle(Verdict.EXHAUSTED, why)) for chunk in family.failed]
        family.failed.clear()

    def _go_on(self, search: _Search, family: _Family | None) -> None:
        """Search the next of the parts that failed; none left: the next one beside their parent; and at last the lines
        that were put off."""
        while True:
            while family is not None:
                if self._search_in(family):
                    return
                family = family.parent
            if not search.put_off:
                return
            if not search.passed[Axis.ASSETS] and search.most == MOST_FRUITLESS:
                search.most = min(MOST_FRUITLESS, FRUITLESS_A_LINE * len({each.line for each in search.put_off}))
            family = search.put_off.popleft()
            self._is_concluded(family)

    def _search_in(self, family: _Family) -> bool:
        """Search the next of the parts that failed, if there is one that is worth it."""
        while family.failed:
            if family.search.fruitless > family.search.most:
                self._stop(family)
                break
            chunk = family.failed.popleft()
            if chunk.pairs > 1:
                self._released.append(Release(chunk.number, self._cut(chunk, family, family.search)))
                return True
            family.search.suspected[family.axis].add(family.axis.ids(chunk)[0])
            self._released.append(Release(chunk.number, Settle(Verdict.EXHAUSTED)))
        return False

    def _stop(self, family: _Family) -> None:
        """Cut no more of it. What the line's ID is to blame for isn't known, but it may be."""
        if family.fails_wholly:
            self._blame(family)
        self._settle(family, STOPPED)

    # ── where to cut ──────────────────────────────────────────────────────────────────────────────────────────────

    def _cut(self, chunk: Chunk, parent: _Family | None, search: _Search) -> Split:
        axis, spans, conclusive = self._plan(chunk, parent, search)
        self._begun[chunk.number] = _Family(chunk, axis, parent, search, spans, conclusive)
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
            return axis, _with_singles(pairs, FEWER_WITNESSES), True
        if parent is None or (_is_line(parent.chunk) and parent.failures == 1):
            return axis, even(pairs, 2), pairs == 2
        return axis, _with_singles(pairs, WITNESSES), True


def _is_line(chunk: Chunk) -> bool:
    return 1 in (len(chunk.assets), len(chunk.points))


def _axis(chunk: Chunk, parent: _Family | None) -> Axis:
    """The way to cut a chunk of several assets and points: on as its parent was cut, if that told the bad from the
    good; across if all its parts failed."""
    if parent is None:
        return Axis.ASSETS if len(chunk.assets) >= len(chunk.points) else Axis.POINTS
    return parent.axis if parent.failures < len(parent.parts) else parent.axis.other


def even(size: int, parts: int) -> list[Span]:
    """So many spans of about the same length."""
    ends = [size * number // parts for number in range(parts + 1)]
    return [Span(start, end) for start, end in pairwise(ends)]


def _with_singles(size: int, singles: int) -> list[Span]:
    """So many spans of one, evenly spread, and those between them; if that isn't fewer, all of them."""
    if size <= 2 * singles + 1:
        return even(size, size)
    places = [(2 * number + 1) * size // (2 * singles) for number in range(singles)]
    ends = sorted({0, size, *places, *(place + 1 for place in places)})
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
