"""A dense rectangle cut into the fewest requests.

Slicing P columns into strips of widths w costs the sum of ceil(A / floor(cap / w)): a covering knapsack over the
strips. It is solved in both directions, and nested: the last columns of one direction may be cut in the other. Among
equal counts the fewest bytes win, so near-square tiles do. The result is index ranges; nothing is expanded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.limits import IdSizes, sums_before

_MOST = 1 << 62
_WINDOW = 6_000  # widths beyond this are tried only where a tile's height is a whole number
_EXACT = 400  # lengths up to this are solved exactly; longer ones first give away strips of one of the best widths
_LEADERS = 16  # efficient widths that a long length is given away in
_PLACES = 2_500  # lengths of all knapsacks of a direction together, for speed


@dataclass(frozen=True)
class StripLimits:
    """What one request may hold: `pairs`; `size` bytes of IDs, each ID with its separator."""

    pairs: int
    size: int = _MOST


class Tile(NamedTuple):
    """Rows `top` up to `bottom` (exclusive) × columns `left` up to `right`, as places in the rectangle's
    lists of IDs."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class _Axis:
    """One side of a rectangle: its length, and the bytes of an average and of the largest ID (with separator)."""

    length: int
    mean: float
    largest: int


@dataclass(frozen=True)
class _Strip:
    """Some columns, cut across into tiles of at most `height` rows; `swapped` if columns stand for rows."""

    width: int
    height: int


@dataclass(frozen=True)
class _Plan:
    """Strips for the two directions: `upright` strips of columns come first, the columns left are cut into
    `lying` strips of rows."""

    requests: int
    size: float
    upright: tuple[_Strip, ...]
    lying: tuple[_Strip, ...]


def strip_count(rows: int, columns: int, pairs: int) -> int:
    """The number of tiles in equal strips (and a narrower last one): quick, and close above what `tiles` needs."""
    return min(_equal_strips(rows, columns, pairs), _equal_strips(columns, rows, pairs))


