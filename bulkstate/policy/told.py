"""What an answer's headers tell about a limit, already parsed; believed until a 429 contradicts it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

LONGEST_HOLD = 3600.0
"""Seconds for which a `Retry-After` is honoured. One that says more may be a slip: single probes find out."""


@dataclass(frozen=True, slots=True)
class Told:
    """`RateLimit`, `RateLimit-Policy` or `X-RateLimit-*`: of `limit` calls in `seconds`, `remaining` until a new window
    begins in `reset_after` seconds. None: not told.
    """

    limit: float | None = None
    seconds: float | None = None
    remaining: float | None = None
    reset_after: float | None = None

    @property
    def whole(self) -> bool:
        """It names a window that can be kept to."""
        return _positive(self.limit) and _positive(self.seconds)


def hold_for(retry_after: float | None, told: Told | None) -> float | None:
    """Seconds without a call after a 429 with these headers; None if they say nothing usable."""
    said = retry_after if retry_after is not None else told.reset_after if told is not None else None
    return said if said is not None and 0.0 < said <= LONGEST_HOLD else None


def _positive(value: float | None) -> bool:
    return value is not None and isfinite(value) and value > 0
