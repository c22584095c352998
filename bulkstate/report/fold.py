"""A run's records folded into a report: sums, last verdicts, and what isn't deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import (
    ChunkCounts,
    Ended,
    Failure,
    Held,
    Latency,
    LookedAt,
    Origin,
    Outcome,
    Plan,
    Point,
    Report,
    RunResult,
    Stage,
    StagePlan,
    StageReport,
    Use,
    Verdict,
    Verification,
)
from bulkstate.pairs.chunks import Chunks
from bulkstate.pairs.overlap import without
from bulkstate.pairs.tally import ChunkTally
from bulkstate.report.asked import asked
from bulkstate.report.blame import blamed


class RunRecord(Protocol):
    """What a report needs to know of a run; a journal has it all."""

    @property
    def name(self) -> str:
        """The run's name."""
        ...

    @property
    def directory(self) -> Path:
        """The run directory, where it is now."""
        ...

    @property
    def plan(self) -> Plan:
        """What was going to be sent."""
        ...

    @property
    def ending(self) -> tuple[RunResult, str]:
        """How the run stands, and why."""
        ...

    @property
    def verification(self) -> Verification | None:
        """What the last reading back found."""
        ...

    @property
    def ended(self) -> Ended:
        """How its last session ended."""
        ...

    @property
    def origin(self) -> Origin:
        """Where it came from."""
        ...

    def looked_at(self, *, after: bool = False) -> Sequence[LookedAt]:
        """What was looked at before the first delete, or last after it."""
        ...

    def chunks(self) -> Chunks:
        """The plan's chunks and the parts of those that were split."""
        ...

    def records(self) -> Iterator[tuple[int, Outcome]]:
        """Everything that was recorded, in order: the session's number and the outcome."""
        ...

    def tally(self) -> ChunkTally:
        """What became of every chunk, by number."""
        ...

    def failures(self) -> Iterator[Outcome]:
        """The records that say neither deleted nor split, in order."""
        ...

    def seconds(self) -> float:
        """How long the run has taken, from first calls to last answers."""
        ...

    def points(self) -> Sequence[Point]:
        """The run's course, in order."""
        ...

    def uses(self) -> Sequence[Use]:
        """What was asked of it while it ran, in order."""
        ...

    def deleted(self) -> list[int]:
        """The chunks whose last verdict is `deleted`, ascending."""
        ...

    def undeleted(self) -> list[int]:
        """The chunks whose pairs may still have state, ascending."""
        ...


def fold(record: RunRecord) -> Report:
    """The report of a run as its record stands, also while it runs. A chunk without a record counts as not sent.

    `failures` holds the recorded chunks that aren't deleted, in order of their numbers.
    """
    plan, chunks, tally = record.plan, record.chunks(), record.tally()
    result, reason = record.ending
    points = record.points()
    stages = tuple(_stages(chunks, tally))
    failures = tuple(_failures(chunks, tally, record.failures()))
    return Report(
        run=record.name,
        run_dir=str(record.directory),
        plan=plan.digest,
        result=result,
        reason=reason,
        stages=stages,
        chunks=_counts(plan.requests, tally),
        pairs_planned=plan.pairs,
        pairs_deleted=sum(stage.pairs_deleted for stage in stages),
        attempts=int(tally.attempts.sum()),
        retries=sum(stage.retries for stage in stages),
        throttled=int(tally.throttled.sum()),
        seconds=record.seconds(),
        verified=record.verification,
        failures=failures,
        blamed=blamed(chunks, failures, _deleted_parts(chunks, tally)),
        unlisted_pairs=plan.unlisted_pairs,
        held=tuple(_held(points)),
        uses=tuple(record.uses()),
        ended=record.ended,
        origin=record.origin,
        before=tuple(record.looked_at()),
        after=tuple(record.looked_at(after=True)),
        remarks=plan.remarks,
        asked=asked(plan),
        latency=_latency(points),
    )


def _latency(points: Sequence[Point]) -> Latency | None:
    """How long calls took; None where nothing was answered."""
    answered = [point for point in points if point.p50]
    if not answered:
        return None
    return Latency(median(point.p50 for point in answered), max(point.p99 for point in answered))


def _stages(chunks: Chunks, tally: ChunkTally) -> Iterator[StageReport]:
    ends = accumulate((len(stage.rectangles) for stage in chunks.plan.stages), initial=0)
    parts = _parts(chunks)
    for stage, (start, end) in zip(chunks.plan.stages, pairwise(ends), strict=True):
        numbers = np.concatenate((np.arange(start, end), np.array(parts.get(stage.stage, ()), np.int64)))
        own = tally[numbers]
        yield StageReport(
            stage=stage.stage,
            chunks=_counts(end - start, own),
            pairs_planned=stage.pairs,
            pairs_deleted=_pairs_deleted(stage, chunks, numbers, own),
            attempts=int(own.attempts.sum()),
            retries=own.retries,
            throttled=int(own.throttled.sum()),
        )


def _parts(chunks: Chunks) -> dict[Stage, list[int]]:
    """The numbers of the parts that each stage's chunks were split into."""
    parts: dict[Stage, list[int]] = {}
    for number in range(chunks.plan.requests, len(chunks)):
        parts.setdefault(chunks.place(number)[0].stage, []).append(number)
    return parts


def _deleted_parts(chunks: Chunks, tally: ChunkTally) -> list[int]:
    parts: list[int] = np.flatnonzero(tally[chunks.plan.requests :].ended(Verdict.DELETED)).tolist()
    return [chunks.plan.requests + part for part in parts]


def _counts(planned: int, tally: ChunkTally) -> ChunkCounts:
    return ChunkCounts(planned=planned, **{verdict.value: count for verdict, count in tally.counts().items()})


def _pairs_deleted(plan: StagePlan, chunks: Chunks, numbers: NDArray[np.int64], tally: ChunkTally) -> int:
    """The target pairs inside deleted chunks, each once. A split chunk counts by its parts."""
    gone = tally.ended(Verdict.DELETED)
    if gone.all():
        return plan.pairs
    if not (plan.overlaps or plan.unlisted):
        is_part = numbers >= chunks.plan.requests
        left, parts = numbers[~gone & ~is_part], numbers[gone & is_part]
        return plan.pairs - sum(map(chunks.pairs, left.tolist())) + sum(map(chunks.pairs, parts.tolist()))
    deleted = [chunks.place(number)[1] for number in numbers[gone].tolist()]
    return sum(rectangle.pairs for rectangle in without(deleted, plan.unlisted))


def _failures(chunks: Chunks, tally: ChunkTally, records: Iterable[Outcome]) -> Iterator[Failure]:
    last = {outcome.chunk: outcome for outcome in records}
    for number, outcome in sorted(last.items()):
        if tally.verdict(number) is outcome.verdict:
            stage, rectangle = chunks.place(number)
            yield Failure(number, stage.stage, rectangle.pairs, outcome)


def _held(points: Sequence[Point]) -> Iterator[Held]:
    """Shares of the time that the points cover, the largest first."""
    seconds: dict[tuple[str, str], float] = {}
    for point in points:
        cause = point.held_by, point.which
        seconds[cause] = seconds.get(cause, 0.0) + point.seconds
    total = sum(seconds.values())
    for cause, part in sorted(seconds.items(), key=lambda item: -item[1]):
        yield Held(*cause, part / total if total else 0.0)
