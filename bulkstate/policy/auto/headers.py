"""What a gateway's headers say of its limits, and whether it is still listened to."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from bulkstate.model import Told
from bulkstate.policy.auto.learnt import LONGEST
from bulkstate.policy.auto.loss import BOLDER, COARSE, RAREST_TRY

LIES: Final = 2
"""Headers that the gateway's own answers contradicted so often are no longer listened to."""

MOST_NEWS: Final = 20
"""Nor are headers that have said something else about the limits so often: learning never ends with them."""

SHORT: Final = 1.5
"""A window of no more seconds is felt within a second."""

SHORTEST: Final = 0.1
MOST: Final = 1e9
"""What is said of a shorter window, or of more calls in one, can't be meant."""

FIRST_DOUBT: Final = 60.0
"""Where only headers say that nothing is left, a call tries it after so many seconds, and then ever more rarely, like a
door whose wish is in doubt: without a call nobody would ever find out."""


class Headers:
    """Headers lie where all limits have calls left while a 429 comes, and where calls pass though none is left."""

    def __init__(self) -> None:
        self._lies = self._news = 0
        self._said: frozenset[tuple[float | None, float | None]] = frozenset()
        self._empty_until = -inf
        self.patience = FIRST_DOUBT

    @property
    def believed(self) -> bool:
        """They are listened to."""
        return self._lies < LIES

    def refuted(self) -> None:
        """What they said is wrong."""
        self._lies = LIES

    def tried(self) -> None:
        """A call tries what only they say."""
        self.patience = min(BOLDER * self.patience, RAREST_TRY)

    def heard(self, now: float, throttled: bool, told: Sequence[Told]) -> None:
        """They came with an answer, a 429 or another."""
        said = frozenset((each.limit, each.seconds) for each in told)
        self._news += said != self._said
        self._said = said
        if self._news > MOST_NEWS or (not throttled and self._passed_an_empty_one(now, told)):
            self.refuted()
        left = [each.remaining for each in told if each.remaining is not None]
        self._lies += throttled and bool(left) and min(left) > 0

    def _passed_an_empty_one(self, now: float, told: Sequence[Told]) -> bool:
        empty_for = _empty_for(told)
        if empty_for is None:
            return False
        if now < self._empty_until:
            return True
        self._empty_until = now + empty_for - COARSE
        return False


def windows(told: Sequence[Told]) -> list[Told]:
    """What can be meant of what was said, and is felt later than within a second."""
    return [each for each in told if _meant(each) and (each.seconds or 0.0) > SHORT]


def rate(told: Sequence[Told]) -> float | None:
    """The least of the limits that are felt within a second, calls a second; None if there is none."""
    meant = (each for each in told if _meant(each))
    short = ((each.limit or 0.0) / each.seconds for each in meant if each.seconds is not None and each.seconds <= SHORT)
    return min(short, default=None)


def _meant(told: Told) -> bool:
    if told.limit is None or told.seconds is None:
        return False
    return 1 <= told.limit <= MOST and SHORTEST <= told.seconds <= LONGEST


def _empty_for(told: Sequence[Told]) -> float | None:
    """Seconds for which a window has no call left, the longest if there are several; None if there is no such one. A
    window that is said to last beyond its own length says nothing."""
    resets = (each.reset_after for each in told if each.remaining == 0 and each.reset_after is not None)
    longest = max((each.seconds or 0.0 for each in told), default=0.0)
    return max((reset for reset in resets if reset <= longest + 1.0), default=None)
