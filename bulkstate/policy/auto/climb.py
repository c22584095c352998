"""How fast to call a gateway whose limit isn't known: search for it once, then cruise just below it.

Both tell a rate in calls a second and grow with a clock of their own, which runs only while this rate is what holds the
run back: a caller who is busy elsewhere learns nothing about the gateway.
"""

from __future__ import annotations

from math import exp
from typing import Final

START: Final = 40.0
"""Calls a second that a search starts with."""

DOUBLING: Final = 0.25
"""Seconds in which a search doubles the rate, as long as few calls are under way."""

SLOWEST_DOUBLING: Final = 20.0
"""The same at the most: a gateway without a limit, or far away, is found out as well."""

OVERSHOOT: Final = 0.015
"""How far above its floor a cruise goes in one period, beside one call, to see whether the limit is still there."""

PATIENCE: Final = 1.0
"""Seconds above the limit that was, before it counts as gone: a window of a second must have had time to run out."""

SURE: Final = 2.0
"""What was sent so many seconds before a refusal was in a window of one that held all of its calls."""

SLOPE: Final = 0.3
"""How fast the rate goes on growing meanwhile: this share of the overshoot in a period."""

LOOK: Final = 0.15
"""The part of a period, at its end, in which the rate nears and passes what was the limit."""

TAKE_OFF: Final = 3.0
"""Seconds in which the rate grows e-fold once the limit turned out to be gone."""

LONGEST_FLIGHT: Final = 10.0
"""Seconds after which the rate no longer grows ever faster."""


class Climb:
    """Doubles the rate until the first refusal; ever slower with more than `at_risk` calls under way."""

    blind = True

    def __init__(self, rate: float = START) -> None:
        self.rate = rate

    def advance(self, seconds: float, round_trip: float, at_risk: float) -> None:
        """The rate bound for so long."""
        daring = max(1.0, self.rate * round_trip / at_risk)
        self.rate *= 2.0 ** (seconds / min(DOUBLING * daring**6, SLOWEST_DOUBLING))


class Cruise:
    """Holds at a floor, looks over the limit once a period, and takes off when nothing refuses it there.

    Within the period the rate is floor + reach * (t / period)^3, as CUBIC probes for room in a network: long just below
    the limit, shortly above it. The reach is a part of the floor and `extra` calls a second.
    """

    def __init__(self, floor: float, period: float, extra: float = 1.0, patience: float = PATIENCE) -> None:
        self.floor = floor
        self.period = period
        self.clock = 0.0
        self.rate = floor
        self._reach = OVERSHOOT * floor + extra
        self._patience = patience

    @property
    def blind(self) -> bool:
        """The limit isn't where it was: nobody knows how far above the new one this is."""
        return self.clock > self.period + self._patience + 0.3

    @property
    def looking(self) -> bool:
        """About to look over the limit, or beyond."""
        return self.clock > (1.0 - LOOK) * self.period

    def proven(self, round_trip: float) -> float:
        """Whole calls that a second held for certain, wherever its edges were: as many as fit in at that even pace."""
        part = (self.clock - round_trip - SURE) / self.period
        return float(int(self.floor + self._reach * min(part, 1.0) ** 3)) if part > 0.0 else 0.0

    def advance(self, seconds: float, round_trip: float, at_risk: float) -> None:
        """The rate bound for so long."""
        self.clock += seconds
        part = self.clock / self.period
        beyond = self.clock - self.period - self._patience - round_trip
        if part <= 1.0:
            self.rate = self.floor + self._reach * part * part * part
        elif beyond <= 0.0:
            self.rate = self.floor + self._reach * (1.0 - SLOPE + SLOPE * part)
        else:
            daring = max(1.0, self.rate * round_trip / at_risk)
            steep = TAKE_OFF * min(daring, 2.0)
            self.rate *= exp(2.0 * min(beyond, LONGEST_FLIGHT) * seconds / (steep * steep))
