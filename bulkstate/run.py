"""One run put together: plan, check, delete, verify, report. What the Python API and the command line stand on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random, random
from shutil import rmtree
from typing import Final

import anyio

from bulkstate import __version__, checks, config, verification
from bulkstate.brake import Brake
from bulkstate.config import AUTO, MOST_CONCURRENCY, Auto, Sample, Settings
from bulkstate.connection import Connection, connect, identity, retry_policy, windows
from bulkstate.engine import Engine, Equipment, Heritage, Pace
from bulkstate.errors import (
    BulkstateError,
    CheckFailed,
    GuardExceeded,
    InputError,
    Interrupted,
    JournalNotWritable,
    Problem,
    Refused,
    Stopped,
)
from bulkstate.helm import Helm
from bulkstate.journal import Ending, Journal, RunFacts, existing, make_run_directory, sent_history
from bulkstate.locks import lock_pipelines, lock_run
from bulkstate.logbook import Logbook
from bulkstate.model import Chunk, Pair, Plan, Report, RunResult, Stage, Verdict, Verification
from bulkstate.pieces import Pieces
from bulkstate.planner.planner import plan as plan_requests
from bulkstate.policy.concurrency import ConcurrencyPilot
from bulkstate.policy.pacing import forecast
from bulkstate.ports import Grant, Observer
from bulkstate.reads import ReadFailed
from bulkstate.relation import Relation, of_pairs
from bulkstate.report.fold import fold
from bulkstate.savedplan import SavedPlan, refuse_to_overwrite, write
from bulkstate.selection import PairSource, Source, fingerprints, read_pairs, select
from bulkstate.statefile import StateFile, default_path
from bulkstate.watch import Watch

Agree = Callable[[Plan], Awaitable[None]]
"""Asks somebody whether the plan may be carried out; NotConfirmed if not."""

Audience = Callable[[Pieces, Sequence[int]], AbstractContextManager[Observer]]
"""Makes whatever shows people how the chunks with these numbers are being sent."""

HELM_SECONDS: Final = 1.0
"""How often a run looks what is asked of it."""

LOGBOOK_SECONDS: Final = 0.25
"""How often it looks what holds it back."""
MEMORY_SECONDS: Final = 300.0
"""How often it leaves to other runs what it called."""

REMEMBERED: Final = 3600.0
"""Windows of so many seconds and more are remembered across runs."""

Witnesses = Sequence[tuple[Stage, Pair]]
"""Pairs outside the target that must outlive the run."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a configuration asks for."""

    settings: Settings
    plan: Plan
    witnesses: Witnesses


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended: its report, and the exit code that says so."""

    report: Report
    exit_code: int


# ── before ────────────────────────────────────────────────────────────────────────────────────────────────────────


def prepare(settings: Settings) -> Prepared:
    """Select and plan, and hold the plan against the guards. InputError, GuardExceeded."""
    relations = select(settings.delete)
    witnesses = _witness_pairs(settings.verify.witness, relations)
    plan = _planned(settings, [relation.keeping(witnesses) for relation in relations])
    _guard(plan, settings.safety)
    return Prepared(settings, plan, tuple((stage.stage, pair) for pair in witnesses for stage in plan.stages))


def save(settings: Settings, path: Path) -> Prepared:
    """Prepare, and put what came of it into the file at `path`, to be restored. Raises what `prepare` does."""
    refuse_to_overwrite(path)
    # Before the files are read: should one change in between, the plan is stale, rather than of something else.
    inputs = fingerprints(_sources(settings))
    prepared = prepare(settings)
    document = config.to_document(settings)
    write(SavedPlan(prepared.plan, document, tuple(prepared.witnesses), inputs, time.time(), __version__), path)
    return prepared


def restore(saved: SavedPlan, environ: Mapping[str, str]) -> Prepared:
    """What was saved, to be carried out. InputError if a secret is missing; GuardExceeded."""
    settings = config.from_document(saved.configuration, environ, "the plan's settings")
    _guard(saved.plan, settings.safety)
    return Prepared(settings, saved.plan, saved.witnesses)


def _sources(settings: Settings) -> Iterator[Source]:
    for entry in settings.delete:
        yield from entry.sources
    if settings.verify.witness is not None:
        yield settings.verify.witness


def _witness_pairs(source: PairSource | None, targets: Sequence[Relation]) -> Sequence[Pair]:
    """The pairs of a witness file. InputError if one of them is to be deleted itself."""
    pairs = read_pairs(source) if source else ()
    selected = [pair for pair in pairs for target in targets if target.holds(pair)]
    if source and selected:
        message = f"{selected[0].asset}, {selected[0].point} is selected for deletion: a witness stands outside"
        raise InputError(Problem(message, source.where, source.field))
    return pairs


def _planned(settings: Settings, relations: Sequence[Relation]) -> Plan:
    limits = settings.limits
    return plan_requests(
        relations, pairs_per_request=limits.pairs_per_request, bytes_per_request=limits.bytes_per_request
    )


def _guard(plan: Plan, safety: config.Safety) -> None:
    for amount, most, what in (
        (plan.pairs, safety.max_pairs, "pairs"),
        (plan.requests, safety.max_requests, "requests"),
    ):
        if most is not None and amount > most:
            raise GuardExceeded(
                f"the plan has {amount:,} {what}, and safety.max_{what} allows {most:,}",
                hint="narrow the selection or, if it is right, raise the guard: nothing was sent",
            )


def forecast_seconds(settings: Settings, plan: Plan) -> float | None:
    """How long sending the plan takes at the limits that are known, in seconds, if every call succeeds at once; None if
    none is known."""
    known = windows(settings)
    return forecast(known, plan.requests) if known else None


def run_directory(plan: Plan) -> Path:
    """Where a run goes unless somebody named a directory: by the time (UTC) and the plan."""
    return Path("bulkstate-runs", f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{plan.digest[:8]}")


async def check(settings: Settings, environ: Mapping[str, str], brake: Brake) -> tuple[checks.Finding, ...]:
    """Try the credentials and look at the pipelines of a configuration. Sends no delete."""
    pipelines = {entry.pipeline for entry in settings.delete}
    with brake.around():
        async with connect(settings, environ, None) as connection:
            return await checks.look(connection.reads, pipelines, settings.safety.require_paused)


# ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def start(
    prepared: Prepared,
    directory: Path,
    environ: Mapping[str, str],
    agree: Agree,
    audience: Audience,
    brake: Brake,
    state: Path | None = None,
) -> Finished:
    """Carry out a plan in a new run directory, which is taken away again if nobody agrees to the plan.

    `state` is a file for what is known of the gateway from other runs, unless it is the usual one. Refused before the
    first delete; InputError; later endings are in what is returned.
    """
    make_run_directory(directory)
    agreed = False

    async def come_to_agreement(session: _Session) -> None:
        nonlocal agreed
        await _check(session)
        await agree(prepared.plan)
        session.journal.agree(time.time())
        agreed = True
        await _keep_witnesses(session, prepared.witnesses)

    try:
        with lock_run(directory), closing(_new_journal(directory, prepared)) as journal:
            begun = _Beginning(journal, prepared.settings, environ, brake, state)
            return await _carry_out(begun, come_to_agreement, range(prepared.plan.requests), audience)
    finally:
        if not agreed:
            rmtree(directory, ignore_errors=True)


async def resume(
    directory: Path,
    environ: Mapping[str, str],
    again: frozenset[Verdict],
    audience: Audience,
    brake: Brake,
    state: Path | None = None,
) -> Finished:
    """Go on with a run: send the chunks that have no record, or whose verdict is in `again` (law 4)."""
    existing(directory)
    with lock_run(directory), closing(Journal.resume(directory)) as journal:
        if journal.agreed_at is None:
            raise Refused(f"nobody ever agreed to the run in {directory}", hint="start it anew with `bulkstate run`")
        settings = config.from_document(journal.facts.configuration, environ)
        begun = _Beginning(journal, settings, environ, brake, state)
        return await _carry_out(begun, _check, journal.pending(again), audience)


async def verify(
    directory: Path, environ: Mapping[str, str], sample: Sample, brake: Brake, state: Path | None = None
) -> Finished:
    """Read back what a run deleted: about `sample` pairs, or all. What is found goes into the run's journal."""
    existing(directory)
    with lock_run(directory), closing(Journal.resume(directory)) as journal:
        before, reason = journal.ending
        settings = config.from_document(journal.facts.configuration, environ)
        async with _session(_Beginning(journal, settings, environ, brake, state)) as session:
            doubt = await _read_back(session, sample)
        if before in (RunResult.DELETED, RunResult.PARTIAL):
            return _finish(journal, None, doubt)
        return _close(journal, Ending(time.time(), before, reason, 3))


