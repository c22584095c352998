"""Pipelines that a run pauses for itself, and starts again when all is done, or nothing was sent at all.

The journal has a row before each of these calls: whoever goes on after a kill knows who paused a pipeline, and whether
it is being started again, which is a row by nobody. From then on it may have new state, so nothing is deleted or read
back any more.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from typing import Final

import anyio
import structlog

from bulkstate.disk.journal import Pause, Record
from bulkstate.engine.pipelines import findings, require
from bulkstate.engine.reads import ReadFailed
from bulkstate.engine.switch import NotSwitched, Switch, running
from bulkstate.errors import BulkstateError, CheckFailed, NotRestarted, Refused
from bulkstate.model import SOMEBODY_ELSE, THIS_RUN, PipelineStatus, Start
from bulkstate.runs.session import Session

log = structlog.get_logger()

LAST_SECONDS: Final = 60.0
"""How long a run that ended before its first delete tries to start again what it paused."""


async def pause(session: Session) -> None:
    """Pause those of the pipelines that run, and wait until all are, if that is wanted. CheckFailed."""
    safety = session.settings.safety
    if not safety.pause:
        return
    try:
        found = await session.connection.reads.pipelines(session.pipelines)
        for each in running(found):
            session.journal.paused(Pause(time.time(), each.id, THIS_RUN, each.status))
            log.info("pausing a pipeline", pipeline=each.id)
            if not await _switch(session).pause(each.id):
                session.journal.paused(Pause(time.time(), each.id, SOMEBODY_ELSE, each.status))
        found = await session.connection.reads.pipelines(session.pipelines)
    except (NotSwitched, ReadFailed) as failure:
        raise CheckFailed(str(failure), hint="put that right, then `bulkstate resume`") from failure
    session.journal.saw_pipelines(time.time(), found.values())
    require(findings(found, session.pipelines, safety.require_paused))


def _switch(session: Session) -> Switch:
    return Switch(session.connection.client, session.connection.reads, session.settings.retry.outage)


# ── and start again ───────────────────────────────────────────────────────────────────────────────────────────────


def being_started(record: Record) -> bool:
    """The run has started its pipelines again, or was about to."""
    return any(not each.by for each in _latest(record).values())


async def start_again(session: Session) -> None:
    """Start what this run paused, if that is wanted, and wait for it. NotRestarted."""
    how, mine = session.settings.safety.restart, _paused_by_run(session.journal)
    if how is None or not mine:
        return
    try:
        for pipeline in mine:
            await _start(session, pipeline, how)
        found = await session.connection.reads.pipelines(session.pipelines)
    except NotSwitched as failure:
        await _look_once_more(session)
        raise NotRestarted(f"not started again: {failure}") from failure
    except ReadFailed as failure:
        raise NotRestarted(f"not started again: {failure}") from failure
    session.journal.saw_pipelines(time.time(), found.values())


async def _look_once_more(session: Session) -> None:
    """What a pipeline is in that wasn't started, for the report; nobody waits long for that."""
    with anyio.move_on_after(LAST_SECONDS), suppress(ReadFailed):
        found = await session.connection.reads.pipelines(session.pipelines)
        session.journal.saw_pipelines(time.time(), found.values())


async def start_if_done(session: Session, unread: str) -> None:
    """Start again what this run paused, if all is deleted and was read back, or nothing was sent. NotRestarted."""
    if session.settings.safety.restart is None:
        return
    if not (unread or session.journal.doubts()) or nothing_sent(session.journal):
        await start_again(session)


async def start_untouched(session: Session) -> None:
    """Start again what this run paused, if it was ended before any delete was sent; for a while, as the run is over."""
    if session.settings.safety.restart is None or not nothing_sent(session.journal):
        return
    session.connection.gate.open()
    trouble = ""
    with anyio.move_on_after(LAST_SECONDS) as limit:
        try:
            await start_again(session)
        except BulkstateError as failure:
            trouble = failure.message
    if limit.cancelled_caught:
        trouble = f"not started again within {LAST_SECONDS:.0f} s"
    if trouble:
        log.error("a pipeline that this run paused stays paused", reason=trouble)


async def _start(session: Session, pipeline: str, how: Start) -> None:
    journal = session.journal
    if _latest(journal)[pipeline].by:
        journal.paused(Pause(time.time(), pipeline, "", PipelineStatus.PAUSED))
    log.info("starting a pipeline again", pipeline=pipeline)
    await _switch(session).start(pipeline, how)
    journal.paused(Pause(time.time(), pipeline, "", PipelineStatus.RUNNING))


def refuse_started(record: Record) -> None:
    """Refused where what has state now may have come after the run."""
    if being_started(record):
        why = "the run has started its pipelines again: what has state now is new, and says nothing of what was deleted"
        raise Refused(why)


def _paused_by_run(record: Record) -> Collection[str]:
    """The pipelines that the run paused and that it hasn't certainly started again."""
    return [
        pipeline
        for pipeline, last in sorted(_latest(record).items())
        if last.by == THIS_RUN or (not last.by and last.status == PipelineStatus.PAUSED)
    ]


def _latest(record: Record) -> dict[str, Pause]:
    return {each.pipeline: each for each in record.pauses()}


def nothing_sent(record: Record) -> bool:
    """No delete was ever sent, as far as that is certain: a session that was killed may have sent some."""
    killed = any(session.ending is None for session in record.sessions[:-1])
    tally = record.tally()
    return not (killed or tally.attempts.any() or tally.throttled.any())
