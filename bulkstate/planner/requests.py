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
from bulkstate.planner.cover.apart import by_clusters
from bulkstate.planner.cover.bits import from_array, to_list
from bulkstate.planner.cover.bound import Bound, Region, Sizes, by_fooling, by_kernel
from bulkstate.planner.cover.effort import Steps, Work
from bulkstate.planner.cover.fooling import fooling_set
from bulkstate.planner.cover.holes import Allowance
from bulkstate.planner.cover.incidence import ClassRelation, Incidence
from bulkstate.planner.cover.large import clusters_of, cover_large
from bulkstate.planner.cover.lines import Piece, line_covers, turned
from bulkstate.planner.cover.merging import Piece as Request
from bulkstate.planner.cover.merging import Squeeze
from bulkstate.planner.cover.packed import Packed, as_bit_sets, pack
from bulkstate.planner.cover.peeled import by_peeling
from bulkstate.planner.cover.reduction import undominated_cells
from bulkstate.planner.cover.small import Biclique, cover_matrix, matrix_of
from bulkstate.planner.cover.vertex_greedy import WAYS, vertex_greedy
from bulkstate.planner.limits import RequestLimits, Weights
from bulkstate.planner.tiling import tile
from bulkstate.planner.trimming import trimmed

_CELLS = 400_000  # class cells up to which a kernel is looked for
_KERNEL = 4_000  # cells that plain containment leaves: the compatibility graph is quadratic in them
_FOOLING = 1_500_000_000  # words that a fooling set may look at, at any effort: what it proves spares searches
_PAIRS = 100_000  # pairs, and requests, up to which requests are improved pair by pair
_REQUESTS = 3_000
_ALONE = 0.1  # share of cells in rows that nobody is like from which on columns are clustered, too
_NEAR = 1.15  # times the bound: clusters then spare next to nothing, as blocks overlap
_HOPELESS = 1.25  # covers with so many times the requests of the best are given up: pruning won't save them


@dataclass(frozen=True)
class StageCover:
    """Requests that cover every target and touch nothing forbidden, and how few could do at best."""

    requests: tuple[Rectangle, ...]
    bound: Bound
    classes: ClassRelation
    work: Work


def plan_classes(
    classes: ClassRelation,
    weights: Weights,
    limits: RequestLimits,
    effort: Steps,
    expired: Callable[[], bool] = lambda: False,
) -> StageCover:
    """The fewest requests found for a relation; the same for the same input, limits and effort unless `expired` cuts
    the search short."""
    if not classes.target.cells:
        return StageCover((), Bound(()), classes, Work())
    desk = _Desk(classes, weights, limits)
    _offer_lines(desk)
    if not desk.settled():
        _offer_by_flags(desk, effort, expired)
    if not desk.settled():
        _search(desk, effort, expired)
    if not desk.settled() and classes.pairs() > limits.pairs:
        desk.prove(by_peeling(classes, desk.sizes, expired))
    if not desk.settled():
        _squeeze(desk, effort, expired)
    return StageCover(desk.requests, desk.bound, classes, desk.work)


class _Desk:
    """The fewest requests offered so far, and the best bound proven."""

    def __init__(self, classes: ClassRelation, weights: Weights, limits: RequestLimits) -> None:
        self.classes = classes
        self.weights = weights
        self.limits = limits
        self.sizes = Sizes(classes.rows.sizes(), classes.columns.sizes(), limits.pairs)
        self.packed = pack(classes.target, classes.forbidden)
        self.work = Work()
        self.requests: tuple[Rectangle, ...] = ()
        self.bound = Bound((_everything(classes, limits.pairs),))

    def settled(self) -> bool:
        """Whether nothing better can be offered."""
        return 0 < len(self.requests) <= self.bound.requests

    def is_near(self) -> bool:
        """Whether so little can be spared that clusters aren't worth being looked for."""
        return len(self.requests) <= _NEAR * self.bound.requests

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


