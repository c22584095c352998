"""One run put together: plan, check, delete, verify, report. What the Python API and the command line stand on."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from shutil import rmtree

import structlog

from bulkstate import __version__, config
from bulkstate.config import Sample, Settings
from bulkstate.disk import control
from bulkstate.disk.journal import Journal, RunFacts, existing, make_run_directory
from bulkstate.disk.locks import lock_run
from bulkstate.disk.saved_plan import SavedPlan, refuse_to_overwrite, write
from bulkstate.engine.pipelines import Finding, first_look
from bulkstate.errors import GuardExceeded, InputError, JournalNotWritable, Problem, Refused
from bulkstate.model import Pair, Plan, RunResult, Verdict
from bulkstate.pairs.relation import Relation
from bulkstate.planner.effort import Effort
from bulkstate.planner.planner import plan as plan_requests
from bulkstate.policy.pacing import Forecast, forecast
from bulkstate.report.fold import fold
from bulkstate.runs.connection import connect, identity
from bulkstate.runs.memory import known_limits
from bulkstate.runs.session import (
    Audience,
    Finished,
    Session,
    Witnesses,
    carry_out,
    keep_report,
    keep_witnesses,
    open_session,
    read_back,
    require_ready,
)
from bulkstate.runs.stopping import Brake
from bulkstate.selection import PairSource, Source, fingerprints, read_pairs, select

log = structlog.get_logger()

Agree = Callable[[Plan], Awaitable[None]]
"""Asks somebody whether the plan may be carried out; NotConfirmed if not."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a configuration asks for."""

    settings: Settings
    plan: Plan
    witnesses: Witnesses


# ── before ────────────────────────────────────────────────────────────────────────────────────────────────────────


def prepare(settings: Settings, budget: float | None = None) -> Prepared:
    """Select and plan, and hold the plan against the guards. InputError, GuardExceeded.

    With a budget, in seconds, the search for fewer requests takes about so long, whatever the effort in the settings.
    """
    _check_report_file(settings.report.json)
    relations = select(settings.delete)
    witnesses = _witness_pairs(settings.verify.witness, relations)
    plan = _planned(settings, [relation.keeping(witnesses) for relation in relations], budget)
    _guard(plan, settings.safety)
    duplicates = sum(relation.duplicates for relation in relations)
    if duplicates:
        log.info("selected more than once", entries=duplicates)
    outside = tuple((stage.stage, pair) for pair in witnesses for stage in plan.stages)
    return Prepared(settings, plan, outside)


def _check_report_file(file: Path | None) -> None:
    """A night's work shouldn't end with a report that nobody gets."""
    if file is not None and not (file.parent.is_dir() and os.access(file.parent, os.W_OK) and not file.is_dir()):
        raise InputError(Problem("can't be written: its folder is missing or read-only", str(file), "report.json"))


def save(settings: Settings, path: Path, budget: float | None = None) -> Prepared:
    """Prepare, and put what came of it into the file at `path`, to be restored. Raises what `prepare` does."""
    refuse_to_overwrite(path)
    # Before the files are read: should one change in between, the plan is stale, rather than of something else.
    inputs = fingerprints(_sources(settings))
    prepared = prepare(settings, budget)
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


def _planned(settings: Settings, relations: Sequence[Relation], budget: float | None = None) -> Plan:
    limits = settings.limits
    return plan_requests(
        relations,
        pairs_per_request=limits.pairs_per_request,
        bytes_per_request=limits.bytes_per_request,
        effort=settings.plan.effort if budget is None else Effort.THOROUGH,
        expired=None if budget is None else _deadline(budget),
    )


