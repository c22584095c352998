"""The one door that every call of a run goes through: it sleeps until a call may start, and keeps grants.

When that is, `policy.turns` decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import anyio

from bulkstate.engine.ports import Ledger
from bulkstate.gateway.api import NoTurn
from bulkstate.model import Attempt, Grant
from bulkstate.policy.pacing import Pacer
from bulkstate.policy.retry import RetryPolicy
from bulkstate.policy.turns import Admission, Follower
from bulkstate.rates import Rate

GRANT_SECONDS: Final = 2.0
"""A grant is for as many calls as the pacer allows in so many seconds, and is renewed at twice that age."""

SHORTEST_SLEEP: Final = 0.001
"""uvloop rounds timers to whole milliseconds: a shorter sleep would spin."""


class GateClosed(NoTurn):
    """The run is ending: the call was not made."""


class Gate:
    """First come, first served. No call is let through before its `admission` allows it and its grant is on disk.

    `wall` gives UNIX seconds, `clock` the event loop's. The ledger comes later than the gate where a run directory is
    made after the first reads; calls let through until then are in its first grant.
    """

    def __init__(
        self,
        pacer: Pacer,
        wall: Callable[[], float],
        clock: Callable[[], float] = anyio.current_time,
        follower: Follower | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.admission: Final = Admission(pacer, follower, retry)
        self._breaker = self.admission.breaker
        self._wall = wall
        self._clock = clock
        self._turn = anyio.Lock(fast_acquire=True)
        self._closed = False
        self._changed = anyio.Event()
        self._ledger: Ledger | None = None
        self.in_line = 0
        """How many calls wait."""
        self._sleeps_until = float("-inf")
        self._left = 0
        self._spent = 0
        self._grant_ends = float("-inf")

    # ── turns ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def acquire(self, deletes: bool = False) -> None:
        """Wait for the next call's turn; if it `deletes`, also until deletes aren't withheld. GateClosed if the run
        ends first, JournalNotWritable if no grant is kept."""
        self._be_open()
        withheld = deletes and self.admission.withheld
        if not self.in_line and not withheld and self._is_free(self._clock()):
            return
        self.in_line += 1
        try:
            await self._line_up(deletes)
        finally:
            self.in_line -= 1

    async def _line_up(self, deletes: bool) -> None:
        """A delete that is withheld stands beside the line, for reads to pass it."""
        come = False
        while not come:
            while deletes and self.admission.withheld:
                await self._changed.wait()
                self._be_open()
            async with self._turn:
                come = await self._wait(deletes)

    def _is_free(self, now: float) -> bool:
        """Let a call through, if nothing holds it back."""
        if self._needs_grant(now) or self.admission.ready_at(now) > now:
            return False
        self._left -= 1
        self._spent += 1
        self.admission.sent(now)
        return True

    async def _wait(self, deletes: bool) -> bool:
        """Wait at the head of the line. False: it is a delete, and they are withheld since."""
        self._be_open()
        while not (deletes and self.admission.withheld):
            if self._is_free(now := self._clock()):
                return True
            if self._ledger is not None and self._needs_grant(now) and not self.admission.held:
                await self._renew(self._ledger)
            else:
                await self._sleep(self.admission.ready_at(now), now)
            self._be_open()
        return False

    async def _sleep(self, until: float, now: float) -> None:
        self._sleeps_until = until
        with anyio.move_on_after(max(until - now, SHORTEST_SLEEP)):
            await self._changed.wait()
        self._sleeps_until = float("-inf")

    def _be_open(self) -> None:
        if self._closed:
            raise GateClosed

    @property
    def failing(self) -> bool:
        """Every delete fails: single probes are let through."""
        return self._breaker.open

    @property
    def throttled_for(self) -> float:
        """Seconds until the gateway's limits may take another call, as far as that is known."""
        return self.admission.throttled_for(self._clock())

    # ── grants ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _needs_grant(self, now: float) -> bool:
        return self._ledger is not None and (self._left <= 0 or now >= self._grant_ends)

    async def _renew(self, ledger: Ledger) -> None:
        calls = max(1, int(self.admission.configured_rate * GRANT_SECONDS))
        await ledger.grant(Grant(self._wall(), calls, self._spent))
        self._left, self._spent = calls, 0
        self._grant_ends = self._clock() + 2 * GRANT_SECONDS

    async def keep(self, ledger: Ledger) -> None:
        """Remember every call in `ledger` from now on, those that were made already included. Without a configured
        window nobody will ask for them."""
        if not self.admission.windows:
            return
        if self._spent:
            await ledger.grant(Grant(self._wall(), self._spent, 0))
        self._ledger, self._left = ledger, 0

    async def settle(self) -> None:
        """Say how many calls of the last grant were made, so that the next session needn't assume all of them."""
        if self._ledger is not None and self._spent:
            await self._ledger.grant(Grant(self._wall(), 0, self._spent))
            self._left, self._spent = 0, 0

    # ── what happens meanwhile ────────────────────────────────────────────────────────────────────────────────────

    def answered(self, attempt: Attempt[Any]) -> None:
        """A call that was let through has ended: whoever makes calls tells of each."""
        now = self._clock()
        self.admission.ended(now, attempt)
        if self._sleeps_until > now + SHORTEST_SLEEP:
            self._wake_if_ready(now)

    def broken_off(self, sent_at: float) -> None:
        """A call that was let through, or was to be made then, will never be answered, for reasons of our own."""
        now = self._clock()
        self.admission.lost(now, sent_at)
        self._wake_if_ready(now)

    def _wake_if_ready(self, now: float) -> None:
        """Whoever sleeps needn't sleep so long any more."""
        if self.admission.ready_at(now) < self._sleeps_until - SHORTEST_SLEEP:
            self.wake()

    def wake(self) -> None:
        """Whoever waits looks again."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def close(self) -> None:
        """Let nobody through any more: all who wait, and all who come, get GateClosed."""
        self._closed = True
        self.wake()

    def open(self) -> None:
        """Let calls through again after `close`: what is left to do when the engine has ended."""
        self._closed = False

    def withhold(self, reason: str) -> None:
        """Let no delete through until `permit`; reads go on."""
        self.admission.withhold(reason)
        self.wake()

    def permit(self) -> None:
        """Let deletes through again."""
        self.admission.permit(self._clock())
        self.wake()

    def pause(self) -> None:
        """Let nobody through until `resume`."""
        self.admission.hold()

    def resume(self) -> None:
        """End a pause."""
        self.admission.release(self._clock())
        self.wake()

    @property
    def paused(self) -> bool:
        """Nobody is let through, by hand."""
        return self.admission.held

    def set_rate(self, window: Rate | None) -> None:
        """Let calls through no faster than this either, and never faster than the configured windows allow; None: as
        fast as those do."""
        self.admission.set_rate(window)
        self.wake()
