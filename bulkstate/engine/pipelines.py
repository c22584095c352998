"""Are the pipelines of a run paused: before its first delete, while it sends, and after the last answer?

What was deleted since they were last seen paused is unconfirmed: had one of them run, the state may have come back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import anyio

from bulkstate.engine.gate import GateClosed
from bulkstate.engine.reads import ReadFailed, Reads
from bulkstate.errors import CheckFailed, PipelineNotPaused, StatusUnread, Stopped
from bulkstate.model import Outcome, Pipeline, PipelineStatus, Verdict


def is_paused(pipeline: Pipeline | None) -> bool:
    """Whether a pipeline, as it is listed, is paused; one that isn't listed is not."""
    return pipeline is not None and pipeline.status == PipelineStatus.PAUSED


# ── before ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `passed` is whether a run may start, `detail` says what was found, and `hint` what
    to do about it."""

    subject: str
    passed: bool
    detail: str
    hint: str = ""


async def first_look(reads: Reads, pipelines: Collection[str], require_paused: bool) -> tuple[Finding, ...]:
    """Does the gateway let us in, and is every pipeline paused? Never raises for what it answers: that is a finding."""
    try:
        found = await reads.pipelines(pipelines)
    except ReadFailed as failure:
        return (Finding("gateway", False, str(failure)),)
    entry = Finding("gateway", True, "it answers, and accepts the credentials")
    return (entry, *findings(found, pipelines, require_paused))


def findings(found: Mapping[str, Pipeline], wanted: Collection[str], require_paused: bool) -> tuple[Finding, ...]:
    """Whether each of the wanted pipelines is as a run needs it, given those that the gateway lists."""
    return tuple(_finding(name, found.get(name), require_paused) for name in sorted(set(wanted)))


def _finding(name: str, found: Pipeline | None, require_paused: bool) -> Finding:
    detail = "is not in the organisation's list of pipelines" if found is None else f"is {found.status}"
    return Finding(f"pipeline {name}", is_paused(found) or not require_paused, detail)


def require(found: Collection[Finding]) -> None:
    """CheckFailed, naming everything that isn't as a run needs it."""
    failed = [f"{finding.subject} {finding.detail}" for finding in found if not finding.passed]
    if failed:
        raise CheckFailed("; ".join(failed), hint="put that right and start again: nothing was deleted")


# ── while it sends, and after ─────────────────────────────────────────────────────────────────────────────────────


class StatusWatch:
    """Looks at the pipelines' status, at most once at a time, and knows which deletes are unconfirmed.

    There is a look every so many seconds, and one after the last answer; none but those that are asked for without
    `every`. Times are loop seconds.
    """

    def __init__(self, reads: Reads, pipelines: Collection[str], every: float | None = None) -> None:
        self._reads = reads
        self._pipelines = frozenset(pipelines)
        self._every = every
        self._turn = anyio.Lock()
        self._asked = anyio.Event()
        self._looked_at = float("-inf")
        self._running = ""
        self._unread = ""
        self._ended_unread = False
        self._unconfirmed: list[tuple[float, Outcome]] = []

    async def watch(self, stop: Callable[[Stopped], None]) -> None:
        """Look again and again, until a look ends the run: `stop` is told why."""
        if self._every is None:
            return
        ending: Stopped | None = None
        while ending is None:
            with anyio.move_on_after(self._every):
                await self._asked.wait()
            self._asked = anyio.Event()
            ending = await self._look_around()
        stop(ending)

    def look_soon(self) -> None:
        """Look as soon as a read gets its turn: in a long pause much may have happened."""
        self._asked.set()

    async def last_look(self) -> Stopped | None:
        """After the last answer: why the run isn't over well, if so."""
        if self._every is None:
            return None
        ending = await self._look_around()
        if ending is None and self._unread and self._unconfirmed:
            self._ended_unread = True
            return StatusUnread(f"nobody knows whether the pipelines are still paused: {self._unread}")
        return ending

    async def _look_around(self) -> Stopped | None:
        try:
            return await self.look(anyio.current_time())
        except GateClosed:
            return None
        except Stopped as reason:
            return reason

    async def look(self, asked_at: float) -> PipelineNotPaused | None:
        """Why the run must stop: a pipeline isn't paused. None if all are, or if the gateway doesn't say.

        A look that began at `asked_at` or later is as good as a new one, one that failed included: else all who ask
        would wait for retries of their own, one after the other. GateClosed, JournalNotWritable.
        """
        async with self._turn:
            if self._looked_at < asked_at:
                await self._look()
        return PipelineNotPaused(f"{self._running}, while its state was being deleted") if self._running else None

    async def _look(self) -> None:
        began = anyio.current_time()
        try:
            found = await self._reads.pipelines(self._pipelines)
        except ReadFailed as failure:
            self._unread = str(failure)
        else:
            self._unread, self._running = "", self._not_paused(found)
            if not self._running:
                self._unconfirmed = [(at, outcome) for at, outcome in self._unconfirmed if at > began]
        self._looked_at = began

    def _not_paused(self, found: dict[str, Pipeline]) -> str:
        """Which of the pipelines aren't, in words; empty if all are."""
        running = [name for name in sorted(self._pipelines) if not is_paused(found.get(name))]
        return "; ".join(
            f"pipeline {name} is {found[name].status if name in found else 'not listed'}" for name in running
        )

    # ── what is unconfirmed ───────────────────────────────────────────────────────────────────────────────────────

    def deleted(self, now: float, outcome: Outcome) -> None:
        """A chunk was deleted, by an answer that came now."""
        if self._every is not None:
            self._unconfirmed.append((now, outcome))

    def suspects(self) -> list[Outcome]:
        """What was deleted since the pipelines were last known to be paused and may have come back: records for it.

        To be asked when no call is under way any more, so that those which were at that time are among it.
        """
        if not (self._running or self._ended_unread):
            return []
        suspect = Verdict.SUSPECT
        return [replace(outcome, verdict=suspect, attempts=0, throttled=0) for _, outcome in self._unconfirmed]