def _deadline(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _guard(plan: Plan, safety: config.Safety) -> None:
    for amount, most, what in (
        (plan.pairs + plan.unlisted_pairs, safety.max_pairs, "pairs"),
        (plan.requests, safety.max_requests, "requests"),
    ):
        if most is not None and amount > most:
            raise GuardExceeded(
                f"the plan has {amount:,} {what}, and safety.max_{what} allows {most:,}",
                hint="narrow the selection or, if it is right, raise the guard: nothing was sent",
            )


def forecast_of(plan: Plan, settings: Settings, state: Path | None = None) -> Forecast | None:
    """How long sending the plan takes at the limits that are configured, or were learnt by earlier runs, if every call
    succeeds at once; None if none is known. `state` is the file of what was learnt, unless the usual one."""
    known = known_limits(settings, state)
    return forecast(known, plan.requests) if known else None


def run_directory(plan: Plan) -> Path:
    """Where a run goes unless somebody named a directory: by the time (UTC) and the plan, numbered if that is taken."""
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{plan.digest[:8]}"
    names = chain((name,), (f"{name}-{number}" for number in count(2)))
    return next(path for path in (Path("bulkstate-runs", each) for each in names) if not path.exists())


async def check(settings: Settings, environ: Mapping[str, str], brake: Brake) -> tuple[Finding, ...]:
    """Try the credentials and look at the pipelines of a configuration. Sends no delete."""
    pipelines = {entry.pipeline for entry in settings.delete}
    with brake.around():
        async with connect(settings, environ, None) as connection:
            return await first_look(connection.reads, pipelines, settings.safety.require_paused)


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
    """Carry out a plan in a new run directory, which is taken away again if it doesn't come to the first delete.

    `state` is a file for what is known of the gateway from other runs, unless it is the usual one. Raises InputError,
    Refused or Interrupted until then; later endings are in what is returned.
    """
    make_run_directory(directory)
    agreed = False

    async def come_to_agreement(session: Session) -> None:
        nonlocal agreed
        await require_ready(session)
        await keep_witnesses(session, prepared.witnesses)
        await agree(prepared.plan)
        session.journal.agree(time.time())
        agreed = True

    try:
        with lock_run(directory), closing(_new_journal(directory, prepared)) as journal:
            opening = open_session(journal, prepared.settings, environ, brake, state)
            numbers = range(prepared.plan.requests)
            finished = await carry_out(opening, journal, come_to_agreement, numbers, audience)
            return keep_report(finished, prepared.settings.report)
    except JournalNotWritable as error:
        raise Refused(error.message, hint="nothing was sent") from error
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
    with _run_in(directory) as journal:
        if journal.agreed_at is None:
            raise Refused(f"nobody ever agreed to the run in {directory}", hint="start it anew with `bulkstate run`")
        settings = _settings(journal, environ)
        opening = open_session(journal, settings, environ, brake, state)
        finished = await carry_out(opening, journal, require_ready, journal.pending(again), audience)
        return keep_report(finished, settings.report)


async def verify(
    directory: Path, environ: Mapping[str, str], sample: Sample, brake: Brake, state: Path | None = None
) -> Finished:
    """Read back what a run deleted: about `sample` pairs, or all. What is found goes into the run's journal.

    NotVerified if the gateway doesn't say; the run's journal then says what it said before.
    """
    with _run_in(directory) as journal:
        async with open_session(journal, _settings(journal, environ), environ, brake, state) as session:
            found = await read_back(session, sample)
        report = fold(journal)
        return Finished(report, 0 if report.result is RunResult.DELETED and found.clean else 3)


def _settings(journal: Journal, environ: Mapping[str, str]) -> Settings:
    """What a run goes on with. InputError if a secret's variable isn't set."""
    return config.from_document(journal.facts.configuration, environ)


@contextmanager
def _run_in(directory: Path) -> Iterator[Journal]:
    """The journal of the run in `directory`, while nobody else works on it. InputError if there is none."""
    existing(directory)
    asked_for = time.time()
    with lock_run(directory):
        control.forget(directory, since=asked_for)
        with closing(Journal.resume(directory)) as journal:
            yield journal


def _new_journal(directory: Path, prepared: Prepared) -> Journal:
    settings = prepared.settings
    facts = RunFacts(
        directory.name, time.time(), *identity(settings, directory), config.to_document(settings), __version__
    )
    return Journal.create(directory, prepared.plan, facts)
