"""Vertex greedy (Ene et al., SACMAT 2008): the line with fewest uncovered cells gets a rectangle around all of them.

That line needs a rectangle anyway, and one with few cells left gives little choice of which. It needs no graph of
cells. By rows, by columns and by both it makes different covers; each is pruned of rectangles whose cells others
cover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.lines import Piece
from bulkstate.planner.cover.packed import Packed, Words, members, sums

WAYS: Final = 3
"""By lines, by places, by both: so many covers are made."""

_NOBODY = np.iinfo(np.int64).max


@dataclass(frozen=True)
class _Rectangle:
    lines: NDArray[np.int64]
    places: Words

    @property
    def area(self) -> int:
        return len(self.lines) * int(np.bitwise_count(self.places).sum())

    def piece(self, packed: Packed) -> Piece:
        """The rectangle without lines and places that hold no target in it."""
        held = packed.target[self.lines] & self.places
        places = members(np.bitwise_or.reduce(held, axis=0), packed.places)
        return packed.piece(self.lines[held.any(axis=1)], places)


def vertex_greedy(packed: Packed, most: int, expired: Callable[[], bool]) -> Iterator[list[Piece]]:
    """Covers by lines, by places and by both, each of at most `most` rectangles; those that take more are given up."""
    for by_lines, by_places in ((True, False), (False, True), (True, True)):
        found = _cover(packed, by_lines, by_places, most, expired)
        if found is not None:
            yield [one.piece(packed) for one in _pruned(packed, found, expired)]


def _cover(
    packed: Packed, by_lines: bool, by_places: bool, most: int, expired: Callable[[], bool]
) -> list[_Rectangle] | None:
    left = packed.target.copy()
    of_line = np.bitwise_count(left).sum(axis=1, dtype=np.int64)
    of_place = sums(left, packed.places)
    found: list[_Rectangle] = []
    while of_line.any():
        if len(found) >= most or expired():
            return None
        line, place = _fewest(of_line), _fewest(of_place)
        if by_lines and not (by_places and of_place[place] < of_line[line]):
            lines = packed.holders(left[line])
            places = packed.common(lines)
        else:
            places = packed.common(packed.at(left, place))
            lines = packed.holders(places)
        fresh = left[lines] & places
        left[lines] &= ~places
        of_line[lines] -= np.bitwise_count(fresh).sum(axis=1, dtype=np.int64)
        of_place -= sums(fresh, packed.places)
        found.append(_Rectangle(lines, places))
    return found


def _fewest(counts: NDArray[np.int64]) -> int:
    """Where the smallest count above 0 is."""
    return int(np.where(counts > 0, counts, _NOBODY).argmin())


def _pruned(packed: Packed, found: list[_Rectangle], expired: Callable[[], bool]) -> list[_Rectangle]:
    """The rectangles without those of which others cover every target cell, the larger of which stay."""
    while not expired():
        spare = _spare(packed, found)
        kept = [one for one, is_spare in zip(found, spare, strict=True) if not is_spare]
        left = packed.target.copy()
        for one in kept:
            left[one.lines] &= ~one.places
        for one in sorted(_where(found, spare), key=lambda one: -one.area):
            if (left[one.lines] & one.places).any():
                left[one.lines] &= ~one.places
                kept.append(one)
        if len(kept) == len(found):
            return kept
        found = kept
    return found


def _spare(packed: Packed, found: list[_Rectangle]) -> list[bool]:
    """For each rectangle whether every target cell in it is in another one, too."""
    once, twice = np.zeros_like(packed.target), np.zeros_like(packed.target)
    for one in found:
        twice[one.lines] |= once[one.lines] & one.places
        once[one.lines] |= one.places
    alone = packed.target & ~twice
    return [not (alone[one.lines] & one.places).any() for one in found]


def _where(found: list[_Rectangle], flags: list[bool]) -> list[_Rectangle]:
    return [one for one, flag in zip(found, flags, strict=True) if flag]
