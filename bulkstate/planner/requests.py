"""From rectangles of classes to requests: trimmed to what is uncovered, tiled under the cap, merged where that is
allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import Rectangle
from bulkstate.planner.cover.bits import from_array, members, to_list
from bulkstate.planner.cover.bound import Bound, Sizes, lower_bound
from bulkstate.planner.cover.effort import Steps
from bulkstate.planner.cover.graph import Matrix
from bulkstate.planner.cover.incidence import Classes, Incidence, Partition
from bulkstate.planner.cover.large import cover_large
from bulkstate.planner.cover.merging import Piece, Squeeze
from bulkstate.planner.cover.reduction import undominated_cells
from bulkstate.planner.cover.small import Biclique, Cover, cover_matrix, matrix_of
from bulkstate.planner.limits import Limits, Weights
from bulkstate.planner.strips import strip_count
from bulkstate.planner.tiling import tile

_CELLS = 400_000  # class cells up to which the relation is worked on as bit sets
_BITS = 1 << 31
_KERNEL = 12_000  # cells that plain containment leaves: the compatibility graph is quadratic in them
_PAIRS = 100_000  # pairs, and requests, up to which requests are improved pair by pair
_REQUESTS = 3_000
_GROUPS = 60  # patterns of uncovered columns that are merged pairwise


@dataclass(frozen=True)
class Found:
    """Requests that cover every target and touch nothing forbidden, and how few could do at best."""

    requests: tuple[Rectangle, ...]
    bound: Bound
    classes: Classes


def plan_classes(
    classes: Classes, weights: Weights, limits: Limits, effort: Steps, expired: Callable[[], bool] = lambda: False
) -> Found:
    """The fewest requests found for a relation; the same for the same input, limits and effort unless `expired` cuts
    the search short."""
    if not classes.target.cells:
        return Found((), Bound(0, "volume", ()), classes)
    plan = _plan(classes, weights, limits, effort, expired)
    pairs = classes.pairs()
    small = pairs <= _PAIRS and len(plan.requests) <= _REQUESTS
    if not small or pairs <= limits.pairs or plan.bound.requests >= len(plan.requests):
        return plan
    requests = _squeezed(plan, limits, effort, expired)
    return plan if _over(requests, weights, limits) else Found(requests, plan.bound, classes)


def _plan(classes: Classes, weights: Weights, limits: Limits, effort: Steps, expired: Callable[[], bool]) -> Found:
    if classes.target.cells > _CELLS or classes.target.height * classes.target.width > _BITS:
        return _large_plan(classes, weights, limits, effort, expired)
    matrix = matrix_of(classes)
    if len(undominated_cells(matrix)) > _KERNEL:
        return _large_plan(classes, weights, limits, effort, expired)
    sizes = Sizes(classes.rows.sizes(), classes.columns.sizes(), limits.pairs)
    cover = cover_matrix(matrix, effort, expired)
    return Found(_requests(matrix, cover, sizes, classes, weights, limits), lower_bound(matrix, sizes, cover), classes)


def _large_plan(
    classes: Classes, weights: Weights, limits: Limits, effort: Steps, expired: Callable[[], bool]
) -> Found:
    found = cover_large(classes, limits.pairs, effort, expired)
    return Found(_tiled(list(found.pieces), classes, weights, limits), found.bound, classes)


def _over(requests: tuple[Rectangle, ...], weights: Weights, limits: Limits) -> bool:
    """Whether merging made a request larger than its bytes may be."""
    return any(weights.of(request) > limits.bytes for request in requests)


def _squeezed(plan: Found, limits: Limits, effort: Steps, expired: Callable[[], bool]) -> tuple[Rectangle, ...]:
    classes = plan.classes
    height, width = classes.rows.label.size, classes.columns.label.size
    wanted = _bit_rows(classes, classes.target)
    everything = (1 << width) - 1
    allowed = wanted
    if classes.forbidden is not None:
        allowed = [everything & ~row for row in _bit_rows(classes, classes.forbidden)]
    pieces = [Piece(from_array(one.assets, height), from_array(one.points, width)) for one in plan.requests]
    squeeze = Squeeze(pieces, wanted, allowed, limits.pairs)
    work = min(effort.squeeze, effort.squeeze_a_pair * classes.pairs())
    squeeze.run(work, plan.bound.requests, expired)
    return tuple(_request(piece) for piece in squeeze.pieces)


def _bit_rows(classes: Classes, incidence: Incidence) -> list[int]:
    """For each row (not class) the columns (not classes) that it has in the relation between classes."""
    starts = incidence.starts.tolist()
    width = classes.columns.label.size
    lines = [
        from_array(classes.columns.expand(incidence.columns[a:b].astype(np.int64)), width) for a, b in pairwise(starts)
    ]
    return [lines[label] for label in classes.rows.label.tolist()]


def _request(piece: Piece) -> Rectangle:
    return Rectangle(np.array(to_list(piece.rows), np.int32), np.array(to_list(piece.columns), np.int32))


def _requests(
    matrix: Matrix, cover: Cover, sizes: Sizes, classes: Classes, weights: Weights, limits: Limits
) -> tuple[Rectangle, ...]:
    """The best of: the cover trimmed and tiled, and the classes of equal rows, or of equal columns, tiled."""
    ways = [_trimmed(matrix, cover.rectangles, sizes)]
    if max(_area(one, sizes) for one in cover.rectangles) > limits.pairs:
        ways += [_trimmed(matrix, tuple(_by_rows(matrix)), sizes), _trimmed(matrix, tuple(_by_columns(matrix)), sizes)]
    plans = [_tiled([_places(one) for one in way], classes, weights, limits) for way in ways]
    return min(plans, key=lambda plan: (len(plan), sum(r.assets.size + r.points.size for r in plan)))


def _by_rows(matrix: Matrix) -> list[Biclique]:
    return [Biclique(1 << row, line) for row, line in enumerate(matrix.target) if line]


def _by_columns(matrix: Matrix) -> list[Biclique]:
    columns: dict[int, int] = {}
    for row, line in enumerate(matrix.target):
        for column in members(line):
            columns[column] = columns.get(column, 0) | 1 << row
    return [Biclique(rows, 1 << column) for column, rows in columns.items()]


def _area(rectangle: Biclique, sizes: Sizes) -> int:
    return int(sizes.rows[to_list(rectangle.rows)].sum()) * int(sizes.columns[to_list(rectangle.columns)].sum())


def _places(rectangle: Biclique) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.array(to_list(rectangle.rows)), np.array(to_list(rectangle.columns))


def _trimmed(matrix: Matrix, rectangles: tuple[Biclique, ...], sizes: Sizes) -> list[Biclique]:
    """Rectangles within the cap as they are; of the others, by falling area, only what is still uncovered."""
    left = list(matrix.target)
    kept = [one for one in rectangles if _area(one, sizes) <= sizes.pairs]
    for one in kept:
        _strike(left, one)
    oversized = [one for one in rectangles if _area(one, sizes) > sizes.pairs]
    for one in sorted(oversized, key=lambda one: -_area(one, sizes)):
        for part in _parts(left, one, sizes):
            _strike(left, part)
            kept.append(part)
    return kept


def _strike(left: list[int], rectangle: Biclique) -> None:
    for row in members(rectangle.rows):
        left[row] &= ~rectangle.columns


def _parts(left: list[int], rectangle: Biclique, sizes: Sizes) -> list[Biclique]:
    """What is uncovered in a rectangle, as rectangles inside it that take few requests: rows of one pattern, merged
    where that saves."""
    patterns: dict[int, int] = {}
    for row in members(rectangle.rows):
        pattern = left[row] & rectangle.columns
        if pattern:
            patterns[pattern] = patterns.get(pattern, 0) | 1 << row
    parts = [Biclique(rows, columns) for columns, rows in patterns.items()]
    joined = _joined(parts, sizes) if len(parts) <= _GROUPS else parts
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


def _tiled(
    pieces: list[tuple[NDArray[np.int64], NDArray[np.int64]]], classes: Classes, weights: Weights, limits: Limits
) -> tuple[Rectangle, ...]:
    whole = (Rectangle(_expanded(classes.rows, rows), _expanded(classes.columns, columns)) for rows, columns in pieces)
    return tuple(part for rectangle in whole for part in tile(rectangle, weights, limits).rectangles)


def _expanded(partition: Partition, classes: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.sort(partition.expand(classes).astype(np.int32))
