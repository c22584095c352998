"""What a run knows of a gateway in the end, as a value that can be kept: the next run starts with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Final

VERSION: Final = 1
"""Of the form in which it is kept."""


@dataclass(frozen=True, slots=True)
class LearntQuota:
    """So many calls in so many seconds, counted from `edge`, which is a time on the caller's clock."""

    limit: float
    seconds: float
    edge: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """The rate that was surely accepted, calls a second, and every longer window whose length is known."""

    rate: float | None = None
    quotas: tuple[LearntQuota, ...] = ()

    def shifted(self, seconds: float) -> Learnt:
        """The same on a clock that shows so much more: from a run's own clock to the wall's, and back."""
        return replace(self, quotas=tuple(replace(quota, edge=quota.edge + seconds) for quota in self.quotas))

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
        return cls(None if rate is None else _positive(rate), tuple(_quota(quota) for quota in quotas))


def _quota(kept: object) -> LearntQuota:
    if not isinstance(kept, Mapping):
        raise ValueError("a quota is not a mapping")
    return LearntQuota(_positive(kept.get("limit")), _positive(kept.get("seconds")), _number(kept.get("edge")))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise ValueError(f"not a number: {value!r}")
    return float(value)


def _positive(value: object) -> float:
    number = _number(value)
    if number <= 0:
        raise ValueError(f"not above 0: {value!r}")
    return number
