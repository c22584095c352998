"""How many calls may be in flight at once (`concurrency: auto`): by latency and overload, never because of a 429.

The gradient is the one of Envoy's adaptive concurrency filter, and of Netflix's Gradient limit: while more in flight
only makes each take longer, the gateway queues. Means over windows of calls stand for the latency; the smallest one
seen lately, for the latency of a gateway that isn't busy.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Final

WINDOW_SECONDS: Final = 0.25
WINDOW_CALLS: Final = 10
"""A mean is taken over at least so long and so many calls."""

TOLERANCE: Final = 1.25
"""A mean so many times the least is no queue yet."""

LEAST_GRADIENT: Final = 0.7
"""A window shrinks the limit to this share at most; so does an epoch of overload."""

FORGET: Final = 0.002
"""By which share the least latency grows in each window, so that a gateway may become slower for good."""

FIRST_TRUCE: Final = 2.0
LONGEST_TRUCE: Final = 60.0
"""Seconds without growth after overload; doubled each time that it comes back at the same place."""


class LatencyWindow:
    """The mean latency of successive windows, and the least of them."""

    def __init__(self) -> None:
        self.least = inf
        self._begun = -inf
        self._sum = 0.0
        self._calls = 0

    def add(self, now: float, latency: float) -> float | None:
        """A call took so long; the mean, if that closes a window."""
        if self._calls == 0:
            self._begun = now
        self._sum += latency
        self._calls += 1
        if self._calls < WINDOW_CALLS or now - self._begun < WINDOW_SECONDS:
            return None
        mean, self._sum, self._calls = self._sum / self._calls, 0.0, 0
        self.least = min(self.least * (1.0 + FORGET), mean)
        return mean


class ConcurrencyPilot:
    """The number of calls that may be in flight: `limit`, from 1 to `most`."""

    def __init__(self, most: int, start: int = 8) -> None:
        self._most = float(most)
        self._limit = float(min(start, most))
        self._full = False
        self._latency = LatencyWindow()
        self._cut_at = -inf
        self._cut_from = inf
        self._truce = FIRST_TRUCE

    @property
    def limit(self) -> int:
        """Calls that may be in flight."""
        return int(self._limit)

    def answered(self, now: float, sent_at: float, overloaded: bool, throttled: bool, in_flight: int) -> None:
        """A call ended: by overload (503, a timeout), by a 429, which says nothing here, or by an answer. With it, so
        many were in flight."""
        self._full = self._full or in_flight >= self.limit
        if overloaded:
            self._cut(now, sent_at)
        elif not throttled:
            mean = self._latency.add(now, now - sent_at)
            if mean is not None:
                self._turn(now, mean)

    def _cut(self, now: float, sent_at: float) -> None:
        if sent_at <= self._cut_at:
            return
        again = self._limit <= 1.2 * self._cut_from
        self._truce = min(2 * self._truce, LONGEST_TRUCE) if again and self._cut_from < inf else FIRST_TRUCE
        self._cut_at, self._cut_from = now, self._limit
        self._limit = max(1.0, LEAST_GRADIENT * self._limit)

    def _turn(self, now: float, mean: float) -> None:
        gradient = min(1.0, max(LEAST_GRADIENT, TOLERANCE * self._latency.least / mean))
        wanted = gradient * self._limit + sqrt(self._limit)
        if wanted > self._limit and (not self._full or self._at_peace_below(now, wanted)):
            wanted = self._limit
        self._limit = min(max(1.0, wanted), self._most)
        self._full = False

    def _at_peace_below(self, now: float, wanted: float) -> bool:
        """Overload came at about this limit, not long ago."""
        return wanted > 0.85 * self._cut_from and now < self._cut_at + self._truce
