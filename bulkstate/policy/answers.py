"""What one attempt at a chunk teaches, and what to do next. Whoever sends chunks tells of each answer here, once.

An answer says something of the chunk (is it repeated, split, settled?), of its siblings, of requests' size, of how many
calls may be under way, of what repeats a run can afford, and of whether the gateway is down. Pure: time and randomness
are arguments; times are seconds of one steady clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol, TypeAlias

from bulkstate.gateway.wire import Code
from bulkstate.model import Answer, Attempt, Chunk, Verdict
from bulkstate.policy.concurrency import ConcurrencyPilot
from bulkstate.policy.cutting import Cutting, Release
from bulkstate.policy.retry import DOWN, Again, Decision, RetryBudget, RetryPolicy, Settle, Split, Tries, again, decide
from bulkstate.policy.sizing import Sizing
from bulkstate.policy.turns import MANY_DOUBTS, Admission

FEW: Final = 3
FEW_SHARE: Final = 0.1
"""Fewer chunks than that may fail for reasons of their own: where none else is left, they wait for this share of the
time that an outage may last."""

LARGE: Final = 16_384
SILENCES: Final = 2
"""A body of so many bytes may be what makes a gateway close the connection so often, if smaller ones are answered."""

DISGUISED: Final = 2.2
"""Where deletes passed, and then every one is answered in doubt, a quota may have run out: so many times as long as an
outage may last is waited for it, which is over an hour unless that was configured. If many chunks are held up, that is,
and some were never sent: a few that are left may be to blame themselves."""

REFUSALS: Final = 3
"""So many answers in a row that refuse the caller are meant. Fewer may be a firewall's slip, or a deployment."""

_DELETED: Final = Settle(Verdict.DELETED)


@dataclass(frozen=True, slots=True)
class Look:
    """A run of 61199 may mean that the pipeline isn't paused: look before the chunk is blamed, and if it is, `then`."""

    then: Decision


@dataclass(frozen=True, slots=True)
class Wait:
    """Its siblings' answers decide what becomes of it: it will be released."""


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
    def left(self) -> int:
        """Chunks without an outcome."""
        ...

    @property
    def untried(self) -> bool:
        """There are chunks that were never sent."""
        ...

    @property
    def others(self) -> bool:
        """There are such, or chunks that are on their way just now."""
        ...


