"""How long a look at the pipelines is good for: how often they are looked at, and what that may cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bulkstate.rates import Rate

USUAL: Final = 30.0
SLOWEST: Final = 300.0
"""Seconds between two looks."""

SHARE: Final = 0.02
"""What looks may take of a known quota, unless they would be further apart than the slowest."""


def look_every(limits: Iterable[Rate], calls: int) -> float:
    """Seconds from one look, which takes so many calls, to the next, where these are the limits that are known."""
    slowest = min((limit.calls / limit.seconds for limit in limits), default=float("inf"))
    return min(SLOWEST, max(USUAL, calls / (SHARE * slowest)))
