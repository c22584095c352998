"""What the gateway's clock shows, and when its windows may end: most of them do at whole minutes, hours or days (UTC).

Answers say in their `Date` header at which second they were made. Pure: times are seconds of the caller's own clock,
which may show anything else, and may be set while a run goes on.
"""

from __future__ import annotations

from math import ceil, inf
from typing import Final

MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0

UNITS: Final = (MINUTE, 300.0, 600.0, 900.0, 1800.0, HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY)
"""Windows end at the next whole one of these, s,"""

HOURS: Final = 48
DAYS: Final = 32
"""or, as days begin elsewhere at other hours and weeks and months with days, at one of so many next ones."""

AFTER: Final = 0.05
"""Seconds after which a window that ends then has ended."""

OTHERS_CLOCK: Final = 2.0
"""What counts may have a clock that is so many seconds late: an hour's end is worth a second look."""

APART: Final = 0.5
"""Answers whose times contradict each other by more seconds come from a clock that was set."""


class GatewayClock:
    """How far it is ahead of the caller's: between two bounds, which answers narrow down."""

    def __init__(self) -> None:
        self._least = -inf
        self._most = inf

    def heard(self, date: float, sent_at: float, now: float) -> None:
        """It showed the whole second `date` some time between `sent_at` and `now`."""
        least, most = date - now, date + 1.0 - sent_at
        if least > self._most + APART or most < self._least - APART:
            self._least, self._most = least, most
            return
        if least > self._least:
            self._least = least
        if most < self._most:
            self._most = most

    @property
    def known(self) -> bool:
        """It was ever heard."""
        return self._most < inf

    def ends(self, now: float) -> tuple[float, ...]:
        """When, after `now`, a window may have ended that ends at a whole unit, as soon as that is certain."""
        if not self.known:
            return ()
        shown = now + self._most
        hour, day = ceil(shown / HOUR) * HOUR, ceil(shown / DAY) * DAY
        whole = {ceil(shown / unit) * unit for unit in UNITS}
        whole |= {hour + more * HOUR for more in range(HOURS)} | {day + more * DAY for more in range(DAYS)}
        late = {hour + OTHERS_CLOCK, day + OTHERS_CLOCK}
        return tuple(sorted(at - self._least + AFTER for at in whole | late))
