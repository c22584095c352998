"""Greedy fooling sets over all cells: cells of which no two fit in one rectangle, hence as many as rectangles at least.

Taken is always a cell of the line with fewest cells left to take, of these the one that fits together with fewest
others (the independent set of least degree, after Halldórsson and Radhakrishnan, 1997, without its graph).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.graph import Cell
from bulkstate.planner.cover.packed import Packed, members, sums

_NOBODY = np.iinfo(np.int64).max


def fooling_set(packed: Packed, expired: Callable[[], bool]) -> tuple[Cell, ...]:
    """Target cells (row, column) of which no two fit in one rectangle."""
    left = packed.target.copy()
    of_line = np.bitwise_count(left).sum(axis=1, dtype=np.int64)
    of_place = sums(left, packed.places)
    long_line, long_place = (
        np.bitwise_count(packed.allowed).sum(axis=1, dtype=np.int64),
        sums(packed.allowed, packed.places),
    )
    chosen: list[Cell] = []
    while of_line.any() and not expired():
        line, place = _fewest(of_line), _fewest(of_place)
        if of_line[line] <= of_place[place]:
            places = members(left[line], packed.places)
            place = int(places[long_place[places].argmin()])
        else:
            lines = packed.at(left, place)
            line = int(lines[long_line[lines].argmin()])
        near = packed.at(packed.allowed, place)
        near = near[of_line[near] > 0]
        gone = left[near] & packed.allowed[line]
        lost = np.bitwise_count(gone).sum(axis=1, dtype=np.int64)
        left[near] ^= gone
        of_line[near] -= lost
        of_place -= sums(gone[lost > 0], packed.places)
        chosen.append((place, line) if packed.transposed else (line, place))
    return tuple(chosen)


def _fewest(counts: NDArray[np.int64]) -> int:
    return int(np.where(counts > 0, counts, _NOBODY).argmin())
