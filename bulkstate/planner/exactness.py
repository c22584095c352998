"""Law 1, once more, before a plan leaves the planner: pair by pair, whatever way the requests were found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bulkstate.errors import Refused
from bulkstate.model import Rectangle
from bulkstate.pairs.relation import Relation, Unlisted

_BATCH: Final = 1 << 20
"""Pairs that are spelt out at once, unless one rectangle has more."""


def refuse_inexact(relation: Relation, target: Sequence[Rectangle], requests: Sequence[Rectangle]) -> None:
    """Refused if a target pair is in no request, or a request holds a pair that it mustn't.

    `target` are rectangles without a pair in common. Takes time and memory by pairs.
    """
    wanted = np.sort(np.concatenate([np.empty(0, np.int64), *_codes(target, relation)]))
    seen = np.zeros(len(wanted), np.bool_)
    for codes in _codes(requests, relation):
        places, known = _found(codes, wanted)
        seen[places[known]] = True
        if relation.unlisted is Unlisted.KEEP and not known.all():
            raise _inexact(relation, "holds pairs that nobody selected")
        if _found(codes[~known], relation.kept)[1].any():
            raise _inexact(relation, "holds kept pairs")
    if not seen.all():
        raise _inexact(relation, "misses target pairs")


def _codes(rectangles: Iterable[Rectangle], relation: Relation) -> Iterator[NDArray[np.int64]]:
    """The rectangles' pairs as codes, a batch at a time."""
    width = len(relation.points)
    batch: list[NDArray[np.int64]] = []
    size = 0
    for each in rectangles:
        batch.append((each.assets.astype(np.int64)[:, None] * width + each.points).ravel())
        size += each.pairs
        if size >= _BATCH:
            yield np.concatenate(batch)
            batch, size = [], 0
    if batch:
        yield np.concatenate(batch)


def _found(codes: NDArray[np.int64], among: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each code is in an ascending array, and whether it is there at all."""
    places = np.searchsorted(among, codes)
    known = places < len(among)
    known[known] = among[places[known]] == codes[known]
    return places, known


def _inexact(relation: Relation, message: str) -> Refused:
    return Refused(f"{relation.stage}: the plan {message}", hint="this is a mistake in bulkstate: nothing was sent")
