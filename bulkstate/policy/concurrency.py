"""How many calls may be in flight at once (`concurrency: auto`): by latency and overload, never because of a 429.

While more in flight only makes each take longer, the gateway queues: the gradient of Envoy's adaptive concurrency
filter, and of Netflix's Gradient limit. Medians over windows of calls stand for the latency; the least of them, for the
latency of a gateway that isn't busy. Where it answers 503 instead, the limit comes back along the cubic that networks
use: fast to where that happened, slowly past it, and then ever faster.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Final

from bulkstate.policy.auto.evidence import QUICKEST

WINDOW_SECONDS: Final = 0.25
WINDOW_CALLS: Final = 10
"""A median is taken over at least so long and so many calls, and as long as one takes: what changed has to show."""

SMOOTH: Final = 0.25
"""What a window weighs in the smoothed median whose least counts: of many one is lucky, no measure for the others."""

TOLERANCE: Final = 1.25
"""A median so many times the least is no queue yet."""

LEAST_GRADIENT: Final = 0.7
"""A window shrinks the limit to this share at most."""

BOLD: Final = 0.25
BOLDEST: Final = 1.0
"""What an answer adds to the limit before there was a queue or overload: so much, or as much as it took seconds, up to
this. So the limit doubles in three round trips, and in every one where they are few since deletes take long."""

CUT: Final = 0.85
"""What an epoch of overload leaves of the limit."""

TRUCE: Final = 16.0
"""Rounds, of as many answers as the limit is, until it is back where overload began: so few calls pay for looking."""

REACH: Final = 2.0
"""Calls that it gains in as many rounds again, or the share that the cut took: a limit of 1 isn't for ever."""

LATE: Final = 4.0
"""An error that took so many times as long as an answer does wasn't a gateway that defends itself, but lost,"""

LOST_SHARE: Final = 0.1
LOST_MEMORY: Final = 0.02
"""and a few lost calls say nothing of the load: more than this share of the last ones, each weighing so much, do."""

SLOWER: Final = 0.85
SLOWER_WINDOWS: Final = 8
"""Where half the calls in flight still take this share of the time, for so many windows, there is no queue: the gateway
has become slower."""

FEW: Final = 8
"""Calls in flight that no gateway minds."""

KNOWN_SECONDS: Final = 0.05
"""Who took so many calls a second before had those of so many seconds in flight, or more."""


class TypicalLatency:
    """The median latency of successive windows, and the least of them, which is that of a gateway that isn't busy. A
    few calls that take ever so long are no queue: a mean would take them for one."""

    def __init__(self) -> None:
        self.least = inf
        self.typical = inf
        self.calls = 0
        self._begun = -inf
        self._seen: list[float] = []
        self._look = WINDOW_CALLS
        self._smooth = inf
        self._peak = (0.0, 0.0)
        self._in_vain = 0

    def add(self, now: float, latency: float) -> bool:
        """A call took so long; whether that closes a window."""
        seen = self._seen
        if not seen:
            self._begun = now
        seen.append(max(latency, QUICKEST))
        if len(seen) < self._look or now - self._begun < WINDOW_SECONDS:
            return False
        median = sorted(seen)[len(seen) // 2]
        if now - self._begun < median:
            self._look += len(seen) // 2
            return False
        self.typical, self.calls = median, len(seen)
        self._smooth = median if self._smooth == inf else self._smooth + SMOOTH * (median - self._smooth)
        self.least = min(self.least, self._smooth)
        self._seen, self._look = [], WINDOW_CALLS
        return True

    def doubt(self, limit: float) -> None:
        """Look whether fewer calls in flight, with this limit, are any faster than those of the last queue's peak."""
        most, typical = self._peak
        if self._smooth <= TOLERANCE * self.least or limit >= most:
            self._peak, self._in_vain = (limit, self._smooth), 0
        elif limit <= most / 2:
            self._in_vain = self._in_vain + 1 if self._smooth >= SLOWER * typical else 0
        if self._in_vain >= SLOWER_WINDOWS:
            self.least, self._in_vain = self._smooth, 0


def at_first(rate: float) -> int:
    """How many calls may be in flight at first, where so many a second are known to be taken."""
    return max(FEW, int(rate * KNOWN_SECONDS))


class ConcurrencyPilot:
    """The number of calls that may be in flight: `limit`, from 1 to `most`, `start` at first."""

    def __init__(self, most: int, start: int = FEW) -> None:
        self._most = float(most)
        self._limit = float(min(start, most))
        self._latency = TypicalLatency()
        self._step = 0.0
        self._searching = True
        self._lost = 0.0
        self._cut_at = -inf
        self._cut_from = inf
        self._rounds = inf
        self._bound_at = -inf

    @property
    def limit(self) -> int:
        """Calls that may be in flight."""
        return int(self._limit)

    def answered(self, now: float, sent_at: float, overloaded: bool, throttled: bool, in_flight: int) -> None:
        """A call ended: by overload (503, a timeout), by a 429, which says nothing here, or by an answer. With it, so
        many were in flight."""
        if throttled:
            return
        lost = overloaded and now - sent_at > LATE * self._latency.typical
        self._lost += LOST_MEMORY * (lost - self._lost)
        if overloaded:
            if sent_at > self._cut_at and (not lost or self._lost > LOST_SHARE):
                self._cut(now, in_flight)
            return
        if self._latency.add(now, now - sent_at):
            self._turn()
        self._rounds += 1.0 / self._limit
        if in_flight >= self.limit:
            self._bound_at = now
        if self._searching and sent_at <= self._bound_at:
            self._grow(self._boldness(now - sent_at))
        elif in_flight >= self.limit:
            self._grow(min(self._step, BOLD))

    def _grow(self, step: float) -> None:
        self._limit = min(self._limit + step, max(self._limit, self._ceiling), self._most)

    def _boldness(self, latency: float) -> float:
        """What is added for a call that took so long: nothing where it waited in a queue."""
        return min(max(BOLD, latency), BOLDEST) if latency <= TOLERANCE * self._latency.least else 0.0

    def _cut(self, now: float, in_flight: int) -> None:
        """Less than was in flight, which is less than the limit where something else holds the run back."""
        self._rounds = 0.0
        self._cut_at, self._cut_from = now, max(min(self._limit, in_flight), self._limit / 2)
        self._limit = max(1.0, CUT * self._cut_from)
        self._searching = False

    @property
    def _ceiling(self) -> float:
        """How far the limit may have come back since the last overload."""
        part = self._rounds / TRUCE - 1.0
        lost = (1.0 - CUT) * self._cut_from
        return self._cut_from + (lost if part < 0.0 else max(lost, REACH)) * part * part * part

    def _turn(self) -> None:
        """A window is over: shrink at once, or grow with its successor's calls."""
        self._latency.doubt(self._limit)
        gradient = min(1.0, max(LEAST_GRADIENT, TOLERANCE * self._latency.least / self._latency.typical))
        self._searching = self._searching and gradient == 1.0
        growth = gradient * self._limit + sqrt(self._limit) - self._limit
        self._limit = max(1.0, self._limit + min(growth, 0.0))
        self._step = max(growth, 0.0) / self._latency.calls
