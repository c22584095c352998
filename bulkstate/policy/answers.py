"""What one attempt at a chunk teaches, and what to do next. Whoever sends chunks tells of each answer here, once.

An answer says something of the chunk (is it repeated, split, settled?), of requests' size, of how many calls may be
under way, of what repeats a run can afford, and of whether the gateway is down. Pure: time and randomness are
arguments; times are seconds of one steady clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol, TypeAlias

from bulkstate.gateway.wire import Code
from bulkstate.model import Answer, Attempt, Chunk, Cut, Reply
from bulkstate.policy.concurrency import ConcurrencyPilot
from bulkstate.policy.retry import DOWN, Decision, RetryBudget, RetryPolicy, Tries, decide
from bulkstate.policy.sizing import Sizing
from bulkstate.policy.turns import Admission

LAST_ONES_SHARE: Final = 0.1
"""Of the time that an outage may last: so long the last chunks wait for it to end, if all of them are answered 500."""


@dataclass(frozen=True, slots=True)
class Look:
    """A run of 61199 may mean that the pipeline isn't paused: look before the chunk is blamed, and if it is, `then`."""

    then: Decision


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Every delete has failed for so many `seconds`, longer than anybody wants to wait."""

    seconds: float


class Load(Protocol):
    """What a run has to do at the moment."""

    @property
    def in_flight(self) -> int:
        """Calls that wait for an answer, or for what comes after it."""
        ...

    @property
    def untried(self) -> bool:
        """There are chunks that were never sent."""
        ...


NextStep: TypeAlias = Decision | Look | GiveUp


class Answers:
    """What a run has learnt from its answers. `workers` calls may be under way, or as many as the `pilot` finds."""

    def __init__(
        self,
        retry: RetryPolicy,
        admission: Admission,
        workers: int,
        sizing: Sizing | None = None,
        pilot: ConcurrencyPilot | None = None,
    ) -> None:
        self.budget: Final = RetryBudget(retry)
        self._retry = retry
        self._admission = admission
        self._breaker = admission.breaker
        self._sizing = sizing or Sizing()
        self._planned = workers
        self._by_hand = False
        self._pilot = pilot
        self.workers = workers if pilot is None else pilot.limit
        """How many calls may be under way."""

    def heard(
        self, now: float, attempt: Attempt[bool], tries: Tries, chunk: Chunk, load: Load, jitter: float
    ) -> NextStep:
        """The latest of `tries` to delete `chunk` was answered; `jitter` is uniform in [0, 1)."""
        reply, pairs = attempt.reply, chunk.pairs
        self._admission.judge(now, attempt.sent_at, reply, tries.attempts == 1)
        self.budget.answered(tries, reply)
        if self._pilot is not None and not self._by_hand:
            self._steer(self._pilot, attempt, load)
        self._sizing = self._sizing.heard(reply, pairs, attempt.body_bytes)
        if self._breaker.open and (seconds := self._in_vain(now, reply, load)):
            return GiveUp(seconds)
        decision = decide(self._retry, tries, reply, jitter, pairs if self._sizing.divides(reply.answer) else 1)
        if reply.code == Code.OTHER and tries.attempts in (2, self._retry.attempts):
            return Look(decision)
        return decision

    def _steer(self, pilot: ConcurrencyPilot, attempt: Attempt[bool], load: Load) -> None:
        """Have more or fewer calls under way, as this answer suggests."""
        reply = attempt.reply
        overloaded = reply.status == HTTPStatus.SERVICE_UNAVAILABLE or reply.answer is Answer.UNANSWERED
        if self._breaker.open or (reply.answer in DOWN and not overloaded):
            return  # how quickly a call fails says nothing about how long one takes, nor a probe about how many may go
        throttled = reply.answer is Answer.THROTTLED
        pilot.answered(attempt.sent_at + attempt.seconds, attempt.sent_at, overloaded, throttled, load.in_flight)
        self.workers = pilot.limit

    def _in_vain(self, now: float, reply: Reply[bool], load: Load) -> float:
        """For how long every delete has failed, if that is too long; else 0. Where there are none left but such as the
        gateway finds an error of its own in, it may be they: then that is settled sooner."""
        down_for, patience = self._admission.down_for(now), self._retry.outage
        last_ones = not load.untried and reply.status == HTTPStatus.INTERNAL_SERVER_ERROR
        if last_ones and down_for > LAST_ONES_SHARE * patience:
            self._admission.trust()
            return 0.0
        return down_for if down_for > patience else 0.0

    def set_workers(self, workers: int | None) -> None:
        """Have so many, whatever was planned or is found; None: no more by hand."""
        self._by_hand = workers is not None
        found = self._planned if self._pilot is None else self._pilot.limit
        self.workers = found if workers is None else workers

    def is_too_large(self, chunk: Chunk) -> bool:
        """Whether the gateway is known not to take it as it is."""
        return self._retry.split and chunk.pairs > 1 and not self._sizing.fits(chunk)

    def cut(self, chunk: Chunk) -> tuple[Cut, ...]:
        """The parts in which to send a chunk of two pairs or more."""
        return self._sizing.cut(chunk)
