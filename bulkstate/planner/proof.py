"""How few requests any plan could need, and the pairs that prove it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import Evidence, IndexArray, LowerBound, Rectangle
from bulkstate.planner.cover.bound import Bound
from bulkstate.planner.cover.graph import Cell
from bulkstate.planner.cover.incidence import Classes, Partition


def lower_bound(bound: Bound, classes: Classes, cap: int) -> LowerBound:
    """The bound on classes, in words and spelt out; `cap` is the most pairs of a request."""
    if bound.proof == "volume":
        return by_volume(classes.pairs(), cap, classes.rows.label.size, classes.columns.label.size)
    evidence = tuple(_evidence(bound, classes, cap))
    return LowerBound(bound.requests, _words(bound, evidence, cap), evidence)


def by_volume(pairs: int, cap: int, assets: int, points: int) -> LowerBound:
    """By counting: every target pair is in a request, and a request holds at most `cap` pairs."""
    whole = Rectangle(np.arange(assets, dtype=np.int32), np.arange(points, dtype=np.int32))
    proof = f"{pairs:,} pairs, of which no request holds more than {cap:,}"
    return LowerBound(-(-pairs // cap), proof, (Evidence((whole,), cap),))


def _words(bound: Bound, evidence: tuple[Evidence, ...], cap: int) -> str:
    if bound.weighted:
        return "pairs with weights, of which no request holds more than its share"
    if len(evidence) == bound.requests:
        return f"{bound.requests:,} pairs of which no two fit in one request" if bound.requests > 1 else "a pair"
    return f"{len(evidence):,} groups of pairs: no request holds pairs of two, nor more than {cap:,} of one"


def _evidence(bound: Bound, classes: Classes, cap: int) -> Iterator[Evidence]:
    for group in bound.groups:
        yield Evidence(tuple(_enough(group, classes, cap)), cap)
    everybody = np.arange(classes.rows.label.size, dtype=np.int32)
    for region in bound.regions:
        yield Evidence((Rectangle(everybody, _members(classes.columns, region.columns)),), cap)
    for one in bound.weighted:
        cells = tuple(_corner(cell, classes, 1) for cell, _ in one.cells)
        yield Evidence(cells, one.load, tuple(weight for _, weight in one.cells))


def _enough(group: tuple[Cell, ...], classes: Classes, cap: int) -> Iterator[Rectangle]:
    """As few of the group's pairs as show how many requests it takes: a single pair where that is one."""
    rows, columns = classes.rows.sizes(), classes.columns.sizes()
    areas = sorted(((int(rows[row] * columns[column]), row, column) for row, column in group), reverse=True)
    missing = (-(-sum(area for area, _, _ in areas) // cap) - 1) * cap + 1
    for _, row, column in areas:
        if missing > 0:
            part = _corner((row, column), classes, missing)
            missing -= part.pairs
            yield part


def _corner(cell: Cell, classes: Classes, most: int) -> Rectangle:
    """At least `most` of the cell's pairs, if it has so many, and few more."""
    points = _members(classes.columns, np.array(cell[1:]))[:most]
    assets = _members(classes.rows, np.array(cell[:1]))[: -(-most // len(points))]
    return Rectangle(assets, points)


def _members(partition: Partition, classes: NDArray[np.int64]) -> IndexArray:
    return np.sort(partition.expand(classes).astype(np.int32))
