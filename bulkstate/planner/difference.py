"""What two plans delete differently, in pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import IndexArray, Pair, Plan, Rectangle, Stage, StagePlan
from bulkstate.pairs.relation import Relation, equal_rows

EXAMPLES: Final = 3
"""How many of the pairs that only one plan deletes are named, in each stage."""


@dataclass(frozen=True, slots=True)
class OnlyThere:
    """Pairs that only one of two plans deletes: how many, and a few of them."""

    pairs: int
    examples: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What two plans delete in one stage, each pair counted once; `both` counts what they have in common."""

    stage: Stage
    only_old: OnlyThere
    only_new: OnlyThere
    both: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A plan compared with an older one, `old` by its digest: each stage that either of them deletes in, sorted."""

    old: str
    stages: tuple[Difference, ...]


def compare(old: Plan, new: Plan) -> Comparison:
    """What is different between two plans. Blocks aren't expanded: classes of rows are compared."""
    olds, news = ({stage.stage: stage for stage in plan.stages} for plan in (old, new))
    stages = sorted(olds.keys() | news.keys())
    return Comparison(old.digest, tuple(_difference(stage, olds.get(stage), news.get(stage)) for stage in stages))


@dataclass(frozen=True, slots=True)
class _Ids:
    """Sorted dictionaries that hold the IDs of both plans."""

    assets: tuple[str, ...]
    points: tuple[str, ...]

    def examples(self, rectangles: Iterable[Rectangle]) -> tuple[Pair, ...]:
        found = (pair for each in rectangles for pair in product(each.assets.tolist(), each.points.tolist()))
        return tuple(Pair(self.assets[asset], self.points[point]) for asset, point in islice(found, EXAMPLES))


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The points of each asset: those of the row that `labels` names for it. Row 0 is empty."""

    rows: Sequence[IndexArray]
    labels: NDArray[np.int64]


def _difference(stage: Stage, old: StagePlan | None, new: StagePlan | None) -> Difference:
    plans = [plan for plan in (old, new) if plan is not None]
    ids = _Ids(_merged(plan.assets for plan in plans), _merged(plan.points for plan in plans))
    meetings = list(_meetings(_rows(old, ids), _rows(new, ids)))
    only_old = [Rectangle(assets, np.setdiff1d(of_old, of_new, True)) for assets, of_old, of_new in meetings]
    only_new = [Rectangle(assets, np.setdiff1d(of_new, of_old, True)) for assets, of_old, of_new in meetings]
    shares = OnlyThere(_pairs(only_old), ids.examples(only_old)), OnlyThere(_pairs(only_new), ids.examples(only_new))
    whole = sum(len(assets) * len(of_old) for assets, of_old, _ in meetings)
    return Difference(stage, *shares, whole - shares[0].pairs)


def _merged(dictionaries: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(set().union(*dictionaries)))


def _pairs(rectangles: Iterable[Rectangle]) -> int:
    return sum(rectangle.pairs for rectangle in rectangles)


def _rows(plan: StagePlan | None, ids: _Ids) -> _Rows:
    rows, labels = [np.empty(0, np.int32)], np.zeros(len(ids.assets), np.int64)
    for number, rectangle in enumerate(equal_rows(_relation(plan, ids)).rectangles if plan else (), 1):
        rows.append(rectangle.points)
        labels[rectangle.assets] = number
    return _Rows(rows, labels)


def _relation(plan: StagePlan, ids: _Ids) -> Relation:
    """All that a stage's chunks hold. Tiles of a grid share their arrays of assets: they become one block."""
    points_of: dict[int, list[IndexArray]] = {}
    for rectangle in plan.rectangles:
        points_of.setdefault(id(rectangle.assets), []).append(rectangle.points)
    assets_of = {id(rectangle.assets): rectangle.assets for rectangle in plan.rectangles}
    assets, points = _positions(plan.assets, ids.assets), _positions(plan.points, ids.points)
    blocks = (
        Rectangle(np.sort(assets[assets_of[key]]), np.unique(points[np.concatenate(parts)]))
        for key, parts in points_of.items()
    )
    return Relation(plan.stage, ids.assets, ids.points, tuple(blocks), np.empty(0, np.int64))


def _positions(ids: tuple[str, ...], among: tuple[str, ...]) -> IndexArray:
    places = dict(zip(among, range(len(among)), strict=True))
    return np.fromiter(map(places.__getitem__, ids), np.int32, len(ids))


def _meetings(old: _Rows, new: _Rows) -> Iterator[tuple[IndexArray, IndexArray, IndexArray]]:
    """Assets that have one row in the old plan and one in the new, with these rows."""
    keys = old.labels * len(new.rows) + new.labels
    order = np.argsort(keys, kind="stable").astype(np.int32)
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    for assets in np.split(order, starts[1:]):
        yield assets, old.rows[old.labels[assets[0]]], new.rows[new.labels[assets[0]]]
