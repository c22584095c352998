"""The evidence behind a plan's lower bounds, spelt out: it can be checked without knowing how it was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from bulkstate.model import Evidence, IndexArray, Plan, Rectangle, StagePlan


@dataclass(frozen=True, slots=True)
class _Block:
    """The target pairs of every asset with every point; null stands for all that the stage has."""

    assets: list[str] | None
    points: list[str] | None
    weight: int


@dataclass(frozen=True, slots=True)
class _Part:
    load: int
    by: str
    blocks: list[_Block]


@dataclass(frozen=True, slots=True)
class _Stage:
    pipeline: str
    stage: str
    requests: int
    lower_bound: int
    proof: str
    evidence: list[_Part]


def explanation_to_json(plan: Plan) -> bytes:
    """Stage by stage the evidence, as one JSON document: see docs/architecture.md."""
    fields = {"plan": plan.digest, "stages": [asdict(_stage(each)) for each in plan.stages]}
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _stage(plan: StagePlan) -> _Stage:
    bound = plan.lower_bound
    return _Stage(
        pipeline=plan.stage.pipeline,
        stage=plan.stage.name,
        requests=len(plan.rectangles),
        lower_bound=bound.requests,
        proof=bound.proof,
        evidence=[_part(each, plan) for each in bound.evidence],
    )


def _part(evidence: Evidence, plan: StagePlan) -> _Part:
    weights = evidence.weights or (1,) * len(evidence.blocks)
    blocks = [_block(block, weight, plan) for block, weight in zip(evidence.blocks, weights, strict=True)]
    return _Part(evidence.load, evidence.argument, blocks)


def _block(block: Rectangle, weight: int, plan: StagePlan) -> _Block:
    return _Block(_ids(block.assets, plan.assets), _ids(block.points, plan.points), weight)


def _ids(positions: IndexArray, ids: tuple[str, ...]) -> list[str] | None:
    return None if len(positions) == len(ids) > 1 else [ids[position] for position in positions.tolist()]