NextStep: TypeAlias = Decision | Look | Wait | GiveUp


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
        self._cutting = Cutting()
        self._welcome = False
        self._held_up = False
        self._refusals = 0
        self._refused_at = float("-inf")
        self._planned = workers
        self._by_hand = False
        self._pilot = pilot
        self.workers = workers if pilot is None else pilot.limit
        """How many calls may be under way."""

    def heard(
        self, now: float, attempt: Attempt[bool], tries: Tries, chunk: Chunk, load: Load, jitter: float
    ) -> tuple[Tries, NextStep]:
        """One more attempt to delete `chunk`, after those of `tries`, was answered; `jitter` is uniform in [0, 1)."""
        reply, answer = attempt.reply, attempt.reply.answer
        self._admission.judge(now, attempt.sent_at, reply, not (tries.attempts or tries.level), load)
        tries = tries.after(reply, counts=not self._breaker.open and answer is not Answer.UNREACHED)
        self.budget.answered(tries, reply)
        if self._pilot is not None and not self._by_hand:
            self._steer(self._pilot, attempt, load)
        self._sizing = self._sizing.heard(reply, chunk.pairs, attempt.body_bytes)
        if answer is Answer.OK:
            self._welcome, self._held_up, self._refusals = True, False, 0
            return tries, _DELETED
        if self._breaker.open and (seconds := self._in_vain(now, load)):
            return tries, GiveUp(seconds)
        step = self._decide(now, attempt, tries, chunk, load, jitter)
        if reply.code == Code.OTHER and tries.attempts in (2, self._retry.attempts) and not isinstance(step, Wait):
            return tries, Look(step)
        return tries, step

    def _decide(
        self, now: float, attempt: Attempt[bool], tries: Tries, chunk: Chunk, load: Load, jitter: float
    ) -> Decision | Wait:
        reply = attempt.reply
        if reply.answer is Answer.GATEWAY_REFUSED and not self._is_meant(now, attempt.sent_at):
            return again(self._retry, tries, reply, jitter)
        if self._breaks_connections(attempt, tries, chunk):
            return Split(self._sizing.cut(chunk))
        divisible = chunk.pairs if self._sizing.divides(reply.answer) else 1
        decision = decide(self._retry, tries, reply, jitter, divisible)
        if reply.answer is Answer.UNDECIDED and not isinstance(decision, Again):
            return self._doubt(chunk, decision, self._retry.delay(max(1, tries.attempts), jitter))
        if isinstance(decision, Settle) and reply.answer in DOWN and self._is_anybodys_fault(load):
            return Again(self._retry.delay(max(1, tries.attempts), jitter))
        return Split(self._sizing.cut(chunk)) if isinstance(decision, Split) else decision

    def _is_anybodys_fault(self, load: Load) -> bool:
        """Nothing passes: before a chunk is given up, others show whether it is only this one."""
        return self._breaker.open or (self._breaker.doubtful and load.others and self._retry.attempts > 1)

    def _doubt(self, chunk: Chunk, decision: Decision, delay: float) -> Decision | Wait:
        """It would be cut, or given up. But where every chunk is in doubt, that may be how the gateway throttles: then
        the parts of one are tried beside whole chunks, and none is given up, until something passes."""
        is_part = self._cutting.holds(chunk.number)
        if self._breaker.open and (self._cutting.searching or not isinstance(decision, Split)):
            return Again(delay)
        if is_part:
            self._cutting.failed(chunk)
            return Wait()
        return self._cutting.begin(chunk) if isinstance(decision, Split) else decision

    def _breaks_connections(self, attempt: Attempt[bool], tries: Tries, chunk: Chunk) -> bool:
        """Whether a body may be too large for a gateway that says so by closing the connection: no body that large was
        ever taken, while smaller ones are. Where nothing passes that is to be seen: so its halves are tried."""
        size, taken = attempt.body_bytes, self._sizing.bytes.taken
        if tries.silences < SILENCES or size < LARGE or size <= taken or chunk.pairs == 1 or not self._retry.split:
            return False
        if taken and not self._breaker.open:
            self._sizing = self._sizing.broke(size)
        return bool(taken) or self._breaker.open

    def _is_meant(self, now: float, sent_at: float) -> bool:
        """Whether an answer that refuses the caller is to be believed: at once if no delete was ever answered well,
        else the third time in a row. What was under way when one came is one with it."""
        if sent_at >= self._refused_at:
            self._refusals += 1
            self._refused_at = now
        return not self._welcome or self._refusals >= REFUSALS

    def _steer(self, pilot: ConcurrencyPilot, attempt: Attempt[bool], load: Load) -> None:
        """Have more or fewer calls under way, as this answer suggests."""
        reply = attempt.reply
        overloaded = reply.status == HTTPStatus.SERVICE_UNAVAILABLE or reply.answer is Answer.UNANSWERED
        if self._breaker.open or (reply.answer in DOWN and not overloaded):
            return  # how quickly a call fails says nothing about how long one takes, nor a probe about how many may go
        throttled = reply.answer is Answer.THROTTLED
        pilot.answered(attempt.sent_at + attempt.seconds, attempt.sent_at, overloaded, throttled, load.in_flight)
        self.workers = pilot.limit

    def _in_vain(self, now: float, load: Load) -> float:
        """For how long every delete has failed, if that is too long; else 0. Where few are left, it may be they: then
        that is settled sooner."""
        down_for, patience = self._admission.down_for(now), self._retry.outage
        self._held_up |= load.untried and load.left >= MANY_DOUBTS
        if self._welcome and self._held_up and self._admission.in_doubt:
            patience *= DISGUISED
        if load.left < FEW and not load.untried and down_for > FEW_SHARE * patience:
            self._admission.trust()
            return 0.0
        return down_for if down_for > patience else 0.0

    @property
    def told_workers(self) -> bool:
        """How many calls may be under way was configured, or set by hand."""
        return self._by_hand or self._pilot is None

    def set_workers(self, workers: int | None) -> None:
        """Have so many, whatever was planned or is found; None: no more by hand."""
        self._by_hand = workers is not None
        found = self._planned if self._pilot is None else self._pilot.limit
        self.workers = found if workers is None else workers

    # ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def cut_before(self, chunk: Chunk) -> Split | None:
        """How a chunk had better be sent, by all that is known; None if it may be whole."""
        if not self._retry.split:
            return None
        if chunk.pairs > 1 and not self._sizing.fits(chunk):
            return Split(self._sizing.cut(chunk), "larger than what the gateway takes")
        return self._cutting.set_apart(chunk)

    def was_cut(self, number: int, parts: Sequence[int]) -> None:
        """A chunk was cut into parts with these numbers, as it was said."""
        self._cutting.was_cut(number, parts)

    def settled(self, number: int, passed: bool) -> None:
        """A chunk has come to its end, well if it `passed`."""
        self._cutting.settled(number, passed)

    def released(self) -> Sequence[Release]:
        """Chunks that needn't wait for their siblings any more."""
        return self._cutting.released()
