"""From classes to requests. The one path: covers are offered and bounds are proven, cheap ones first, until the fewest
requests offered are as few as the bound, or nothing is left to try.

What is offered, at every size: a rectangle a row, or a column (`cover.lines`); vertex greedy, pruned; then, where
dominance leaves a small kernel, a cover of that with all that the effort allows (`cover.small`), and else clusters of
similar rows as blocks with holes (`cover.large`). So a plan never has more requests than the simplest way takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bulkstate.model import Rectangle
from bulkstate.planner.cover.bits import from_array, to_list
from bulkstate.planner.cover.bound import Bound, Sizes, by_fooling, lower_bound
from bulkstate.planner.cover.effort import Steps
from bulkstate.planner.cover.fooling import fooling_set
from bulkstate.planner.cover.incidence import Classes, Incidence
from bulkstate.planner.cover.large import cover_large
from bulkstate.planner.cover.lines import LineCover, Piece, line_covers
from bulkstate.planner.cover.merging import Piece as Request
from bulkstate.planner.cover.merging import Squeeze
from bulkstate.planner.cover.packed import Packed, as_bit_sets, pack
from bulkstate.planner.cover.reduction import undominated_cells
from bulkstate.planner.cover.small import Biclique, cover_matrix, matrix_of
from bulkstate.planner.cover.vertex_greedy import vertex_greedy
from bulkstate.planner.limits import Limits, Weights
from bulkstate.planner.tiling import tile
from bulkstate.planner.trimming import trimmed

_CELLS = 400_000  # class cells up to which a kernel is looked for
_BITS = 1 << 30  # row classes × column classes up to which all of them are held as flags
_KERNEL = 4_000  # cells that plain containment leaves: the compatibility graph is quadratic in them
_PAIRS = 100_000  # pairs, and requests, up to which requests are improved pair by pair
_REQUESTS = 3_000
_HOPELESS = 1.25  # covers with so many times the requests of the best are given up: pruning won't save them


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
    desk = _Desk(classes, weights, limits)
    _offer_lines(desk)
    if not desk.settled():
        _offer_by_flags(desk, effort, expired)
    if not desk.settled():
        _search(desk, effort, expired)
    if not desk.settled():
        _squeeze(desk, effort, expired)
    return Found(desk.requests, desk.bound, classes)


class _Desk:
    """The fewest requests offered so far, and the best bound proven."""

    def __init__(self, classes: Classes, weights: Weights, limits: Limits) -> None:
        self.classes = classes
        self.weights = weights
        self.limits = limits
        self.sizes = Sizes(classes.rows.sizes(), classes.columns.sizes(), limits.pairs)
        self.requests: tuple[Rectangle, ...] = ()
        self.bound = Bound(-(-classes.pairs() // limits.pairs), "volume", ())

    def settled(self) -> bool:
        """Whether nothing better can be offered."""
        return 0 < len(self.requests) <= self.bound.requests

    def offer(self, requests: tuple[Rectangle, ...]) -> None:
        """Take the requests if there are fewer of them, or as many that name fewer IDs; none may be over the limits."""
        if not self.requests or _cost(requests) < _cost(self.requests):
            self.requests = requests

    def offer_pieces(self, pieces: Iterable[Piece]) -> None:
        """Offer a cover's rectangles, cut into requests."""
        self.offer(self.cut(pieces))

    def prove(self, bound: Bound) -> None:
        """Take the bound if it is better."""
        self.bound = max(self.bound, bound, key=lambda one: one.requests)

    def cut(self, pieces: Iterable[Piece]) -> tuple[Rectangle, ...]:
        """Rectangles of classes as requests within the limits."""
        rows, columns = self.classes.rows, self.classes.columns
        whole = (
            Rectangle(np.sort(rows.expand(r).astype(np.int32)), np.sort(columns.expand(c).astype(np.int32)))
            for r, c in pieces
        )
        return tuple(part for one in whole for part in tile(one, self.weights, self.limits).rectangles)


def _cost(requests: tuple[Rectangle, ...]) -> tuple[int, int]:
    return len(requests), sum(one.assets.size + one.points.size for one in requests)


def _offer_lines(desk: _Desk) -> None:
    """Line covers, the most promising first, as long as they can have fewer requests than the best so far."""
    covers = [(_at_least(cover, desk), cover) for cover in line_covers(desk.classes)]
    for least, cover in sorted(covers, key=lambda one: one[0]):
        if not desk.requests or least <= len(desk.requests):
            desk.offer_pieces(cover.pieces())


