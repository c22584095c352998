"""A plan for people and machines: what would be sent, and how few requests it could take at the least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import orjson
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bulkstate.model import Plan, StagePlan
from bulkstate.report.text import duration, printable

STAGES_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class _Stage:
    pipeline: str
    stage: str
    requests: int
    lower_bound: int
    pairs: int


@dataclass(frozen=True, slots=True)
class _Document:
    """The fields, in the order in which they are written: named in docs/architecture.md."""

    plan: str
    requests: int
    lower_bound: int
    pairs: int
    unlisted_pairs: int
    kept_pairs: int
    assets: int
    points: int
    body_bytes: int
    forecast_seconds: float
    stages: tuple[_Stage, ...]


def plan_to_json(plan: Plan, forecast_seconds: float) -> bytes:
    """The plan as one JSON document, UTF-8, ending in a newline."""
    document = _Document(
        plan=plan.digest,
        requests=plan.requests,
        lower_bound=plan.lower_bound,
        pairs=plan.pairs,
        unlisted_pairs=plan.unlisted_pairs,
        kept_pairs=plan.kept_pairs,
        assets=_different([stage.assets for stage in plan.stages]),
        points=_different([stage.points for stage in plan.stages]),
        body_bytes=plan.body_bytes,
        forecast_seconds=round(forecast_seconds, 1),
        stages=tuple(map(_stage, plan.stages)),
    )
    return orjson.dumps(asdict(document), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _stage(plan: StagePlan) -> _Stage:
    bound = plan.lower_bound.requests
    return _Stage(plan.stage.pipeline, plan.stage.name, len(plan.rectangles), bound, plan.pairs)


def _different(dictionaries: list[tuple[str, ...]]) -> int:
    """How many different IDs there are. Stages that share a selection share its dictionaries."""
    distinct = {id(ids): ids for ids in dictionaries}
    return len(set().union(*distinct.values()))


def show_plan(plan: Plan, forecast_seconds: float, console: Console) -> None:
    """Print the plan on `console`, in colour where it has some."""
    text = Text("\n").join(_lines(plan, forecast_seconds))
    console.print(Padding(text, (0, 1, 1, 1)), highlight=False)


def _lines(plan: Plan, forecast_seconds: float) -> Iterator[Text]:
    size = f"{plan.body_bytes / 1e6:,.1f} MB"
    yield Text(f"Plan {plan.digest[:8]}", "bold")
    yield Text(f"  {plan.pairs:,} pairs in {plan.requests:,} requests; at least {plan.lower_bound:,} are needed")
    if plan.unlisted_pairs:
        yield Text(
            f"  {plan.unlisted_pairs:,} more pairs, neither selected nor kept, are deleted with them", "bold yellow"
        )
    if plan.kept_pairs:
        yield Text(f"  {plan.kept_pairs:,} pairs that were selected are kept")
    yield Text(f"  about {duration(forecast_seconds)} at the configured limits; {size} to send")
    for stage in plan.stages[:STAGES_SHOWN]:
        yield Text(f"  {printable(str(stage.stage))}: {stage.pairs:,} pairs in {len(stage.rectangles):,} requests")
    if len(plan.stages) > STAGES_SHOWN:
        yield Text(f"  … and {len(plan.stages) - STAGES_SHOWN:,} more stages")
