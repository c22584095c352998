"""Cells taken off one by one, each with all that fits into a request with it, as long as that costs less than it gains.

Where a cap binds, the pairs alone need requests, and so do cells of which no two fit into one. Taking off a cell proves
whole requests, and gives up what lies beside it; what is left at the end needs requests by its pairs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.bound import Bound, Group, Sizes
from bulkstate.planner.cover.incidence import ClassRelation, dense

_PRODUCT = 3_000_000_000  # multiplications for which one look at all cells is taken
_LOOKS = 20_000_000_000  # and all looks together
_AT_ONCE = 40_000_000  # multiplications for each further cell that is taken off after one look
_EXACT = 1 << 24  # up to where sums of whole numbers are exact in 32 bits


def by_peeling(classes: ClassRelation, sizes: Sizes, expired: Callable[[], bool]) -> Bound:
    """Single cells, and the rest as one part. No parts where the relation is too large to be looked at."""
    if classes.target.height < classes.target.width:
        return by_peeling(classes.transposed(), sizes.transposed(), expired).transposed()
    product = 2 * classes.target.height * classes.target.width**2
    if product > _PRODUCT:
        return Bound(())
    left = dense(classes.target)
    allowed = left.copy() if classes.forbidden is None else ~dense(classes.forbidden)
    kind = np.float32 if sizes.rows.sum() * sizes.columns.sum() < _EXACT else np.float64
    within: NDArray[np.floating] = allowed.astype(kind)
    pairs: NDArray[np.floating] = np.outer(sizes.rows, sizes.columns).astype(kind)
    needed = np.ceil(pairs / sizes.pairs)
    taken: list[Group] = []
    for _ in range(_LOOKS // product):
        cells = [] if expired() else _dearest(left, within, pairs, needed * sizes.pairs, 1 + product // _AT_ONCE)
        before = len(taken)
        for row, column in cells:
            beside = np.ix_(allowed[:, column], allowed[row])
            if left[row, column] and (left[beside] * pairs[beside]).sum() < needed[row, column] * sizes.pairs:
                left[beside] = False
                taken.append(sizes.group([(row, column)]))
        if len(taken) == before:
            break
    rest = [(int(row), int(column)) for row, column in zip(*np.nonzero(left), strict=True)]
    return Bound((*taken, sizes.group(rest)) if rest else tuple(taken))


def _dearest(
    left: NDArray[np.bool_],
    allowed: NDArray[np.floating],
    pairs: NDArray[np.floating],
    proven: NDArray[np.floating],
    count: int,
) -> list[tuple[int, int]]:
    """The cells that prove most beyond the pairs that are left beside them, in requests times the cap."""
    beside = allowed @ ((left * pairs).T @ allowed)
    gained = np.where(left, proven - beside, -1).ravel()
    least = max(
        float(np.partition(gained, -count)[-count]) if gained.size > count else 0.0, np.finfo(gained.dtype).tiny
    )
    best = np.flatnonzero(gained >= least)
    best = best[np.argsort(-gained[best], kind="stable")[:count]]
    return [(int(row), int(column)) for row, column in zip(*np.divmod(best, left.shape[1]), strict=True)]
