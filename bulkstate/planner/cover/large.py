"""Covers of relations with millions of class cells: clusters of similar rows, each covered as a block with holes.

Rows that nobody is like, and clusters that a block doesn't help, are pooled, and covered by lines or vertex greedy.
Where cells are free to be covered, rows are similar if they are allowed nearly the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.bound import Sizes
from bulkstate.planner.cover.clusters import cluster_rows
from bulkstate.planner.cover.effort import Steps
from bulkstate.planner.cover.holes import Allowance, HoledBlock, cover_block
from bulkstate.planner.cover.incidence import ClassRelation, Incidence, Partition, dense, of_dense, partition_of
from bulkstate.planner.cover.lines import Piece, line_covers
from bulkstate.planner.cover.packed import pack
from bulkstate.planner.cover.vertex_greedy import vertex_greedy

_CELLS = 60_000_000  # cells of a dense block at most
_FEW = 3  # rows that a cluster has at least


@dataclass(frozen=True)
class Clusters:
    """Rows (numbers of row classes) in clusters, and the `alone`, like no other row."""

    together: tuple[NDArray[np.int64], ...]
    alone: NDArray[np.int64]

    def all(self) -> Sequence[NDArray[np.int64]]:
        """The clusters, and those that are alone as one more, if there are any."""
        return (*self.together, self.alone) if self.alone.size else self.together


def clusters_of(classes: ClassRelation, expired: Callable[[], bool]) -> Clusters:
    """The rows that hold a target, by how similar they are; all alone if there is no time to compare them."""
    rows = np.flatnonzero(classes.target.lengths())
    if expired():
        return Clusters((), rows)
    # Columns that hold nothing don't count: they come and go with how a selection is written.
    alike = _alike(classes, rows).only(np.unique(classes.target.columns).astype(np.int64))
    found = cluster_rows(alike, classes.rows.sizes()[rows], seed=1, expired=expired)
    sizes = found.sizes()
    together = tuple(rows[found.members[found.starts[n] : found.starts[n + 1]]] for n in np.flatnonzero(sizes >= _FEW))
    return Clusters(together, rows[sizes[found.label] < _FEW])


def _alike(classes: ClassRelation, rows: NDArray[np.int64]) -> Incidence:
    """The cells by which rows are compared."""
    forbidden, width = classes.forbidden, classes.target.width
    if forbidden is None or rows.size * width > _CELLS:
        return classes.target.take(rows)
    allowed = ~dense(forbidden.take(rows))
    return of_dense(allowed)


def cover_large(
    classes: ClassRelation,
    clusters: Clusters,
    cap: int,
    allowance: Allowance,
    effort: Steps,
    expired: Callable[[], bool],
) -> list[Piece]:
    """Rectangles that cover every target and nothing forbidden, cluster after cluster, and then the pool; none if they
    would take as many requests of `cap` pairs as are of no use.

    A cluster is never given more requests than its different rows, or its columns, would take, nor more of the cells
    that may be looked at than its share.
    """
    pieces: list[Piece] = []
    pool = [clusters.alone]
    lengths = classes.target.lengths()
    taken = 0
    for number, rows in enumerate(clusters.together):
        share = int(allowance.cells * (lengths[rows].sum() / classes.target.cells))
        allowed = Allowance(allowance.requests - taken, share)
        found = None if expired() else _cover_cluster(classes, rows, cap, allowed, effort, number, expired)
        if found is None:
            pool.append(rows)
            continue
        pieces += found.pieces
        taken += found.requests
        if taken >= allowance.requests:
            return []
    left = np.sort(np.concatenate(pool))
    return pieces + _pooled(classes, left, cap, effort, expired) if left.size else pieces


@dataclass(frozen=True)
class _Cluster:
    """A cluster's cover, and how many requests it takes."""

    pieces: list[Piece]
    requests: int


def _cover_cluster(
    classes: ClassRelation,
    rows: NDArray[np.int64],
    cap: int,
    allowance: Allowance,
    effort: Steps,
    number: int,
    expired: Callable[[], bool],
) -> _Cluster | None:
    """A cluster as a block with holes; None if that is too large, or takes no fewer requests than its rows or its
    columns, or more than is allowed."""
    part = classes.target.take(rows)
    columns = np.unique(part.columns).astype(np.int64)
    if rows.size * columns.size > _CELLS:
        return None
    target = dense(part.only(columns))
    may = target if classes.forbidden is None else ~dense(classes.forbidden.take(rows).only(columns))
    merged = _equal_columns(target, may)
    row_sizes = classes.rows.sizes()[rows].astype(np.float64)
    sizes = classes.columns.sizes()[columns]
    column_sizes = np.bincount(merged.label, weights=sizes).astype(np.float64)
    block = HoledBlock(target[:, merged.firsts()], may[:, merged.firsts()], row_sizes, column_sizes)
    by_rows = np.ceil(row_sizes * (block.target @ column_sizes) / cap).sum()
    by_columns = np.ceil(column_sizes * (row_sizes @ block.target) / cap).sum()
    most = int(min(by_rows, by_columns, allowance.requests))
    allowed = Allowance(most, allowance.cells)
    sets = cover_block(block, cap, effort.walk, allowed, np.random.default_rng(number), expired)
    if sets is None:
        return None
    found = [(np.flatnonzero(r), np.flatnonzero(c)) for r, c in zip(sets.rows, sets.columns, strict=True) if r.any()]
    ours = int(sum(np.ceil(row_sizes[r].sum() * column_sizes[c].sum() / cap) for r, c in found))
    if ours >= most:
        return None
    return _Cluster([(rows[r], np.sort(columns[merged.expand(c)])) for r, c in found], ours)


def _pooled(
    classes: ClassRelation, rows: NDArray[np.int64], cap: int, effort: Steps, expired: Callable[[], bool]
) -> list[Piece]:
    """The best of lines and vertex greedy on some of the rows."""
    sizes = Sizes(classes.rows.sizes()[rows], classes.columns.sizes(), cap)
    target, forbidden = classes.target.take(rows), None if classes.forbidden is None else classes.forbidden.take(rows)
    best = min(line_covers(target, forbidden), key=lambda cover: cover.least(sizes.rows, sizes.columns, cap))
    fewest, pieces = best.least(sizes.rows, sizes.columns, cap), list(best.pieces())
    packed = pack(target, forbidden)
    if packed is not None and packed.words(min(fewest, packed.lines)) <= effort.words:
        for cover in vertex_greedy(packed, fewest, expired):
            taken = sum(-(-sizes.area(piece) // cap) for piece in cover)
            if taken < fewest:
                fewest, pieces = taken, cover
    return [(rows[inside], columns) for inside, columns in pieces]


def _equal_columns(target: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> Partition:
    both = np.concatenate([target, allowed]) if allowed is not target else target
    packed = np.ascontiguousarray(np.packbits(both, axis=0).T)
    words = np.zeros((packed.shape[0], -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    return partition_of(words.view(np.uint64))
