"""Sends the chunks: workers, one recorder, and a patrol that watches the pipelines. The project's only task group.

Every decision is made elsewhere (`policy`), every wait for the gateway's limits happens at the gate; this room carries
out. It knows no HTTP and no SQL, and runs on any of anyio's event loops, virtual clocks included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

import anyio
from anyio.abc import TaskGroup

from bulkstate.engine.gate import Gate, GateClosed
from bulkstate.engine.outbox import Outbox
from bulkstate.engine.pipelines import Watch
from bulkstate.engine.ports import Journal, Observer
from bulkstate.engine.queue import Job, Work
from bulkstate.errors import (
    BulkstateError,
    CredentialsLost,
    GatewayDown,
    GatewayRefused,
    JournalNotWritable,
    PipelineNotPaused,
    StatusUnread,
    Stopped,
)
from bulkstate.gateway.api import StageStateApi
from bulkstate.gateway.wire import Code
from bulkstate.model import Answer, Attempt, Outcome, Part, Plan, Reply, Stage, Verdict, describe
from bulkstate.pairs.chunks import Chunks
from bulkstate.policy.bottleneck import Moment
from bulkstate.policy.concurrency import ConcurrencyPilot
from bulkstate.policy.retry import (
    DOWN,
    Again,
    Decision,
    Renew,
    RetryBudget,
    RetryPolicy,
    Settle,
    Split,
    StopRun,
    StopStage,
    Tries,
    Yield,
    decide,
)
from bulkstate.policy.sizing import Sizing

GRACE_SECONDS: Final = 5.0
"""How long calls under way may go on when the run has to end."""

LAST_ONES_SHARE: Final = 0.1
"""Of the time that an outage may last: so long the last chunks wait for it to end, if all of them are answered 500."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the engine works: `workers` calls under way at the most; `status_every` seconds between two looks at the
    pipelines' status, None for no looks but those that an answer calls for."""

    workers: int
    retry: RetryPolicy
    status_every: float | None = None


@dataclass(frozen=True, slots=True)
class Equipment:
    """What the engine is given to work with.

    `random` gives uniform numbers in [0, 1), `wall` UNIX seconds, `clock` the event loop's. `crew` decides how many
    calls are under way, as long as nobody sets their number by hand; without it there are as many as the pace says.
    """

    api: StageStateApi
    gate: Gate
    watch: Watch
    journal: Journal
    observer: Observer
    random: Callable[[], float]
    wall: Callable[[], float]
    clock: Callable[[], float] = anyio.current_time
    crew: ConcurrencyPilot | None = None


@dataclass(frozen=True, slots=True)
class Heritage:
    """What earlier sessions of a run leave to this one: parts of chunks that they split, and what they learnt."""

    parts: Sequence[Part] = ()
    sizing: Sizing = field(default_factory=Sizing)


