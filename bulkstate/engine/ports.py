"""What the engine is given: Protocols, so that it runs on asyncio over HTTP and, in tests, on a virtual clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bulkstate.model import Attempt, Chunk, Outcome, Pair, PipelinePage
from bulkstate.policy.bottleneck import Holding


class StageStateApi(Protocol):
    """The gateway's calls. Each waits for the pacer, makes one HTTP exchange and never retries by itself.

    No call raises for what the gateway or the network does: that is in the attempt's reply.
    """

    async def delete(self, chunk: Chunk) -> Attempt[bool]:
        """Delete Stage State for the chunk's cross product."""
        ...

    async def get(self, chunk: Chunk) -> Attempt[frozenset[Pair]]:
        """Get Stage State: those of the chunk's pairs that have state."""
        ...

    async def pipelines(self, page: int) -> Attempt[PipelinePage]:
        """List Pipelines, `page` counted from 1."""
        ...

    async def renew(self, refused_at: float) -> bool:
        """Make new credentials after a call that was sent at `refused_at` (loop seconds) was answered `CREDENTIALS`.

        Renews once for all who wait: credentials younger than `refused_at` are left alone. False: no renewal possible.
        """
        ...


class Turns(Protocol):
    """Who says when a call may start, and is told how it ended. Times are loop seconds."""

    @property
    def failing(self) -> bool:
        """Every delete fails, so that not even a connection may be tried before its turn."""
        ...

    async def acquire(self) -> None:
        """Wait for the next call's turn."""
        ...

    def answered(self, attempt: Attempt[Any]) -> None:
        """A call that had its turn has ended."""
        ...

    def broken_off(self, sent_at: float) -> None:
        """A call that had its turn, at `sent_at` or just before, wasn't made, or nobody waits for its answer."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to make `calls` calls from `at` (UNIX seconds) on; of the grant before, `spent` calls were made.

    It is on disk before the first of its calls, so that a killed run knows the most it can have sent (law 5).
    """

    at: float
    calls: int
    spent: int


class Ledger(Protocol):
    """Remembers how many calls were allowed, and when."""

    async def grant(self, grant: Grant) -> None:
        """Put a grant on disk. JournalNotWritable if that fails."""
        ...


class Journal(Ledger, Protocol):
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
