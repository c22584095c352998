"""The report as one JSON document."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

import orjson

from bulkstate.model import (
    Agreed,
    Blamed,
    Chain,
    ChunkCounts,
    Circumstances,
    Guard,
    Held,
    InputFile,
    Latency,
    Remark,
    Report,
    StageReport,
    Use,
    Verification,
)
from bulkstate.policy.presence import presence
from bulkstate.report.conclusion import Safe, StartAdvice, concluded, start_advice
from bulkstate.report.failures import FailureKind, kinds
from bulkstate.report.parts import CalledPlace, LookBefore, rfc_3339
from bulkstate.report.schema import schema_of

SCHEMA: Final = 1
"""The version of the document: keys are added, never renamed."""


@dataclass(frozen=True, slots=True)
class _Pairs:
    planned: int
    deleted: int


@dataclass(frozen=True, slots=True)
class _Stage:
    pipeline: str
    stage: str
    chunks: ChunkCounts
    pairs: _Pairs
    attempts: int
    retries: int
    throttled: int


@dataclass(frozen=True, slots=True)
class _Example:
    chunk: int
    pipeline: str
    stage: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class _Failures:
    verdict: str
    status: int | None
    code: int | None
    message: str
    chunks: int
    pairs: int
    examples: tuple[_Example, ...]


@dataclass(frozen=True, slots=True)
class _Blamed:
    pipeline: str
    stage: str
    asset: str | None
    point: str | None
    code: int | None
    pairs: int


@dataclass(frozen=True, slots=True)
class _Pipeline:
    id: str
    name: str
    version: str
    status_before: str
    status: str
    read_at: str | None
    safe_to_start: Safe
    because: str
    paused_by: str
    started_again: bool


@dataclass(frozen=True, slots=True)
class _Who:
    """Of each process that worked on the run."""

    at: str | None
    user: str
    host: str
    ci: str
    job: str
    commit: str
    zone: str
    clock_ahead: float | None


@dataclass(frozen=True, slots=True)
class _Agreed:
    how: str
    by: str
    at: str | None


@dataclass(frozen=True, slots=True)
class _Deadline:
    asked: str
    at: str | None


@dataclass(frozen=True, slots=True)
class _Phase:
    name: str
    at: str | None


@dataclass(frozen=True, slots=True)
class _Asked:
    assets: int
    points: int
    pairs: int
    kept_pairs: int
    unlisted_pairs: int


@dataclass(frozen=True, slots=True)
class _Before(LookBefore):
    """The look, and what became of the pairs that had state, as far as they were read again."""

    read_again: int
    with_state_again: int


@dataclass(frozen=True, slots=True)
class _Document:
    """The fields, in the order in which they are written: named in docs/architecture.md. Times are RFC 3339, UTC."""

    schema: int
    conclusion: str
    reason_code: str | None
    next: str
    pipelines: tuple[_Pipeline, ...]
    where: CalledPlace
    started: str | None
    ended: str | None
    deadline: _Deadline | None
    phases: tuple[_Phase, ...]
    who: tuple[_Who, ...]
    agreed: _Agreed | None
    target: str
    plan: str
    approval: str
    configuration: str
    reference: str
    inputs: tuple[InputFile, ...]
    remarks: tuple[Remark, ...]
    asked: _Asked
    before: _Before
    result: str
    reason: str
    chunks: ChunkCounts
    pairs: _Pairs
    unlisted_pairs: int
    stages: tuple[_Stage, ...]
    failures: tuple[_Failures, ...]
    verified: Verification
    blamed: tuple[_Blamed, ...]
    held: tuple[Held, ...]
    uses: tuple[Use, ...]
    attempts: int
    retries: int
    throttled: int
    seconds: float
    requests_per_second: float
    latency: Latency | None
    guards: tuple[Guard, ...]
    version: str
    journal: Chain | None
    run: str
    run_dir: str


def to_json(report: Report) -> bytes:
    """The report as JSON, UTF-8, ending in a newline. `verified.sampled` is 0 where nothing was read back."""
    return orjson.dumps(asdict(_document(report)), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _document(report: Report) -> _Document:
    conclusion, (started, ended), origin = concluded(report), times_of(report), report.origin
    return _Document(
        schema=SCHEMA,
        conclusion=conclusion.sentence,
        reason_code=conclusion.reason_code,
        next=conclusion.next,
        pipelines=tuple(map(_pipeline, start_advice(report))),
        where=CalledPlace(origin.gateway, origin.organisation, origin.credentials),
        started=started,
        ended=ended,
        deadline=None if origin.done_by is None else _Deadline(origin.done_by.words, rfc_3339(origin.done_by.at)),
        phases=tuple(_Phase(each.name, rfc_3339(each.at)) for each in origin.phases),
        who=tuple(map(_who, origin.circumstances)),
        agreed=_agreed(origin.agreed),
        target=origin.target,
        plan=report.plan,
        approval=origin.approval,
        configuration=origin.configuration,
        reference=reference_of(report),
        inputs=origin.inputs,
        remarks=report.remarks,
        asked=_asked(report),
        before=_before(report),
        result=report.result,
        reason=report.reason,
        chunks=report.chunks,
        pairs=_Pairs(report.pairs_planned, report.pairs_deleted),
        unlisted_pairs=report.unlisted_pairs,
        stages=tuple(map(_stage, report.stages)),
        failures=tuple(map(_failures, kinds(report.failures))),
        verified=report.verified or Verification(),
        blamed=tuple(map(_blamed, report.blamed)),
        held=tuple(replace(held, share=round(held.share, 4)) for held in report.held),
        uses=report.uses,
        attempts=report.attempts,
        retries=report.retries,
        throttled=report.throttled,
        seconds=round(report.seconds, 3),
        requests_per_second=round(report.requests_per_second, 3),
        latency=report.latency,
        guards=report.guards,
        version=origin.version,
        journal=origin.chain,
        run=report.run,
        run_dir=report.run_dir,
    )


def times_of(report: Report) -> tuple[str | None, str | None]:
    """When the run began, and when its last session ended: RFC 3339, UTC."""
    return rfc_3339(report.origin.started), None if report.ended.by is None else rfc_3339(report.ended.at)


def reference_of(report: Report) -> str:
    """What people call the reason for the run: what was said last of it."""
    return next((each.reference for each in reversed(report.origin.circumstances) if each.reference), "")


def _agreed(agreed: Agreed | None) -> _Agreed | None:
    return None if agreed is None else _Agreed(agreed.how, agreed.by, rfc_3339(agreed.at))


def _who(found: Circumstances) -> _Who:
    ahead = None if found.clock_ahead is None else round(found.clock_ahead, 1)
    job = (found.ci, found.job, found.commit)
    return _Who(rfc_3339(found.at), found.user, found.host, *job, found.zone, ahead)


def _asked(report: Report) -> _Asked:
    named = report.asked
    return _Asked(named.assets, named.points, report.pairs_planned, named.kept_pairs, report.unlisted_pairs)


def _pipeline(advice: StartAdvice) -> _Pipeline:
    seen = advice.pipeline
    told, safe = (seen.before, seen.now, rfc_3339(seen.at)), (advice.safe, advice.because)
    return _Pipeline(seen.id, seen.name, seen.version, *told, *safe, seen.paused_by, seen.started_again)


def _before(report: Report) -> _Before:
    found, again = LookBefore.of(presence(report.before)), presence(report.after)
    known = {each.name: getattr(found, each.name) for each in fields(found)}
    return _Before(**known, read_again=again.looked_at, with_state_again=again.with_state)


def _blamed(each: Blamed) -> _Blamed:
    return _Blamed(each.stage.pipeline, each.stage.name, each.asset, each.point, each.code, each.pairs)


def _stage(report: StageReport) -> _Stage:
    return _Stage(
        pipeline=report.stage.pipeline,
        stage=report.stage.name,
        chunks=report.chunks,
        pairs=_Pairs(report.pairs_planned, report.pairs_deleted),
        attempts=report.attempts,
        retries=report.retries,
        throttled=report.throttled,
    )


def _failures(kind: FailureKind) -> _Failures:
    examples = tuple(
        _Example(failure.chunk, failure.stage.pipeline, failure.stage.name, failure.outcome.request_id)
        for failure in kind.examples
    )
    return _Failures(kind.verdict, kind.status, kind.code, kind.message, kind.chunks, kind.pairs, examples)


def schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    return schema_of(_Document, "A run's report")
