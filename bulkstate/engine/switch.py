"""Pauses pipelines and starts them again: asks for it, and looks until it is so.

Both are repeated until they are answered, and a repeat may find done what the first call did; so what a pipeline is in
afterwards decides, and no answer alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Final

import anyio

from bulkstate.engine.reads import Reads
from bulkstate.gateway.api import PipelineApi
from bulkstate.gateway.wire import Code
from bulkstate.model import Answer, Pipeline, PipelineStatus, Reply, Start, describe

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 10.0
"""How long is waited between two looks, in seconds: twice as long each time."""

MEANINGS: Final[Mapping[int | None, str]] = {
    Code.BAD_CONFIGURATION: "the platform doesn't accept what safety.restart says",
    Code.NO_SUCH_PIPELINE: "there is no such pipeline",
    Code.START_CONTENDED: "somebody else in the organisation is starting a job all the time",
    Code.NOT_REQUESTED: "its resources weren't requested: somebody has to request them on the platform",
    Code.NOT_PAUSABLE: "the platform can't pause it from the state that it is in",
    Code.NOT_STARTABLE: "the platform can't start it from the state that it is in",
}
"""What the platform means by it where it doesn't pause or start a pipeline."""


class NotSwitched(Exception):
    """A pipeline isn't in the state that was asked for, and won't come into it."""


class Switch:
    """Pauses pipelines and starts them again. What is asked for has to be so within `patience` seconds."""

    def __init__(self, api: PipelineApi, reads: Reads, patience: float) -> None:
        self._api = api
        self._reads = reads
        self._patience = patience

    async def pause(self, pipeline: str) -> bool:
        """Have it paused, and wait for it. False: somebody else did it first. NotSwitched, ReadFailed."""
        reply = await self._reads.ask(partial(self._api.pause, pipeline))
        await self._until(pipeline, PipelineStatus.PAUSED, reply)
        return reply.code != Code.NOT_PAUSABLE

    async def start(self, pipeline: str, how: Start) -> None:
        """Have it run, and wait for it. NotSwitched, ReadFailed."""
        reply = await self._reads.ask(partial(self._api.start, pipeline, how))
        await self._until(pipeline, PipelineStatus.RUNNING, reply)

    async def _until(self, pipeline: str, wanted: PipelineStatus, reply: Reply[bool]) -> None:
        """Look until it is as wanted; once if the platform refused to make it so."""
        ends, wait = anyio.current_time() + self._patience, FIRST_WAIT
        while (found := await self._status(pipeline)) != wanted:
            if reply.answer is not Answer.OK:
                raise NotSwitched(f"pipeline {pipeline} is {found}: {explained(reply)}")
            if anyio.current_time() >= ends:
                raise NotSwitched(f"pipeline {pipeline} is still {found} after {self._patience:,.0f} s")
            await anyio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _status(self, pipeline: str) -> str:
        found = await self._reads.pipelines([pipeline])
        return found[pipeline].status if pipeline in found else "not listed"


def explained(reply: Reply[bool]) -> str:
    """An answer in one line, after what it means, if that is known."""
    meaning = MEANINGS.get(reply.code, "")
    return f"{meaning} ({describe(reply)})" if meaning else describe(reply)


def running(found: Mapping[str, Pipeline]) -> Collection[Pipeline]:
    """Those of the pipelines that run, by ID."""
    return [found[name] for name in sorted(found) if found[name].status == PipelineStatus.RUNNING]
