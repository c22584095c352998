"""What is remembered of calls that were answered, and what follows from it for the risks that may be taken."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Final

QUICKEST: Final = 1e-4
"""Seconds that a round trip takes at least: on some clocks it takes none."""


class Accepted:
    """When the calls of the last seconds started that were accepted: seconds before the latest but one, so that the
    first call through a door that was shut for long doesn't wipe out what was before it."""

    def __init__(self, seconds: float = 2.5) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque()
        self.first = inf

    def add(self, sent_at: float) -> None:
        """A call that started then was accepted."""
        times = self._times
        if times:
            horizon = times[-1] - self._seconds
            while times[0] < horizon:
                times.popleft()
        times.append(sent_at)
        if sent_at < self.first:
            self.first = sent_at

    def between(self, first: float, last: float) -> int:
        """How many started from `first` until before `last`."""
        return sum(first <= at < last for at in self._times)


class Tally:
    """How many calls were accepted when, in buckets of some seconds, so that a late insight can be counted again."""

    def __init__(self, bucket: float) -> None:
        self._bucket = bucket
        self._counts: deque[list[int]] = deque()

    def add(self, sent_at: float) -> None:
        """A call that started then was accepted."""
        index = int(sent_at // self._bucket)
        counts = self._counts
        if counts and counts[-1][0] >= index:
            counts[-1][1] += 1
        else:
            counts.append([index, 1])

    def since(self, first: float) -> int:
        """How many started from `first` on, to the bucket."""
        low = first / self._bucket - 0.5
        return sum(count for index, count in self._counts if low <= index)

    def forget(self, before: float) -> None:
        """Nobody will ask about calls before."""
        while self._counts and (self._counts[0][0] + 1) * self._bucket < before:
            self._counts.popleft()


class RoundTrip:
    """How long an accepted call takes, s, and by how much two of them differ when the gateway isn't busy."""

    def __init__(self) -> None:
        self.seconds = 0.1
        self.jitter = 0.02
        self._seen = False

    def add(self, seconds: float) -> None:
        """An accepted call took so long. The jitter is four mean deviations: about the widest difference."""
        seconds = max(seconds, QUICKEST)
        if not self._seen:
            self.seconds, self._seen = seconds, True
            return
        late = seconds - self.seconds
        self.seconds += 0.05 * late
        self.jitter += 0.05 * (4.0 * abs(late) - self.jitter)


@dataclass(slots=True)
class Budget:
    """What the whole job may have refused, and what is left of it."""

    share: float = 0.0041
    calls: int = 0
    refused: int = 0
    remaining: int | None = None

    @property
    def rate(self) -> float:
        """The share of the coming calls that may be refused."""
        if self.remaining is None:
            return 0.75 * self.share
        left = self.share * (self.calls + self.remaining) - self.refused
        return min(max(left / max(self.remaining, 1), 0.2 * self.share), 1.5 * self.share)

    def moved(self) -> None:
        """A limit that has moved is worth a closer watch."""
        self.share = min(self.share + 0.0015, 0.009)

    @property
    def at_risk(self) -> float:
        """Calls that may be under way when a limit is run into blindly: a window of a minute or more that runs out
        refuses all of them. More would be found out sooner of a gateway without a limit, and cost others their share.
        """
        whole = self.calls + self.remaining if self.remaining is not None else 10_000
        return max(5.0, 0.001 * whole - 3.0)
