"""Relations in, a plan out."""

from __future__ import annotations

from collections.abc import Iterable

from bulkstate.errors import InputError, Problem
from bulkstate.model import Plan, Rectangle, StagePlan
from bulkstate.planner.bound import lower_bound
from bulkstate.planner.digest import digest
from bulkstate.planner.tiling import Limits, Tiles, Weights, tile, weigh
from bulkstate.relation import Classes, Relation, equal_rows


def plan(relations: Iterable[Relation], *, pairs_per_request: int, bytes_per_request: int) -> Plan:
    """The requests that delete exactly the relations' targets, stage by stage, in the order of the stages.

    No request holds more than `pairs_per_request` pairs nor has a body over `bytes_per_request` bytes; both are at
    least 1. The same relations, in whatever order, give the same plan. InputError if an ID is too long to be sent, or
    all that is selected in a stage is kept.
    """
    limits = Limits(pairs_per_request, bytes_per_request)
    planned = [_plan_stage(relation, limits) for relation in sorted(relations, key=lambda relation: relation.stage)]
    stages = tuple(stage for stage, _ in planned)
    return Plan(stages, digest(stages), sum(body_bytes for _, body_bytes in planned))


def _plan_stage(relation: Relation, limits: Limits) -> tuple[StagePlan, int]:
    classes, weights = equal_rows(relation), weigh(relation)
    _refuse_empty(relation, classes)
    _refuse_unsendable(relation, classes.rectangles, weights, limits)
    tiles = [tile(rectangle, weights, limits) for rectangle in classes.rectangles]
    pairs = sum(rectangle.pairs for rectangle in classes.rectangles)
    stage = StagePlan(
        stage=relation.stage,
        assets=relation.assets,
        points=relation.points,
        rectangles=tuple(rectangle for part in tiles for rectangle in part.rectangles),
        pairs=pairs,
        lower_bound=lower_bound(pairs, limits.pairs),
        kept_pairs=classes.kept_pairs,
    )
    return stage, _body_bytes(tiles)


def _body_bytes(tiles: Iterable[Tiles]) -> int:
    return sum(part.body_bytes for part in tiles)


def _refuse_empty(relation: Relation, classes: Classes) -> None:
    if classes.kept_pairs and not classes.rectangles:
        message = f"{relation.stage}: all {classes.kept_pairs:,} selected pairs are kept: nothing is left to delete"
        raise InputError(Problem(message, field="delete.keep", hint="leave out the stage, or correct one of the two"))


def _refuse_unsendable(relation: Relation, classes: Iterable[Rectangle], weights: Weights, limits: Limits) -> None:
    """InputError if a target pair alone is over the limit of bytes: no plan could send it."""
    room = limits.bytes - weights.frame
    if weights.assets.max(initial=0) + weights.points.max(initial=0) <= room:
        return
    for rectangle in classes:
        asset = rectangle.assets[weights.assets[rectangle.assets].argmax()]
        point = rectangle.points[weights.points[rectangle.points].argmax()]
        if weights.assets[asset] + weights.points[point] > room:
            raise _unsendable(relation, int(asset), int(point), weights, limits)


def _unsendable(relation: Relation, asset: int, point: int, weights: Weights, limits: Limits) -> InputError:
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
