"""Flow control in front of the emulator: windows that all callers share.

The vendor documents fixed windows, in which 429 is answered for the rest of the window. Sliding ones are for tests that
want to see every call over a limit. Pure: `now` is an argument, in UNIX seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from bulkstate.rates import Rate


class WindowKind(StrEnum):
    """Where a window begins: at whole multiples of its length, or at every moment."""

    FIXED = "fixed"
    SLIDING = "sliding"


class _Meter(Protocol):
    def wait(self, now: float) -> float:
        """Seconds until one more call fits, 0 if it does now."""
        ...

    def count(self, now: float) -> None:
        """One more call was admitted."""
        ...


class FixedMeter:
    """Counts calls in windows that begin at whole multiples of their length."""

    def __init__(self, window: Rate) -> None:
        self._window = window
        self._number = -1
        self._calls = 0

    def wait(self, now: float) -> float:
        """Seconds until one more call fits, 0 if it does now."""
        number = int(now // self._window.seconds)
        if number != self._number:
            self._number, self._calls = number, 0
        return 0.0 if self._calls < self._window.calls else (number + 1) * self._window.seconds - now

    def count(self, now: float) -> None:
        """One more call was admitted."""
        self._calls += 1


class SlidingMeter:
    """Remembers when each call of the last window was admitted."""

    def __init__(self, window: Rate) -> None:
        self._window = window
        self._admitted: deque[float] = deque(maxlen=window.calls)

    def wait(self, now: float) -> float:
        """Seconds until one more call fits, 0 if it does now."""
        if len(self._admitted) < self._window.calls:
            return 0.0
        return max(0.0, self._admitted[0] + self._window.seconds - now)

    def count(self, now: float) -> None:
        """One more call was admitted."""
        self._admitted.append(now)


class FlowControl:
    """All windows at once. A refused call is counted in none of them."""

    def __init__(self, windows: Iterable[Rate], kind: WindowKind = WindowKind.FIXED) -> None:
        meter = FixedMeter if kind is WindowKind.FIXED else SlidingMeter
        self._meters: list[_Meter] = [meter(window) for window in windows]

    def admit(self, now: float) -> float:
        """0 if the call is admitted, and counted; else the seconds until every window would admit it."""
        wait = max((meter.wait(now) for meter in self._meters), default=0.0)
        if wait == 0.0:
            for meter in self._meters:
                meter.count(now)
        return wait
