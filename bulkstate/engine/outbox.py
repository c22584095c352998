"""Outcomes on their way to disk, and their recorder: two batches at the most, so that a slow disk holds back the
network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio

from bulkstate.engine.ports import OutcomeLog
from bulkstate.errors import JournalNotWritable
from bulkstate.model import Outcome

BATCH: Final = 256
"""Most outcomes that are put on disk together."""

SPACING: Final = 0.01
"""Seconds between two times that a write begins: what is answered goes to disk as soon as that is idle, but a hundred
commits a second cost no more than a percent or two of a processor."""


class Outbox:
    """One recorder, many who put. An anyio stream would do the same, at ten times the cost an outcome.

    `recorded` is told of each outcome that is on disk, `failed` if one can't be put there: it shall end the run.
    """

    def __init__(
        self,
        journal: OutcomeLog,
        recorded: Callable[[Outcome], None],
        failed: Callable[[JournalNotWritable], None],
    ) -> None:
        self._journal = journal
        self._recorded = recorded
        self._failed = failed
        self._waiting: list[Outcome] = []
        self._closed = False
        self._next = float("-inf")
        self._begun = anyio.Event()
        self._taken = anyio.Event()

    @property
    def full(self) -> bool:
        """Whether outcomes wait for the disk."""
        return len(self._waiting) >= BATCH

    async def put(self, outcome: Outcome) -> None:
        """Hand over an outcome. Waits while two batches are on their way, and can't be cancelled in that."""
        while len(self._waiting) >= BATCH and not self._closed:
            with anyio.CancelScope(shield=True):
                await self._taken.wait()
        self._waiting.append(outcome)
        if len(self._waiting) == 1:
            self._begun.set()

    async def record(self) -> None:
        """Put on disk whatever is handed over, until the outbox is closed. Whoever waits for it can't be cancelled, so
        it can't be either: it ends with those who put."""
        with anyio.CancelScope(shield=True):
            try:
                while batch := await self._batch():
                    await self._write(batch)
            finally:
                self.close()

    async def _batch(self) -> list[Outcome]:
        """The next outcomes to be put on disk, at least one; none once the outbox is closed and empty."""
        await self._begun.wait()
        await anyio.sleep_until(self._next)
        self._next = anyio.current_time() + SPACING
        batch, self._waiting = self._waiting, []
        if not self._closed:
            self._begun = anyio.Event()
        taken, self._taken = self._taken, anyio.Event()
        taken.set()
        return batch

    async def _write(self, batch: list[Outcome]) -> None:
        try:
            await self._journal.record(batch)
        except JournalNotWritable as reason:
            self._failed(reason)
            return
        for outcome in batch:
            self._recorded(outcome)

    def close(self) -> None:
        """Nobody puts anything any more, or nobody takes it: whoever waits is let go."""
        self._closed = True
        self._begun.set()
        self._taken.set()
