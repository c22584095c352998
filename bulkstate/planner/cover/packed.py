"""A relation as flags packed into 64-bit words, the shorter side as lines: what the greedies over all cells work on.

All lines are looked at in one operation, so that a rectangle of a relation with millions of cells costs microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.incidence import Incidence
from bulkstate.planner.cover.lines import Piece

Words = NDArray[np.uint64]
"""Flags of places, 64 to a word, along the last axis."""

_WORD = 64
_FLAGS = 1 << 30  # rows × columns at most: 128 MiB
_AT_ONCE = 255  # lines whose flags are summed in one byte each


@dataclass(frozen=True)
class Packed:
    """Target and allowed cells: for each line (a row of the relation, or a column if it is `transposed`) the places
    along the other side."""

    target: Words
    allowed: Words
    places: int
    transposed: bool

    @property
    def lines(self) -> int:
        """The number of lines."""
        return len(self.target)

    def words(self, rectangles: int) -> int:
        """How many words are looked at for so many rectangles."""
        return rectangles * self.target.size

    def piece(self, lines: NDArray[np.int64], places: NDArray[np.int64]) -> Piece:
        """Lines × places as rows × columns."""
        return (places, lines) if self.transposed else (lines, places)

    def common(self, lines: NDArray[np.int64]) -> Words:
        """The places that are allowed on every one of some lines."""
        common: Words = np.bitwise_and.reduce(self.allowed[lines], axis=0)
        return common

    def holders(self, places: Words) -> NDArray[np.int64]:
        """The lines that are allowed at every one of some places."""
        return np.flatnonzero(~(places & ~self.allowed).any(axis=1))

    def at(self, flags: Words, place: int) -> NDArray[np.int64]:
        """The lines that have a place among `flags`, words as `target` has them."""
        return np.flatnonzero(flags[:, place // _WORD] >> np.uint64(place % _WORD) & np.uint64(1))


def pack(target: Incidence, forbidden: Incidence | None) -> Packed | None:
    """The cells, packed; None if there would be too many flags."""
    if target.height * target.width > _FLAGS:
        return None
    # Lines that hold nothing don't count: they come and go with how a selection is written.
    transposed = bool(np.count_nonzero(target.lengths()) > np.count_nonzero(np.bincount(target.columns)))
    packed = _packed(target, transposed)
    places = max(target.height, target.width)
    if forbidden is None:
        return Packed(packed, packed, places, transposed)
    everywhere = as_words(np.ones((1, places), np.bool_))
    return Packed(packed, everywhere & ~_packed(forbidden, transposed), places, transposed)


def as_bit_sets(flags: Words) -> list[int]:
    """Each line's flags as a bit set."""
    return [int.from_bytes(line.tobytes(), "little") for line in flags]


def members(flags: Words, places: int) -> NDArray[np.int64]:
    """The places of one line's flags."""
    return np.flatnonzero(np.unpackbits(flags.view(np.uint8), count=places, bitorder="little"))


def sums(flags: Words, places: int) -> NDArray[np.int64]:
    """How many of some lines' flags each place has."""
    counts = np.zeros((flags.shape[1], _WORD), np.int64)
    used = np.flatnonzero(np.bitwise_or.reduce(flags, axis=0))
    within = flags if used.size == flags.shape[1] else np.take(flags, used, axis=1)
    for start in range(0, len(flags), _AT_ONCE):
        spread = np.unpackbits(within[start : start + _AT_ONCE].view(np.uint8), axis=1, bitorder="little")
        counts[used] += np.add.reduce(spread, axis=0, dtype=np.uint8).reshape(-1, _WORD)
    return counts.ravel()[:places]


def _packed(incidence: Incidence, transposed: bool) -> Words:
    lines = incidence.transposed() if transposed else incidence
    packed = np.empty((lines.height, -(-lines.width // _WORD)), np.uint64)
    flags = np.zeros((1, lines.width), np.bool_)
    for number, (start, end) in enumerate(zip(lines.starts, lines.starts[1:], strict=False)):
        flags[0, lines.columns[start:end]] = True
        packed[number] = as_words(flags)[0]
        flags[0, lines.columns[start:end]] = False
    return packed


def as_words(flags: NDArray[np.bool_]) -> Words:
    """Each line's flags as words."""
    raw = np.packbits(flags, axis=1, bitorder="little")
    padded = np.zeros((len(raw), -(-raw.shape[1] // 8) * 8), np.uint8)
    padded[:, : raw.shape[1]] = raw
    return padded.view("<u8")