class Engine:
    """Sends the chunks `numbers` of `plan`, or of the parts that its chunks were split into, each to its outcome."""

    def __init__(
        self, equipment: Equipment, pace: Pace, plan: Plan, numbers: Sequence[int], heritage: Heritage = Heritage()
    ) -> None:
        self._api = equipment.api
        self._gate = equipment.gate
        self._watch = equipment.watch
        self._journal = equipment.journal
        self._observer = equipment.observer
        self._random = equipment.random
        self._wall = equipment.wall
        self._clock = equipment.clock
        self._planned_crew = self._crew_pilot = equipment.crew
        self._pace = pace
        self._pieces = Chunks(plan, heritage.parts)
        self._sizing = heritage.sizing
        self._splitting = anyio.Lock()
        self._budget = RetryBudget(pace.retry)
        self._work = Work(numbers, self._pieces.chunk, self._budget, self._gate)
        self._work.allow(self._planned_workers)
        self._outbox = Outbox()
        self._crew = anyio.CancelScope()
        self._look_asked = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._hired = 0
        self._ending: BulkstateError | None = None
        self._refused_stages: dict[Stage, str] = {}
        self._left = len(numbers)
        self._unconfirmed: list[tuple[float, Outcome]] = []

    async def run(self) -> BulkstateError | None:
        """Work until every chunk has its outcome, or the run has to end: returns what ended it early. Call it once."""
        self._expect(0)
        async with anyio.create_task_group() as recorder:
            recorder.start_soon(self._record)
            try:
                await self._delete()
            finally:
                self._outbox.close()
        return self._ending

    def stop(self, reason: BulkstateError, grace: float = GRACE_SECONDS) -> None:
        """Start nothing more, and let calls under way go on for `grace` seconds. The first reason counts."""
        self._ending = self._ending or reason
        self._work.close()
        self._gate.close()
        self._crew.deadline = min(self._crew.deadline, self._clock() + grace)

    def look_soon(self) -> None:
        """Look at the pipelines' status as soon as a read gets its turn: in a long pause much may have happened."""
        self._look_asked.set()

    def set_workers(self, workers: int | None) -> None:
        """Have so many calls under way at the most, from the next one on; None: as many as was planned. Fewer: none is
        broken off."""
        self._crew_pilot = self._planned_crew if workers is None else None
        self._allow(self._planned_workers if workers is None else workers)

    @property
    def _planned_workers(self) -> int:
        return self._pace.workers if self._planned_crew is None else self._planned_crew.limit

    def _allow(self, workers: int) -> None:
        self._work.allow(workers)
        if self._tasks is not None:
            self._hire(self._tasks)

    @property
    def moment(self) -> Moment:
        """What there is to say of this moment."""
        gate, work = self._gate, self._work
        return Moment(
            gate.paused,
            gate.in_line,
            gate.gateway_limit,
            gate.window,
            gate.failing,
            self._outbox.full,
            work.at_hand,
            work.under_way,
            work.most,
        )

    @property
    def _in_flight(self) -> int:
        """Calls that wait for an answer, or for what comes after it."""
        return max(0, self._work.under_way - self._gate.in_line)

    # ── workers ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _delete(self) -> None:
        async with anyio.create_task_group() as patrol:
            patrol.start_soon(self._patrol)
            with self._crew:
                await self._employ()
                await self._look_once_more()
            patrol.cancel_scope.cancel()
        for job in self._work.left():
            await self._leave(job)
        if self._watch.reason is not None or isinstance(self._ending, StatusUnread):
            await self._suspect()

    async def _employ(self) -> None:
        try:
            async with anyio.create_task_group() as self._tasks:
                self._hire(self._tasks)
        finally:
            self._tasks = None

    def _hire(self, tasks: TaskGroup) -> None:
        for _ in range(self._hired, self._work.most):
            tasks.start_soon(self._work_on)
        self._hired = max(self._hired, self._work.most)

    async def _work_on(self) -> None:
        try:
            await self._work_while_needed()
        finally:
            self._hired -= 1

    async def _work_while_needed(self) -> None:
        while (job := await self._work.take()) is not None:
            try:
                await self._carry_on(job)
            except GateClosed:
                self._work.put_first(job)
            except Stopped as reason:
                self._work.put_first(job)
                self.stop(reason)
            except anyio.get_cancelled_exc_class():
                self._work.put_first(job)
                raise

    async def _carry_on(self, job: Job) -> None:
        if reason := self._refused_stages.get(job.chunk.stage):
            await self._settle(job, job.if_left, reason)
            return
        if self._pace.retry.split and job.chunk.pairs > 1 and not self._sizing.fits(job.chunk):
            await self._split(job, "larger than what the gateway takes")
            return
        attempt = await self._attempt(job)
        self._observer.attempted(attempt)
        if self._crew_pilot is not None:
            self._steer(self._crew_pilot, attempt)
        if self._is_doubtful(job, attempt) and await self._inspect(attempt.sent_at):
            self._work.put_first(job)
            return
        await self._follow(job, attempt, self._decide(job, attempt))

    def _steer(self, pilot: ConcurrencyPilot, attempt: Attempt[bool]) -> None:
        """Have more or fewer calls under way, as this answer suggests."""
        reply = attempt.reply
        overloaded = reply.status == HTTPStatus.SERVICE_UNAVAILABLE or reply.answer is Answer.UNANSWERED
        if self._gate.failing or (reply.answer in DOWN and not overloaded):
            return  # how quickly a call fails says nothing about how long one takes, nor a probe about how many may go
        throttled = reply.answer is Answer.THROTTLED
        pilot.answered(attempt.sent_at + attempt.seconds, attempt.sent_at, overloaded, throttled, self._in_flight)
        if pilot.limit != self._work.most:
            self._allow(pilot.limit)

    async def _attempt(self, job: Job) -> Attempt[bool]:
        try:
            attempt = await self._api.delete(job.chunk)
        except anyio.get_cancelled_exc_class():
            job.cut_off()
            raise
        job.note(attempt)
        self._gate.judge(attempt, first=job.tries.attempts == 1)
        self._budget.answered(job.tries, attempt.reply)
        if self._gate.failing:
            self._mind_outage(attempt.reply)
        return attempt

    def _is_doubtful(self, job: Job, attempt: Attempt[bool]) -> bool:
        """A run of 61199 may mean that the pipeline isn't paused: look before the chunk is blamed."""
        return attempt.reply.code == Code.OTHER and job.tries.attempts in (2, self._pace.retry.attempts)

    def _decide(self, job: Job, attempt: Attempt[bool]) -> Decision:
        reply, pairs = attempt.reply, job.chunk.pairs
        self._sizing = self._sizing.heard(reply, pairs, attempt.body_bytes)
        divisible = pairs if self._sizing.divides(reply.answer) else 1
        return decide(self._pace.retry, job.tries, reply, self._random(), divisible)

    async def _follow(self, job: Job, attempt: Attempt[bool], decision: Decision) -> None:
        match decision:
            case Settle(verdict):
                await self._settle(job, verdict)
            case Yield():
                self._observer.paused(self._gate.wait, "the gateway's rate limit")
                self._work.put_first(job)
            case Renew():
                await self._api.renew(attempt.sent_at)
                job.tries = replace(job.tries, renewed=True)
                self._work.put_first(job)
            case Again(delay):
                self._work.put_back(job, self._clock() + delay)
            case Split():
                await self._split(job)
            case StopStage():
                self._refused_stages[job.chunk.stage] = f"the stage was refused: {describe(attempt.reply)}"
                await self._settle(job, Verdict.REFUSED)
            case StopRun():
                self._work.put_first(job)
                self.stop(_ending_of(attempt.reply))

    def _mind_outage(self, reply: Reply[bool]) -> None:
        """Where every delete fails, say so; or if it has been so for long, stop. Where there are none left but such as
        the gateway finds an error of its own in, it may be they: then that is settled sooner."""
        down_for, patience = self._gate.down_for, self._pace.retry.outage
        last_ones = not self._work.untried and reply.status == HTTPStatus.INTERNAL_SERVER_ERROR
        if last_ones and down_for > LAST_ONES_SHARE * patience:
            self._gate.trust()
        elif down_for > patience:
            self.stop(_given_up(down_for, reply))
        else:
            self._observer.paused(self._gate.probe_in, "every delete fails: they are tried one at a time")

    # ── outcomes ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _settle(self, job: Job, verdict: Verdict, message: str = "") -> None:
        now = self._clock()
        outcome = job.outcome(verdict, self._wall() - now, message)
        if verdict is Verdict.DELETED and self._pace.status_every is not None:
            self._unconfirmed.append((now, outcome))
        await self._outbox.put(outcome)
        self._expect(-1)
        self._work.put_down()

    def _expect(self, more: int) -> None:
        """There are so many more chunks to be settled than there were: the gate is told how many calls that means."""
        self._left += more
        self._gate.expect(self._left - self._work.under_way)

    async def _split(self, job: Job, message: str = "") -> None:
        """Go on with parts of a job's chunk, once its record names them. Numbers reach the journal in their order."""
        async with self._splitting:
            parts = self._pieces.split(job.chunk.number, self._sizing.cut(job.chunk))
            split = job.outcome(Verdict.SPLIT, self._wall() - self._clock(), message)
            await self._outbox.put(replace(split, parts=parts))
        self._expect(len(parts) - 1)
        tries = Tries(unanswered=job.tries.unanswered)
        self._work.divide([Job(self._pieces.chunk(part.number), tries) for part in parts])

    async def _leave(self, job: Job) -> None:
        """Record a job that the end of the run overtook: it goes on with the next `resume`."""
        reason = self._ending.message if self._ending and not job.last else ""
        await self._outbox.put(job.outcome(job.if_left, self._wall() - self._clock(), reason))

    async def _record(self) -> None:
        """Put on disk whatever is handed over, until nobody is left to do so. Whoever waits for it can't be cancelled,
        so it can't be either: it ends with the crew."""
        with anyio.CancelScope(shield=True):
            try:
                while batch := await self._outbox.batch():
                    await self._write(batch)
            finally:
                self._outbox.close()

    async def _write(self, batch: list[Outcome]) -> None:
        try:
            await self._journal.record(batch)
        except JournalNotWritable as reason:
            self._ending = None
            self.stop(reason)
            return
        for outcome in batch:
            self._observer.settled(outcome, self._pieces.pairs(outcome.chunk))

    # ── the pipelines' status ─────────────────────────────────────────────────────────────────────────────────────

    async def _patrol(self) -> None:
        if self._pace.status_every is None:
            return
        while self._ending is None:
            with anyio.move_on_after(self._pace.status_every):
                await self._look_asked.wait()
            self._look_asked = anyio.Event()
            await self._look_around()

    async def _look_once_more(self) -> None:
        if self._pace.status_every is not None and self._ending is None:
            await self._look_around()
            if self._watch.unread and self._unconfirmed:
                self.stop(StatusUnread(f"nobody knows whether the pipelines are still paused: {self._watch.unread}"))

    async def _look_around(self) -> None:
        try:
            await self._inspect(self._clock())
        except GateClosed:
            return
        except Stopped as reason:
            self.stop(reason)

    async def _inspect(self, asked_at: float) -> bool:
        """Look at the pipelines' status. If one isn't paused the run ends: True."""
        reason = await self._watch.look(asked_at)
        confirmed_at = self._watch.confirmed_at
        self._unconfirmed = [(at, outcome) for at, outcome in self._unconfirmed if at > confirmed_at]
        if reason is None:
            return False
        self.stop(PipelineNotPaused(f"{reason}, while its state was being deleted"))
        return True

    async def _suspect(self) -> None:
        """What was deleted since the pipelines were last known to be paused may have come back.

        Only when the crew is gone, so that calls which were under way at that time are among it.
        """
        for _, outcome in self._unconfirmed:
            await self._outbox.put(replace(outcome, verdict=Verdict.SUSPECT, attempts=0, throttled=0))


def _given_up(seconds: float, reply: Reply[bool]) -> GatewayDown:
    return GatewayDown(
        f"every delete has failed for {seconds:,.0f} s: {describe(reply)}",
        hint="see what the gateway lacks, then `bulkstate resume`; retry.outage says how long to wait",
    )


def _ending_of(reply: Reply[bool]) -> BulkstateError:
    if reply.answer is Answer.CREDENTIALS:
        return CredentialsLost(
            f"the gateway refuses the credentials: {describe(reply)}",
            hint="check them with `bulkstate check`, then `bulkstate resume`",
        )
    return GatewayRefused(f"the gateway refuses this caller: {describe(reply)}")
