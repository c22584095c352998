"""A plan for people and machines: what would be sent, and how few requests it could take at the least."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import compress

import numpy as np
import orjson
from numpy.typing import NDArray
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bulkstate.model import IndexArray, Plan, Remark, StagePlan
from bulkstate.planner.difference import Comparison
from bulkstate.policy.pacing import Forecast
from bulkstate.report.briefing import Briefing
from bulkstate.report.differences import document as difference_document
from bulkstate.report.remarks import remark_lines
from bulkstate.report.text import counted, duration


@dataclass(frozen=True, slots=True)
class _Stage:
    pipeline: str
    stage: str
    requests: int
    lower_bound: int
    proof: str
    pairs: int


@dataclass(frozen=True, slots=True)
class _Where:
    gateway: str
    organisation: str
    credentials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Pipeline:
    id: str
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class _Before:
    looked_at: int
    with_state: int
    assets: int
    assets_without: int
    examples_without: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Document:
    """The fields, in the order in which they are written: named in docs/architecture.md."""

    plan: str
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


def plan_to_json(
    plan: Plan, forecast: Forecast | None, comparison: Comparison | None = None, briefing: Briefing | None = None
) -> bytes:
    """The plan as one JSON document, UTF-8, ending in a newline; with `where` and `guards` if there is a briefing, what
    was seen of pipelines and state if somebody looked, and with `diff` if it was compared with an older one."""
    fields = asdict(_document(plan, forecast))
    if briefing is not None:
        fields |= _surroundings(briefing)
    if comparison is not None:
        fields["diff"] = asdict(difference_document(comparison))
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _surroundings(briefing: Briefing) -> dict[str, object]:
    place = _Where(briefing.gateway, briefing.organisation, briefing.credentials)
    digests = {"target": briefing.target, "approval": briefing.approval}
    fields: dict[str, object] = {**digests, "where": asdict(place), "inputs": [*map(asdict, briefing.files)]}
    fields["guards"] = [*map(asdict, briefing.guards)]
    if briefing.pipelines:
        fields["pipelines"] = [_Pipeline(each.id, each.name, each.now) for each in briefing.pipelines]
    if briefing.found.looked_at or briefing.found.unread:
        found = briefing.found
        fields["before"] = _Before(found.looked_at, found.with_state, found.assets, found.assets_without, found.without)
    return fields


def _document(plan: Plan, forecast: Forecast | None) -> _Document:
    return _Document(
        plan=plan.digest,
        reproducible=plan.reproducible,
        effort=plan.effort,
        requests=plan.requests,
        lower_bound=plan.lower_bound,
        pairs=plan.pairs,
        unlisted_pairs=plan.unlisted_pairs,
        kept_pairs=plan.kept_pairs,
        assets=_named((each.assets, (chunk.assets for chunk in each.rectangles)) for each in plan.stages),
        points=_named((each.points, (chunk.points for chunk in each.rectangles)) for each in plan.stages),
        body_bytes=plan.body_bytes,
        forecast_seconds=None if forecast is None else round(forecast.seconds, 1),
        binding_limit=None if forecast is None else str(forecast.binding),
        stages=tuple(map(_stage, plan.stages)),
        remarks=plan.remarks,
    )


def _stage(plan: StagePlan) -> _Stage:
    bound = plan.lower_bound
    return _Stage(plan.stage.pipeline, plan.stage.name, len(plan.rectangles), bound.requests, bound.proof, plan.pairs)


def _named(sides: Iterable[tuple[tuple[str, ...], Iterable[IndexArray]]]) -> int:
    """How many different IDs chunks name. Stages may share dictionaries, and tiles of a grid share their sides."""
    dictionaries: dict[int, tuple[tuple[str, ...], NDArray[np.bool_]]] = {}
    for ids, arrays in sides:
        _, named = dictionaries.setdefault(id(ids), (ids, np.zeros(len(ids), np.bool_)))
        for positions in {id(each): each for each in arrays}.values():
            named[positions] = True
    return len(set().union(*(compress(ids, named.tolist()) for ids, named in dictionaries.values())))


def show_plan(plan: Plan, forecast: Forecast | None, console: Console) -> None:
    """Print the plan on `console`, in colour where it has some."""
    text = Text("\n").join(_lines(plan, forecast))
    console.print(Padding(text, (0, 1, 1, 1)), highlight=False)


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
