"""A relation as classes of equal assets and equal points, which is all that a cover needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import IndexArray, Rectangle
from bulkstate.pairs.relation import Relation, Unlisted, equal_rows
from bulkstate.planner.cover.incidence import ClassRelation, Incidence, merge_columns, partition_of


def merged(relation: Relation, target: Sequence[Rectangle], unlisted: Unlisted) -> ClassRelation:
    """The classes of a relation, given its target as classes of equal rows. Blocks aren't expanded.

    Where unlisted pairs may be deleted, assets of a class have the same kept points as well.
    """
    wanted = _labels(target, len(relation.assets))
    if unlisted is Unlisted.KEEP:
        rows = partition_of(wanted[:, None])
        return merge_columns(rows, _incidence(target, wanted[rows.firsts()], len(relation.points)))
    kept = equal_rows(replace(relation, blocks=(), pairs=relation.kept, kept=np.empty(0, np.int64))).rectangles
    spared = _labels(kept, len(relation.assets))
    rows = partition_of(np.stack([wanted, spared], axis=1))
    firsts, width = rows.firsts(), len(relation.points)
    return merge_columns(rows, _incidence(target, wanted[firsts], width), _incidence(kept, spared[firsts], width))


def _labels(classes: Sequence[Rectangle], assets: int) -> NDArray[np.uint64]:
    """For each asset the number of its class, counted from 1; 0 if it is in none."""
    labels = np.zeros(assets, np.uint64)
    sizes = np.fromiter((len(each.assets) for each in classes), np.int64, len(classes))
    members = np.concatenate([np.empty(0, np.int32), *(each.assets for each in classes)])
    labels[members] = np.repeat(np.arange(1, len(classes) + 1, dtype=np.uint64), sizes)
    return labels


def _incidence(classes: Sequence[Rectangle], labels: NDArray[np.uint64], width: int) -> Incidence:
    """The points of the classes with these labels, a row each."""
    nothing: IndexArray = np.empty(0, np.int32)
    rows = [classes[label - 1].points if label else nothing for label in labels.tolist()]
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)), out=starts[1:])
    return Incidence(starts, np.concatenate([nothing, *rows]), width)
