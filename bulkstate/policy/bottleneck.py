"""What holds a run back at a moment: a value, decided from what gate and engine count."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bulkstate.rates import Rate

SHORTEST_PAUSE: Final = 0.5
"""Seconds: a shorter pause is over before anybody has read of it."""


class By(StrEnum):
    """Who or what."""

    PAUSE = "pause"
    """Somebody paused the run by hand."""
    STATUS = "status"
    """Nobody can say whether the pipelines are still paused: no delete is sent until somebody can."""
    YOUR_LIMIT = "your_limit"
    """A configured rate or concurrency, or one that was set by hand."""
    GATEWAY_LIMIT = "gateway_limit"
    """The gateway refused calls (429): nobody calls for a while, or no faster than it seems to allow."""
    SEARCH = "search"
    """The gateway refused nothing so far: how fast it may be called is being found out."""
    GATEWAY_SLOW = "gateway_slow"
    """All calls that may be under way at once, as was found, are, or wait to be repeated; nothing else is left to be
    sent. Or every delete fails, and they are tried one at a time."""
    MACHINE = "machine"
    """Nothing of these: the processor, the disk or the network here."""


_WORDS: Final = {
    By.PAUSE: "a pause by hand",
    By.STATUS: "the status of the pipelines",
    By.YOUR_LIMIT: "your limit",
    By.GATEWAY_LIMIT: "the gateway's limit",
    By.SEARCH: "the search for the gateway's limit",
    By.GATEWAY_SLOW: "the gateway's slowness",
    By.MACHINE: "your machine",
}


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds a run back. `which` names the limit, where one does and is known by name."""

    by: By
    which: str = ""

    def __str__(self) -> str:
        return f"{_WORDS[self.by]}, {self.which}" if self.which else _WORDS[self.by]


@dataclass(frozen=True, slots=True)
class Moment:
    """What gate and engine know of a moment.

    `withheld` says why no delete is sent, if so. `in_line` calls wait at the gate, the first of them for
    `gateway_limit`, in words that may be empty, or `window`, unless both are None; nobody knows the first while it is
    `searched`. `failing`: every delete fails.
    `full`: outcomes wait for the disk. `at_hand`: there is a chunk that could be sent. So many are `under_way`, those
    in line included, of the `most` that may be, which is `told` if somebody configured it or set it by hand.
    """

    paused: bool
    withheld: str
    in_line: int
    gateway_limit: str | None
    window: Rate | None
    failing: bool
    full: bool
    at_hand: bool
    under_way: int
    most: int
    told: bool = False
    searched: bool = False

    @property
    def in_flight(self) -> int:
        """Calls that wait for an answer, or for what comes after it."""
        return max(0, self.under_way - self.in_line)


def holding(moment: Moment) -> Holding:
    """What holds the run back: the first in the order of who could do something about it."""
    if moment.paused:
        return Holding(By.PAUSE)
    if moment.withheld:
        return Holding(By.STATUS, moment.withheld)
    if moment.failing:
        return Holding(By.GATEWAY_SLOW, "every delete fails")
    if moment.in_line and moment.gateway_limit is not None:
        return Holding(By.SEARCH) if moment.searched else Holding(By.GATEWAY_LIMIT, moment.gateway_limit)
    if moment.in_line and moment.window is not None:
        return Holding(By.YOUR_LIMIT, str(moment.window))
    if moment.full or moment.in_line or (moment.at_hand and moment.under_way < moment.most):
        return Holding(By.MACHINE)
    if moment.told and moment.at_hand:
        return Holding(By.YOUR_LIMIT, f"concurrency {moment.most}")
    return Holding(By.GATEWAY_SLOW)
