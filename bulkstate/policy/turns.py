"""When may the next call start, and what does it wait for? The configured windows, the gateway's own limits, a hold by
hand, and single probes while every delete fails: all that holds calls back, in one place.

Pure: times are seconds of the caller's clock. The gate sleeps for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Final, Protocol

from bulkstate.model import Answer, Attempt, Reply, Told
from bulkstate.policy.breaker import FAILURES, Breaker, Suspicion
from bulkstate.policy.pacing import Pacer
from bulkstate.policy.retry import DOWN, RetryPolicy
from bulkstate.policy.throttling import Throttling
from bulkstate.rates import Rate

MANY_DOUBTS: Final = 8
"""So many chunks in a row that are answered in doubt, none of them well, may be throttled in other words."""

LOST: Final = (Answer.UNANSWERED, Answer.UNREACHED)
"""How a call ends that a limit neither let through nor refused."""


class Follower(Protocol):
    """What follows the gateway's answers, and says from them when the next call may start."""

    @property
    def rate(self) -> float:
        """Calls a second at the most, as far as it is known."""
        ...

    def ready_at(self, now: float) -> float:
        """When the next call may start; after an answer it may be earlier."""
        ...

    def sent(self, now: float) -> None:
        """A call starts now."""
        ...

    def answered(
        self,
        now: float,
        sent_at: float,
        throttled: bool,
        retry_after: float | None,
        told: Sequence[Told],
        date: float | None,
    ) -> None:
        """A call was answered, by a 429 or by anything else; both `told` and the wish may be lies. `date` is what the
        gateway's clock showed, in whole UNIX seconds, if it said so."""
        ...

    def lost(self, now: float, sent_at: float) -> None:
        """A call will never be answered."""
        ...

    def expect(self, calls: int) -> None:
        """So many calls are left to be made."""
        ...

    @property
    def searches(self) -> bool:
        """Nothing is known of the gateway's limits, and nothing was refused."""
        ...

    def binds(self, now: float) -> str:
        """Which of the gateway's limits holds the next call back, in words; empty if nobody knows."""
        ...


class Waiting(Protocol):
    """What a run has still to do."""

    @property
    def left(self) -> int:
        """Chunks without an outcome."""
        ...


