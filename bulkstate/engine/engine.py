"""Sends the chunks: workers who take them from the queue, one recorder, and a watch over the pipelines' status.

Every decision is made elsewhere (`policy`), every wait for the gateway's limits happens at the gate; this room carries
out. It knows no HTTP and no SQL, and runs on any of anyio's event loops, virtual clocks included.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import anyio
from anyio.abc import TaskGroup

from bulkstate.engine.canary import Canary
from bulkstate.engine.gate import Gate, GateClosed
from bulkstate.engine.outbox import Outbox
from bulkstate.engine.pipelines import StatusWatch
from bulkstate.engine.ports import Observer, OutcomeLog
from bulkstate.engine.queue import Job, JobQueue
from bulkstate.engine.reasons import given_up, reason_of, refusal
from bulkstate.engine.resolver import MOST_TIMES, REMAINS, RESOLVED, Resolution, Resolver
from bulkstate.errors import (
    BulkstateError,
    JournalNotWritable,
    Stopped,
    TooManyFailed,
)
from bulkstate.gateway.api import StageStateApi
from bulkstate.gateway.response_order import ResponseOrder
from bulkstate.model import Answer, Attempt, Outcome, Stage, Verdict, describe
from bulkstate.pairs.chunks import Chunks, by_stage
from bulkstate.policy.answers import Answers, GiveUp, Look, NextStep, Wait
from bulkstate.policy.bottleneck import Moment
from bulkstate.policy.concurrency import ConcurrencyPilot
from bulkstate.policy.guards import FailureGuard
from bulkstate.policy.retry import Again, Renew, RetryPolicy, Settle, Split, StopRun, StopStage, Tries, Yield
from bulkstate.policy.sizing import Sizing

GRACE_SECONDS: Final = 5.0
"""How long calls under way may go on when the run has to end."""

ANOTHERS_ANSWER: Final = "its answer may have been another request's: the connection held more answers than requests"

LISTENING_SECONDS: Final = 5.0
"""How long the last answers may take to be beyond doubt."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the engine works: `workers` calls under way at the most, or, with a `pilot`, as many as it finds.

    `max_failed` of the plan's chunks may fail, or such a share of those settled.
    """

    workers: int
    retry: RetryPolicy
    pilot: ConcurrencyPilot | None = None
    max_failed: float | None = None


@dataclass(frozen=True, slots=True)
class Equipment:
    """What the engine is given to work with.

    `random` gives uniform numbers in [0, 1), `wall` UNIX seconds, `clock` the event loop's. `order` says which deletes
    that were answered well may have got another's answer, `resolver` which that weren't answered are deleted. Where
    there is a `canary`, it says what goes first.
    """

    api: StageStateApi
    gate: Gate
    status: StatusWatch
    journal: OutcomeLog
    observer: Observer
    random: Callable[[], float]
    wall: Callable[[], float]
    clock: Callable[[], float] = anyio.current_time
    order: ResponseOrder = field(default_factory=ResponseOrder)
    resolver: Resolver | None = None
    canary: Canary | None = None


class Engine:
    """Sends the chunks `numbers` of `chunks`, or the parts that they are split into, each to its outcome. `sizing` is
    what earlier sessions of the run have learnt."""

    def __init__(
        self, equipment: Equipment, pace: Pace, chunks: Chunks, numbers: Sequence[int], sizing: Sizing | None = None
    ) -> None:
        self._api = equipment.api
        self._gate = equipment.gate
        self._admission = equipment.gate.admission
        self._breaker = equipment.gate.admission.breaker
        self._status = equipment.status
        self._observer = equipment.observer
        self._random = equipment.random
        self._wall = equipment.wall
        self._clock = equipment.clock
        self._order = equipment.order
        self._resolver = equipment.resolver
        self._chunks = chunks
        self._outage = pace.retry.outage
        self._answers = Answers(pace.retry, self._admission, pace.workers, sizing, pace.pilot)
        self._failures = FailureGuard(pace.max_failed)
        left_parts = Counter(map(chunks.origin, numbers[bisect_left(numbers, chunks.plan.requests) :]))
        for chunk, parts in left_parts.items():
            self._failures.was_cut(chunk, parts)
        self._canary = equipment.canary
        first, self._held_back = self._first_of(numbers)
        self._queue = JobQueue(first, self._begin, self._answers.budget, self._admission)
        self._queue.allow(self._answers.workers)
        self._outbox = Outbox(equipment.journal, self._recorded, self._unrecorded)
        self._splitting = anyio.Lock()
        self._workers = anyio.CancelScope()
        self._working = 0
        self._tasks: TaskGroup | None = None
        self._refused_stages: dict[Stage, str] = {}
        self._unsettled: set[int] = set()
        self._in_doubt: set[int] = set()
        self._again: list[int] = []
        self._left = len(numbers)
        self._ending: BulkstateError | None = None

    # ── from outside ──────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> BulkstateError | None:
        """Work until every chunk has its outcome, or the run has to end: returns what ended it early. Call it once."""
        self._expect(0)
        async with anyio.create_task_group() as recorder:
            recorder.start_soon(self._outbox.record)
            try:
                await self._send_all()
            finally:
                self._outbox.close()
        return self._ending

    def stop(self, reason: BulkstateError, grace: float = GRACE_SECONDS) -> None:
        """Start nothing more, and let calls under way go on for `grace` seconds. The first reason counts."""
        self._ending = self._ending or reason
        self._queue.close()
        self._gate.close()
        self._workers.deadline = min(self._workers.deadline, self._clock() + grace)

    def look_soon(self) -> None:
        """Look at the pipelines' status as soon as a read gets its turn: in a long pause much may have happened."""
        self._status.look_soon()

    def set_workers(self, workers: int | None) -> None:
        """Have so many calls under way at the most, from the next one on; None: as many as was planned. Fewer: none is
        broken off."""
        self._answers.set_workers(workers)
        self._start_workers()

    @property
    def moment(self) -> Moment:
        """What there is to say of this moment."""
        gate, admission, queue, now = self._gate, self._admission, self._queue, self._clock()
        return Moment(
            admission.held,
            admission.withheld,
            gate.in_line,
            admission.gateway_limit(now),
            admission.window(now),
            admission.failing,
            self._outbox.full,
            queue.at_hand,
            queue.under_way,
            queue.most,
            self._answers.told_workers,
            admission.searches,
        )

    @property
    def in_flight(self) -> int:
        """Calls that wait for an answer, or for what comes after it."""
        return max(0, self._queue.under_way - self._gate.in_line)

    @property
    def left(self) -> int:
        """Chunks without an outcome, but those that wait for canaries."""
        return self._left - len(self._held_back)

    @property
    def total_left(self) -> int:
        """Chunks without an outcome."""
        return self._left

    @property
    def untried(self) -> bool:
        """There are chunks that were never sent."""
        return self._queue.untried or bool(self._held_back)

    @property
    def others(self) -> bool:
        """There are such, or chunks that are on their way just now, beside the one that is asked for."""
        return self.untried or self._queue.under_way > 1

    # ── canaries ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _first_of(self, numbers: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Which chunks are sent at once, and which have to wait for canaries."""
        if self._canary is None or not (canaries := self._canary.next()):
            return numbers, ()
        first, held_back = canaries, list[int]()
        for stage, own in by_stage(self._chunks, numbers):
            (held_back if self._canary.holds_back(stage) else first).extend(own)
        return sorted(set(first)), [number for number in held_back if not self._canary.was_sent(number)]

    async def _send_in_order(self) -> None:
        """Send canaries until one of each stage is back, and then all that waits for them."""
        await self._send_whole()
        while self._ending is None and self._held_back and self._canary is not None:
            try:
                await self._canary.come_back(self._chunks, self._refused_stages)
            except Stopped as reason:
                self.stop(reason)
                for suspect in self._canary.suspects:
                    await self._outbox.put(suspect)
                return
            if not self._send_canaries(self._canary):
                rest, self._held_back = self._held_back, ()
                self._queue.send(rest)
            await self._send_whole()

    def _send_canaries(self, canary: Canary) -> bool:
        """Send the next canaries, if there are any."""
        numbers = canary.next()
        if numbers:
            self._held_back = [number for number in self._held_back if not canary.was_sent(number)]
            self._queue.repeat([self._begin(number) for number in numbers])
        return bool(numbers)

    # ── workers ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send_all(self) -> None:
        async with anyio.create_task_group() as watch:
            watch.start_soon(self._status.watch, self.stop, self._suspect)
            with self._workers:
                await self._send_in_order()
            watch.cancel_scope.cancel()
        for job in self._queue.left():
            await self._leave(job)
        await self._withdraw()
        for suspect in self._status.suspects():
            await self._outbox.put(suspect)

    async def _send_whole(self) -> None:
        """Send all that there is, and again what became suspect meanwhile, until the last look is a good one."""
        while True:
            await self._work_together()
            await self._listen()
            if self._ending is None and (reason := await self._status.last_look()):
                self.stop(reason)
            await self._suspect()
            again, self._again = self._again, []
            if self._ending is not None or not again:
                return
            self._expect(len(again))
            self._queue.repeat([self._begin(number) for number in again])

    async def _suspect(self) -> None:
        """Put on record what may have come back, and is to be sent again."""
        for suspect in self._status.sent_again():
            await self._outbox.put(suspect)
            self._again.append(suspect.chunk)

    async def _work_together(self) -> None:
        try:
            async with anyio.create_task_group() as self._tasks:
                self._start_workers()
        finally:
            self._tasks = None

    def _start_workers(self) -> None:
        """Have as many workers as calls may be under way. One too many ends when it comes for its next job."""
        self._queue.allow(self._answers.workers)
        if self._tasks is None:
            return
        for _ in range(self._working, self._queue.most):
            self._tasks.start_soon(self._work)
        self._working = max(self._working, self._queue.most)

    async def _work(self) -> None:
        try:
            while (job := await self._queue.take()) is not None:
                await self._carry_out(job)
                await self._withdraw()
                await self._suspect()
        finally:
            self._working -= 1

    async def _carry_out(self, job: Job) -> None:
        self._unsettled.add(job.chunk.number)
        try:
            await self._carry_on(job)
            for release in self._answers.released():
                self._queue.release(release.number, release.step)
        except GateClosed:
            self._queue.put_first(job)
        except Stopped as reason:
            self._queue.put_first(job)
            self.stop(reason)
        except anyio.get_cancelled_exc_class():
            self._queue.put_first(job)
            raise
        finally:
            self._unsettled.discard(job.chunk.number)

    def _begin(self, number: int) -> Job:
        """The job of a chunk that is new, or that an earlier session left: a part may be of a chunk in doubt."""
        chunk = self._chunks.chunk(number)
        return Job(chunk, Tries(level=1)) if number >= self._chunks.plan.requests else Job(chunk)

    # ── a chunk's way ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _carry_on(self, job: Job) -> None:
        """Send a chunk once more, tell of the answer, and do what follows from it."""
        chunk = job.chunk
        if (decided := job.step) is not None and job.last is not None:
            job.step = None
            await self._follow(job, job.last, decided)
            return
        if job.unknown and self._resolver is not None:
            await self._resolve(job, self._resolver)
            return
        if reason := self._refused_stages.get(chunk.stage):
            await self._settle(job, job.if_left, reason)
            return
        if split := self._answers.cut_before(chunk):
            await self._split(job, split)
            return
        try:
            attempt = await self._api.delete(chunk)
        except anyio.get_cancelled_exc_class():
            job.cut_off()
            raise
        was_failing = self._breaker.open
        tries, step = self._answers.heard(self._clock(), attempt, job.tries, chunk, self, self._random())
        job.note(attempt, tries)
        self._observer.attempted(attempt)
        if attempt.reply.answer is Answer.UNDECIDED:
            self._status.doubted()
        if self._answers.workers != self._queue.most:
            self._start_workers()
        if was_failing or self._breaker.open:
            self._mind_outage()
        await self._follow(job, attempt, step)

    async def _follow(self, job: Job, attempt: Attempt[bool], step: NextStep) -> None:
        match step:
            case Settle(Verdict.EXHAUSTED | Verdict.UNKNOWN, why):
                await self._give_up(job, f"{why}; {attempt.reply.message}" if why else "")
            case Settle(verdict):
                await self._settle(job, verdict)
            case Yield():
                self._observer.paused(self._gate.throttled_for, "the gateway's rate limit")
                self._queue.put_first(job)
            case Renew():
                await self._api.renew(attempt.sent_at)
                job.tries = replace(job.tries, renewed=True)
                self._queue.put_first(job)
            case Again(delay):
                self._queue.put_back(job, self._clock() + delay)
            case Split():
                await self._split(job, step)
            case Wait():
                self._queue.park(job)
            case Look(then):
                if reason := await self._status.look(attempt.sent_at):
                    self._stop_before(job, reason)
                elif self._status.waiting:  # its answers say nothing of the chunk
                    job.tries = Tries(unanswered=job.tries.unanswered, level=job.tries.level)
                    self._queue.put_first(job)
                else:
                    await self._follow(job, attempt, then)
            case StopStage():
                self._refused_stages[job.chunk.stage] = f"the stage was refused: {describe(attempt.reply)}"
                await self._settle(job, Verdict.REFUSED)
            case StopRun():
                self._stop_before(job, refusal(attempt.reply))
            case GiveUp(seconds):
                self._stop_before(job, given_up(seconds, attempt.reply))

    def _stop_before(self, job: Job, reason: BulkstateError) -> None:
        """End the run with this chunk undecided."""
        self._queue.put_first(job)
        self.stop(reason)

    def _mind_outage(self) -> None:
        """Say that every delete fails; or that they don't any more, to those who wait at the gate."""
        if self._breaker.open:
            if self._canary is not None and self._held_back:
                self._send_canaries(self._canary)  # whether it is the chunk or the gateway, another one tells
            seconds = self._admission.probe_in(self._clock())
            left = self._outage - self._breaker.down_for(self._clock())
            until = f"{datetime.fromtimestamp(self._wall() + left, UTC):%H:%M:%S} UTC"
            self._observer.paused(seconds, f"every delete fails: they are tried one at a time until {until}")
        else:
            self._gate.wake()

    async def _give_up(self, job: Job, why: str) -> None:
        """A chunk is tried no more. If it may be deleted all the same, it is read back when that can be seen."""
        if self._resolver is not None and job.tries.unanswered:
            job.unknown = True
            self._queue.put_back(job, self._clock() + self._resolver.after)
        else:
            await self._settle(job, job.tries.given_up, why)

    async def _resolve(self, job: Job, resolver: Resolver) -> None:
        """Settle by what is found of it what may be deleted; or send it once more, or not for ever."""
        found = await resolver.look(job.chunk)
        job.unknown = False
        if found is Resolution.NOTHING:
            await self._settle(job, Verdict.UNKNOWN)
        elif found is Resolution.DELETED:
            await self._settle(job, Verdict.DELETED, RESOLVED)
        elif job.resolved == MOST_TIMES:
            await self._settle(job, Verdict.EXHAUSTED, REMAINS)
        else:
            job.resolved += 1
            job.tries = replace(job.tries, unanswered=False, attempts=max(0, job.tries.attempts - 1))
            self._queue.put_first(job)

    # ── outcomes ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _settle(self, job: Job, verdict: Verdict, message: str = "") -> None:
        now = self._clock()
        outcome = job.outcome(verdict, self._wall() - now, message)
        await self._outbox.put(outcome)
        if verdict is Verdict.DELETED and self._canary is not None:
            self._canary.deleted(self._chunks.origin(job.chunk.number), job.chunk.number)
        if verdict is Verdict.DELETED:
            self._status.deleted(now, job.last.sent_at if job.last else now, outcome)
        self._answers.settled(job.chunk.number, verdict is Verdict.DELETED)
        if verdict is not Verdict.NOT_SENT:
            self._mind_failures(outcome)
        self._expect(-1)
        self._queue.put_down()

    def _mind_failures(self, outcome: Outcome) -> None:
        """Stop if more fails than may."""
        failed = "" if outcome.verdict is Verdict.DELETED else reason_of(outcome)
        self._failures.settled(self._chunks.origin(outcome.chunk), failed)
        if self._failures.is_exceeded:
            self.stop(TooManyFailed(str(self._failures), hint="see what failed, then `bulkstate resume`"))

    async def _split(self, job: Job, step: Split) -> None:
        """Go on with parts of a job's chunk, once its record names them. Numbers reach the journal in their order."""
        number = job.chunk.number
        async with self._splitting:
            parts = self._chunks.split(number, step.cuts)
            split = job.outcome(Verdict.SPLIT, self._wall() - self._clock(), step.why)
            await self._outbox.put(replace(split, parts=parts))
        self._answers.settled(number, passed=False)
        self._answers.was_cut(number, [part.number for part in parts])
        self._failures.was_cut(self._chunks.origin(number), len(parts))
        self._expect(len(parts) - 1)
        tries = Tries(unanswered=job.tries.unanswered, level=job.tries.level + step.doubted)
        self._queue.divide([Job(self._chunks.chunk(part.number), tries) for part in parts])

    async def _listen(self) -> None:
        """Wait until the last answers are beyond doubt: one too many would come now."""
        if self._ending is None:
            await anyio.sleep(min(LISTENING_SECONDS, self._order.unsure_for(self._clock())))

    async def _withdraw(self) -> None:
        """What was deleted by answers that have come into doubt since is unknown again, once it was recorded."""
        self._in_doubt.update(self._order.take_doubted())
        if self._in_doubt:
            settled = self._in_doubt - self._unsettled
            self._in_doubt -= settled
            for number in sorted(settled):
                await self._outbox.put(
                    Outcome(number, Verdict.UNKNOWN, message=ANOTHERS_ANSWER, last_answered_at=self._wall())
                )

    def _expect(self, more: int) -> None:
        """There are so many more chunks to be settled than there were: the pacers are told what calls that means."""
        self._left += more
        self._admission.expect(self._left - self._queue.under_way)

    async def _leave(self, job: Job) -> None:
        """Record a job that the end of the run overtook: it goes on with the next `resume`."""
        reason = self._ending.message if self._ending and not job.last else ""
        await self._outbox.put(job.outcome(job.if_left, self._wall() - self._clock(), reason))

    def _recorded(self, outcome: Outcome) -> None:
        self._observer.settled(outcome, self._chunks.pairs(outcome.chunk))

    def _unrecorded(self, reason: JournalNotWritable) -> None:
        """Nothing that ended the run before is as grave as this."""
        self._ending = None
        self.stop(reason)
