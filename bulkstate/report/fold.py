"""A run's records folded into a report: sums, last verdicts, and what isn't deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median
from typing import Protocol

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


class _Tally:
    """Every chunk's sums and last verdict, by number, while the records go by."""

    def __init__(self, chunks: int) -> None:
        self.verdicts = [Verdict.NOT_SENT] * chunks
        self.attempts = [0] * chunks
        self.throttled = [0] * chunks
        self.failures: dict[int, Outcome] = {}
        self._spans: dict[int, tuple[float, float]] = {}

    def add(self, session: int, outcome: Outcome) -> None:
        chunk = outcome.chunk
        self.verdicts[chunk] = outcome.verdict
        self.attempts[chunk] += outcome.attempts
        self.throttled[chunk] += outcome.throttled
        self.failures.pop(chunk, None)
        if outcome.verdict not in (Verdict.DELETED, Verdict.SPLIT):
            self.failures[chunk] = outcome
        self._stretch(session, outcome)

    def _stretch(self, session: int, outcome: Outcome) -> None:
        first, last = outcome.first_sent_at, outcome.last_answered_at
        if first is None or last is None:
            return
        start, end = self._spans.get(session, (first, last))
        self._spans[session] = (min(start, first), max(end, last))

    @property
    def seconds(self) -> float:
        """From first call to last answer, in each session; what lies between sessions doesn't count."""
        return sum(max(0.0, end - start) for start, end in self._spans.values())


def fold(record: RunRecord) -> Report:
    """The report of a run as its record stands, also while it runs. A chunk without a record counts as not sent.

    `failures` holds the recorded chunks that aren't deleted, in order of their numbers.
    """
    plan, chunks = record.plan, record.chunks()
    tally = _Tally(len(chunks))
    for session, outcome in record.records():
        tally.add(session, outcome)
    result, reason = record.ending
    points = record.points()
    stages = tuple(_stages(chunks, tally))
    failures = tuple(_failures(chunks, tally))
    return Report(
        run=record.name,
        run_dir=str(record.directory),
        plan=plan.digest,
        result=result,
        reason=reason,
        stages=stages,
        chunks=_counts(plan.requests, tally.verdicts),
        pairs_planned=plan.pairs,
        pairs_deleted=sum(stage.pairs_deleted for stage in stages),
        attempts=sum(tally.attempts),
        retries=sum(stage.retries for stage in stages),
        throttled=sum(tally.throttled),
        seconds=tally.seconds,
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


def _stages(chunks: Chunks, tally: _Tally) -> Iterator[StageReport]:
    ends = accumulate((len(stage.rectangles) for stage in chunks.plan.stages), initial=0)
    parts = _parts(chunks)
    for stage, (start, end) in zip(chunks.plan.stages, pairwise(ends), strict=True):
        numbers = [*range(start, end), *parts.get(stage.stage, ())]
        verdicts = [tally.verdicts[number] for number in numbers]
        attempts = [tally.attempts[number] for number in numbers]
        yield StageReport(
            stage=stage.stage,
            chunks=_counts(end - start, verdicts),
            pairs_planned=stage.pairs,
            pairs_deleted=_pairs_deleted(stage, chunks, numbers, verdicts),
            attempts=sum(attempts),
            retries=sum(count - 1 for count in attempts if count),
            throttled=sum(tally.throttled[number] for number in numbers),
        )


def _parts(chunks: Chunks) -> dict[Stage, list[int]]:
    """The numbers of the parts that each stage's chunks were split into."""
    parts: dict[Stage, list[int]] = {}
    for number in range(chunks.plan.requests, len(chunks)):
        parts.setdefault(chunks.place(number)[0].stage, []).append(number)
    return parts


def _deleted_parts(chunks: Chunks, tally: _Tally) -> Iterator[int]:
    numbers = range(chunks.plan.requests, len(chunks))
    return (number for number in numbers if tally.verdicts[number] is Verdict.DELETED)


def _counts(planned: int, verdicts: list[Verdict]) -> ChunkCounts:
    numbers = {verdict.value: count for verdict, count in Counter(verdicts).items()}
    return ChunkCounts(planned=planned, **numbers)


def _pairs_deleted(plan: StagePlan, chunks: Chunks, numbers: Sequence[int], verdicts: Sequence[Verdict]) -> int:
    """The target pairs inside deleted chunks, each once. A split chunk counts by its parts."""
    if all(verdict is Verdict.DELETED for verdict in verdicts):
        return plan.pairs
    ended = zip(numbers, verdicts, strict=True)
    deleted = [chunks.place(number)[1] for number, verdict in ended if verdict is Verdict.DELETED]
    parts = without(deleted, plan.unlisted) if plan.overlaps or plan.unlisted else deleted
    return sum(rectangle.pairs for rectangle in parts)


def _failures(chunks: Chunks, tally: _Tally) -> Iterator[Failure]:
    for number, outcome in sorted(tally.failures.items()):
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
