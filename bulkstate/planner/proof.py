"""How few requests any plan could need, and the pairs that prove it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import Argument, Evidence, IndexArray, LowerBound, Rectangle
from bulkstate.planner.cover.bound import Bound, Group, Part, Region, Unlike
from bulkstate.planner.cover.graph import Cell
from bulkstate.planner.cover.incidence import ClassRelation, Partition
from bulkstate.planner.cover.small import Weighted


def lower_bound(bound: Bound, classes: ClassRelation, cap: int) -> LowerBound:
    """The bound on classes, in words and spelt out; `cap` is the most pairs of a request."""
    if len(bound.parts) == 1 and isinstance(bound.parts[0], Region):
        return by_volume(classes.pairs(), cap, classes.rows.label.size, classes.columns.label.size)
    evidence = tuple(_evidence(part, classes, cap) for part in bound.parts)
    return LowerBound(bound.requests, _words(bound, evidence, cap), evidence)


def by_volume(pairs: int, cap: int, assets: int, points: int) -> LowerBound:
    """By counting: every target pair is in a request, and a request holds at most `cap` pairs."""
    whole = Rectangle(np.arange(assets, dtype=np.int32), np.arange(points, dtype=np.int32))
    proof = f"{pairs:,} pairs, of which no request holds more than {cap:,}"
    return LowerBound(-(-pairs // cap), proof, (Evidence((whole,), cap),))


def _words(bound: Bound, evidence: tuple[Evidence, ...], cap: int) -> str:
    arguments = {each.argument for each in evidence}
    if Argument.WEIGHTS in arguments:
        return "pairs with weights, of which no request holds more than its share"
    if arguments != {Argument.PAIRS}:
        return _unlike(evidence, cap)
    if len(evidence) == bound.requests:
        return f"{bound.requests:,} pairs of which no two fit in one request" if bound.requests > 1 else "a pair"
    return f"{len(evidence):,} groups of pairs: no request holds pairs of two, nor more than {cap:,} of one"


def _unlike(evidence: tuple[Evidence, ...], cap: int) -> str:
    if len(evidence) == 1:
        (rectangle,), by_assets = evidence[0].blocks, evidence[0].argument is Argument.DIFFERENT_ASSETS
        count, what = (len(rectangle.assets), "assets") if by_assets else (len(rectangle.points), "points")
        return f"{count:,} {what} that are all different, which fewer requests can't make"
    return (
        f"{len(evidence):,} groups of pairs: no request holds pairs of two; their assets or points are so different"
        f" that fewer requests can't make them, or no request holds more than {cap:,} of one"
    )


def _evidence(part: Part, classes: ClassRelation, cap: int) -> Evidence:
    match part:
        case Group(cells):
            return Evidence(tuple(_enough(cells, classes, cap)), cap)
        case Region(rows, columns):
            return Evidence((Rectangle(_members(classes.rows, rows), _members(classes.columns, columns)),), cap)
        case Unlike(rows, columns, _, by_columns):
            argument = Argument.DIFFERENT_POINTS if by_columns else Argument.DIFFERENT_ASSETS
            return Evidence((_representatives(classes, rows, columns),), 1, argument=argument)
        case Weighted(weighted, load):
            corners = tuple(_corner(cell, classes, 1) for cell, _ in weighted)
            return Evidence(corners, load, tuple(weight for _, weight in weighted), Argument.WEIGHTS)


def _representatives(classes: ClassRelation, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Rectangle:
    """An asset of each class of rows, and a point of each class of columns."""
    assets, points = classes.rows.firsts()[rows], classes.columns.firsts()[columns]
    return Rectangle(np.sort(assets).astype(np.int32), np.sort(points).astype(np.int32))


def _enough(group: tuple[Cell, ...], classes: ClassRelation, cap: int) -> Iterator[Rectangle]:
    """As few of the group's pairs as show how many requests it takes: a single pair where that is one."""
    rows, columns = classes.rows.sizes(), classes.columns.sizes()
    areas = sorted(((int(rows[row] * columns[column]), row, column) for row, column in group), reverse=True)
    missing = (-(-sum(area for area, _, _ in areas) // cap) - 1) * cap + 1
    for _, row, column in areas:
        if missing > 0:
            part = _corner((row, column), classes, missing)
            missing -= part.pairs
            yield part


def _corner(cell: Cell, classes: ClassRelation, most: int) -> Rectangle:
    """At least `most` of the cell's pairs, if it has so many, and few more."""
    points = _members(classes.columns, np.array(cell[1:]))[:most]
    assets = _members(classes.rows, np.array(cell[:1]))[: -(-most // len(points))]
    return Rectangle(assets, points)


def _members(partition: Partition, classes: NDArray[np.int64]) -> IndexArray:
    return np.sort(partition.expand(classes).astype(np.int32))
