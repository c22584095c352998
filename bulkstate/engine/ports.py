"""What the engine is given: Protocols, so that it runs on asyncio over HTTP and, in tests, on a virtual clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bulkstate.model import Attempt, Grant, Outcome
from bulkstate.policy.bottleneck import Holding


class Ledger(Protocol):
    """Remembers how many calls were allowed, and when."""

    async def grant(self, grant: Grant) -> None:
        """Put a grant on disk. JournalNotWritable if that fails."""
        ...


class OutcomeLog(Ledger, Protocol):
    """The run's record."""

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        """Put outcomes on disk, in one transaction. JournalNotWritable if that fails."""
        ...


class Observer(Protocol):
    """Is told what happens, for people to see; it can't change anything."""

    def attempted(self, attempt: Attempt[bool]) -> None:
        """A delete was sent and answered, or was not."""
        ...

    def settled(self, outcome: Outcome, pairs: int) -> None:
        """A chunk of `pairs` pairs has an outcome, and it is on disk."""
        ...

    def paused(self, seconds: float, reason: str) -> None:
        """No call will start for so many seconds."""
        ...

    def held(self, holding: Holding) -> None:
        """This is what holds the run back now."""
        ...