def _new_journal(directory: Path, prepared: Prepared) -> Journal:
    settings = prepared.settings
    facts = RunFacts(
        directory.name, time.time(), *identity(settings, directory), config.to_document(settings), __version__
    )
    return Journal.create(directory, prepared.plan, facts)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What a session is opened with."""

    journal: Journal
    settings: Settings
    environ: Mapping[str, str]
    brake: Brake
    state: Path | None = None


@dataclass(frozen=True, slots=True)
class _Session:
    """One process's work on a run, with the way to the gateway open."""

    journal: Journal
    settings: Settings
    connection: Connection
    brake: Brake
    helm: Helm


@asynccontextmanager
async def _session(begun: _Beginning) -> AsyncIterator[_Session]:
    """Open a session: nobody else works on the pipelines, and calls of earlier sessions count for the pacer (law 5)."""
    journal, settings = begun.journal, begun.settings
    longest = max((window.guarded for window in windows(settings)), default=0.0)
    memory = _memory(begun, longest)
    grants = (*memory.before(), *journal.grants(time.time() - longest))
    journal.begin(time.time())
    with lock_pipelines(*identity(settings, journal.directory), _pipelines(journal.plan)), begun.brake.around():
        async with connect(settings, begun.environ, journal.directory, grants) as connection:
            await connection.gate.keep(journal)
            helm = Helm(journal.directory, connection.gate, begun.brake, journal, time.time)
            await helm.look()
            try:
                async with (
                    _beside(helm.look, HELM_SECONDS, begun.brake),
                    _beside(memory.keep, MEMORY_SECONDS, begun.brake),
                ):
                    yield _Session(journal, settings, connection, begun.brake, helm)
                await connection.gate.settle()
            finally:
                await memory.keep()


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a run knows of other runs' calls, and leaves to them of its own: nothing without a `file`. `longest` is the
    longest window in seconds."""

    journal: Journal
    longest: float
    file: StateFile | None

    @property
    def _run(self) -> str:
        return f"{self.journal.facts.created_at:.6f} {self.journal.name}"

    def before(self) -> tuple[Grant, ...]:
        """What other runs called, as far as it still counts."""
        return self.file.read().grants(self._run, time.time() - self.longest) if self.file else ()

    async def keep(self) -> None:
        """Leave to others what this run called."""
        if self.file is not None:
            now = time.time()
            calls = sent_history(self.journal.grants(now - self.longest), now)
            self.file.keep_calls(self._run, calls, now, self.longest)


def _memory(begun: _Beginning, longest: float) -> _Memory:
    """Shorter windows are over before another run begins; an embedded gateway has no other runs."""
    if longest < REMEMBERED or isinstance(begun.settings.gateway, config.Embedded):
        return _Memory(begun.journal, longest, None)
    gateway = identity(begun.settings, begun.journal.directory)
    try:
        return _Memory(begun.journal, longest, StateFile(begun.state or default_path(*gateway), *gateway))
    except OSError as error:
        raise Refused(f"no place for what is known of the gateway: {error}", hint="name a file with --state") from error


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


async def _carry_out(
    begun: _Beginning, before: Callable[[_Session], Awaitable[None]], numbers: Sequence[int], audience: Audience
) -> Finished:
    ending: BulkstateError | None = None
    doubt = ""
    try:
        async with _session(begun) as session:
            await before(session)
            ending = await _delete(session, numbers, audience)
            if ending is None:
                doubt = await _read_back(session, session.settings.verify.sample)
    except Refused as refusal:
        begun.journal.finish(Ending(time.time(), RunResult.REFUSED, refusal.message, refusal.exit_code))
        raise
    except (Stopped, Interrupted) as reason:
        if begun.journal.agreed_at is None:
            raise
        ending = reason
    return _finish(begun.journal, ending, doubt)


async def _check(session: _Session) -> None:
    if session.settings.safety.require_paused:
        checks.require(await checks.look(session.connection.reads, _pipelines(session.journal.plan), True))


async def _keep_witnesses(session: _Session, witnesses: Witnesses) -> None:
    try:
        found = await _with_state(session, witnesses)
    except ReadFailed as failure:
        raise CheckFailed(f"the witnesses can't be read: {failure}") from failure
    session.journal.keep_witnesses(found)


async def _with_state(session: _Session, witnesses: Witnesses) -> Witnesses:
    """Those of the witnesses that have state now."""
    stages = {stage for stage, _ in witnesses}
    relations = [of_pairs(stage, [pair for of, pair in witnesses if of == stage]) for stage in sorted(stages)]
    return await verification.with_state(session.connection.reads, _planned(session.settings, relations).chunks())


async def _delete(session: _Session, numbers: Sequence[int], audience: Audience) -> BulkstateError | None:
    settings, connection, journal = session.settings, session.connection, session.journal
    every = settings.safety.status_every if settings.safety.require_paused else None
    workers, crew = _workers(settings.limits.concurrency)
    pace = Pace(workers, retry_policy(settings), every)
    watch = Watch(connection.reads, _pipelines(journal.plan))
    gate, clock = connection.gate, connection.clock
    with audience(journal.pieces(), numbers) as observer:
        logbook = Logbook(observer, journal, journal.directory, gate, time.time, clock)
        equipment = Equipment(connection.client, gate, watch, journal, logbook, random, time.time, clock, crew)
        engine = Engine(equipment, pace, journal.plan, numbers, Heritage(journal.parts(), journal.sizing()))
        with session.brake.gently(engine), session.helm.steering(engine):
            async with _beside(partial(logbook.look, engine), LOGBOOK_SECONDS, session.brake):
                ending = await engine.run()
            with suppress(JournalNotWritable):  # the run has ended for that reason
                await logbook.close(engine)
            return ending


def _workers(concurrency: int | Auto) -> tuple[int, ConcurrencyPilot | None]:
    """How many calls may be under way at the most, and who decides about less."""
    if concurrency == AUTO:
        return MOST_CONCURRENCY, ConcurrencyPilot(MOST_CONCURRENCY)
    return concurrency, None


async def _read_back(session: _Session, sample: Sample) -> str:
    """Read back deleted pairs and witnesses: what is wrong with what was found, in words; empty if nothing is."""
    journal, reads = session.journal, session.connection.reads
    try:
        sampled, remaining = await verification.read_back(reads, _sample(journal, sample))
        witnesses = journal.witnesses()
        kept = await _with_state(session, witnesses)
    except ReadFailed as failure:
        return f"what is left could not be read back: {failure}"
    found = Verification(sampled, remaining, len(witnesses), len(witnesses) - len(kept))
    if not (sampled or witnesses):
        return ""
    journal.verified(time.time(), found)
    return verification.doubt(found)


def _sample(journal: Journal, sample: Sample) -> Iterator[Chunk]:
    """What to read back of deleted chunks."""
    if sample == "all":
        return map(journal.pieces().chunk, journal.deleted())
    return verification.sample(journal.pieces(), journal.deleted(), sample, Random()) if sample else iter(())


# ── after ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _finish(journal: Journal, ending: BulkstateError | None, doubt: str) -> Finished:
    if isinstance(ending, Interrupted):
        result = RunResult.INTERRUPTED
    elif ending is not None:
        result = RunResult.STOPPED
    else:
        doubt = "; ".join(part for part in (_undeleted(journal), doubt) if part)
        result = RunResult.PARTIAL if doubt else RunResult.DELETED
    exit_code = ending.exit_code if ending else 3 if doubt else 0
    return _close(journal, Ending(time.time(), result, ending.message if ending else doubt, exit_code))


def _undeleted(journal: Journal) -> str:
    left = len(journal.undeleted())
    return f"{left:,} of {left + len(journal.deleted()):,} chunks are not deleted" if left else ""


def _close(journal: Journal, ending: Ending) -> Finished:
    with suppress(JournalNotWritable):
        # Where the disk is full the run has ended for that reason, and the report says so all the same.
        journal.finish(ending)
    return Finished(fold(journal), ending.exit_code)


def _pipelines(plan: Plan) -> frozenset[str]:
    return frozenset(stage.stage.pipeline for stage in plan.stages)
