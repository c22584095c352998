"""The limits that a gateway may have, and who else uses them up: values that say which, counters that keep them.

A counter says when it has room, and is told what it let through. Times are seconds from the start of the job, rates
calls a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
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

    def counter(self, random: Random, begins: float = 0.0) -> Counter:
        """A counter at the job's beginning, when the gateway's clock shows `begins` (UNIX seconds); `random` decides
        what nobody was told, such as a phase."""
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

    def counter(self, random: Random, begins: float = 0.0) -> Counter:
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
    """At most `calls` between two edges that are `seconds` apart: what the vendor documents. With `on_the_clock` the
    edges are whole multiples of that on the gateway's clock. Others have `used` so much of the first one."""

    on_the_clock: bool = False
    used: float = 0.0

    def counter(self, random: Random, begins: float = 0.0) -> Counter:
        """A counter whose first edge may come at any time within the first window, unless a clock says when."""
        phase = random.random() * self.seconds
        return FixedCounter(self, self.seconds - begins % self.seconds if self.on_the_clock else phase)


@dataclass(frozen=True, slots=True)
class SlidingWindow(_Window):
    """At most `calls` in any `seconds`."""

    def counter(self, random: Random, begins: float = 0.0) -> Counter:
        """A counter without a phase."""
        return SlidingCounter(self)


@dataclass(frozen=True, slots=True)
class WeightedWindow(_Window):
    """What Cloudflare counts instead of a sliding window: the calls of the window before, as far as it still lies
    within the last `seconds`, and those of this one."""

    def counter(self, random: Random, begins: float = 0.0) -> Counter:
        """A counter whose windows begin at any time."""
        return WeightedCounter(self, random.random() * self.seconds)


@dataclass(frozen=True, slots=True)
class Nodes:
    """`nodes` machines behind a balancer that chooses one of them for each call at random, each with a `limit` of its
    own."""

    limit: FixedWindow
    nodes: int

    @property
    def seconds(self) -> float:
        """As long as each one's window."""
        return self.limit.seconds

    @property
    def per_second(self) -> Steps:
        """What all of them allow together."""
        return self.limit.per_second.times(self.nodes)

    def evenly(self, others: Steps) -> Limit:
        """As if they were one."""
        return self._as_one().evenly(others)

    def anywhere(self, others: Steps) -> Limit:
        """As if they were one."""
        return self._as_one().anywhere(others)

    def _as_one(self) -> FixedWindow:
        return FixedWindow(self.limit.calls.times(self.nodes), self.limit.seconds)

    def counter(self, random: Random, begins: float = 0.0) -> Counter:
        """One a node."""
        return NodeCounters([self.limit.counter(random, begins) for _ in range(self.nodes)], Random(random.random()))


class FixedCounter:
    """Counts the calls since the last edge; the first edge comes after `phase` seconds."""

    __slots__ = ("_calls", "_edge", "_seconds", "_used")

    def __init__(self, limit: FixedWindow, phase: float) -> None:
        self._calls = limit.calls
        self._seconds = limit.seconds
        self._edge = phase
        self._used = limit.used * limit.calls.at(0.0)

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


class WeightedCounter:
    """Counts the calls of the window that runs and of the one before."""

    __slots__ = ("_before", "_edge", "_limit", "_used")

    def __init__(self, limit: WeightedWindow, phase: float) -> None:
        self._limit = limit
        self._edge = phase
        self._used = self._before = 0

    def room_at(self, now: float) -> float:
        """`now`, when enough of the window before has slid out, or the next edge."""
        seconds, calls = self._limit.seconds, self._limit.calls.at(now)
        while now >= self._edge:
            self._edge += seconds
            self._before, self._used = self._used, 0
        room = calls - self._used
        if self._before * (self._edge - now) / seconds < room - ROUNDING:
            return now
        return self._edge - seconds * max(0.0, room) / self._before + ROUNDING if self._before else self._edge

    def take(self, now: float) -> None:
        """Count it in the window that `room_at` was asked about."""
        self._used += 1

    def tells(self, now: float) -> None:
        """Nothing: such a window has no end."""


class NodeCounters:
    """Which of them is asked is drawn for each call."""

    __slots__ = ("_chosen", "_nodes", "_random")

    def __init__(self, nodes: Sequence[Counter], random: Random) -> None:
        self._nodes = nodes
        self._random = random
        self._chosen = nodes[0]

    def room_at(self, now: float) -> float:
        """When the one that was drawn has room."""
        self._chosen = self._random.choice(self._nodes)
        return self._chosen.room_at(now)

    def take(self, now: float) -> None:
        """Count it where `room_at` was asked."""
        self._chosen.take(now)

    def tells(self, now: float) -> Told | None:
        """What that one says."""
        return self._chosen.tells(now)


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
