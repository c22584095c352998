"""While every delete fails, one call at a time: a circuit breaker (Nygard, "Release It!", 2007), a part of the gate.

It opens when chunk after chunk has failed and none was answered, lets single probes through, ever more rarely, and
closes with the first delete that is answered. Reads don't close it: what keeps the state may be down where the gateway
isn't. Pure: times are seconds of the caller's clock.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Final

from bulkstate.policy.retry import RetryPolicy

FAILURES: Final = 20
"""So many chunks that failed in a row open it: where every other call fails, that is one in a million. Chunks that fail
again don't count: that may be their own fault, and in the end there may be none but such. But one at least has to: a
gateway may refuse each of them once."""

GAP_SHARE: Final = 0.25
"""A probe comes after so much of the time that it has lasted: that much longer than the outage is the wait at most."""

PATIENCE: Final = 60.0
"""Seconds after which a probe is lost of which nobody says how it ended: more than any call takes."""


class Suspicion(Enum):
    """Whose a failure may be."""

    FIRST = "of a chunk that never failed: the gateway's, if there are many"
    AGAIN = "of a chunk that failed before: perhaps its own"
    NO_CONNECTION = "no chunk's"


class Breaker:
    """Open while every delete fails. Its probes come no later than a chunk's last retry might, unless the gateway
    wishes for it."""

    def __init__(self, retry: RetryPolicy) -> None:
        self.open = False
        """Every delete fails."""
        self._retry = retry
        self._longest = retry.longest_delay
        self._failures = 0
        self._again = self._given_up = False
        self._since = inf
        self._opened_at = inf
        self._next_probe = -inf

    @property
    def doubtful(self) -> bool:
        """The latest chunks failed, one or many, and nothing has been answered since."""
        return self._failures > 0

    def down_for(self, now: float) -> float:
        """Seconds since the first of the deletes was sent that failed without exception; 0 while it is closed."""
        return now - self._since if self.open else 0.0

    def ready_at(self) -> float:
        """When the next call may start, as far as this decides."""
        return self._next_probe

    def sent(self, now: float) -> None:
        """A call starts: while it is open, no other may until this one has ended."""
        if self.open:
            self._next_probe = now + PATIENCE

    def ended(self, now: float, sent_at: float) -> None:
        """A call that started at `sent_at` is over, which alone says nothing."""
        if self._opened_at <= sent_at:
            self._next_probe = now

    def answered(self) -> bool:
        """A delete was answered, and not by a failure: all may go on. Whether that is news."""
        if not self._failures:
            return False
        was_open, self.open = self.open, False
        self._failures, self._again = 0, False
        self._since = self._opened_at = inf
        self._next_probe = -inf
        return was_open

    def failed(self, now: float, sent_at: float, failure: Suspicion, wish: float = 0.0, enough: int = FAILURES) -> None:
        """A delete failed that was sent, or wanted a connection, at `sent_at`. `wish`: the gateway wants to be left
        alone for so many seconds. So many chunks in a row are `enough` to open."""
        if self._opened_at <= sent_at:
            self._next_probe = now + max(self._gap(now), wish)
        elif not self.open and not self._given_up:
            self._count(now, sent_at, failure, enough)

    def _count(self, now: float, sent_at: float, failure: Suspicion, enough: int) -> None:
        if failure is not Suspicion.AGAIN:
            self._failures += 1
            self._since = min(self._since, sent_at)
        self._again = self._failures > 0 and (self._again or failure is not Suspicion.FIRST)
        if self._failures >= enough and (self._again or self._retry.attempts == 1):
            self.open = True
            self._opened_at = now
            self._next_probe = now + self._gap(now)

    def held(self, now: float) -> None:
        """Nothing could be tried until now: that was no outage."""
        if self.open:
            self._since = now

    def give_up(self) -> None:
        """Waiting is in vain: close, and open no more."""
        self.answered()
        self._given_up = True

    def _gap(self, now: float) -> float:
        return min(self._longest, max(self._retry.first_delay, GAP_SHARE * (now - self._since)))
