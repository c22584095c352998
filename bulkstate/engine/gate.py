"""The one door that every call of a run goes through: it sleeps where the pacer only counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import anyio

from bulkstate.engine.ports import Ledger
from bulkstate.model import Answer, Attempt, Grant, Told
from bulkstate.policy.breaker import Breaker, Failure
from bulkstate.policy.pacing import Pacer
from bulkstate.policy.retry import DOWN, RetryPolicy
from bulkstate.policy.throttling import Throttling
from bulkstate.rates import Rate

GRANT_SECONDS: Final = 2.0
"""A grant is for as many calls as the pacer allows in so many seconds, and is renewed at twice that age."""

SHORTEST_SLEEP: Final = 0.001
"""uvloop rounds timers to whole milliseconds: a shorter sleep would spin."""


class GateClosed(Exception):
    """The run is ending: the call was not made."""


class Follower(Protocol):
    """What follows the gateway's answers, and says from them when the next call may start. Times are loop seconds."""

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
        self, now: float, sent_at: float, throttled: bool, retry_after: float | None, told: Sequence[Told]
    ) -> None:
        """A call was answered, by a 429 or by anything else; both `told` and the wish may be lies."""
        ...

    def lost(self, now: float, sent_at: float) -> None:
        """A call will never be answered."""
        ...

    def expect(self, calls: int) -> None:
        """So many calls are left to be made."""
        ...

    def binds(self, now: float) -> str:
        """Which of the gateway's limits holds the next call back, in words; empty if nobody knows."""
        ...


