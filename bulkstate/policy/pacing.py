"""When the next call may start: several sliding windows at once, without a clock and without sleeping.

The shortest window is paced evenly (GCRA, ITU-T I.371); every window is counted. Gateways count in fixed windows of
their own and see calls a few milliseconds early or late, so each window is taken a little longer than it was told: by
its guard. Times are seconds of one steady clock, whichever the caller uses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bulkstate.rates import Rate

EVEN_WITHIN: Final = 60.0
"""Seconds of the longest window that is paced evenly in any case. What fits into a longer one goes at once: nobody is
served by 200 calls of 1,000 an hour in twelve minutes."""

CATCH_UP: Final = 0.02
"""Seconds that even pacing may make up for: a busy loop, a grant on its way to disk. No window overflows by it, since
every window is counted as well."""

MANY: Final = 1 << 62
"""Calls that nobody has counted."""

FORGIVEN: Final = 0.004
"""Seconds by which a window is counted shorter than it is paced: else a call that a timer made late would make late the
one a window after it, and so on for ever. Less than any guard, so no window overflows by it."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds from the first call to the last, and the window that makes them so many."""

    seconds: float
    binding: Rate


def forecast(windows: Sequence[Rate], calls: int) -> Forecast:
    """How long so many calls take if nothing but the windows holds them back."""
    shortest = min(windows, key=lambda window: (window.seconds, window.per_second))
    if shortest.seconds > EVEN_WITHIN and all(calls <= window.calls for window in windows):
        return Forecast(0.0, shortest)
    later = max(0, calls - 1)
    full = (window for window in windows if later >= window.calls)
    return max((_taken(later, window, shortest) for window in (shortest, *full)), key=lambda each: each.seconds)


def _taken(later: int, window: Rate, shortest: Rate) -> Forecast:
    """What a window comes to if, within it, the shortest one paces."""
    windows, rest = divmod(later, window.calls)
    return Forecast(windows * window.guarded + rest / shortest.per_second, window)


class _Count:
    """The last `calls` starts of one window: the first of them must have left the window before the next call."""

    __slots__ = ("_calls", "_length", "_starts")

    def __init__(self, window: Rate) -> None:
        self._calls = window.calls
        self._length = window.guarded - FORGIVEN
        self._starts: deque[float] = deque(maxlen=window.calls)

    def ready_at(self) -> float:
        starts = self._starts
        return starts[0] + self._length if len(starts) == self._calls else float("-inf")

    def has_room(self, calls: int, now: float) -> bool:
        """So many calls may go now."""
        starts = self._starts
        while starts and starts[0] + self._length <= now:
            starts.popleft()
        return len(starts) + calls <= self._calls

    def sent(self, at: float) -> None:
        self._starts.append(at)


class Metronome:
    """One call an interval, evenly; a late call may be made up for by `catch_up` seconds. No interval: no pace."""

    __slots__ = ("_beat", "_catch_up", "interval")

    def __init__(self, interval: float = 0.0, catch_up: float = CATCH_UP) -> None:
        self.interval = interval
        self._catch_up = catch_up
        self._beat = float("-inf")

    def ready_at(self) -> float:
        """When the next call may start."""
        return self._beat + self.interval

    def sent(self, at: float) -> None:
        """A call starts; it counts as sent on the beat if it is hardly late."""
        self._beat = max(self._beat + self.interval, at - self._catch_up)

    def restart(self, now: float) -> None:
        """After a pause: the next call may start now, and nothing is made up for."""
        self._beat = now - self.interval


class Pacer:
    """The arithmetic of pacing. Whoever is first in line asks `ready_at`, waits till then, asks again, and says `sent`.

    Without windows nothing holds a call back but a rate that is set by hand. `history` are the calls of earlier
    sessions, as (time, how many), in order: they count like any others.
    """

    def __init__(self, windows: Sequence[Rate] = (), history: Iterable[tuple[float, int]] = ()) -> None:
        shortest = min((window.seconds for window in windows), default=0.0)
        self.windows: Final = tuple(windows)
        intervals = (window.guarded / window.calls for window in windows if window.seconds == shortest)
        self._even = Metronome(max(intervals, default=0.0))
        self._by_hand: Rate | None = None
        self._own = Metronome()
        self._counts = [_Count(window) for window in windows]
        self._may_hurry = shortest > EVEN_WITHIN
        self._expected = MANY
        for at, calls in history:
            self._remember(at, calls)

    def _remember(self, at: float, calls: int) -> None:
        for window, count in zip(self.windows, self._counts, strict=True):
            for _ in range(min(calls, window.calls)):
                count.sent(at)

    @property
    def rate(self) -> float:
        """Calls a second at the most, over the shortest window, or by hand; infinite if there is neither."""
        interval = max(self._even.interval, self._own.interval)
        return 1.0 / interval if interval else float("inf")

    def ready_at(self, now: float) -> float:
        """When the next call may start: `now` or earlier means at once."""
        ready = max(self._even_ready_at(now), self._own.ready_at())
        for count in self._counts:
            ready = max(ready, count.ready_at())
        return ready

    def _even_ready_at(self, now: float) -> float:
        if self._may_hurry and all(count.has_room(self._expected, now) for count in self._counts):
            return float("-inf")
        return self._even.ready_at()

    def expect(self, calls: int) -> None:
        """So many calls are left to be made: where all fit into long windows, they may go at once."""
        self._expected = calls

    def sent(self, now: float) -> None:
        """Count a call that starts now."""
        self._expected -= 1
        self._even.sent(now)
        self._own.sent(now)
        for count in self._counts:
            count.sent(now)

    def set_rate(self, window: Rate | None) -> None:
        """Pace no faster than this as well, from the next call on: evenly, without counting. The windows stay. None: no
        slower than they ask for."""
        self._by_hand = window
        self._own.interval = 0.0 if window is None else window.guarded / window.calls

    def binds(self, now: float) -> Rate | None:
        """The window that the next call waits for, if it waits for one; of windows that agree, the shortest."""
        ready = self.ready_at(now)
        if ready <= now:
            return None
        if self._by_hand is not None and ready == self._own.ready_at():
            return self._by_hand
        waiting = [w for w, count in zip(self.windows, self._counts, strict=True) if count.ready_at() == ready]
        return min(waiting or self.windows, key=lambda window: (window.seconds, window.per_second))
