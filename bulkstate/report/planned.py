"""A plan for people and machines: what would be sent, and how few requests it could take at the least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from bulkstate.model import Guard, InputFile, Plan, Remark, StagePlan
from bulkstate.planner.difference import Comparison
from bulkstate.policy.pacing import Forecast
from bulkstate.report.asked import asked
from bulkstate.report.briefing import NOTHING_KNOWN, Briefing
from bulkstate.report.differences import document as difference_document
from bulkstate.report.paragraph import paragraph
from bulkstate.report.parts import CalledPlace, LookBefore, PipelineNow, rfc_3339
from bulkstate.report.remarks import remark_lines
from bulkstate.report.schema import schema_of
from bulkstate.text import counted, duration


@dataclass(frozen=True, slots=True)
class _Stage:
    pipeline: str
    stage: str
    requests: int
    lower_bound: int
    proof: str
    pairs: int


@dataclass(frozen=True, slots=True)
class _Document:
    """The fields, in the order in which they are written: named in docs/architecture.md. What nobody looked at is
    empty, or null."""

    plan: str
    target: str
    approval: str
    reproducible: bool
    effort: str | None
    requests: int
    lower_bound: int
    pairs: int
    unlisted_pairs: int
    kept_pairs: int
    assets: int
    points: int
    body_bytes: int
    forecast_seconds: float | None
    binding_limit: str | None
    stages: tuple[_Stage, ...]
    remarks: tuple[Remark, ...]
    where: CalledPlace
    inputs: tuple[InputFile, ...]
    guards: tuple[Guard, ...]
    looked: str | None
    pipelines: tuple[PipelineNow, ...]
    before: LookBefore | None


def plan_to_json(
    plan: Plan, forecast: Forecast | None, known: Briefing = NOTHING_KNOWN, comparison: Comparison | None = None
) -> bytes:
    """The plan as one JSON document, UTF-8, ending in a newline; with `diff` if it was compared with an older one."""
    fields = asdict(_document(plan, forecast, known))
    if comparison is not None:
        fields["diff"] = asdict(difference_document(comparison))
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    return schema_of(_Document, "A plan")


def _document(plan: Plan, forecast: Forecast | None, known: Briefing) -> _Document:
    named, found = asked(plan), known.found
    return _Document(
        plan=plan.digest,
        target=known.target,
        approval=known.approval,
        reproducible=plan.reproducible,
        effort=plan.effort,
        requests=plan.requests,
        lower_bound=plan.lower_bound,
        pairs=plan.pairs,
        unlisted_pairs=plan.unlisted_pairs,
        kept_pairs=plan.kept_pairs,
        assets=named.assets,
        points=named.points,
        body_bytes=plan.body_bytes,
        forecast_seconds=None if forecast is None else round(forecast.seconds, 1),
        binding_limit=None if forecast is None else str(forecast.binding),
        stages=tuple(map(_stage, plan.stages)),
        remarks=plan.remarks,
        where=CalledPlace(known.gateway, known.organisation, known.credentials),
        inputs=known.files,
        guards=known.guards,
        looked=rfc_3339(known.seen_at),
        pipelines=tuple(map(PipelineNow.of, known.pipelines)),
        before=LookBefore.of(found) if found.looked_at or found.unread else None,
    )


def _stage(plan: StagePlan) -> _Stage:
    bound = plan.lower_bound
    return _Stage(plan.stage.pipeline, plan.stage.name, len(plan.rectangles), bound.requests, bound.proof, plan.pairs)


def show_plan(plan: Plan, forecast: Forecast | None, console: Console) -> None:
    """Print the plan on `console`, in colour where it has some."""
    console.print(paragraph(_lines(plan, forecast)), highlight=False)


def _lines(plan: Plan, forecast: Forecast | None) -> Iterator[Text]:
    size = f"{plan.body_bytes / 1e6:,.1f} MB"
    yield Text(f"Plan {plan.digest[:8]}", "bold")
    if not plan.requests:
        yield Text("  nothing to delete: every table of the selection is empty")
        return
    proof = f" (proof: {plan.stages[0].lower_bound.proof})" if len(plan.stages) == 1 else ""
    verb = "is" if plan.lower_bound == 1 else "are"
    yield Text(f"  {_size(plan.pairs, plan.requests)}; at least {plan.lower_bound:,} {verb} needed{proof}")
    if plan.reproducible and plan.effort is not None and plan.lower_bound < plan.requests:
        yield Text(f"  fewer were looked for with plan.effort {plan.effort}")
    if not plan.reproducible:
        yield Text("  searched for within a time budget: not reproducible", "yellow")
    if plan.unlisted_pairs:
        yield Text(
            f"  and {counted(plan.unlisted_pairs, 'pair')} beyond the selection, which nobody keeps", "bold yellow"
        )
    if plan.kept_pairs:
        yield Text(f"  {counted(plan.kept_pairs, 'pair')} kept, though selected")
    yield Text(f"  {_time(forecast)}; {size} to send")
    yield from (Text(f"  {line}", "yellow") for line in remark_lines(plan.remarks))


def _time(forecast: Forecast | None) -> str:
    if forecast is None:
        return "nobody knows yet how fast the gateway lets it be sent"
    return f"about {duration(forecast.seconds)} at the limits that are known, of which {forecast.binding} binds"


def _size(pairs: int, requests: int) -> str:
    return f"{counted(pairs, 'pair')} in {counted(requests, 'request')}"
