"""How many rectangles rows need because they are different (Sperner, 1928).

A row is the union of the columns of the rectangles that it is in. So k rectangles make at most 2^k - 1 different rows
that aren't empty; and where no row lies inside another, no row's rectangles are all another's, either, so that there
are at most C(k, k/2) of them. Weights can't show that: the fractional cover of a crown, of any size, is about four.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from math import comb

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Different:
    """Rows, by number, that are all different and not empty; `apart` if none of them lies inside another."""

    rows: NDArray[np.int64]
    apart: bool

    @property
    def needed(self) -> int:
        """The fewest rectangles that make so many such rows."""
        count = self.rows.size
        return max(needed_by_apart(count) if self.apart else needed_by_different(count), min(count, 1))


def different_rows(flags: Flags) -> Different:
    """Of the rows of a matrix those that need most rectangles: all different ones, or those of one length, of which
    none lies inside another."""
    lengths = flags.sum(axis=1)
    _, first = np.unique(np.packbits(flags, axis=1), axis=0, return_index=True)
    distinct = np.sort(first[lengths[first] > 0])
    if not distinct.size:
        return Different(distinct, False)
    level = int(np.bincount(lengths[distinct]).argmax())
    ways = Different(distinct, False), Different(distinct[lengths[distinct] == level], True)
    return max(ways, key=lambda way: way.needed)


def needed_by_different(rows: int) -> int:
    """The fewest rectangles that make so many different rows, none of them empty."""
    return rows.bit_length()


def needed_by_apart(rows: int) -> int:
    """The fewest rectangles that make so many rows of which none lies inside another."""
    return next(k for k in count() if comb(k, k // 2) >= rows)
