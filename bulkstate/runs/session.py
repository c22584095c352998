"""One process's work on a run: the way to the gateway open, nobody else at it, and what may be said of it later."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random, random
from typing import Final

import anyio
import structlog

from bulkstate.config import AUTO, MOST_CONCURRENCY, Auto, ReportFiles, Sample, Settings
from bulkstate.disk.journal import Ending, Journal
from bulkstate.disk.locks import lock_pipelines
from bulkstate.engine import readback
from bulkstate.engine.engine import Engine, Equipment, Pace
from bulkstate.engine.pipelines import StatusWatch, first_look, require
from bulkstate.engine.ports import Observer
from bulkstate.engine.reads import ReadFailed
from bulkstate.errors import BulkstateError, CheckFailed, Interrupted, JournalNotWritable, NotVerified, Stopped
from bulkstate.model import Chunk, Pair, Plan, Report, RunResult, Stage, Verification
from bulkstate.pairs.chunks import Chunks
from bulkstate.pairs.relation import of_pairs
from bulkstate.planner.planner import plan as plan_requests
from bulkstate.policy.auto.pilot import Pilot
from bulkstate.policy.concurrency import FEW, ConcurrencyPilot, at_first
from bulkstate.report import fold, to_json
from bulkstate.runs.by_hand import Helm
from bulkstate.runs.connection import Connection, connect, identity
from bulkstate.runs.course import Logbook
from bulkstate.runs.memory import memory_of
from bulkstate.runs.stopping import Brake

log = structlog.get_logger()

Witnesses = Sequence[tuple[Stage, Pair]]
"""Pairs outside the target that must outlive the run."""

Audience = Callable[[Chunks, Sequence[int]], AbstractContextManager[Observer]]
"""Makes whatever shows people how the chunks with these numbers are being sent."""

HELM_SECONDS: Final = 1.0
"""How often a run looks what is asked of it."""

LOGBOOK_SECONDS: Final = 0.25
"""How often it looks what holds it back."""

MEMORY_SECONDS: Final = 300.0
"""How often it leaves to other runs what it called and learnt."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended: its report, the exit code that says so, and what ended it early, if anything."""

    report: Report
    exit_code: int
    ending: BulkstateError | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One process's work on a run."""

    journal: Journal
    settings: Settings
    connection: Connection
    brake: Brake
    helm: Helm


@asynccontextmanager
async def open_session(
    journal: Journal, settings: Settings, environ: Mapping[str, str], brake: Brake, state: Path | None = None
) -> AsyncIterator[Session]:
    """Open the way to the gateway, when nobody else works on the pipelines. Earlier sessions' calls count (law 5).

    `state` is the file for what is known of the gateway from other runs, unless it is the usual one. RunInUse, Refused;
    Interrupted out of it if the brake was pulled. The journal learns of a session only when chunks are sent:
    one that is refused before that leaves the run as it was.
    """
    with lock_pipelines(*identity(settings, journal.directory), _pipelines(journal.plan)), brake.around():
        memory = memory_of(journal, settings, state)
        grants = (*memory.grants(), *journal.grants(time.time() - memory.longest))
        journal.settle_grants(time.time())
        async with connect(settings, environ, journal.directory, grants, memory.learnt()) as connection:
            await connection.gate.keep(journal)
            helm = Helm(journal.directory, connection.gate, brake, journal, time.time)
            await helm.look()

            async def leave() -> None:
                memory.keep(connection)

            try:
                async with _beside(helm.look, HELM_SECONDS, brake), _beside(leave, MEMORY_SECONDS, brake):
                    yield Session(journal, settings, connection, brake, helm)
                await connection.gate.settle()
            finally:
                await leave()


@asynccontextmanager
async def _beside(look: Callable[[], Awaitable[None]], every: float, brake: Brake) -> AsyncIterator[None]:
    """Within this block there is a look every so many seconds. A full disk ends the run."""

    async def look_again_and_again() -> None:
        while True:
            await anyio.sleep(every)
            try:
                await look()
            except JournalNotWritable as reason:
                brake.pull(reason)

    ending: BulkstateError | None = None
    async with anyio.create_task_group() as looking:
        looking.start_soon(look_again_and_again)
        try:
            yield
        except BulkstateError as error:
            ending = error
        looking.cancel_scope.cancel()
    if ending is not None:
        raise ending


async def carry_out(
    opening: AbstractAsyncContextManager[Session],
    journal: Journal,
    before: Callable[[Session], Awaitable[None]],
    numbers: Sequence[int],
    audience: Audience,
) -> Finished:
    """Do what comes `before` the first delete, send the chunks `numbers`, read back, and put the ending on record.

    Whatever ends it before the first delete is raised, and leaves no trace in the journal.
    """
    ending: BulkstateError | None = None
    unread = ""
    try:
        async with opening as session:
            await before(session)
            ending = await _delete(session, numbers, audience)
            if ending is None:
                unread = await _read_back_or_say(session)
    except (Stopped, Interrupted) as reason:
        if not journal.begun:
            raise
        ending = reason
    return _finish(journal, ending, unread)


async def require_ready(session: Session) -> None:
    """CheckFailed unless the gateway lets us in and every pipeline is paused, where that is required."""
    if session.settings.safety.require_paused:
        require(await first_look(session.connection.reads, _pipelines(session.journal.plan), True))


