"""Relations in, a plan out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from bulkstate.errors import InputError, Problem
from bulkstate.model import Effort, LowerBound, Plan, Rectangle, StagePlan
from bulkstate.pairs.digest import digest
from bulkstate.pairs.overlap import without
from bulkstate.pairs.relation import Classes, Relation, Unlisted, equal_rows
from bulkstate.planner.cover.effort import Work
from bulkstate.planner.cover.incidence import ClassRelation as MergedClasses
from bulkstate.planner.effort import STEPS, Pace, worthwhile
from bulkstate.planner.exactness import refuse_inexact
from bulkstate.planner.limits import RequestLimits, Weights, weigh
from bulkstate.planner.merged import merged
from bulkstate.planner.proof import by_volume, lower_bound
from bulkstate.planner.requests import plan_classes
from bulkstate.planner.tiling import tile

Expired = Callable[[], bool]

CHECKED: Final = 1 << 22
"""Pairs of a stage's requests up to which they are held against law 1 once more."""


def never() -> bool:
    """Time that never runs out."""
    return False


@dataclass(frozen=True, slots=True)
class Search:
    """How the fewest requests are looked for: within both limits, so many steps, and until the time is up."""

    limits: RequestLimits
    effort: Effort
    expired: Expired


def plan(
    relations: Iterable[Relation],
    *,
    pairs_per_request: int,
    bytes_per_request: int,
    effort: Effort = Effort.NORMAL,
    expired: Expired | None = None,
    pace: Pace | None = None,
) -> Plan:
    """The fewest requests found that delete the relations' targets, stage by stage, in the order of the stages.

    No request holds more than `pairs_per_request` pairs nor has a body over `bytes_per_request` bytes; both are at
    least 1. The same relations, in whatever order, give the same plan for the same effort, unless `expired` cuts the
    search short: asked now and then, it says whether time is up. `Effort.AUTO` comes to one of the others: NORMAL if no
    `pace` says how long sending takes. InputError if an ID is too long to be sent, or all that is selected in a stage
    is kept.
    """
    search = Search(RequestLimits(pairs_per_request, bytes_per_request), effort, expired or never)
    targets = [_Target(relation, search.limits) for relation in sorted(relations, key=lambda each: each.stage)]
    if effort is Effort.AUTO:
        search = replace(search, effort=_worthwhile(targets, search, pace))
    planned: list[tuple[Relation, StagePlan]] = []
    body_bytes = 0
    for target in targets:
        stage = _known(target, search.limits, planned) or _plan_stage(target, search)
        planned.append((target.relation, stage))
        body_bytes += sum(target.weights.of_all(stage.rectangles))
    stages = tuple(stage for _, stage in planned)
    return Plan(stages, digest(stages), body_bytes, reproducible=expired is None, effort=search.effort)


def _worthwhile(targets: Iterable[_Target], search: Search, pace: Pace | None) -> Effort:
    """What AUTO comes to. A quick search says how much there is to save; nothing of it is used in the plan."""
    if pace is None:
        return Effort.NORMAL
    quick = replace(search, effort=Effort.QUICK)
    requests, bound, work = 0, 0, Work()
    drafted: list[tuple[Relation, _Draft]] = []
    for target in targets:
        alike = (draft for other, draft in drafted if target.relation.is_like(other))
        draft = next(alike, None) or _requests(target, quick)
        drafted.append((target.relation, draft))
        requests, bound, work = requests + len(draft.requests), bound + draft.bound.requests, work + draft.work
    return worthwhile(requests, bound, work, pace)


@dataclass(frozen=True, eq=False)
class _Target:
    """What is to be planned in one stage, looked at once: InputError if it can't be."""

    relation: Relation
    limits: RequestLimits

    @cached_property
    def weights(self) -> Weights:
        return weigh(self.relation)

    @cached_property
    def rows(self) -> Classes:
        rows = equal_rows(self.relation)
        _refuse_empty(self.relation, rows)
        _refuse_unsendable(self.relation, rows.rectangles, self.weights, self.limits)
        return rows

    @cached_property
    def classes(self) -> MergedClasses:
        whole = _some_pair_is_too_long(self.weights, self.limits)
        return merged(self.relation, self.rows.rectangles, Unlisted.KEEP if whole else self.relation.unlisted)


@dataclass(frozen=True, slots=True, eq=False)
class _Draft:
    """Requests for a target, how few could do, and what was worked on to find them."""

    requests: Sequence[Rectangle]
    bound: LowerBound
    work: Work


