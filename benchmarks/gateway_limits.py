"""The limits that a gateway may have, and who else uses them up: values that say which, counters that keep them.

A counter says when it has room, and is told what it let through. Times are seconds from the start of the job, rates
calls a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from math import inf
from random import Random
from typing import Final, Protocol

ROUNDING: Final = 1e-9
"""Calls and seconds that sums of floating-point numbers may be off by."""


@dataclass(frozen=True, slots=True)
class Steps:
    """A number that changes at times: (from when, value), in order, the first from 0."""

    table: tuple[tuple[float, float], ...]

    def at(self, now: float) -> float:
        """Its value now."""
        value = self.table[0][1]
        for begins, then in self.table:
            if begins > now:
                break
            value = then
        return value

    def changes_after(self, now: float) -> float:
        """When it changes next; infinity if it doesn't."""
        return next((begins for begins, _ in self.table if begins > now), inf)

    @property
    def most(self) -> float:
        """The greatest of its values."""
        return max(value for _, value in self.table)


def steady(value: float) -> Steps:
    """A number that never changes."""
    return Steps(((0.0, value),))


class Counter(Protocol):
    """One limit at work."""

    def room_at(self, now: float) -> float:
        """No call fits before then; `now` if one fits now."""
        ...

    def take(self, now: float) -> None:
        """Count a call that arrives now."""
        ...


class Limit(Protocol):
    """One limit, as a value."""

    @property
    def seconds(self) -> float:
        """How long its window is; 0 if it has none."""
        ...

    @property
    def at_once(self) -> int:
        """Calls that a careful caller, who knows no phase, may begin with at the same moment."""
        ...

    def rate(self, now: float) -> float:
        """Calls a second that it allows in the long run."""
        ...

    def counter(self, random: Random) -> Counter:
        """A counter that starts with nothing used; `random` decides what nobody was told, such as a phase."""
        ...


@dataclass(frozen=True, slots=True)
class FixedWindow:
    """At most `calls` between two edges that are `seconds` apart: what the vendor documents."""

    calls: Steps
    seconds: float

    @property
    def at_once(self) -> int:
        """One: more could be too many, should the window have begun before."""
        return 1

    def rate(self, now: float) -> float:
        """Calls a second that it allows in the long run."""
        return self.calls.at(now) / self.seconds

    def counter(self, random: Random) -> Counter:
        """A counter whose first edge may come at any time within the first window."""
        return FixedCounter(self, random.random() * self.seconds)


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """At most `calls` in any `seconds`."""

    calls: int
    seconds: float

    @property
    def at_once(self) -> int:
        """One, so that it is spent evenly."""
        return 1

    def rate(self, now: float) -> float:
        """Calls a second that it allows in the long run."""
        return self.calls / self.seconds

    def counter(self, random: Random) -> Counter:
        """A counter without a phase."""
        return SlidingCounter(self)


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """`per_second` tokens, of which at most `burst` are kept; with a burst of 1, a least distance between two calls."""

    per_second: Steps
    burst: int = 1

    @property
    def seconds(self) -> float:
        """It has no window."""
        return 0.0

    @property
    def at_once(self) -> int:
        """A whole bucket."""
        return self.burst

    def rate(self, now: float) -> float:
        """Tokens a second."""
        return self.per_second.at(now)

    def counter(self, random: Random) -> Counter:
        """A full bucket."""
        return BucketCounter(self)


class FixedCounter:
    """Counts the calls since the last edge; the first edge comes after `phase` seconds."""

    __slots__ = ("_edge", "_limit", "_used")

    def __init__(self, limit: FixedWindow, phase: float) -> None:
        self._limit = limit
        self._edge = phase
        self._used = 0

    def room_at(self, now: float) -> float:
        """`now`, the next edge, or the time at which the limit changes."""
        if now >= self._edge:
            self._edge += self._limit.seconds * ((now - self._edge) // self._limit.seconds + 1)
            self._used = 0
        if self._used < self._limit.calls.at(now):
            return now
        return min(self._edge, self._limit.calls.changes_after(now))

    def take(self, now: float) -> None:
        """Count it in the window that `room_at` was asked about."""
        self._used += 1


class SlidingCounter:
    """Remembers when each call of the last window came."""

    __slots__ = ("_limit", "_times")

    def __init__(self, limit: SlidingWindow) -> None:
        self._limit = limit
        self._times: deque[float] = deque(maxlen=limit.calls)

    def room_at(self, now: float) -> float:
        """`now`, or when the oldest of the calls leaves the window."""
        if len(self._times) < self._limit.calls:
            return now
        return max(now, self._times[0] + self._limit.seconds)

    def take(self, now: float) -> None:
        """Remember it, in place of the oldest."""
        self._times.append(now)


class BucketCounter:
    """Full at first."""

    __slots__ = ("_limit", "_since", "_tokens")

    def __init__(self, limit: TokenBucket) -> None:
        self._limit = limit
        self._tokens = float(limit.burst)
        self._since = 0.0

    def room_at(self, now: float) -> float:
        """`now`, when there will be a whole token, or the time at which the rate changes."""
        rate = self._limit.per_second.at(now)
        self._tokens = min(self._limit.burst, self._tokens + (now - self._since) * rate)
        self._since = now
        if self._tokens >= 1.0 - ROUNDING:
            return now
        return min(now + (1.0 - self._tokens) / rate, self._limit.per_second.changes_after(now))

    def take(self, now: float) -> None:
        """Take a token; from an empty bucket too, where refused calls cost one."""
        self._tokens -= 1.0


class Others(Protocol):
    """Callers who share the gateway's limits, and never retry."""

    def rate(self, now: float) -> float:
        """How many calls a second they make on average."""
        ...

    def times(self, random: Random) -> Iterator[float]:
        """When their calls arrive, without end."""
        ...


@dataclass(frozen=True, slots=True)
class Poisson:
    """Calls that know nothing of each other."""

    per_second: Steps

    def rate(self, now: float) -> float:
        """Calls a second on average."""
        return self.per_second.at(now)

    def times(self, random: Random) -> Iterator[float]:
        """By thinning: as many as the highest rate gives, each kept with the probability that its time asks for."""
        most = self.per_second.most
        now = 0.0
        while True:
            now += random.expovariate(most)
            if random.random() * most < self.per_second.at(now):
                yield now


@dataclass(frozen=True, slots=True)
class Bursts:
    """`calls` at once, every `seconds`, the first after a random part of that."""

    calls: int
    seconds: float

    def rate(self, now: float) -> float:
        """Calls a second on average."""
        return self.calls / self.seconds

    def times(self, random: Random) -> Iterator[float]:
        """Bursts without end."""
        phase = random.random() * self.seconds
        for number in count():
            for _ in range(self.calls):
                yield phase + number * self.seconds
