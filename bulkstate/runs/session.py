"""One process's work on a run: the way to the gateway open, nobody else at it, and what may be asked of it heard."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
import structlog

from bulkstate.config import Settings
from bulkstate.disk.journal import Journal
from bulkstate.disk.locks import lock_pipelines
from bulkstate.errors import BulkstateError, InputError, JournalDamaged, JournalNotWritable
from bulkstate.runs.by_hand import ByHand
from bulkstate.runs.connection import Connection, connect
from bulkstate.runs.host import Host
from bulkstate.runs.memory import identity, memory_of
from bulkstate.runs.provenance import announce
from bulkstate.runs.stopping import Stopping

log = structlog.get_logger()

BY_HAND_SECONDS: Final = 1.0
"""How often a run looks what is asked of it."""

IN_PLACE_SECONDS: Final = 1.0
"""How often it looks whether its journal is still there."""

HEAD_SECONDS: Final = 60.0
"""How often it says how far the journal's chain goes: whoever keeps what it says can tell whether the journal was
written anew."""

MEMORY_SECONDS: Final = 300.0
"""How often it leaves to other runs what it called and learnt."""


@dataclass(frozen=True, slots=True)
class Session:
    """One process's work on a run."""

    journal: Journal
    settings: Settings
    host: Host
    connection: Connection
    by_hand: ByHand
    verified: anyio.Event
    """Set once all of the journal's chain is: until then nothing is over."""

    @property
    def pipelines(self) -> frozenset[str]:
        """The pipelines that the run's plan deletes in."""
        return frozenset(stage.stage.pipeline for stage in self.journal.plan.stages)


@asynccontextmanager
async def open_session(journal: Journal, settings: Settings, host: Host) -> AsyncIterator[Session]:
    """Open the way to the gateway, when nobody else works on the pipelines. Earlier sessions' calls count (law 5).

    RunInUse, Refused; whatever the host stopped the run for. The journal counts calls, and keeps what is asked by hand,
    from here on; it knows of a session only once chunks are sent.
    """
    stopping, pipelines = host.stopping, {stage.stage.pipeline for stage in journal.plan.stages}
    with lock_pipelines(*identity(settings, journal.directory), pipelines), stopping.cancels():
        memory = memory_of(journal, settings, host.state)
        grants = (*memory.grants(), *journal.grants(time.time() - memory.longest))
        journal.settle_grants(time.time())
        announce(settings)
        async with connect(settings, host.environ, journal.directory, grants, memory.learnt()) as connection:
            await connection.gate.keep(journal)
            by_hand = ByHand(journal.directory, connection.gate, stopping, journal, time.time)
            await by_hand.look()
            leave = partial(memory.keep, connection)
            in_place = partial(_require_in_place, journal)
            try:
                async with (
                    again_and_again(by_hand.look, BY_HAND_SECONDS, stopping),
                    again_and_again(in_place, IN_PLACE_SECONDS, stopping),
                    again_and_again(leave, MEMORY_SECONDS, stopping),
                    _beside(journal.verify_older, stopping) as verified,
                ):
                    yield Session(journal, settings, host, connection, by_hand, verified)
            finally:
                await leave()


async def _require_in_place(journal: Journal) -> None:
    """A run whose journal was taken away would go on, and nobody could say afterwards what it deleted."""
    journal.require_in_place()


async def say_head(journal: Journal) -> None:
    """Say how many links the journal's chain has, and the last of them, to whoever keeps the log."""
    if (head := journal.head) is not None:
        log.info("the journal's chain", links=head.count, head=head.link)


@asynccontextmanager
async def _beside(check: Callable[[], None], stopping: Stopping) -> AsyncIterator[anyio.Event]:
    """Within this block `check` is done in a thread, once; the event is set when it has found nothing. The run ends for
    what it finds."""
    done = anyio.Event()

    async def find_out() -> None:
        try:
            await anyio.to_thread.run_sync(check, abandon_on_cancel=True)
        except JournalDamaged as reason:
            stopping.stop(reason)
        except InputError as reason:
            stopping.stop(JournalDamaged(reason.message))
        else:
            done.set()

    async with _with_task(find_out):
        yield done


@asynccontextmanager
async def again_and_again(
    look: Callable[[], Awaitable[None]], seconds: float, stopping: Stopping
) -> AsyncIterator[None]:
    """Within this block there is a look every so many seconds. One that finds the disk full ends the run."""

    async def look_on() -> None:
        while True:
            await anyio.sleep(seconds)
            try:
                await look()
            except JournalNotWritable as reason:
                stopping.stop(reason)

    async with _with_task(look_on):
        yield


@asynccontextmanager
async def _with_task(task: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Within this block the task goes on, unless it is done before. Errors come out as they are, in no group."""
    ending: BulkstateError | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(task)
        try:
            yield
        except BulkstateError as error:
            ending = error
        tasks.cancel_scope.cancel()
    if ending is not None:
        raise ending
