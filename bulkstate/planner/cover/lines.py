"""Line covers (König 1931): a rectangle for each row, or for each column. The simplest covers there are, and on
relations without any structure the best.

Where cells are free to be covered, lines that are forbidden the same cells can be one rectangle that takes in all else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.incidence import Incidence, equal_lines

Piece: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Row classes × column classes: a rectangle of a cover."""


def turned(piece: Piece) -> Piece:
    """The rectangle in the transposed relation."""
    return piece[1], piece[0]


_CELLS = 60_000_000  # allowed cells that are spelt out at most


@dataclass(frozen=True)
class LineCover:
    """Rectangle i is the lines `heads[starts[i]:starts[i + 1]]` (rows, or columns if it is `transposed`) with the cells
    of row i of `across`."""

    across: Incidence
    heads: NDArray[np.int64]
    starts: NDArray[np.int64]
    transposed: bool

    def least(self, rows: NDArray[np.int64], columns: NDArray[np.int64], cap: int) -> int:
        """How many requests of at most `cap` pairs it takes at least; `rows` and `columns` are the classes' sizes."""
        along, over = (columns, rows) if self.transposed else (rows, columns)
        heads = np.add.reduceat(along[self.heads], self.starts[:-1])
        cells = np.add.reduceat(over[self.across.columns], self.across.starts[:-1])
        return int((-(-heads * cells // cap)).sum())

    def pieces(self) -> Iterator[Piece]:
        """The rectangles, one by one."""
        heads, cells = self.heads, self.across.columns.astype(np.int64)
        for (a, b), (c, d) in zip(pairwise(self.starts.tolist()), pairwise(self.across.starts.tolist()), strict=True):
            yield (cells[c:d], heads[a:b]) if self.transposed else (heads[a:b], cells[c:d])


def line_covers(target: Incidence, forbidden: Incidence | None) -> Iterator[LineCover]:
    """By rows and by columns, as they are selected and, where cells are free, as they are allowed."""
    yield from _covers(target, forbidden, False)
    yield from _covers(target.transposed(), None if forbidden is None else forbidden.transposed(), True)


def _covers(target: Incidence, forbidden: Incidence | None, transposed: bool) -> Iterator[LineCover]:
    lines = np.flatnonzero(target.lengths())
    yield LineCover(target.take(lines), lines, np.arange(lines.size + 1), transposed)
    if forbidden is not None:
        yield from _free(target, forbidden, lines, transposed)


def _free(target: Incidence, forbidden: Incidence, lines: NDArray[np.int64], transposed: bool) -> Iterator[LineCover]:
    """Lines that are forbidden the same, with whatever some of them needs."""
    groups = equal_lines(forbidden.take(lines))
    if groups.count * target.width > _CELLS:
        return
    needed = np.zeros((groups.count, target.width), np.bool_)
    part = target.take(lines)
    needed[groups.label[part.row_numbers()], part.columns] = True
    starts = np.concatenate([[0], np.cumsum(needed.sum(axis=1))])
    cells = np.nonzero(needed)[1].astype(np.int32)
    yield LineCover(Incidence(starts, cells, target.width), lines[groups.members], groups.starts, transposed)
