"""Is every pipeline of the run still paused? One look answers all who ask at the same time."""

from __future__ import annotations

from collections.abc import Collection

import anyio

from bulkstate.engine.reads import ReadFailed, Reads
from bulkstate.model import PipelineStatus


async def not_paused(reads: Reads, pipelines: Collection[str]) -> str | None:
    """In words, which pipelines aren't paused; None if all are. ReadFailed if the gateway doesn't say."""
    found = await reads.pipelines(pipelines)
    reasons = [
        f"pipeline {pipeline} is {found[pipeline].status}"
        if pipeline in found
        else f"pipeline {pipeline} is not listed"
        for pipeline in sorted(set(pipelines))
        if pipeline not in found or found[pipeline].status != PipelineStatus.PAUSED
    ]
    return "; ".join(reasons) or None


class Watch:
    """Looks at the pipelines' status, at most once at a time."""

    def __init__(self, reads: Reads, pipelines: Collection[str]) -> None:
        self._reads = reads
        self._pipelines = frozenset(pipelines)
        self._turn = anyio.Lock()
        self.reason: str | None = None
        """Which pipelines the latest look found not paused, in words; None if it found them paused, or never was."""
        self.confirmed_at = float("-inf")
        """When the latest look began that found every pipeline paused, in loop seconds."""
        self.unread = ""
        """Why the latest look found nothing out, in words; empty if it did."""
        self._looked_at = float("-inf")

    async def look(self, asked_at: float) -> str | None:
        """Why the run must stop: a pipeline isn't paused. None if all are, or if the gateway doesn't say.

        A look that began at `asked_at` (loop seconds) or later is as good as a new one, one that failed included: else
        all who ask would wait for retries of their own, one after the other.
        """
        async with self._turn:
            if self._looked_at < asked_at:
                await self._look()
            return self.reason

    async def _look(self) -> None:
        began = anyio.current_time()
        try:
            self.reason = await not_paused(self._reads, self._pipelines)
        except ReadFailed as failure:
            self.unread = str(failure)
        else:
            self.unread = ""
            self.confirmed_at = self.confirmed_at if self.reason else began
        self._looked_at = began
