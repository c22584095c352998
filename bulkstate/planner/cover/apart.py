"""Clusters of rows as parts of which no request touches two: where each column counts for one cluster alone.

Clusters are put in an order, small ones first, and a column counts for the last that has it. A request with cells of
two clusters would hold the earlier one's column in a row of the later one, which doesn't have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.bound import Bound, Part, Region, Sizes, Unlike, by_fooling
from bulkstate.planner.cover.fooling import fooling_set
from bulkstate.planner.cover.incidence import ClassRelation, Incidence, dense
from bulkstate.planner.cover.packed import pack
from bulkstate.planner.cover.sperner import different_rows

_CELLS = 60_000_000  # cells that are spelt out at most
_WORDS = 20_000_000  # looked at for the fooling set of one cluster


def by_clusters(
    classes: ClassRelation, clusters: Sequence[NDArray[np.int64]], sizes: Sizes, expired: Callable[[], bool]
) -> Bound:
    """What each cluster needs in the columns that count for it, added up; cells that aren't targets are forbidden."""
    target = classes.target
    pairs = np.bincount(target.row_numbers(), sizes.columns[target.columns], target.height) * sizes.rows
    order = sorted(clusters, key=lambda rows: float(pairs[rows].sum()))
    last = np.full(target.width, -1)
    for number, rows in enumerate(order):
        last[target.take(rows).columns] = number
    by_last = np.argsort(last, kind="stable")
    ends = np.searchsorted(last[by_last], np.arange(len(order) + 1))
    parts: list[Part] = []
    for number, rows in enumerate(order):
        columns = np.sort(by_last[ends[number] : ends[number + 1]])
        if columns.size and not expired():
            parts += _parts(target.take(rows), rows, columns, sizes, expired)
    return Bound(tuple(parts))


def _parts(
    lines: Incidence, rows: NDArray[np.int64], columns: NDArray[np.int64], sizes: Sizes, expired: Callable[[], bool]
) -> Sequence[Part]:
    """What shows best how many requests some rows need in some columns."""
    within = lines.only(columns)
    pairs = int((sizes.rows[rows][within.row_numbers()] * sizes.columns[columns][within.columns]).sum())
    ways: list[Sequence[Part]] = [(Region(rows, columns, -(-pairs // sizes.pairs)),)]
    if rows.size * columns.size <= _CELLS:
        flags = dense(within)
        by_rows, by_columns = different_rows(flags), different_rows(flags.T)
        ways.append((Unlike(rows[by_rows.rows], columns, by_rows.needed, False),))
        ways.append((Unlike(rows, columns[by_columns.rows], by_columns.needed, True),))
    packed = pack(within, None)
    if packed is not None and packed.words(packed.lines) <= _WORDS:
        cells = fooling_set(packed, expired)
        named = [(int(rows[row]), int(columns[column])) for row, column in cells]
        ways.append(by_fooling(named, sizes).parts)
    return max(ways, key=lambda parts: sum(part.needed for part in parts))
