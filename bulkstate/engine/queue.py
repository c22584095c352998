"""The chunks that wait for a worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Final, Protocol

import anyio

from bulkstate.engine.gate import SHORTEST_SLEEP
from bulkstate.model import Answer, Attempt, Chunk, Outcome, Reply, Verdict
from bulkstate.policy.retry import RetryBudget, Settle, Split, Tries

MOST_WAITING: Final = 1024
"""Where so many chunks wait for a retry the gateway is in trouble: fresh ones wait too, in the plan, and spare it."""

ANY_NUMBER: Final = 1 << 30


@dataclass(slots=True)
class Job:
    """One chunk on its way to an outcome: by another attempt, by the `step` that was decided, or by being read back, if
    it is `unknown` whether it is deleted; `resolved` so often before. Times are loop seconds."""

    chunk: Chunk
    tries: Tries = field(default_factory=Tries)
    attempts: int = 0
    throttled: int = 0
    first_sent_at: float | None = None
    last: Attempt[bool] | None = None
    step: Settle | Split | None = None
    unknown: bool = False
    resolved: int = 0

    def note(self, attempt: Attempt[bool], tries: Tries) -> None:
        """Add an attempt that was made, and what the chunk has been through with it."""
        self.last, self.tries = attempt, tries
        self.first_sent_at = attempt.sent_at if self.first_sent_at is None else self.first_sent_at
        throttled = attempt.reply.answer is Answer.THROTTLED
        self.throttled += throttled
        self.attempts += not throttled

    def cut_off(self) -> None:
        """An attempt was under way when the run ended: it may have arrived."""
        self.attempts += 1
        self.tries = self.tries.after(Reply(Answer.UNANSWERED))

    @property
    def if_left(self) -> Verdict:
        """How it ends if nobody goes on with it."""
        return Verdict.UNKNOWN if self.tries.unanswered else Verdict.NOT_SENT

    def outcome(self, verdict: Verdict, wall_offset: float, message: str = "") -> Outcome:
        """The record of how it ended; `wall_offset` turns loop seconds into UNIX seconds."""
        reply: Reply[bool] | None = self.last.reply if self.last else None
        return Outcome(
            self.chunk.number,
            verdict,
            self.attempts,
            self.throttled,
            reply.status if reply else None,
            reply.code if reply else None,
            message or (reply.message if reply else ""),
            reply.request_id if reply else None,
            self.last.body_bytes if self.last else 0,
            None if self.first_sent_at is None else self.first_sent_at + wall_offset,
            None if self.last is None else self.last.sent_at + self.last.seconds + wall_offset,
        )


class Health(Protocol):
    """What is known of the gateway."""

    @property
    def doubtful(self) -> bool:
        """The latest chunks failed, and none was answered since."""
        ...

    @property
    def failing(self) -> bool:
        """So many that it is probably down."""
        ...


class _Unsent:
    """The numbers of chunks that were never sent, in their order, or from far away."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = numbers
        self._stretches = [(0, len(numbers))] if numbers else []

    @property
    def left(self) -> bool:
        """There are some."""
        return bool(self._stretches)

    def next(self) -> int | None:
        """The first, None if there is none."""
        if not self._stretches:
            return None
        start, end = self._stretches[0]
        if start + 1 < end:
            self._stretches[0] = (start + 1, end)
        else:
            del self._stretches[0]
        return self._numbers[start]

    def elsewhere(self) -> int | None:
        """One from the middle of the longest stretch: what fails together stands together. None if there is none."""
        if not self._stretches:
            return None
        lengths = [end - start for start, end in self._stretches]
        longest = lengths.index(max(lengths))
        return self._taken(longest, sum(self._stretches[longest]) // 2)

    def _taken(self, place: int, index: int) -> int:
        start, end = self._stretches[place]
        rest = [stretch for stretch in ((start, index), (index + 1, end)) if stretch[0] < stretch[1]]
        self._stretches[place : place + 1] = rest
        return self._numbers[index]


class JobQueue:
    """Hands out jobs: those that the gateway throttled first, then retries that are due, then parts of chunks that were
    split, the latest first, then fresh chunks in order.

    Retries that the budget can't afford let the others go first. While the gateway is doubtful they take turns: whether
    it is down, or only some chunks always fail, or each of them once, shows soonest if both are tried, and if those
    that were never sent come from all over the plan.

    A chunk's job begins, and is spelt out, when its turn comes: memory holds only what is under way or waits for a
    retry.
    """

    def __init__(
        self,
        numbers: Sequence[int],
        begin: Callable[[int], Job],
        budget: RetryBudget,
        health: Health,
    ) -> None:
        self._budget = budget
        self._health = health
        self._begin = begin
        self._unsent = _Unsent(numbers)
        self._first: deque[Job] = deque()
        self._waiting: list[tuple[float, int, Job]] = []
        self._parts: list[Job] = []
        self._parked: dict[int, Job] = {}
        self._order = count()
        self._repeated = False
        self.under_way = 0
        """How many jobs were taken and not yet put back or down."""
        self.most = ANY_NUMBER
        """How many may be under way at once."""
        self._idle = 0
        self._closed = False
        self._changed = anyio.Event()

    async def take(self) -> Job | None:
        """The next job, as soon as there is one; None once nothing is left, after `close`, or if so many are under way
        as may be: then there is one worker too many."""
        while not self._closed and self.under_way < self.most:
            job = self._next()
            if job is not None:
                self.under_way += 1
                return job
            if not self.under_way and not self._waiting and not self._parked:
                break
            await self._wait()
        self._announce()
        return None

    def _next(self) -> Job | None:
        if self._first:
            return self._first.popleft()
        due = bool(self._waiting) and self._repeat_at() <= anyio.current_time()
        self._repeated = due and not (self._repeated and self._health.doubtful)
        if self._repeated:
            return self._repeat()
        return self._never_sent() or (self._repeat() if due else None)

    def _repeat_at(self) -> float:
        return max(self._waiting[0][0], self._budget.ready_at())

    def _repeat(self) -> Job:
        self._budget.repeats(anyio.current_time())
        return heappop(self._waiting)[2]

    def _never_sent(self) -> Job | None:
        if len(self._waiting) >= MOST_WAITING:
            return None
        if self._parts:
            return self._parts.pop()
        number = self._unsent.elsewhere() if self._health.failing else self._unsent.next()
        return None if number is None else self._begin(number)

    async def _wait(self) -> None:
        self._idle += 1
        try:
            with anyio.move_on_after(self._until_due()):
                await self._changed.wait()
        finally:
            self._idle -= 1

    def _until_due(self) -> float | None:
        return max(SHORTEST_SLEEP, self._repeat_at() - anyio.current_time()) if self._waiting else None

    def put_first(self, job: Job) -> None:
        """Put back a job ahead of everything."""
        self._first.append(job)
        self.put_down()

    def put_back(self, job: Job, due: float) -> None:
        """Put back a job for a retry, not before `due` (loop seconds)."""
        heappush(self._waiting, (due, next(self._order), job))
        self.put_down()

    def park(self, job: Job) -> None:
        """Put aside a job until it is released."""
        self._parked[job.chunk.number] = job
        self.put_down()

    def release(self, number: int, step: Settle | Split) -> None:
        """Hand out the job of the chunk with that number, which was put aside, ahead of everything, for that step."""
        job = self._parked.pop(number)
        job.step = step
        self._first.append(job)
        self._announce()

    def send(self, numbers: Sequence[int]) -> None:
        """Hand out these, when all of the earlier ones were taken."""
        self._unsent = _Unsent(numbers)
        self._announce()

    def repeat(self, jobs: Sequence[Job]) -> None:
        """Hand out these as well, which were taken and put down before."""
        self._first.extend(jobs)
        self._announce()

    def divide(self, parts: Sequence[Job]) -> None:
        """A job that was taken goes on as these."""
        self._parts.extend(reversed(parts))
        self.put_down()

    def put_down(self) -> None:
        """A job that was taken is out of a worker's hands: put back, divided, or at its outcome."""
        self.under_way -= 1
        self._announce()

    def _announce(self) -> None:
        if self._idle:
            changed, self._changed = self._changed, anyio.Event()
            changed.set()

    @property
    def at_hand(self) -> bool:
        """Whether there may be a chunk that could be sent now."""
        return bool(self._first or self._parts) or (self._unsent.left and len(self._waiting) < MOST_WAITING)

    @property
    def untried(self) -> bool:
        """There are chunks that were never sent."""
        return bool(self._parts) or self._unsent.left

    def allow(self, most: int) -> None:
        """Let so many be under way at once, from the next one on."""
        self.most = most
        self._announce()

    def close(self) -> None:
        """Hand out nothing more."""
        self._closed = True
        self._announce()

    def left(self) -> list[Job]:
        """The jobs that were begun and put back, and parts of such, that nobody will take any more."""
        return [*self._first, *(job for _, _, job in self._waiting), *self._parts, *self._parked.values()]
