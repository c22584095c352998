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

from bulkstate.model import Told

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

    def times(self, factor: float) -> Steps:
        """So many times the number."""
        return Steps(tuple((begins, factor * value) for begins, value in self.table))

    def plus(self, other: Steps) -> Steps:
        """The sum of two numbers; it changes when either does."""
        times = sorted({begins for begins, _ in self.table + other.table})
        return Steps(tuple((begins, self.at(begins) + other.at(begins)) for begins in times))

    def less(self, other: Steps) -> Steps:
        """The number without another."""
        return self.plus(other.times(-1.0))


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

    def tells(self, now: float) -> Told | None:
        """What an honest gateway's headers say of it; None where there is no window to name."""
        ...


class Limit(Protocol):
    """One limit, as a value. Where others are to be spared, `others` are the calls a second that they make."""

    @property
    def seconds(self) -> float:
        """How long its window is; 0 if it has none."""
        ...

    @property
    def per_second(self) -> Steps:
        """Calls a second that it allows in the long run."""
        ...

    def evenly(self, others: Steps) -> Limit:
        """What is kept by who spends it evenly."""
        ...

    def anywhere(self, others: Steps) -> Limit:
        """What is kept by who doesn't know when it began to count."""
        ...

    def counter(self, random: Random) -> Counter:
        """A counter that starts with nothing used; `random` decides what nobody was told, such as a phase."""
        ...


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """`per_second` tokens, of which at most `burst` are kept; with a burst of 1, a least distance between two calls."""

    per_second: Steps
    burst: int = 1

    @property
    def seconds(self) -> float:
        """It has no window."""
        return 0.0

    def evenly(self, others: Steps) -> Limit:
        """What others leave, after a whole bucket."""
        return TokenBucket(self.per_second.less(others), self.burst)

    def anywhere(self, others: Steps) -> Limit:
        """The same: it has no beginning."""
        return self.evenly(others)

    def counter(self, random: Random) -> Counter:
        """A full bucket."""
        return BucketCounter(self)


@dataclass(frozen=True, slots=True)
class _Window:
    calls: Steps
    seconds: float

    @property
    def per_second(self) -> Steps:
        """Calls a second that it allows in the long run."""
        return self.calls.times(1.0 / self.seconds)

    def evenly(self, others: Steps) -> Limit:
        """What others leave, one by one."""
        return TokenBucket(self.per_second.less(others))

    def anywhere(self, others: Steps) -> Limit:
        """What others leave, in a window that slides."""
        return SlidingWindow(self.calls.less(others.times(self.seconds)), self.seconds)


@dataclass(frozen=True, slots=True)
class FixedWindow(_Window):
    """At most `calls` between two edges that are `seconds` apart: what the vendor documents."""

    def counter(self, random: Random) -> Counter:
        """A counter whose first edge may come at any time within the first window."""
        return FixedCounter(self, random.random() * self.seconds)


@dataclass(frozen=True, slots=True)
class SlidingWindow(_Window):
    """At most `calls` in any `seconds`."""

    def counter(self, random: Random) -> Counter:
        """A counter without a phase."""
        return SlidingCounter(self)


class FixedCounter:
    """Counts the calls since the last edge; the first edge comes after `phase` seconds."""

    __slots__ = ("_calls", "_edge", "_seconds", "_used")

    def __init__(self, limit: FixedWindow, phase: float) -> None:
        self._calls = limit.calls
        self._seconds = limit.seconds
        self._edge = phase
        self._used = 0

    def room_at(self, now: float) -> float:
        """`now`, the next edge, or the time at which the limit changes."""
        if now >= self._edge:
            self._edge += self._seconds * ((now - self._edge) // self._seconds + 1)
            self._used = 0
        if self._used < self._calls.at(now):
            return now
        return min(self._edge, self._calls.changes_after(now))

    def take(self, now: float) -> None:
        """Count it in the window that `room_at` was asked about."""
        self._used += 1

    def tells(self, now: float) -> Told:
        """The window that `room_at` was asked about."""
        calls = self._calls.at(now)
        return Told(calls, self._seconds, max(0.0, calls - self._used), self._edge - now)


class SlidingCounter:
    """Remembers when each call of the last window came."""

    __slots__ = ("_limit", "_times")

    def __init__(self, limit: SlidingWindow) -> None:
        self._limit = limit
        self._times: deque[float] = deque()

    def room_at(self, now: float) -> float:
        """`now`, when enough of the calls leave the window, or the time at which the limit changes."""
        times, seconds, calls = self._times, self._limit.seconds, int(self._limit.calls.at(now) + ROUNDING)
        while times and times[0] + seconds <= now:
            times.popleft()
        if len(times) < calls:
            return now
        changes = self._limit.calls.changes_after(now)
        return min(changes, times[len(times) - calls] + seconds) if calls else changes

    def take(self, now: float) -> None:
        """Remember it."""
        self._times.append(now)

    def tells(self, now: float) -> None:
        """Nothing: such a window has no end."""


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

    def tells(self, now: float) -> None:
        """Nothing: it has no window."""


class Others(Protocol):
    """Callers who share the gateway's limits, and never retry."""

    @property
    def per_second(self) -> Steps:
        """How many calls they make on average."""
        ...

    def times(self, random: Random) -> Iterator[float]:
        """When their calls arrive, without end."""
        ...


@dataclass(frozen=True, slots=True)
class Poisson:
    """Calls that know nothing of each other."""

    per_second: Steps

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

    @property
    def per_second(self) -> Steps:
        """How many calls they make on average."""
        return steady(self.calls / self.seconds)

    def times(self, random: Random) -> Iterator[float]:
        """Bursts without end."""
        phase = random.random() * self.seconds
        for number in count():
            for _ in range(self.calls):
                yield phase + number * self.seconds