def _everything(classes: ClassRelation, cap: int) -> Region:
    everybody = np.arange(classes.target.height), np.arange(classes.target.width)
    return Region(*everybody, -(-classes.pairs() // cap))


def _cost(requests: tuple[Rectangle, ...]) -> tuple[int, int]:
    return len(requests), sum(one.assets.size + one.points.size for one in requests)


def _offer_lines(desk: _Desk) -> None:
    """Line covers, the most promising first, as long as they can have fewer requests than the best so far."""
    sizes = desk.sizes
    covers = line_covers(desk.classes.target, desk.classes.forbidden)
    promising = sorted(((cover.least(sizes.rows, sizes.columns, sizes.pairs), cover) for cover in covers), key=_first)
    for least, cover in promising:
        if not desk.requests or least <= len(desk.requests):
            desk.offer_pieces(cover.pieces())


def _first(pair: tuple[int, object]) -> int:
    return pair[0]


def _offer_by_flags(desk: _Desk, effort: Steps, expired: Callable[[], bool]) -> None:
    """A fooling set over all cells, and vertex greedy."""
    packed = desk.packed
    if packed is None:
        return
    if packed.words(packed.lines) <= max(effort.words, _FOOLING):
        desk.prove(by_fooling(fooling_set(packed, expired), desk.sizes))
    most = int(_HOPELESS * len(desk.requests)) + 1
    if desk.settled() or WAYS * packed.words(min(most, packed.lines)) > effort.words:
        return
    for cover in vertex_greedy(packed, most, expired):
        _offer_overlapping(desk, packed, cover, expired)
        if desk.settled():
            return


def _offer_overlapping(desk: _Desk, packed: Packed | None, cover: list[Piece], expired: Callable[[], bool]) -> None:
    """Offer rectangles that overlap: what is over the cap only has to hold what the others leave."""
    desk.offer_pieces(cover)
    sizes = desk.sizes
    if packed is None or max(map(sizes.area, cover)) <= sizes.pairs or expired():
        return
    target = as_bit_sets(packed.target)
    if packed.transposed:
        less = trimmed(target, map(turned, cover), sizes.transposed(), expired)
        desk.offer_pieces(map(turned, less))
    else:
        desk.offer_pieces(trimmed(target, cover, sizes, expired))


def _search(desk: _Desk, effort: Steps, expired: Callable[[], bool]) -> None:
    """The kernel, if it is small, and clusters of similar rows, or columns, as blocks with holes, if it isn't.

    Where different lines prove more than cells of which no two fit, the relation is more of a crown: blocks come first.
    """
    if desk.is_near():
        _offer_kernel(desk, effort, expired)
        return
    before = desk.bound.requests
    clusters = _Clustered(desk, expired, transposed=False)
    clusters.prove(expired)
    if desk.bound.requests > before:
        clusters.offer(effort, expired)
    if desk.settled() or _offer_kernel(desk, effort, expired):
        return
    if not clusters.offered:
        clusters.offer(effort, expired)
    if not desk.settled() and not expired() and clusters.alone > _ALONE:
        across = _Clustered(desk, expired, transposed=True)
        across.prove(expired)
        across.offer(effort, expired)


def _offer_kernel(desk: _Desk, effort: Steps, expired: Callable[[], bool]) -> bool:
    """A cover of the kernel, if that is small. Returns whether it is."""
    classes, packed = desk.classes, desk.packed
    if packed is None or classes.target.cells > _CELLS:
        return False
    matrix = matrix_of(classes)
    cells = undominated_cells(matrix, expired)
    if cells is None or len(cells) > _KERNEL:
        return False
    desk.work += Work(kernel=len(cells))
    cover = cover_matrix(matrix, cells, effort, expired)
    desk.prove(by_kernel(matrix, desk.sizes, cover, expired))
    _offer_overlapping(desk, packed, [_places(one) for one in cover.rectangles], expired)
    return True


class _Clustered:
    """Clusters of similar rows of a relation, or of similar columns if it is `transposed`."""

    def __init__(self, desk: _Desk, expired: Callable[[], bool], *, transposed: bool) -> None:
        self._desk = desk
        self._transposed = transposed
        self._classes = desk.classes.transposed() if transposed else desk.classes
        self._sizes = desk.sizes.transposed() if transposed else desk.sizes
        self._clusters = clusters_of(self._classes, expired)
        self.offered = False

    @property
    def alone(self) -> float:
        """The share of cells in rows that no other is like."""
        return float(self._classes.target.lengths()[self._clusters.alone].sum()) / self._classes.target.cells

    def prove(self, expired: Callable[[], bool]) -> None:
        """What all rows need as one part, and what the clusters need as parts."""
        if self._classes.forbidden is None:
            for parts in ((np.flatnonzero(self._classes.target.lengths()),), self._clusters.all()):
                bound = by_clusters(self._classes, parts, self._sizes, expired)
                self._desk.prove(bound.transposed() if self._transposed else bound)

    def offer(self, effort: Steps, expired: Callable[[], bool]) -> None:
        """Blocks with holes, and what is best for the others."""
        self.offered = True
        self._desk.work += Work(blocks=len(self._clusters.together))
        fewest = len(self._desk.requests)
        allowance = Allowance(fewest, effort.climbed * (fewest - self._desk.bound.requests))
        pieces = cover_large(self._classes, self._clusters, self._sizes.pairs, allowance, effort, expired)
        if not pieces:
            return
        found = list(map(turned, pieces)) if self._transposed else pieces
        _offer_overlapping(self._desk, self._desk.packed, found, expired)


def _places(rectangle: Biclique) -> Piece:
    return np.array(to_list(rectangle.rows)), np.array(to_list(rectangle.columns))


# ── pair by pair ──────────────────────────────────────────────────────────────────────────────────────────────────


def _squeeze(desk: _Desk, effort: Steps, expired: Callable[[], bool]) -> None:
    """Where a cap binds a small plan: improve its requests pair by pair."""
    classes, limits = desk.classes, desk.limits
    pairs = classes.pairs()
    if not limits.pairs < pairs <= _PAIRS or len(desk.requests) > _REQUESTS:
        return
    desk.work += Work(squeezed=pairs)
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


def _bit_rows(classes: ClassRelation, incidence: Incidence) -> list[int]:
    """For each row (not class) the columns (not classes) that it has in the relation between classes."""
    starts = incidence.starts.tolist()
    width = classes.columns.label.size
    lines = [
        from_array(classes.columns.expand(incidence.columns[a:b].astype(np.int64)), width) for a, b in pairwise(starts)
    ]
    return [lines[label] for label in classes.rows.label.tolist()]


def _rectangle(request: Request) -> Rectangle:
    return Rectangle(np.array(to_list(request.rows), np.int32), np.array(to_list(request.columns), np.int32))
