"""Covers of relations with millions of class cells: clusters of similar rows, each covered as a block with holes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.bits import from_array
from bulkstate.planner.cover.bits import members as bit_members
from bulkstate.planner.cover.bound import Bound, Region
from bulkstate.planner.cover.clusters import cluster_rows
from bulkstate.planner.cover.effort import Steps
from bulkstate.planner.cover.graph import Cell, Matrix, compatibility
from bulkstate.planner.cover.greedy import independent_set
from bulkstate.planner.cover.holes import Block, cover_block
from bulkstate.planner.cover.incidence import Classes, Incidence, Partition, partition_of

_CELLS = 60_000_000  # cells of a dense block at most; clusters beyond it fall back on equal rows

_FEW = 8  # requests of volume up to which a fooling set is looked for in a cluster, of at most
_TALL = 20_000  # rows,
_SIDE = 20  # among its rows and columns that lack most

Pieces = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Large:
    """Rectangles (row classes, column classes) that cover a large relation, and a bound on requests."""

    pieces: tuple[Pieces, ...]
    bound: Bound


def cover_large(classes: Classes, cap: int, effort: Steps, expired: Callable[[], bool] = lambda: False) -> Large:
    """Rectangles that cover every target and nothing forbidden, cluster after cluster.

    A cluster is never given more requests of `cap` pairs than its different rows would take.
    """
    rows = np.flatnonzero(classes.target.lengths())
    target = classes.target.take(rows)
    clusters = cluster_rows(target, classes.rows.sizes()[rows], seed=1)
    pieces: list[Pieces] = []
    for number in range(clusters.count):
        chosen = clusters.members[clusters.starts[number] : clusters.starts[number + 1]]
        pieces.extend(_cover_cluster(classes, rows[chosen], cap, effort, number, expired))
    return Large(tuple(pieces), _bound(classes, target, rows, clusters, cap))


def _bound(classes: Classes, target: Incidence, rows: NDArray[np.int64], clusters: Partition, cap: int) -> Bound:
    """The volume; or, cluster by cluster, what it holds in columns that no other cluster touches: by volume, or a
    fooling set.

    No request holds such cells of two clusters, unless cells that aren't targets are free.
    """
    sizes = classes.rows.sizes()[rows][target.row_numbers()] * classes.columns.sizes()[target.columns]
    volume = Bound(-(-int(sizes.sum()) // cap), "volume", ())
    if classes.forbidden is not None:
        return volume
    owner = clusters.label[target.row_numbers()]
    first, last = np.full(target.width, clusters.count), np.full(target.width, -1)
    np.minimum.at(first, target.columns, owner)
    np.maximum.at(last, target.columns, owner)
    own = (first == last)[target.columns]
    pairs = np.bincount(owner[own], weights=sizes[own], minlength=clusters.count)
    groups: list[tuple[Cell, ...]] = []
    regions: list[Region] = []
    for number in range(clusters.count):
        members = clusters.members[clusters.starts[number] : clusters.starts[number + 1]]
        columns = np.flatnonzero((first == number) & (last == number))
        fooling = _fooling(target, rows, members, columns) if 0 < pairs[number] <= _FEW * cap else ()
        if len(fooling) * cap > pairs[number]:
            groups += [(cell,) for cell in fooling]
        elif columns.size:
            regions.append(Region(rows[members], columns))
    count = len(groups) + sum(-(-int(pairs[first[region.columns[0]]]) // cap) for region in regions)
    return max(volume, Bound(count, "groups", tuple(groups), (), tuple(regions)), key=lambda bound: bound.requests)


def _fooling(
    target: Incidence, rows: NDArray[np.int64], members: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[Cell, ...]:
    """Cells of which no two fit in a rectangle, among the rows and columns of a cluster that lack most."""
    if members.size > _TALL:
        return ()
    dense = _dense(target.take(members), columns)
    tall = np.argsort(dense.sum(axis=1), kind="stable")[:_SIDE]
    wide = np.argsort(dense.sum(axis=0), kind="stable")[:_SIDE]
    lines = tuple(from_array(np.flatnonzero(line), wide.size) for line in dense[np.ix_(tall, wide)])
    cells = [(row, column) for row, line in enumerate(lines) for column in bit_members(line)]
    graph = compatibility(Matrix(lines, lines, wide.size), cells)
    chosen = [graph.cells[vertex] for vertex in bit_members(independent_set(graph, None))]
    return tuple((int(rows[members[tall[row]]]), int(columns[wide[column]])) for row, column in chosen)


def _cover_cluster(
    classes: Classes, rows: NDArray[np.int64], cap: int, effort: Steps, number: int, expired: Callable[[], bool]
) -> Iterator[Pieces]:
    part = classes.target.take(rows)
    columns = np.unique(part.columns).astype(np.int64)
    equal = [
        (rows[i : i + 1], part.columns[part.starts[i] : part.starts[i + 1]].astype(np.int64)) for i in range(rows.size)
    ]
    if rows.size < 3 or rows.size * columns.size > _CELLS or expired():
        yield from equal
        return
    target = _dense(part, columns)
    allowed = target if classes.forbidden is None else ~_dense(classes.forbidden.take(rows), columns)
    merged = _equal_columns(target, allowed)
    row_sizes = classes.rows.sizes()[rows].astype(np.float64)
    sizes = classes.columns.sizes()[columns]
    column_sizes = np.bincount(merged.label, weights=sizes).astype(np.float64)
    block = Block(target[:, merged.firsts()], allowed[:, merged.firsts()], row_sizes, column_sizes)
    sets = cover_block(block, cap, effort.walk, np.random.default_rng(number), expired)
    found = [
        (np.flatnonzero(chosen), np.flatnonzero(wanted)) for chosen, wanted in zip(sets.rows, sets.columns, strict=True)
    ]
    found = [piece for piece in found if piece[0].size]
    ours = sum(np.ceil(row_sizes[r].sum() * column_sizes[c].sum() / cap) for r, c in found)
    if ours >= np.ceil(row_sizes * (block.target @ column_sizes) / cap).sum():
        yield from equal
        return
    for chosen_rows, chosen_columns in found:
        yield rows[chosen_rows], np.sort(columns[merged.expand(chosen_columns)])


def _dense(part: Incidence, columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The part as a dense matrix over the given columns (ascending); cells in other columns are left out."""
    place = np.searchsorted(columns, part.columns)
    inside = (place < columns.size) & (columns[np.minimum(place, columns.size - 1)] == part.columns)
    dense = np.zeros((part.height, columns.size), dtype=bool)
    dense[part.row_numbers()[inside], place[inside]] = True
    return dense


def _equal_columns(target: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> Partition:
    both = np.concatenate([target, allowed]) if allowed is not target else target
    packed = np.ascontiguousarray(np.packbits(both, axis=0).T)
    words = np.zeros((packed.shape[0], -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    return partition_of(words.view(np.uint64))
