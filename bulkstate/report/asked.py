"""How much a plan asks for, in assets and points."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress
from typing import TypeAlias

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
    sides = ((each.assets, (chunk.assets for chunk in each.rectangles)) for each in plan.stages)
    return tuple(sorted(_union(_flagged(sides))))


def _named(sides: Iterable[_Side]) -> int:
    """How many different IDs chunks name."""
    flagged = _flagged(sides)
    if len(flagged) == 1:
        return sum(int(named.sum()) for _, named in flagged)
    return len(_union(flagged))


def _flagged(sides: Iterable[_Side]) -> list[_Flagged]:
    """Dictionaries, and which of their IDs chunks name. Stages may share one, and tiles of a grid share their sides."""
    dictionaries: dict[int, _Flagged] = {}
    for ids, arrays in sides:
        _, named = dictionaries.setdefault(id(ids), (ids, np.zeros(len(ids), np.bool_)))
        for positions in {id(each): each for each in arrays}.values():
            named[positions] = True
    return list(dictionaries.values())


def _union(flagged: Iterable[_Flagged]) -> set[str]:
    return set().union(*(compress(ids, named.tolist()) for ids, named in flagged))


_Side: TypeAlias = tuple[tuple[str, ...], Iterable[IndexArray]]
_Flagged: TypeAlias = tuple[tuple[str, ...], NDArray[np.bool_]]
