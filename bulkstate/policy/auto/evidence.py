"""What is remembered of calls that were answered, and what follows from it for the risks that may be taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Final

UNHEARD: Final = 0.25
"""Seconds after which a refusal is thought to come back at the latest, before there was one."""

SURELY: Final = 4.0
AT_LEAST: Final = 0.1
"""So many times what it takes on the average, and so many seconds more: then it would have come back."""

QUICKEST: Final = 1e-4
"""Seconds that a round trip takes at least: on some clocks it takes none."""


class Passed:
    """When the calls of the last seconds started that weren't refused, by `sent_at`: seconds before the latest but one,
    so that the first call through a door that was shut for long doesn't wipe out what was before it.

    A call counts from its start on, since it may take long, while a refusal comes back soon.
    """

    def __init__(self, seconds: float = 2.5) -> None:
        self._seconds = seconds
        self._sent: deque[float] = deque()
        self._refused: deque[float] = deque()
        self.first = inf

    def sent(self, now: float) -> None:
        """A call starts."""
        sent = self._sent
        if sent:
            horizon = sent[-1] - self._seconds
            while sent[0] < horizon:
                sent.popleft()
        else:
            self.first = now
        sent.append(now)

    def refused(self, sent_at: float) -> None:
        """The call that started then was refused."""
        self._refused.append(sent_at)
        while self._refused[0] < sent_at - 2 * self._seconds:
            self._refused.popleft()

    def between(self, first: float, last: float) -> int:
        """How many started from `first` until before `last`."""
        return _within(self._sent, first, last) - _within(self._refused, first, last)


def _within(times: Iterable[float], first: float, last: float) -> int:
    return sum(first <= at < last for at in times)


class Tally:
    """How many calls passed when, in buckets of some seconds, so that a late insight can be counted again."""

    def __init__(self, bucket: float) -> None:
        self._bucket = bucket
        self._counts: deque[list[int]] = deque()

    def add(self, sent_at: float) -> None:
        """A call starts then."""
        index = int(sent_at // self._bucket)
        counts = self._counts
        if counts and counts[-1][0] >= index:
            counts[-1][1] += 1
        else:
            counts.append([index, 1])

    def remove(self, sent_at: float) -> None:
        """One that started then was refused."""
        index = int(sent_at // self._bucket)
        found = next((each for each in reversed(self._counts) if each[0] <= index and each[1]), None)
        if found is not None:
            found[1] -= 1

    def since(self, first: float) -> int:
        """How many started from `first` on, to the bucket."""
        low = first / self._bucket - 0.5
        return sum(count for index, count in self._counts if low <= index)

    def forget(self, before: float) -> None:
        """Nobody will ask about calls before."""
        while self._counts and (self._counts[0][0] + 1) * self._bucket < before:
            self._counts.popleft()


class News:
    """How long it takes until a refusal is heard of, s, and by how much two of them differ when the gateway isn't busy.

    What passes may take far longer. Until the first refusal nobody knows more than that it takes no longer than that.
    """

    def __init__(self) -> None:
        self.seconds = 0.1
        self.jitter = 0.02
        self._passed = self._refused = False

    @property
    def surely(self) -> float:
        """Seconds after which a call that wasn't refused has passed."""
        return SURELY * self.seconds + self.jitter + AT_LEAST

    def passed(self, seconds: float) -> None:
        """A call took so long that passed."""
        usual = self.seconds
        if self._refused:
            if seconds > 2.0 * usual:
                return
        elif seconds > UNHEARD:
            seconds = UNHEARD
        if not self._passed:
            self._passed = True
            self._add(seconds, True)
            return
        late = seconds - usual  # as in `_add`, which a call can't afford
        self.seconds = usual + 0.05 * late if seconds > QUICKEST else QUICKEST
        self.jitter += 0.05 * (4.0 * abs(late) - self.jitter)

    def refused(self, seconds: float) -> None:
        """A call took so long that was refused."""
        self._add(seconds, not self._refused and not self.seconds / 2 < seconds < 2 * self.seconds)
        self._refused = True

    def _add(self, seconds: float, afresh: bool) -> None:
        """The jitter is four mean deviations: about the widest difference."""
        seconds = max(seconds, QUICKEST)
        if afresh:
            self.seconds = seconds
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
        return max(4.5, 0.001 * whole - 3.0)
