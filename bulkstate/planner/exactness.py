"""Law 1, once more, before a plan leaves the planner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bulkstate.errors import Refused
from bulkstate.model import Rectangle
from bulkstate.pairs.overlap import without
from bulkstate.pairs.relation import Relation, Unlisted, equal_rows


def refuse_inexact(
    relation: Relation, target: Sequence[Rectangle], requests: Sequence[Rectangle], unlisted: Sequence[Rectangle]
) -> None:
    """Refused if a target pair is in no request, or a request holds a pair that it mustn't."""
    if any(without(target, requests)):
        raise _inexact(relation, "misses target pairs")
    if relation.unlisted is Unlisted.KEEP and any(without(requests, target)):
        raise _inexact(relation, "holds pairs that nobody selected")
    kept = equal_rows(replace(relation, blocks=(), pairs=relation.kept, kept=np.empty(0, np.int64))).rectangles
    if sum(each.pairs for each in without(unlisted, kept)) < sum(each.pairs for each in unlisted):
        raise _inexact(relation, "holds kept pairs")


def _inexact(relation: Relation, message: str) -> Refused:
    return Refused(f"{relation.stage}: the plan {message}", hint="this is a mistake in bulkstate: nothing was sent")
