"""The report as one JSON document."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import orjson

from bulkstate.model import ChunkCounts, Held, Remark, Report, StageReport, Use, Verification
from bulkstate.report.failures import FailureKind, kinds


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
class _Document:
    """The fields, in the order in which they are written. Those up to `verified` are named in docs/architecture.md."""

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


def to_json(report: Report) -> bytes:
    """The report as JSON, UTF-8, ending in a newline. `verified.sampled` is 0 where nothing was read back."""
    return orjson.dumps(asdict(_document(report)), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _document(report: Report) -> _Document:
    return _Document(
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
