"""Rectangles over the cap, trimmed to what the others leave uncovered: a cover that is small becomes few requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import or_

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.bits import from_array, members, to_list
from bulkstate.planner.cover.bound import Sizes
from bulkstate.planner.cover.lines import Piece
from bulkstate.planner.cover.packed import Words, as_words
from bulkstate.planner.cover.small import Biclique
from bulkstate.planner.strips import strip_count

_JOINED = 20_000_000  # words of flags that are looked at while patterns are joined in pairs


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
    whole = _hull(parts)
    wide = 0 if whole is None else int(sizes.columns[to_list(whole.columns)].sum())
    joined = _joined(parts, sizes) if merge and len(parts) ** 2 * (1 + wide // 64) <= _JOINED else parts
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
    height, width = int(sizes.rows[rows].sum()), int(sizes.columns[columns].sum())
    return 1 if height * width <= sizes.pairs else strip_count(height, width, sizes.pairs)


def _joined(parts: list[Biclique], sizes: Sizes) -> list[Biclique]:
    """Join two parts at a time, as long as their hull takes fewer requests than they do; the biggest saving first, of
    equal ones the smallest hull. The parts share no row."""
    words = _spelt_out(parts, sizes)
    heights = np.array([sizes.rows[to_list(part.rows)].sum() for part in parts])
    widths = _sizes(words)
    counts = -(-heights * widths // sizes.pairs)
    alive = np.ones(len(parts), np.bool_)
    worth = np.zeros((len(parts), len(parts)))

    def compare(one: int) -> None:
        hulls = (heights[one] + heights) * _sizes(words | words[one])
        saved = np.maximum(counts[one] + counts - -(-hulls // sizes.pairs), 0) * alive
        saved[one] = 0
        worth[one] = worth[:, one] = np.where(saved > 0, saved + 1 / (1 + hulls), 0)

    for number in range(len(parts)):
        compare(number)
    joined = list(parts)
    while worth.max() > 0:
        one, other = divmod(int(worth.argmax()), len(parts))
        joined[one] = Biclique(joined[one].rows | joined[other].rows, joined[one].columns | joined[other].columns)
        words[one] |= words[other]
        heights[one] += heights[other]
        counts[one] = -(-heights[one] * int(_sizes(words[one])) // sizes.pairs)
        alive[other] = False
        worth[other] = worth[:, other] = 0
        compare(one)
    return [part for part, is_left in zip(joined, alive, strict=True) if is_left]


def _spelt_out(parts: list[Biclique], sizes: Sizes) -> Words:
    """The columns, not classes, of each part."""
    classes = np.array(to_list(reduce(or_, (part.columns for part in parts))))
    flags = np.zeros((len(parts), sizes.columns.size), np.bool_)
    for line, part in zip(flags, parts, strict=True):
        line[to_list(part.columns)] = True
    return as_words(np.repeat(flags[:, classes], sizes.columns[classes], axis=1))


def _sizes(words: Words) -> NDArray[np.int64]:
    sizes: NDArray[np.int64] = np.bitwise_count(words).sum(axis=-1, dtype=np.int64)
    return sizes
