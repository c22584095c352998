"""A run's records folded into a report: sums, last verdicts, and what isn't deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Protocol

from bulkstate.model import (
    ChunkCounts,
    Failure,
    Outcome,
    Plan,
    Report,
    RunResult,
    StagePlan,
    StageReport,
    Verdict,
    Verification,
)
from bulkstate.raster import without


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

    def records(self) -> Iterator[tuple[int, Outcome]]:
        """Everything that was recorded, in order: the session's number and the outcome."""
        ...

    def undeleted(self) -> list[int]:
        """The chunks whose pairs may still have state, ascending."""
        ...


class _Tally:
    """Every chunk's sums and last verdict, by number, while the records go by."""

    def __init__(self, requests: int) -> None:
        self.verdicts = [Verdict.NOT_SENT] * requests
        self.attempts = [0] * requests
        self.throttled = [0] * requests
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
    plan = record.plan
    tally = _Tally(plan.requests)
    for session, outcome in record.records():
        tally.add(session, outcome)
    result, reason = record.ending
    stages = tuple(_stages(plan, tally))
    return Report(
        run=record.name,
        run_dir=str(record.directory),
        plan=plan.digest,
        result=result,
        reason=reason,
        stages=stages,
        chunks=_counts(tally.verdicts),
        pairs_planned=plan.pairs,
        pairs_deleted=sum(stage.pairs_deleted for stage in stages),
        attempts=sum(tally.attempts),
        retries=sum(stage.retries for stage in stages),
        throttled=sum(tally.throttled),
        seconds=tally.seconds,
        verified=record.verification,
        failures=tuple(_failures(plan, tally)),
        unlisted_pairs=plan.unlisted_pairs,
    )


def _stages(plan: Plan, tally: _Tally) -> Iterator[StageReport]:
    ends = accumulate((len(stage.rectangles) for stage in plan.stages), initial=0)
    for stage, (start, end) in zip(plan.stages, pairwise(ends), strict=True):
        verdicts, attempts = tally.verdicts[start:end], tally.attempts[start:end]
        yield StageReport(
            stage=stage.stage,
            chunks=_counts(verdicts),
            pairs_planned=stage.pairs,
            pairs_deleted=_pairs_deleted(stage, verdicts),
            attempts=sum(attempts),
            retries=sum(count - 1 for count in attempts if count),
            throttled=sum(tally.throttled[start:end]),
        )


def _counts(verdicts: list[Verdict]) -> ChunkCounts:
    numbers = {verdict.value: count for verdict, count in Counter(verdicts).items()}
    return ChunkCounts(planned=len(verdicts), **numbers)


def _pairs_deleted(plan: StagePlan, verdicts: Iterable[Verdict]) -> int:
    """The target pairs inside deleted chunks, each once."""
    chunks = zip(plan.rectangles, verdicts, strict=True)
    deleted = [rectangle for rectangle, verdict in chunks if verdict is Verdict.DELETED]
    if len(deleted) == len(plan.rectangles):
        return plan.pairs
    parts = without(deleted, plan.unlisted) if plan.overlaps or plan.unlisted else deleted
    return sum(rectangle.pairs for rectangle in parts)


def _failures(plan: Plan, tally: _Tally) -> Iterator[Failure]:
    for number, outcome in sorted(tally.failures.items()):
        stage, position = plan.place(number)
        yield Failure(number, stage.stage, stage.rectangles[position].pairs, outcome)