def _equal_strips(across: int, along: int, pairs: int) -> int:
    widths = np.unique(np.geomspace(1, min(along, pairs), 64).astype(np.int64))
    last = along % widths
    whole = -(-across // (pairs // widths)) * (along // widths)
    return int((whole + np.where(last, -(-across // (pairs // np.maximum(last, 1))), 0)).min())


def tiles(row_sizes: IdSizes, column_sizes: IdSizes, limits: StripLimits) -> list[Tile]:
    """Tiles that cover the rectangle once, each within the limits; `sizes` are bytes of each ID with its separator.

    Raises ValueError where one row ID and one column ID together are over the limit.
    """
    rows, columns = _axis(row_sizes), _axis(column_sizes)
    if rows.largest + columns.largest > limits.size:
        raise ValueError("one pair of IDs is larger than a request may be")
    if rows.length * columns.length <= limits.pairs and row_sizes.sum() + column_sizes.sum() <= limits.size:
        return [Tile(0, rows.length, 0, columns.length)]
    plan = _plan(rows, columns, limits)
    return list(_cut(plan, row_sizes, column_sizes, limits))


def _axis(sizes: IdSizes) -> _Axis:
    return _Axis(sizes.size, float(sizes.mean()), int(sizes.max()))


def _plan(rows: _Axis, columns: _Axis, limits: StripLimits) -> _Plan:
    """The best of: strips of columns; strips of rows; columns first and the rest in rows; the other way round is the
    same transposed."""
    upright = _strips(rows, columns, limits)
    lying = _strips(columns, rows, limits)
    plans = [_Plan(*_cost(upright, rows, columns), upright, ()), _Plan(*_cost(lying, columns, rows), (), lying)]
    floor = -(-rows.length * columns.length // limits.pairs)
    if min(plan.requests for plan in plans) > floor:
        plans += _nested(rows, columns, limits, upright)
    return min(plans, key=lambda plan: (plan.requests, plan.size))


def _nested(rows: _Axis, columns: _Axis, limits: StripLimits, upright: tuple[_Strip, ...]) -> Iterator[_Plan]:
    """Keep the first k kinds of strips of columns, and cut the columns left into strips of rows."""
    firsts = sorted({number for number in range(1, len(upright)) if upright[number] != upright[number - 1]})[-8:]
    for kept in sorted({*firsts, *range(max(1, len(upright) - 4), len(upright))}):
        left = columns.length - sum(strip.width for strip in upright[:kept])
        if left > 0:
            rest = _Axis(left, columns.mean, columns.largest)
            lying = _strips(rest, rows, limits)
            first, second = _cost(upright[:kept], rows, columns), _cost(lying, rest, rows)
            yield _Plan(first[0] + second[0], first[1] + second[1], upright[:kept], lying)


def _cost(strips: tuple[_Strip, ...], across: _Axis, along: _Axis) -> tuple[int, float]:
    """Requests and bytes of strips along one axis, each cut across the other."""
    requests, size = 0, 0.0
    for strip in strips:
        count = -(-across.length // strip.height)
        requests += count
        size += count * strip.width * along.mean + across.length * across.mean
    return requests, size


def _strips(across: _Axis, along: _Axis, limits: StripLimits) -> tuple[_Strip, ...]:
    """Strips along an axis, widest first, whose tiles across the other axis are fewest: a covering knapsack."""
    widths, heights = _kinds(across, along, limits)
    counts = -(-across.length // heights)
    sizes = counts * widths * along.mean + across.length * across.mean
    costs = counts + sizes / (
        sizes.max() * (along.length + 1)
    )  # bytes only break ties: they sum to less than one request
    best = math.inf, list[int]()
    places = 0
    for whole, left in _given_away(along.length, widths, costs):
        places += min(left, _PLACES // 8)
        if best[1] and places > _PLACES:
            break
        value, chosen = _knapsack(left, widths, costs)
        total = sum(float(costs[kind]) * number for kind, number in whole) + value
        if total < best[0] - 1e-9:
            best = total, [kind for kind, number in whole for _ in range(number)] + chosen
    strips = sorted((_Strip(int(widths[kind]), int(heights[kind])) for kind in best[1]), key=lambda s: -s.width)
    return _fitted(strips, along.length)


def _kinds(across: _Axis, along: _Axis, limits: StripLimits) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Useful widths of strips, and the heights of their tiles: of the widths with equal numbers of tiles, only the
    widest."""
    most = min(along.length, limits.pairs, (limits.size - across.largest) // max(along.largest, 1))
    widths = np.arange(1, min(most, _WINDOW) + 1)
    if most > _WINDOW:
        heights = np.arange(1, limits.pairs // _WINDOW + 2)
        widths = np.unique(np.concatenate([widths, np.minimum(limits.pairs // heights, most)]))
    heights = np.minimum(limits.pairs // widths, across.length)
    if across.largest:
        heights = np.minimum(heights, (limits.size - widths * along.largest) // across.largest)
    widths, heights = widths[heights > 0], heights[heights > 0]
    counts = -(-across.length // heights)
    widest = np.append(counts[1:] != counts[:-1], True)
    squarest = np.abs(np.log(np.maximum(widths, 1) * max(along.mean, 1e-9)) - np.log(heights * max(across.mean, 1e-9)))
    widest[int(squarest.argmin())] = True
    return widths[widest], heights[widest]


def _given_away(
    length: int, widths: NDArray[np.int64], costs: NDArray[np.float64]
) -> Iterator[tuple[list[tuple[int, int]], int]]:
    """Ways to give away most of a long length in strips of one efficient width; the length left is within the
    window."""
    if length <= _EXACT:
        yield [], length
        return
    for kind in np.argsort(costs / widths, kind="stable")[:_LEADERS].tolist():
        number = max(0, (length - _EXACT // 2) // int(widths[kind]))
        yield [(kind, number)], length - number * int(widths[kind])


def _knapsack(length: int, widths: NDArray[np.int64], costs: NDArray[np.float64]) -> tuple[float, list[int]]:
    """The cheapest multiset of widths that sum to at least `length`."""
    if length <= 0:
        return 0.0, []
    if length > _PLACES // 2:
        numbers = -(-length // widths)
        kind = int((numbers * costs).argmin())
        return float(numbers[kind] * costs[kind]), [kind] * int(numbers[kind])
    value = np.zeros(length + 1)
    choice = np.zeros(length + 1, dtype=np.int64)
    widths, kinds = _efficient(length, widths, costs)
    prices = costs[kinds]
    for place in range(1, length + 1):
        totals = value[np.maximum(place - widths, 0)] + prices
        choice[place] = best = totals.argmin()
        value[place] = totals[best]
    chosen = []
    while length > 0:
        chosen.append(int(kinds[choice[length]]))
        length -= int(widths[choice[length]])
    return float(value[-1]), chosen


def _efficient(
    length: int, widths: NDArray[np.int64], costs: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The kinds worth trying: few where the length is long, so that the knapsack stays quick."""
    order = np.argsort(costs / np.minimum(widths, length), kind="stable")
    kinds = np.sort(order[: max(40, 40_000 // length)])
    if widths[0] not in widths[kinds]:
        kinds = np.append(0, kinds)
    return widths[kinds], kinds


def _fitted(strips: list[_Strip], length: int) -> tuple[_Strip, ...]:
    """The strips cut down to the length: what is too much comes off the narrowest."""
    fitted = []
    for strip in strips:
        width = min(strip.width, length)
        if width:
            fitted.append(_Strip(width, strip.height))
        length -= width
    return tuple(fitted)


def _cut(plan: _Plan, row_sizes: IdSizes, column_sizes: IdSizes, limits: StripLimits) -> Iterator[Tile]:
    left = 0
    for strip in plan.upright:
        right = left + strip.width
        for top, bottom in _runs(row_sizes, strip, int(column_sizes[left:right].sum()), limits):
            yield Tile(top, bottom, left, right)
        left = right
    if not plan.lying:
        return
    top = 0
    for strip in plan.lying:
        bottom = top + strip.width
        for start, end in _runs(column_sizes[left:], strip, int(row_sizes[top:bottom].sum()), limits):
            yield Tile(top, bottom, left + start, left + end)
        top = bottom


def _runs(sizes: IdSizes, strip: _Strip, taken: int, limits: StripLimits) -> Iterator[tuple[int, int]]:
    """Cut across a strip: runs as long as pairs and bytes allow, as even as their number allows."""
    sums = sums_before(sizes)
    most = min(limits.pairs // strip.width, strip.height)
    even = -(-sizes.size // -(-sizes.size // most))
    cuts = np.append(np.arange(0, sizes.size, even), sizes.size)
    if taken + np.diff(sums[cuts]).max() > limits.size:
        cuts = _cuts_by_bytes(sums, even, limits.size - taken)
    return pairwise(cuts.tolist())


def _cuts_by_bytes(sums: NDArray[np.int64], most: int, room: int) -> NDArray[np.int64]:
    cuts = [0]
    while cuts[-1] < sums.size - 1:
        reach = int(np.searchsorted(sums, sums[cuts[-1]] + room, side="right")) - 1
        cuts.append(min(cuts[-1] + most, reach))
    return np.array(cuts)
