"""What a run knows of a gateway in the end, as a value that can be kept: the next run starts with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import ceil
from typing import Final

from bulkstate.rates import Rate

VERSION: Final = 1
"""Of the form in which it is kept."""


LEAST_RATE: Final = 0.1
LONGEST: Final = 32 * 86400.0
"""A window of more seconds than a month has is none that anybody waits for."""

MOST: Final = 1e12
"""Beyond any number that a file may hold and mean."""


@dataclass(frozen=True, slots=True)
class LearntQuota:
    """So many calls in so many seconds, counted from `edge`, which is a time on the caller's clock; in the window that
    began there, so many are `spent`. Not `sure`: others may have had a part of what was measured."""

    limit: float
    seconds: float
    edge: float
    spent: int = 0
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Learnt:
    """The rate that was surely accepted, calls a second, and every longer window whose length is known."""

    rate: float | None = None
    quotas: tuple[LearntQuota, ...] = ()

    def shifted(self, seconds: float) -> Learnt:
        """The same on a clock that shows so much more: from a run's own clock to the wall's, and back."""
        return replace(self, quotas=tuple(replace(quota, edge=quota.edge + seconds) for quota in self.quotas))

    def not_after(self, now: float) -> Learnt:
        """The same with no edge after `now`: a clock may have been set back."""
        return replace(self, quotas=tuple(_not_after(quota, now) for quota in self.quotas))

    def windows(self, share: float) -> tuple[Rate, ...]:
        """The limits as windows, of which `share` is used, of one call at least."""
        rates = () if self.rate is None else (_window(self.rate * share, 1.0),)
        return (*rates, *(_window(quota.limit * share, quota.seconds) for quota in self.quotas))

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, kept: object) -> Learnt:
        """What was kept; `ValueError` if it is anything else, or of another version."""
        if not isinstance(kept, Mapping) or kept.get("version") != VERSION:
            raise ValueError("not what was learnt of a gateway, or of another version")
        rate, quotas = kept.get("rate"), kept.get("quotas")
        if not isinstance(quotas, (list, tuple)):
            raise ValueError("quotas is not a list")
        return cls(None if rate is None else _number(rate, LEAST_RATE, MOST), tuple(_quota(quota) for quota in quotas))


NOTHING: Final = Learnt()
"""What is known of a gateway that was never called."""


def _window(calls: float, seconds: float) -> Rate:
    return Rate(int(calls), seconds) if calls >= 1 else Rate(1, seconds / calls)


def _not_after(quota: LearntQuota, now: float) -> LearntQuota:
    late = quota.edge - now
    return quota if late <= 0 else replace(quota, edge=quota.edge - ceil(late / quota.seconds) * quota.seconds)


def _quota(kept: object) -> LearntQuota:
    if not isinstance(kept, Mapping):
        raise ValueError("a quota is not a mapping")
    edge, spent = _number(kept.get("edge"), -MOST, MOST), _number(kept.get("spent"), 0, MOST)
    limit, seconds = _number(kept.get("limit"), 1, MOST), _number(kept.get("seconds"), 1, LONGEST)
    return LearntQuota(limit, seconds, edge, int(spent), kept.get("sure", True) is not False)


def _number(value: object, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise ValueError(f"not a number from {least:g} to {most:g}")
    return float(value)
