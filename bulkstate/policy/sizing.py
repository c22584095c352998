"""How much one request may hold, learnt from what the gateway took and what was too large for it; and where to cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

from bulkstate.gateway import wire
from bulkstate.model import Answer, Chunk, Cut, Reply, Span

NEXT_TRY: Final = 0.8
"""After a refusal, what is tried next is this share of what was refused: any half fits into it, odd ones too."""


@dataclass(frozen=True, slots=True)
class SizeBound:
    """One limit of a gateway, as far as it is known: the largest request that it took, the smallest that it refused.

    `hopeless`: it refused a single pair and never took anything. No cut helps there, so none is made.
    """

    taken: int = 0
    refused: int | None = None
    hopeless: bool = False

    @property
    def most(self) -> int | None:
        """The largest request that may be sent, None for any."""
        if self.refused is None or self.hopeless:
            return None
        return max(self.taken, int(self.refused * NEXT_TRY))

    def fits(self, size: int) -> bool:
        """Whether a request of that size may be sent."""
        return self.most is None or size <= self.most

    def took(self, size: int) -> SizeBound:
        """The gateway took one. One that it had refused before says nothing about the limit."""
        if self.refused is not None and size >= self.refused:
            return self
        if size <= self.taken and not self.hopeless:
            return self
        return replace(self, taken=max(self.taken, size), hopeless=False)

    def turned_down(self, size: int, single: bool) -> SizeBound:
        """The gateway refused one; `single` if it held one pair."""
        taken = self.taken if self.taken < size else 0
        least = size if self.refused is None else min(self.refused, size)
        return SizeBound(taken, least, (self.hopeless or single) and not taken)


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a run has learnt about the size of requests: how many pairs they may name, how many bytes they may take."""

    pairs: SizeBound = SizeBound()
    bytes: SizeBound = SizeBound()

    def heard(self, reply: Reply[object], pairs: int, body_bytes: int) -> Sizing:
        """The gateway answered a request of that size."""
        match reply.answer:
            case Answer.OK:
                taken = self.pairs.took(pairs), self.bytes.took(body_bytes)
                return self if taken == (self.pairs, self.bytes) else Sizing(*taken)
            case Answer.TOO_LARGE if reply.code == wire.Code.TOO_MANY_POINTS:
                return replace(self, pairs=self.pairs.turned_down(pairs, pairs == 1))
            case Answer.TOO_LARGE:
                return replace(self, bytes=self.bytes.turned_down(body_bytes, pairs == 1))
        return self

    def broke(self, body_bytes: int) -> Sizing:
        """A body of that size seems to be more than the gateway lets in: it closes the connection instead."""
        return replace(self, bytes=self.bytes.turned_down(body_bytes, False))

    def divides(self, answer: Answer) -> bool:
        """Whether it helps to send a chunk in parts after that answer."""
        return answer is not Answer.TOO_LARGE or not (self.pairs.hopeless or self.bytes.hopeless)

    def fits(self, chunk: Chunk) -> bool:
        """Whether the chunk may be sent as it is."""
        return _fitting(chunk, self)(*_whole(chunk))

    def cut(self, chunk: Chunk) -> tuple[Cut, ...]:
        """The chunk in two parts, and those cut further until each fits or holds one pair. It has two pairs or more."""
        fits = _fitting(chunk, self)
        return tuple(part for half in halves(*_whole(chunk)) for part in _cut(half, fits))


def _whole(chunk: Chunk) -> Cut:
    return Span(0, len(chunk.assets)), Span(0, len(chunk.points))


def _fitting(chunk: Chunk, sizing: Sizing) -> Callable[[Span, Span], bool]:
    """What says whether a part of the chunk may be sent."""
    if sizing.bytes.most is None:
        return lambda assets, points: sizing.pairs.fits(len(assets) * len(points))
    weigh = _scales(chunk)
    return lambda assets, points: (
        sizing.pairs.fits(len(assets) * len(points)) and sizing.bytes.fits(weigh(assets, points))
    )


def _cut(part: Cut, fits: Callable[[Span, Span], bool]) -> Iterator[Cut]:
    if len(part[0]) * len(part[1]) == 1 or fits(*part):
        yield part
    else:
        for half in halves(*part):
            yield from _cut(half, fits)


def _scales(chunk: Chunk) -> Callable[[Span, Span], int]:
    """What weighs the body of a part of the chunk, in bytes."""
    assets, points = _sums(chunk.assets), _sums(chunk.points)
    frame = wire.frame_size(chunk.stage) - 2

    def weigh(some: Span, others: Span) -> int:
        return frame + assets[some.end] - assets[some.start] + points[others.end] - points[others.start]

    return weigh


def _sums(ids: Sequence[str]) -> list[int]:
    """The bytes of all IDs before each, and of all of them, each with a comma."""
    return list(accumulate((size + 1 for size in wire.id_sizes(ids)), initial=0))


def halves(assets: Span, points: Span) -> tuple[Cut, Cut]:
    """Two parts of about the same size, cut along the longer side. There are two pairs or more."""
    if len(assets) >= len(points):
        first, second = assets.halves()
        return (first, points), (second, points)
    first, second = points.halves()
    return (assets, first), (assets, second)
