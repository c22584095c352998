"""What several documents hold: where a run goes, what pipelines are in, what a look found. All times are RFC 3339, in
UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from bulkstate.model import PipelineSeen
from bulkstate.policy.presence import Presence


def rfc_3339(at: float | None) -> str | None:
    """UNIX seconds as RFC 3339, in UTC; None for None."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class CalledPlace:
    """A gateway, whose pipelines, and the names of the variables that say who calls."""

    gateway: str
    organisation: str
    credentials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PipelineNow:
    """A pipeline as it was seen at a time."""

    id: str
    name: str
    version: str
    status: str
    read_at: str | None

    @classmethod
    def of(cls, seen: PipelineSeen) -> Self:
        """As it was seen last."""
        return cls(seen.id, seen.name, seen.version, seen.now, rfc_3339(seen.at))


@dataclass(frozen=True, slots=True)
class LookedEntry:
    """Of one entry of `where` so many pairs were looked at, and so many of them have state."""

    entry: str
    looked_at: int
    with_state: int


@dataclass(frozen=True, slots=True)
class LookBefore:
    """What a look before the first delete found."""

    looked_at: int
    with_state: int
    unread: int
    assets: int
    assets_without: int
    examples_without: tuple[str, ...]
    entries: tuple[LookedEntry, ...]

    @classmethod
    def of(cls, found: Presence) -> Self:
        """As it was summed up."""
        entries = tuple(LookedEntry(each.entry, each.looked_at, each.with_state) for each in found.entries)
        totals = found.looked_at, found.with_state, found.unread
        return cls(*totals, found.assets, found.assets_without, found.without, entries)
