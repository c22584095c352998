"""Rectangles over the cap, trimmed to what the others leave uncovered: a cover that is small becomes few requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bulkstate.planner.cover.bits import from_array, members, to_list
from bulkstate.planner.cover.bound import Sizes
from bulkstate.planner.cover.lines import Piece
from bulkstate.planner.cover.small import Biclique
from bulkstate.planner.strips import strip_count

_GROUPS = 60  # patterns of uncovered columns that are merged pairwise


def trimmed(target: Sequence[int], pieces: Iterable[Piece], sizes: Sizes, expired: Callable[[], bool]) -> list[Piece]:
    """Rectangles within the cap as they are; of the others, by falling area, only what is still uncovered.

    `target` has the columns of each row, as bit sets.
    """
    rectangles = [_biclique(piece, sizes) for piece in pieces]
    left = list(target)
    kept = [one for one in rectangles if _area(one, sizes) <= sizes.pairs]
    for one in kept:
        _strike(left, one)
    oversized = [one for one in rectangles if _area(one, sizes) > sizes.pairs]
    for one in sorted(oversized, key=lambda one: -_area(one, sizes)):
        for part in _parts(left, one, sizes, merge=not expired()):
            _strike(left, part)
            kept.append(part)
    return [(np.array(to_list(one.rows)), np.array(to_list(one.columns))) for one in kept]


def _biclique(piece: Piece, sizes: Sizes) -> Biclique:
    rows, columns = piece
    return Biclique(from_array(rows, sizes.rows.size), from_array(columns, sizes.columns.size))


def _area(rectangle: Biclique, sizes: Sizes) -> int:
    return int(sizes.rows[to_list(rectangle.rows)].sum()) * int(sizes.columns[to_list(rectangle.columns)].sum())


def _strike(left: list[int], rectangle: Biclique) -> None:
    for row in members(rectangle.rows):
        left[row] &= ~rectangle.columns


def _parts(left: list[int], rectangle: Biclique, sizes: Sizes, *, merge: bool) -> list[Biclique]:
    """What is uncovered in a rectangle, as rectangles inside it that take few requests: rows of one pattern, merged
    where that saves."""
    patterns: dict[int, int] = {}
    for row in members(rectangle.rows):
        pattern = left[row] & rectangle.columns
        if pattern:
            patterns[pattern] = patterns.get(pattern, 0) | 1 << row
    parts = [Biclique(rows, columns) for columns, rows in patterns.items()]
    joined = _joined(parts, sizes) if merge and len(parts) <= _GROUPS else parts
    whole = _hull(parts)
    ways = [joined] if whole is None else [joined, [whole]]
    return min(ways, key=lambda way: (sum(_count(one, sizes) for one in way), sum(_area(one, sizes) for one in way)))


def _hull(parts: list[Biclique]) -> Biclique | None:
    rows = columns = 0
    for part in parts:
        rows |= part.rows
        columns |= part.columns
    return Biclique(rows, columns) if parts else None


def _count(rectangle: Biclique, sizes: Sizes) -> int:
    rows, columns = to_list(rectangle.rows), to_list(rectangle.columns)
    return strip_count(int(sizes.rows[rows].sum()), int(sizes.columns[columns].sum()), sizes.pairs)


def _joined(parts: list[Biclique], sizes: Sizes) -> list[Biclique]:
    """Join two parts at a time, as long as their hull takes fewer requests than they do; the biggest saving first."""
    counts = {part: _count(part, sizes) for part in parts}
    while len(parts) > 1:
        best: tuple[int, Biclique, Biclique, Biclique] | None = None
        for number, one in enumerate(parts):
            for other in parts[:number]:
                hull = Biclique(one.rows | other.rows, one.columns | other.columns)
                if hull not in counts:
                    counts[hull] = _count(hull, sizes)
                saved = counts[one] + counts[other] - counts[hull]
                if saved > 0 and (best is None or saved > best[0]):
                    best = saved, one, other, hull
        if best is None:
            break
        parts = [part for part in parts if part not in best[1:3]] + [best[3]]
    return parts
