"""The report as one JSON document."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Final

import orjson

from bulkstate.model import Agreed, Chain, ChunkCounts, Held, InputFile, Remark, Report, StageReport, Use, Verification
from bulkstate.policy.presence import presence
from bulkstate.report.conclusion import Safe, StartAdvice, concluded, start_advice
from bulkstate.report.failures import FailureKind, kinds

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
class _Where:
    gateway: str
    organisation: str
    credentials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Agreed:
    how: str
    by: str
    at: str | None


@dataclass(frozen=True, slots=True)
class _Pipeline:
    id: str
    name: str
    status_before: str
    status: str
    read_at: str | None
    safe_to_start: Safe
    because: str
    paused_by: str
    started_again: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    entry: str
    looked_at: int
    with_state: int


@dataclass(frozen=True, slots=True)
class _Before:
    looked_at: int
    with_state: int
    read_again: int
    with_state_again: int
    assets: int
    assets_without: int
    examples_without: tuple[str, ...]
    entries: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class _Document:
    """The fields, in the order in which they are written: named in docs/architecture.md. Times are RFC 3339, UTC."""

    schema: int
    conclusion: str
    reason_code: str | None
    next: str
    pipelines: tuple[_Pipeline, ...]
    where: _Where
    started: str | None
    ended: str | None
    version: str
    journal: Chain | None
    agreed: _Agreed | None
    target: str
    approval: str
    inputs: tuple[InputFile, ...]
    before: _Before
    run: str
    run_dir: str
    plan: str
    result: str
    chunks: ChunkCounts
    pairs: _Pairs
    unlisted_pairs: int
    attempts: int
    retries: int
    throttled: int
    seconds: float
    requests_per_second: float
    verified: Verification
    reason: str
    stages: tuple[_Stage, ...]
    failures: tuple[_Failures, ...]
    held: tuple[Held, ...]
    uses: tuple[Use, ...]
    remarks: tuple[Remark, ...]
    blamed: tuple[_Blamed, ...]


def to_json(report: Report) -> bytes:
    """The report as JSON, UTF-8, ending in a newline. `verified.sampled` is 0 where nothing was read back."""
    return orjson.dumps(asdict(_document(report)), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _document(report: Report) -> _Document:
    conclusion, (started, ended) = concluded(report), times_of(report)
    return _Document(
        schema=SCHEMA,
        conclusion=conclusion.sentence,
        reason_code=conclusion.reason_code,
        next=conclusion.next,
        pipelines=tuple(map(_pipeline, start_advice(report))),
        where=_Where(report.origin.gateway, report.origin.organisation, report.origin.credentials),
        started=started,
        ended=ended,
        version=report.origin.version,
        journal=report.origin.chain,
        agreed=_agreed(report.origin.agreed),
        target=report.origin.target,
        approval=report.origin.approval,
        inputs=report.origin.inputs,
        before=_before(report),
        run=report.run,
        run_dir=report.run_dir,
        plan=report.plan,
        result=report.result,
        chunks=report.chunks,
        pairs=_Pairs(report.pairs_planned, report.pairs_deleted),
        unlisted_pairs=report.unlisted_pairs,
        attempts=report.attempts,
        retries=report.retries,
        throttled=report.throttled,
        seconds=round(report.seconds, 3),
        requests_per_second=round(report.requests_per_second, 3),
        verified=report.verified or Verification(),
        reason=report.reason,
        stages=tuple(map(_stage, report.stages)),
        failures=tuple(map(_failures, kinds(report.failures))),
        held=tuple(replace(held, share=round(held.share, 4)) for held in report.held),
        uses=report.uses,
        remarks=report.remarks,
        blamed=tuple(
            _Blamed(each.stage.pipeline, each.stage.name, each.asset, each.point, each.code, each.pairs)
            for each in report.blamed
        ),
    )


def times_of(report: Report) -> tuple[str | None, str | None]:
    """When the run began, and when its last session ended: RFC 3339, UTC."""
    return _time(report.origin.started), None if report.ended.by is None else _time(report.ended.at)


def _time(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _agreed(agreed: Agreed | None) -> _Agreed | None:
    return None if agreed is None else _Agreed(agreed.how, agreed.by, _time(agreed.at))


def _pipeline(advice: StartAdvice) -> _Pipeline:
    seen = advice.pipeline
    when, safe = _time(seen.at), (advice.safe, advice.because)
    return _Pipeline(seen.id, seen.name, seen.before, seen.now, when, *safe, seen.paused_by, seen.started_again)


def _before(report: Report) -> _Before:
    found, again = presence(report.before), presence(report.after)
    return _Before(
        looked_at=found.looked_at,
        with_state=found.with_state,
        read_again=again.looked_at,
        with_state_again=again.with_state,
        assets=found.assets,
        assets_without=found.assets_without,
        examples_without=found.without,
        entries=tuple(_Entry(each.entry, each.looked_at, each.with_state) for each in found.entries),
    )


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