class Gate:
    """First come, first served. No call is let through before pacer and follower are ready and its grant is on disk.

    The pacer knows the configured windows, the follower finds out about the gateway's. While every delete fails, single
    probes are let through, as patiently as `retry` says. `wall` gives UNIX seconds, `clock` the event loop's. The
    ledger comes later than the gate where a run directory is made after the first reads; calls let through until then
    are in its first grant.
    """

    def __init__(
        self,
        pacer: Pacer,
        wall: Callable[[], float],
        clock: Callable[[], float] = anyio.current_time,
        follower: Follower | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._pacer = pacer
        self._wall = wall
        self._clock = clock
        self._follower: Follower = follower or Throttling()
        self._retry = retry or RetryPolicy()
        self._breaker = Breaker(self._retry)
        self._turn = anyio.Lock(fast_acquire=True)
        self._closed = False
        self._paused = False
        self._changed = anyio.Event()
        self._ledger: Ledger | None = None
        self._in_line = 0
        self._sleeps_until = float("-inf")
        self._left = 0
        self._spent = 0
        self._grant_ends = float("-inf")

    async def acquire(self) -> None:
        """Wait for the next call's turn. GateClosed if the run ends first, JournalNotWritable if no grant is kept."""
        self._be_open()
        if not self._in_line and self._is_free(self._clock()):
            return
        self._in_line += 1
        try:
            async with self._turn:
                await self._wait()
        finally:
            self._in_line -= 1

    def _is_free(self, now: float) -> bool:
        """Let a call through, if nothing holds it back."""
        if self._paused or self._needs_grant(now) or self._ready_at(now) > now:
            return False
        self._left -= 1
        self._spent += 1
        self._pacer.sent(now)
        self._follower.sent(now)
        if self._breaker.open:
            self._breaker.sent(now)
        return True

    def _ready_at(self, now: float) -> float:
        ready = max(self._pacer.ready_at(now), self._follower.ready_at(now))
        return max(ready, self._breaker.ready_at()) if self._breaker.open else ready

    def _needs_grant(self, now: float) -> bool:
        return self._ledger is not None and (self._left <= 0 or now >= self._grant_ends)

    async def _wait(self) -> None:
        self._be_open()
        while not self._is_free(now := self._clock()):
            if self._paused:
                await self._changed.wait()
            elif self._ledger is not None and self._needs_grant(now):
                await self._renew(self._ledger)
            else:
                await self._sleep(self._ready_at(now), now)
            self._be_open()

    async def _sleep(self, until: float, now: float) -> None:
        self._sleeps_until = until
        with anyio.move_on_after(max(until - now, SHORTEST_SLEEP)):
            await self._changed.wait()
        self._sleeps_until = float("-inf")

    def _be_open(self) -> None:
        if self._closed:
            raise GateClosed

    async def _renew(self, ledger: Ledger) -> None:
        calls = max(1, int(self._pacer.rate * GRANT_SECONDS))
        await ledger.grant(Grant(self._wall(), calls, self._spent))
        self._left, self._spent = calls, 0
        self._grant_ends = self._clock() + 2 * GRANT_SECONDS

    async def keep(self, ledger: Ledger) -> None:
        """Remember every call in `ledger` from now on, those that were made already included. Without a configured
        window nobody will ask for them."""
        if not self._pacer.windows:
            return
        if self._spent:
            await ledger.grant(Grant(self._wall(), self._spent, 0))
        self._ledger, self._left = ledger, 0

    async def settle(self) -> None:
        """Say how many calls of the last grant were made, so that the next session needn't assume all of them."""
        if self._ledger is not None and self._spent:
            await self._ledger.grant(Grant(self._wall(), 0, self._spent))
            self._left, self._spent = 0, 0

    def answered(self, attempt: Attempt[Any]) -> None:
        """A call that was let through has ended: whoever makes calls tells of each."""
        now, reply = self._clock(), attempt.reply
        if reply.answer in (Answer.UNANSWERED, Answer.UNREACHED):
            self._follower.lost(now, attempt.sent_at)
        else:
            throttled = reply.answer is Answer.THROTTLED
            self._follower.answered(now, attempt.sent_at, throttled, reply.retry_after, reply.limits)
        self._over(now, attempt.sent_at)

    def broken_off(self, sent_at: float) -> None:
        """A call that was let through, or was to be made then, will never be answered, for reasons of our own."""
        now = self._clock()
        self._follower.lost(now, sent_at)
        self._over(now, sent_at)

    def _over(self, now: float, sent_at: float) -> None:
        if self._breaker.open:
            self._breaker.ended(now, sent_at)
        if self._sleeps_until > now + SHORTEST_SLEEP:
            self._wake(now)

    def _wake(self, now: float) -> None:
        """Whoever sleeps needn't sleep so long any more."""
        if self._ready_at(now) < self._sleeps_until - SHORTEST_SLEEP:
            self._tell()

    def judge(self, attempt: Attempt[bool], first: bool) -> None:
        """What a delete's answer says about the gateway; to be told before anything else is awaited. `first`: it is
        the chunk's first attempt."""
        answer = attempt.reply.answer
        if answer is not Answer.OK and answer in DOWN:  # an enumeration's hash costs more than all else here
            wish = self._retry.granted(attempt.reply)
            self._breaker.failed(self._clock(), attempt.sent_at, self._failure(answer, first), wish)
        elif answer is not Answer.THROTTLED and self._breaker.answered():
            self._wake(self._clock())

    def _failure(self, answer: Answer, first: bool) -> Failure:
        if answer is Answer.UNREACHED:
            return Failure.NO_CONNECTION
        return Failure.FIRST if first else Failure.AGAIN

    def trust(self) -> None:
        """Let calls through as if the gateway weren't down, whatever fails from now on."""
        self._breaker.give_up()
        self._tell()

    def expect(self, calls: int) -> None:
        """So many calls are left to be made: what may be risked, and when a quota is used up, depends on it."""
        self._pacer.expect(calls)
        self._follower.expect(calls)

    def close(self) -> None:
        """Let nobody through any more: all who wait, and all who come, get GateClosed."""
        self._closed = True
        self._tell()

    def pause(self) -> None:
        """Let nobody through until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """End a pause."""
        self._paused = False
        self._breaker.held(self._clock())
        self._tell()

    def set_rate(self, window: Rate | None) -> None:
        """Let calls through no faster than this either, and never faster than the configured windows allow; None: as
        fast as those do."""
        self._pacer.set_rate(window)
        self._tell()

    def _tell(self) -> None:
        """Whoever waits looks again."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    @property
    def failing(self) -> bool:
        """Every delete fails: single probes are let through."""
        return self._breaker.open

    @property
    def doubtful(self) -> bool:
        """The latest deletes failed: whether all do is better tried with chunks that never failed."""
        return self._breaker.doubtful

    @property
    def down_for(self) -> float:
        """Seconds for which every delete has failed; 0 if that isn't so, or too few have been tried to say so."""
        return self._breaker.down_for(self._clock())

    @property
    def paused(self) -> bool:
        """Nobody is let through, by hand."""
        return self._paused

    @property
    def wait(self) -> float:
        """Seconds until the gateway's limits may take another call, as far as that is known."""
        now = self._clock()
        return max(0.0, self._follower.ready_at(now) - now)

    @property
    def probe_in(self) -> float:
        """Seconds until the next probe, while every delete fails."""
        return max(0.0, self._breaker.ready_at() - self._clock())

    @property
    def gateway_limit(self) -> str | None:
        """The limit of the gateway's that the next call waits for, in words; None if it waits for none."""
        now = self._clock()
        ready_at = self._follower.ready_at(now)
        return self._follower.binds(now) if ready_at > max(now, self._pacer.ready_at(now)) else None

    @property
    def in_line(self) -> int:
        """How many calls wait."""
        return self._in_line

    @property
    def window(self) -> Rate | None:
        """The window that the next call waits for, if it waits for one."""
        return self._pacer.binds(self._clock())

    @property
    def rate(self) -> float:
        """Calls a second that are let through at the most."""
        return min(self._pacer.rate, self._follower.rate)