class Admission:
    """Says when a call may start. The pacer knows the configured windows, the follower finds out about the gateway's;
    while every delete fails, the breaker lets single probes through, as patiently as `retry` says."""

    def __init__(self, pacer: Pacer, follower: Follower | None = None, retry: RetryPolicy | None = None) -> None:
        self._retry = retry or RetryPolicy()
        self._pacer = pacer
        self._follower: Follower = follower or Throttling()
        self.breaker: Final = Breaker(self._retry)
        self.held = False
        """Nobody is let through, by hand."""
        self.in_doubt = False
        """The latest delete that failed was answered in doubt."""
        self.withheld = ""
        """Why no delete is let through, if so."""

    # ── when ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ready_at(self, now: float) -> float:
        """When the next call may start, infinity while it is held: `now` or earlier means at once."""
        if self.held:
            return inf
        ready = max(self._pacer.ready_at(now), self._follower.ready_at(now))
        return max(ready, self.breaker.ready_at()) if self.breaker.open else ready

    def hold(self) -> None:
        """Let nobody through until `release`."""
        self.held = True

    def release(self, now: float) -> None:
        """End a hold."""
        self.held = False
        self.breaker.held(now)

    def withhold(self, reason: str) -> None:
        """Let no delete through until `permit`; reads go on."""
        self.withheld = reason

    def permit(self, now: float) -> None:
        """Let deletes through again."""
        self.withheld = ""
        self.breaker.held(now)

    def set_rate(self, window: Rate | None) -> None:
        """Let calls through no faster than this either, and never faster than the configured windows allow; None: as
        fast as those do."""
        self._pacer.set_rate(window)

    def expect(self, calls: int) -> None:
        """So many calls are left to be made: what may be risked, and when a quota is used up, depends on it."""
        self._pacer.expect(calls)
        self._follower.expect(calls)

    # ── what calls tell ───────────────────────────────────────────────────────────────────────────────────────────

    def sent(self, now: float) -> None:
        """A call starts now."""
        self._pacer.sent(now)
        self._follower.sent(now)
        if self.breaker.open:
            self.breaker.sent(now)

    def ended(self, now: float, attempt: Attempt[Any]) -> None:
        """A call that was let through has ended, whichever of the API's it was."""
        reply = attempt.reply
        if reply.answer in LOST:
            self.lost(now, attempt.sent_at)
            return
        throttled = reply.answer is Answer.THROTTLED
        self._follower.answered(now, attempt.sent_at, throttled, reply.retry_after, reply.limits, attempt.date)
        if self.breaker.open:
            self.breaker.ended(now, attempt.sent_at)

    def lost(self, now: float, sent_at: float) -> None:
        """A call that was let through, or was to be made then, will never be answered."""
        self._follower.lost(now, sent_at)
        if self.breaker.open:
            self.breaker.ended(now, sent_at)

    def judge(self, now: float, sent_at: float, reply: Reply[bool], first: bool, waiting: Waiting) -> None:
        """What a delete's answer says about the gateway as a whole. `first`: its chunk, no part of one that was in
        doubt, never failed."""
        answer = reply.answer
        if answer is Answer.OK:  # before all else: an enumeration's hash costs more than the rest
            self.breaker.answered()
        elif answer in DOWN:
            self.in_doubt = False
            enough = min(FAILURES, waiting.left)
            self.breaker.failed(now, sent_at, _failure(answer, first), self._retry.granted(reply), enough)
        elif answer is Answer.UNDECIDED:
            self.in_doubt = True
            self.breaker.failed(now, sent_at, _failure(answer, first), self._retry.granted(reply), MANY_DOUBTS)
        elif answer not in (Answer.THROTTLED, Answer.GATEWAY_REFUSED):
            self.breaker.answered()

    def trust(self) -> None:
        """Let calls through as if the gateway weren't down, whatever fails from now on."""
        self.breaker.give_up()

    # ── what is waited for ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def failing(self) -> bool:
        """Every delete fails: single probes are let through."""
        return self.breaker.open

    @property
    def doubtful(self) -> bool:
        """The latest deletes failed: whether all do is better tried with chunks that never failed."""
        return self.breaker.doubtful

    def down_for(self, now: float) -> float:
        """Seconds for which every delete has failed; 0 if that isn't so, or too few have been tried to say so."""
        return self.breaker.down_for(now)

    def probe_in(self, now: float) -> float:
        """Seconds until the next probe, while every delete fails."""
        return max(0.0, self.breaker.ready_at() - now)

    def throttled_for(self, now: float) -> float:
        """Seconds until the gateway's limits may take another call, as far as that is known."""
        return max(0.0, self._follower.ready_at(now) - now)

    def gateway_limit(self, now: float) -> str | None:
        """The limit of the gateway's that the next call waits for, in words; None if it waits for none."""
        ready_at = self._follower.ready_at(now)
        return self._follower.binds(now) if ready_at > max(now, self._pacer.ready_at(now)) else None

    @property
    def searches(self) -> bool:
        """How fast the gateway may be called is being found out, and it has refused nothing."""
        return self._follower.searches

    def window(self, now: float) -> Rate | None:
        """The configured window that the next call waits for, if it waits for one."""
        return self._pacer.binds(now)

    @property
    def windows(self) -> tuple[Rate, ...]:
        """The configured windows."""
        return self._pacer.windows

    @property
    def configured_rate(self) -> float:
        """Calls a second that the configured windows, and whoever set a rate by hand, allow at the most."""
        return self._pacer.rate

    @property
    def rate(self) -> float:
        """Calls a second that are let through at the most."""
        return min(self._pacer.rate, self._follower.rate)


def _failure(answer: Answer, first: bool) -> Suspicion:
    if answer is Answer.UNREACHED:
        return Suspicion.NO_CONNECTION
    return Suspicion.FIRST if first else Suspicion.AGAIN
