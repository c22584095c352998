"""How much a plan asks for, in assets and points."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import Asked, IndexArray, Plan


def asked(plan: Plan) -> Asked:
    """How many different assets and points the requests of a plan name, over all stages."""
    return Asked(
        assets=_named((each.assets, (chunk.assets for chunk in each.rectangles)) for each in plan.stages),
        points=_named((each.points, (chunk.points for chunk in each.rectangles)) for each in plan.stages),
        kept_pairs=plan.kept_pairs,
    )


def asset_ids(plan: Plan) -> tuple[str, ...]:
    """The different assets that the requests of a plan name, ascending."""
    named: set[str] = set()
    for stage in plan.stages:
        there = np.zeros(len(stage.assets), np.bool_)
        for positions in {id(each.assets): each.assets for each in stage.rectangles}.values():
            there[positions] = True
        named.update(compress(stage.assets, there.tolist()))
    return tuple(sorted(named))


def _named(sides: Iterable[tuple[tuple[str, ...], Iterable[IndexArray]]]) -> int:
    """How many different IDs chunks name. Stages may share dictionaries, and tiles of a grid share their sides."""
    dictionaries: dict[int, tuple[tuple[str, ...], NDArray[np.bool_]]] = {}
    for ids, arrays in sides:
        _, named = dictionaries.setdefault(id(ids), (ids, np.zeros(len(ids), np.bool_)))
        for positions in {id(each): each for each in arrays}.values():
            named[positions] = True
    if len(dictionaries) == 1:
        return sum(int(named.sum()) for _, named in dictionaries.values())
    return len(set().union(*(compress(ids, named.tolist()) for ids, named in dictionaries.values())))