def _known(target: _Target, limits: RequestLimits, planned: Iterable[tuple[Relation, StagePlan]]) -> StagePlan | None:
    """What was planned for a stage of which the same is selected, if it fits: the name takes bytes, too."""
    for other, stage in planned:
        if target.relation.is_like(other) and max(target.weights.of_all(stage.rectangles), default=0) <= limits.bytes:
            return replace(stage, stage=target.relation.stage)
    return None


def _plan_stage(target: _Target, search: Search) -> StagePlan:
    relation, rows = target.relation, target.rows.rectangles
    draft = _requests(target, search)
    pairs = sum(rectangle.pairs for rectangle in rows)
    unlisted = tuple(without(draft.requests, rows)) if relation.unlisted is Unlisted.MAY_DELETE else ()
    if max(pairs, sum(rectangle.pairs for rectangle in draft.requests)) <= CHECKED:
        refuse_inexact(relation, rows, draft.requests)
    return StagePlan(
        stage=relation.stage,
        assets=relation.assets,
        points=relation.points,
        rectangles=tuple(sorted(draft.requests, key=_corner)),
        pairs=pairs,
        lower_bound=draft.bound,
        unlisted=unlisted,
        kept_pairs=target.rows.kept_pairs,
    )


def _corner(rectangle: Rectangle) -> tuple[int, int]:
    return int(rectangle.assets[0]), int(rectangle.points[0])


def _requests(target: _Target, search: Search) -> _Draft:
    """The requests for a target, and how few could do."""
    relation, limits, weights = target.relation, search.limits, target.weights
    if len(target.rows.rectangles) == 1 and relation.unlisted is Unlisted.KEEP:
        (block,) = target.rows.rectangles
        bound = by_volume(block.pairs, limits.pairs, len(relation.assets), len(relation.points))
        return _Draft(tile(block, weights, limits).rectangles, bound, Work())
    found = plan_classes(target.classes, weights, limits, STEPS[search.effort], search.expired)
    return _Draft(found.requests, lower_bound(found.bound, found.classes, limits.pairs), found.work)


def _some_pair_is_too_long(weights: Weights, limits: RequestLimits) -> bool:
    """Whether some asset doesn't fit into one request with some point, listed or not."""
    return int(weights.assets.max(initial=0) + weights.points.max(initial=0)) > limits.bytes - weights.frame


def _refuse_empty(relation: Relation, classes: Classes) -> None:
    if classes.kept_pairs and not classes.rectangles:
        by = f", by {', '.join(relation.keepers)}" if relation.keepers else ""
        message = f"{relation.stage}: all {classes.kept_pairs:,} selected pairs are kept{by}: nothing is left to delete"
        raise InputError(Problem(message, field="delete.keep", hint="leave out the stage, or correct one of the two"))


def _refuse_unsendable(
    relation: Relation, classes: Iterable[Rectangle], weights: Weights, limits: RequestLimits
) -> None:
    """InputError if a target pair alone is over the limit of bytes: no plan could send it."""
    room = limits.bytes - weights.frame
    if weights.assets.max(initial=0) + weights.points.max(initial=0) <= room:
        return
    for rectangle in classes:
        asset = rectangle.assets[weights.assets[rectangle.assets].argmax()]
        point = rectangle.points[weights.points[rectangle.points].argmax()]
        if weights.assets[asset] + weights.points[point] > room:
            raise _unsendable(relation, int(asset), int(point), weights, limits)


def _unsendable(relation: Relation, asset: int, point: int, weights: Weights, limits: RequestLimits) -> InputError:
    asset_size, point_size = int(weights.assets[asset]), int(weights.points[point])
    kind, id_, size = (
        ("asset", relation.assets[asset], asset_size)
        if asset_size >= point_size
        else ("point", relation.points[point], point_size)
    )
    needed = weights.frame + asset_size + point_size
    return InputError(
        Problem(
            f"{relation.stage}: the {kind} ID {_short(id_)} takes {size - 1:,} bytes, and the smallest request with it"
            f" {needed:,}, which is over {limits.bytes:,}",
            field="limits.bytes_per_request",
            hint="raise the limit, or leave out the ID if it is a mistake",
        )
    )


def _short(id_: str) -> str:
    return repr(id_ if len(id_) <= 40 else f"{id_[:39]}…")
