"""Refusals that slowing down doesn't end: shed load, counters in many places, a firewall's guess.

A limit refuses less the slower one calls. Where single calls are refused far below a rate that was accepted before,
the rate isn't the cause, and to cut it for each of them would bring a run to a standstill. So their share is measured
there, and as many are excused from then on.
"""

from __future__ import annotations

from math import inf
from typing import Final

from bulkstate.policy.auto.loss import Loss

BELOW: Final = 0.85
"""The share of a rate that was accepted, below which no limit refuses a call."""

ENOUGH: Final = 5
LEAST: Final = 0.008
"""So many of them there, each of which counts the more the further below it was, and so large a share of the calls, are
no chance, and no cost of looking for a limit."""

HELD: Final = 0.9
DISTRUST: Final = 4.0
"""A rate that was said to be there has to hold by so much of it; if it doesn't, it takes so many times the evidence."""

STRETCH: Final = 4.0
"""Seconds for which a rate must have been accepted to count."""

EXCUSED: Final = 2.5
MOST: Final = 6.0
"""So many times their share may be refused, and so many at once, until that is a limit after all."""

RECOUNT: Final = 400
"""Calls after which it is seen whether they are still so many."""


class RandomRefusals:
    """Measures them, and excuses them. `share` is the part of all calls that they are, as far as that is known."""

    def __init__(self) -> None:
        self.share = 0.0
        self.peak = 0.0
        self._credit = 0.0
        self._calls = self._refused = 0
        self._calls_below = self._losses_below = 0
        self._evidence = 0.0
        self._since = -inf
        self._accepted = 0
        self._claimed = 0.0
        self._enough = float(ENOUGH)

    def accepted(self, sent_at: float) -> None:
        """A call that started then was accepted."""
        if sent_at < self._since + STRETCH:
            self._accepted += 1
            return
        if sent_at < self._since + 2 * STRETCH:
            self.peak = max(self.peak, self._accepted / STRETCH)
        self._since, self._accepted = sent_at, 1

    def sent(self, rate: float) -> None:
        """A call starts, at so many a second."""
        if rate < BELOW * self.peak:
            self._calls_below += 1
        if self.share:
            self._credit = min(self._credit + EXCUSED * self.share, MOST)
            self._calls += 1
            if self._calls >= RECOUNT:
                self._recount()

    def excuses(self) -> bool:
        """A call was refused, while none was before: whether that is nothing new."""
        self._refused += 1
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True

    def learns(self, loss: Loss, rate: float) -> float | None:
        """A loss is over that began at `rate`, calls a second. If it shows that this isn't the cause: the rate to go on
        with."""
        if loss.run:
            self._forget()
            return None
        if rate >= BELOW * self.peak:
            return None
        self._losses_below += 1
        self._evidence += min(self.peak / rate, ENOUGH)
        if self._evidence < self._enough or self._losses_below < LEAST * self._calls_below:
            return None
        self.share = max(self.share, self._losses_below / max(self._calls_below, self._losses_below))
        self._credit, self._claimed, peak = MOST, self.peak, self.peak
        self._calls = self._refused = 0
        self._forget()
        return peak

    def found(self, rate: float) -> None:
        """The search that began with what was said last has found this limit. If it is lower: that was a limit all the
        while, one that others have a part of, and the next time it takes far more to be believed."""
        if rate < HELD * self._claimed:
            self.share = self._credit = 0.0
            self._enough *= DISTRUST
        self._claimed = 0.0

    def _forget(self) -> None:
        self.peak, self._since = 0.0, -inf
        self._calls_below = self._losses_below = 0
        self._evidence = 0.0

    def _recount(self) -> None:
        self.share = min(self.share, 1.5 * (self._refused + 1) / self._calls) if self._refused else 0.0
        self._calls = self._refused = 0
