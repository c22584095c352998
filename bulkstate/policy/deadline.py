"""By when a run has to be done: a time to spend, or a time of day somewhere; and when it has to stop for that.

The next time that a clock shows `05:00` there is an instant. Where a clock is put forward over it, that is the moment
of the change, which is the careful choice; where it is put back it shows it twice, and the first time counts that is
ahead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from bulkstate.forms.values import DURATION_PATTERN, format_duration, parse_duration

TIME_OF_DAY_PATTERN: Final = r"([01][0-9]|2[0-3]):([0-5][0-9]) ([A-Za-z][A-Za-z0-9_+/-]*)"

_STRETCHED: Final = 1.5
"""What is read back may take so much longer than it would at the rate that is known."""

_MARGIN: Final = 3.0
"""Seconds for what a run does when all is answered."""


@dataclass(frozen=True, slots=True)
class TimeToSpend:
    """So many seconds from when a session was agreed to."""

    seconds: float

    def __str__(self) -> str:
        return format_duration(self.seconds)

    def instant(self, agreed_at: float) -> float:
        """When that is, in UNIX seconds."""
        return agreed_at + self.seconds


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """What a clock shows in a zone of the IANA database."""

    hour: int
    minute: int
    zone: str

    def __str__(self) -> str:
        return f"{self.hour:02}:{self.minute:02} {self.zone}"

    def instant(self, agreed_at: float) -> float:
        """The next time that the clock shows it, in UNIX seconds."""
        today = datetime.fromtimestamp(agreed_at, ZoneInfo(self.zone)).date()
        days = (today + timedelta(days=number) for number in range(-1, 3))
        return next(at for day in days for at in self._on(day) if at > agreed_at)

    def _on(self, day: date) -> Iterator[float]:
        """When it is shown on a day: once, twice, or in the moment in which it is left out."""
        shown = datetime.combine(day, time(self.hour, self.minute), ZoneInfo(self.zone))
        first, second = (shown.replace(fold=fold).timestamp() for fold in (0, 1))
        if first > second:
            yield self._change(second, first)
        else:
            yield from sorted({first, second})

    def _change(self, before: float, after: float) -> float:
        """The second in which the clock is put forward between the two."""
        zone, early = ZoneInfo(self.zone), int(before)
        late = int(after)
        offset = datetime.fromtimestamp(early, zone).utcoffset()
        while late - early > 1:
            middle = (early + late) // 2
            if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
                early = middle
            else:
                late = middle
        return float(late)


Deadline: TypeAlias = TimeToSpend | TimeOfDay


def parse_deadline(text: str) -> Deadline:
    """`45m`, or `05:00 Europe/Berlin`. ValueError, with what was expected, for anything else."""
    if re.fullmatch(DURATION_PATTERN, text):
        seconds = parse_duration(text)
        if not seconds:
            raise ValueError("a time to spend, which can't be none at all")
        return TimeToSpend(seconds)
    if found := re.fullmatch(TIME_OF_DAY_PATTERN, text):
        try:
            ZoneInfo(found[3])
        except (ValueError, OSError, LookupError):
            raise ValueError("a time of day in a zone that is known, such as 05:00 Europe/Berlin") from None
        return TimeOfDay(int(found[1]), int(found[2]), found[3])
    raise ValueError("a time to spend such as 45m, or a time of day with its zone such as 05:00 Europe/Berlin")


def reserve(reads: int, per_second: float, grace: float) -> float:
    """Seconds before its deadline at which a run has to stop sending: for calls under way, which have `grace` seconds,
    and for what is read back, so many `reads` at so many a second."""
    return grace + _MARGIN + (_STRETCHED * reads / per_second if per_second > 0 else 0.0)


def shown(at: float, deadline: Deadline) -> str:
    """An instant as whoever named the deadline would say it."""
    if isinstance(deadline, TimeOfDay):
        return f"{datetime.fromtimestamp(at, ZoneInfo(deadline.zone)):%Y-%m-%d %H:%M %Z}"
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def shown_twice(at: float, deadline: Deadline) -> str:
    """The same, and in UTC if that is another time: an `05:00` alone doesn't say of which day, nor where."""
    here, there = shown(at, deadline), f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
    return here if here == there else f"{here} ({there})"
