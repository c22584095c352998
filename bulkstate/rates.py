"""How many calls in how long: the one noun for `20/s`, and the one grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

SECONDS_OF_RATE: Final = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
RATE_PATTERN: Final = rf"([0-9][0-9_]{{0,11}})/([0-9]{{0,9}})({'|'.join(SECONDS_OF_RATE)})"

GUARD_SHARE: Final = 0.016
LONGEST_GUARD: Final = 0.25
"""The guard is 1.6 % of a window, at most a quarter of a second: what a network may shift two calls by."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `calls` calls in any window of `seconds` seconds, wherever the window starts."""

    calls: int
    seconds: float

    @property
    def guarded(self) -> float:
        """The window's length with the guard, in seconds."""
        return self.seconds + min(self.seconds * GUARD_SHARE, LONGEST_GUARD)

    @property
    def per_second(self) -> float:
        """Calls a second that it allows in the long run."""
        return self.calls / self.guarded

    def __str__(self) -> str:
        for unit, seconds in reversed(SECONDS_OF_RATE.items()):
            many, rest = divmod(self.seconds, seconds)
            if many and not rest:
                return f"{self.calls}/{unit}" if many == 1 else f"{self.calls}/{many:.0f}{unit}"
        return f"{self.calls}/{self.seconds:g}s"


def parse_rate(text: str) -> Rate:
    """`20/s`, `1000/min`, `600/30s`. ValueError, with what was expected, for anything else."""
    found = re.fullmatch(RATE_PATTERN, text)
    if found is None:
        raise ValueError("a rate such as 20/s, 1000/min or 600/30s, with the units s, min, h or d")
    calls, many, unit = int(found[1].replace("_", "")), int(found[2] or 1), found[3]
    if not calls or not many:
        raise ValueError("a rate of at least one call in a window longer than nothing")
    return Rate(calls, float(many * SECONDS_OF_RATE[unit]))