async def keep_witnesses(session: Session, witnesses: Witnesses) -> None:
    """Remember which of the witnesses have state before the run. CheckFailed if the gateway doesn't say."""
    try:
        found = await _with_state(session, witnesses)
    except ReadFailed as failure:
        raise CheckFailed(f"the witnesses can't be read: {failure}", hint="nothing was deleted") from failure
    session.journal.keep_witnesses(found)
    if len(found) < len(witnesses):
        log.warning("witnesses without state", asked_for=len(witnesses), with_state=len(found))


async def _with_state(session: Session, witnesses: Witnesses) -> Witnesses:
    """Those of the witnesses that have state now."""
    stages = {stage for stage, _ in witnesses}
    relations = [of_pairs(stage, [pair for of, pair in witnesses if of == stage]) for stage in sorted(stages)]
    limits = session.settings.limits
    reads = plan_requests(
        relations, pairs_per_request=limits.pairs_per_request, bytes_per_request=limits.bytes_per_request
    )
    return await readback.with_state(session.connection.reads, reads.chunks())


async def _delete(session: Session, numbers: Sequence[int], audience: Audience) -> BulkstateError | None:
    settings, connection, journal = session.settings, session.connection, session.journal
    every = settings.safety.status_every if settings.safety.require_paused else None
    workers, pilot = _workers(settings.limits.concurrency, connection.pilot)
    pace = Pace(workers, settings.retry, pilot)
    status = StatusWatch(connection.reads, _pipelines(journal.plan), every)
    chunks = journal.chunks()
    gate, clock = connection.gate, connection.clock
    journal.begin(time.time())
    with audience(chunks, numbers) as observer:
        logbook = Logbook(observer, journal, journal.directory, gate, time.time, clock)
        equipment = Equipment(
            connection.client, gate, status, journal, logbook, random, time.time, clock, connection.order
        )
        engine = Engine(equipment, pace, chunks, numbers, journal.sizing(chunks))
        with session.brake.gently(engine), session.helm.steering(engine):
            async with _beside(partial(logbook.look, engine), LOGBOOK_SECONDS, session.brake):
                ending = await engine.run()
            with suppress(JournalNotWritable):  # the run has ended for that reason
                await logbook.close(engine)
            return ending


def _workers(concurrency: int | Auto, pilot: Pilot | None) -> tuple[int, ConcurrencyPilot | None]:
    """How many calls may be under way at the most, and who decides about less."""
    if concurrency == AUTO:
        return MOST_CONCURRENCY, ConcurrencyPilot(MOST_CONCURRENCY, FEW if pilot is None else at_first(pilot.rate))
    return concurrency, None


async def read_back(session: Session, sample: Sample) -> Verification:
    """Read back about `sample` deleted pairs, or all, and the witnesses; what is found goes into the journal.

    NotVerified if the gateway doesn't say.
    """
    journal, reads = session.journal, session.connection.reads
    try:
        sampled, remaining = await readback.read_back(reads, _sample(journal, sample))
        witnesses = journal.witnesses()
        kept = await _with_state(session, witnesses)
    except ReadFailed as failure:
        raise NotVerified(f"what is left could not be read back: {failure}") from failure
    found = Verification(sampled, remaining, len(witnesses), len(witnesses) - len(kept))
    journal.verified(time.time(), found)
    return found


async def _read_back_or_say(session: Session) -> str:
    """Read back as configured, if anything. Returns why that could not be done; empty if it could."""
    sample = session.settings.verify.sample
    if not sample and not session.journal.witnesses():
        return ""
    log.info("reading back", pairs=sample, witnesses=len(session.journal.witnesses()))
    try:
        await read_back(session, sample)
    except NotVerified as failure:
        return failure.message
    return ""


def _sample(journal: Journal, sample: Sample) -> Iterator[Chunk]:
    """The parts of deleted chunks to read back."""
    if not sample:
        return iter(())
    chunks, deleted = journal.chunks(), journal.deleted()
    return map(chunks.chunk, deleted) if sample == "all" else readback.sample(chunks, deleted, sample, Random())


def _finish(journal: Journal, ending: BulkstateError | None, unread: str) -> Finished:
    """Put the ending into the journal. Where that can't be written, the report says all the same what ended the run."""
    doubts = "; ".join(text for text in (journal.doubts(), unread) if text)
    result = _result(ending, doubts)
    reason = ending.message if ending else doubts
    exit_code = ending.exit_code if ending else 3 if doubts else 0
    with suppress(JournalNotWritable):
        journal.finish(Ending(time.time(), result, reason, exit_code))
    return Finished(replace(fold(journal), result=result, reason=reason), exit_code, ending)


def keep_report(finished: Finished, files: ReportFiles) -> Finished:
    """Write the report files that are configured. One that can't be written is said, and changes nothing else."""
    if files.json is not None:
        try:
            files.json.write_bytes(to_json(finished.report))
        except OSError as error:
            log.error("the report can't be written", file=str(files.json), reason=error.strerror)
    return finished


def _result(ending: BulkstateError | None, doubts: str) -> RunResult:
    if ending is None:
        return RunResult.PARTIAL if doubts else RunResult.DELETED
    return RunResult.INTERRUPTED if isinstance(ending, Interrupted) else RunResult.STOPPED


def _pipelines(plan: Plan) -> frozenset[str]:
    return frozenset(stage.stage.pipeline for stage in plan.stages)
