"""A run's course in points that never become too many: how far they are apart, and latencies without keeping each."""

from __future__ import annotations

from collections import Counter
from math import ceil, exp, log
from typing import Final

SHORTEST_SPACING: Final = 1.0
SHARE: Final = 1 / 600
"""Two points are a second apart, and later this share of the run's age: 600 in ten minutes, under 5,000 in a week."""

_STEP: Final = log(1.05)
_LEAST: Final = 1e-4


def spacing(age: float) -> float:
    """Seconds between two points of a session that began `age` seconds ago."""
    return max(SHORTEST_SPACING, age * SHARE)


class Latencies:
    """How long calls took, in seconds, to within five percent, whatever their number."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._calls = 0

    def add(self, seconds: float) -> None:
        """A call took so long."""
        self._counts[ceil(log(max(seconds, _LEAST)) / _STEP)] += 1
        self._calls += 1

    def percentile(self, share: float) -> float:
        """So many of the calls, as a share of 1, took at most so long; 0 if there were none."""
        left = share * self._calls
        for step in sorted(self._counts):
            left -= self._counts[step]
            if left <= 0:
                return exp(step * _STEP) if self._calls else 0.0
        return 0.0