def _at_least(cover: LineCover, desk: _Desk) -> int:
    """How many requests the cover takes if only pairs bind."""
    rows, columns = cover.sums(desk.sizes.rows, desk.sizes.columns)
    return int((-(-rows * columns // desk.limits.pairs)).sum())


def _offer_by_flags(desk: _Desk, effort: Steps, expired: Callable[[], bool]) -> None:
    """A fooling set over all cells, and vertex greedy."""
    classes = desk.classes
    if classes.target.height * classes.target.width > _BITS:
        return
    packed = pack(classes)
    if _words(packed, packed.lines) <= effort.words:
        desk.prove(by_fooling(fooling_set(packed, expired), desk.sizes))
    most = int(_HOPELESS * len(desk.requests)) + 1
    if desk.settled() or _words(packed, min(most, packed.lines)) > effort.words:
        return
    for cover in vertex_greedy(packed, most, expired):
        _offer_overlapping(desk, packed, cover)
        if desk.settled():
            return


def _words(packed: Packed, rectangles: int) -> int:
    """How many words are looked at for so many rectangles."""
    return rectangles * packed.target.size


def _offer_overlapping(desk: _Desk, packed: Packed, cover: list[Piece]) -> None:
    """Offer rectangles that overlap: what is over the cap only has to hold what the others leave."""
    desk.offer_pieces(cover)
    sizes = desk.sizes
    if max(int(sizes.rows[r].sum()) * int(sizes.columns[c].sum()) for r, c in cover) <= desk.limits.pairs:
        return
    target = as_bit_sets(packed.target)
    if not packed.transposed:
        desk.offer_pieces(trimmed(target, cover, sizes))
        return
    turned = [(columns, rows) for rows, columns in cover]
    less = trimmed(target, turned, Sizes(sizes.columns, sizes.rows, sizes.pairs))
    desk.offer_pieces((rows, columns) for columns, rows in less)


def _search(desk: _Desk, effort: Steps, expired: Callable[[], bool]) -> None:
    """The kernel, if it is small; clusters of similar rows, if it isn't."""
    classes = desk.classes
    if classes.target.cells <= _CELLS and classes.target.height * classes.target.width <= _BITS:
        matrix = matrix_of(classes)
        if len(undominated_cells(matrix)) <= _KERNEL:
            cover = cover_matrix(matrix, effort, expired)
            desk.prove(lower_bound(matrix, desk.sizes, cover))
            _offer_overlapping(desk, pack(classes), [_places(one) for one in cover.rectangles])
            return
    found = cover_large(classes, desk.limits.pairs, effort, expired)
    desk.prove(found.bound)
    desk.offer_pieces(found.pieces)


def _places(rectangle: Biclique) -> Piece:
    return np.array(to_list(rectangle.rows)), np.array(to_list(rectangle.columns))


# ── pair by pair ──────────────────────────────────────────────────────────────────────────────────────────────────


def _squeeze(desk: _Desk, effort: Steps, expired: Callable[[], bool]) -> None:
    """Where a cap binds a small plan: improve its requests pair by pair."""
    classes, limits = desk.classes, desk.limits
    pairs = classes.pairs()
    if not limits.pairs < pairs <= _PAIRS or len(desk.requests) > _REQUESTS:
        return
    height, width = classes.rows.label.size, classes.columns.label.size
    wanted = _bit_rows(classes, classes.target)
    everything = (1 << width) - 1
    allowed = wanted
    if classes.forbidden is not None:
        allowed = [everything & ~row for row in _bit_rows(classes, classes.forbidden)]
    pieces = [Request(from_array(one.assets, height), from_array(one.points, width)) for one in desk.requests]
    squeeze = Squeeze(pieces, wanted, allowed, limits.pairs)
    squeeze.run(min(effort.squeeze, effort.squeeze_a_pair * pairs), desk.bound.requests, expired)
    requests = tuple(_rectangle(piece) for piece in squeeze.pieces)
    if all(desk.weights.of(one) <= limits.bytes for one in requests):
        desk.offer(requests)


def _bit_rows(classes: Classes, incidence: Incidence) -> list[int]:
    """For each row (not class) the columns (not classes) that it has in the relation between classes."""
    starts = incidence.starts.tolist()
    width = classes.columns.label.size
    lines = [
        from_array(classes.columns.expand(incidence.columns[a:b].astype(np.int64)), width) for a, b in pairwise(starts)
    ]
    return [lines[label] for label in classes.rows.label.tolist()]


def _rectangle(request: Request) -> Rectangle:
    return Rectangle(np.array(to_list(request.rows), np.int32), np.array(to_list(request.columns), np.int32))
