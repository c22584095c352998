"""The story of a run: checked, agreed to, sent, read back, reported. What the Python API and the command line stand on.

`start` and `resume` come together in `_carry_out`: from there on chunks are sent, whatever ends the run is on record,
and the exit code says what became of the deletes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import chain, count
from pathlib import Path
from random import random
from shutil import rmtree
from typing import Final

import anyio
import structlog

from bulkstate import __version__, config
from bulkstate.config import AUTO, OnUnpause, ReportFiles, Sample, Settings
from bulkstate.disk import control, small_file
from bulkstate.disk import journal as kept
from bulkstate.disk.control import Status
from bulkstate.disk.journal import Ending, Input, Journal, RunFacts, existing, make_run_directory
from bulkstate.disk.locks import lock_run
from bulkstate.engine.canary import Canary
from bulkstate.engine.engine import Engine, Equipment, Pace
from bulkstate.engine.pipelines import StatusWatch, findings, require
from bulkstate.engine.reads import ReadFailed
from bulkstate.engine.resolver import Resolver
from bulkstate.errors import (
    BulkstateError,
    CheckFailed,
    DeadlineReached,
    InputError,
    Interrupted,
    JournalNotWritable,
    NotRestarted,
    Problem,
    Refused,
    Stopped,
)
from bulkstate.forms.values import Share
from bulkstate.model import ChunkCounts, InputFile, Origin, Pipeline, Plan, Report, RunResult, Verdict
from bulkstate.policy.deadline import Deadline
from bulkstate.policy.lease import look_every
from bulkstate.report import to_json
from bulkstate.report.beginning import beginning
from bulkstate.report.certificate import certificate
from bulkstate.runs import pausing, provenance
from bulkstate.runs.account import account_of
from bulkstate.runs.allowed import require_allowed
from bulkstate.runs.audience import Aside, watching, within
from bulkstate.runs.briefing import credentials_of, guards
from bulkstate.runs.canary import canary_of, require_readable
from bulkstate.runs.circumstances import circumstances
from bulkstate.runs.connection import Connection
from bulkstate.runs.course import Course
from bulkstate.runs.deadline import deadline_of, done_by, in_time, reached, require_in_time
from bulkstate.runs.host import Host, Question
from bulkstate.runs.look import Looked, ask_stages, leave_out, look
from bulkstate.runs.memory import identity
from bulkstate.runs.prepare import Prepared
from bulkstate.runs.session import HEAD_SECONDS, Session, again_and_again, open_session, say_head
from bulkstate.runs.verification import keep_witnesses, read_back, read_back_or_say
from bulkstate.runs.workers import workers

log = structlog.get_logger()

COURSE_SECONDS: Final = 0.25
"""How often a run looks what holds it back."""

STATUS_SECONDS: Final = 0.25
"""How long a run waits at its end for the status file, whose last word few miss."""

REPORT_SECONDS: Final = 10.0
"""How long a report file may take to be written."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended: its report, the exit code that says so, and what ended it early, if anything."""

    report: Report
    exit_code: int
    ending: BulkstateError | None = None


RUNS: Final = "bulkstate-runs"
"""The folder of runs whose directory nobody named."""

LATEST: Final = ".latest"
"""A link there to the newest of them."""


def run_directory(plan: Plan) -> Path:
    """Where a run goes unless somebody named a directory: by the time (UTC) and the plan, numbered if that is taken."""
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{plan.digest[:8]}"
    names = chain((name,), (f"{name}-{number}" for number in count(2)))
    return next(path for path in (Path(RUNS, each) for each in names) if not path.exists())


# ── what can be done ──────────────────────────────────────────────────────────────────────────────────────────────


async def nothing_to_delete(prepared: Prepared) -> Finished:
    """How a run ends whose selection is empty, and may be: nobody is asked or called, and nothing is left on disk."""
    plan = prepared.plan
    report = Report(
        run="",
        run_dir="",
        plan=plan.digest,
        result=RunResult.DELETED,
        reason="nothing to delete",
        stages=(),
        chunks=ChunkCounts(),
        pairs_planned=0,
        pairs_deleted=0,
        attempts=0,
        retries=0,
        throttled=0,
        seconds=0.0,
        verified=None,
        failures=(),
        remarks=plan.remarks,
        guards=tuple(guards(plan, prepared.settings)),
        origin=Origin(
            *provenance.place_of(prepared.settings),
            credentials_of(prepared.settings),
            version=__version__,
            target=prepared.target,
            approval=prepared.approval,
            inputs=tuple(InputFile(str(each.path), each.sha256, each.rows) for each in prepared.inputs),
            configuration=sha256(prepared.configuration.encode()).hexdigest(),
        ),
    )
    await _keep_report(report, prepared.settings.report)
    return Finished(report, 0)


async def start(prepared: Prepared, directory: Path, host: Host) -> Finished:
    """Carry out a plan in a new run directory, which is taken away again if nobody agreed to it.

    Raises InputError, Refused or Interrupted until the first delete; later endings are in what is returned.
    """
    require_allowed(prepared.settings, {each.stage.pipeline for each in prepared.plan.stages}, host.environ)
    with _new_run(directory, prepared) as journal:
        async with open_session(journal, prepared.settings, host) as session:
            await _require_ready(session)
            looked = await look(session, prepared.spot_checks, prepared.ahead)
            numbers = range(prepared.plan.requests)
            looked = await require_readable(session, numbers, looked)
            wanted = prepared.settings.safety.deadline
            require_in_time(session, numbers, deadline_of(journal, wanted, None))
            await keep_witnesses(session, prepared.witnesses)
            how = await host.agree(_question(prepared, journal, looked))
            _keep_circumstances(session)
            journal.agree(time.time(), how, journal.circumstances()[-1].who)
            _link_latest(directory)
            provenance.remember(f"the run in {directory}", provenance.run_stored(journal, directory).seal)
            return await _carry_out(session, numbers, looked, deadline_of(journal, wanted, None))


def _question(prepared: Prepared, journal: Journal, looked: Looked) -> Question:
    seen = journal.pipelines_seen()
    digests = prepared.target, prepared.approval
    about = Question(prepared.plan, seen, looked.found, tuple(looked.unknown), *digests, prepared.inputs)
    return replace(about, witnesses=len(journal.witnesses()))


async def resume(directory: Path, again: frozenset[Verdict], host: Host, named: Deadline | None = None) -> Finished:
    """Go on with a run: send the chunks that have no record, or whose verdict is in `again` (law 4). It has to be done
    by the deadline that is `named`, or by the one that it began with."""
    with _run_in(directory) as journal:
        if journal.agreed_at is None:
            raise Refused(f"nobody ever agreed to the run in {directory}", hint="start it anew with `bulkstate run`")
        settings = provenance.settings_of(provenance.run_stored(journal, directory), host.voucher)
        async with open_session(journal, settings, host) as session:
            numbers = journal.pending(again)
            if not numbers and pausing.being_started(journal):
                return await _finished(session, _start_again)
            deadline = deadline_of(journal, settings.safety.deadline, named)
            require_in_time(session, numbers, deadline)
            await _require_ready(session)
            looked = await ask_stages(session, numbers) if session.settings.verify.before else Looked()
            looked = await require_readable(session, numbers, looked)
            _keep_circumstances(session)
            return await _carry_out(session, numbers, looked, deadline)


async def verify(directory: Path, sample: Sample, host: Host) -> Finished:
    """Read back what a run deleted: about `sample` pairs, or all. What is found goes into the run's journal.

    NotVerified if the gateway doesn't say; the run's journal then says what it said before.
    """
    with _run_in(directory) as journal:
        settings = provenance.settings_of(provenance.run_stored(journal, directory), host.voucher)
        pausing.refuse_started(journal)
        async with open_session(journal, settings, host) as session:
            began = time.time()
            found = await read_back(session, sample)
            await session.verified.wait()
            _keep_circumstances(session, began)
            await session.connection.gate.settle()
        await say_head(journal)
        report = account_of(journal)
        return Finished(report, 0 if report.result is RunResult.DELETED and found.clean else 3)


def _link_latest(directory: Path) -> None:
    """Let `bulkstate-runs/.latest` name the newest run. Where that can't be, nothing is worse for it."""
    if directory.parent.name != RUNS:
        return
    link = directory.with_name(LATEST)
    new = directory.with_name(f"{LATEST}-{os.getpid()}")
    with suppress(OSError):
        new.symlink_to(directory.name)
        new.replace(link)


def _keep_circumstances(session: Session, since: float | None = None) -> None:
    """Put on record who works on the run from here on, or `since` UNIX seconds, where, and how the clock stands."""
    found = circumstances(session.host.environ, session.host.reference)
    ahead = session.connection.client.clock_ahead
    session.journal.keep_circumstances(replace(found, clock_ahead=ahead, at=since or time.time()))


# ── what the run is in ────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _new_run(directory: Path, prepared: Prepared) -> Iterator[Journal]:
    """The journal of a new run, in a directory that stays only if somebody agreed to it. RunExists; Refused, rather
    than JournalNotWritable, as nothing was sent."""
    make_run_directory(directory)
    agreed = False
    try:
        with lock_run(directory), closing(_new_journal(directory, prepared)) as journal:
            try:
                yield journal
            finally:
                agreed = journal.agreed_at is not None
    except JournalNotWritable as error:
        raise Refused(error.message, hint="nothing was sent") from error
    finally:
        if not agreed:
            rmtree(directory, ignore_errors=True)


def _new_journal(directory: Path, prepared: Prepared) -> Journal:
    settings = prepared.settings
    facts = RunFacts(
        directory.name,
        time.time(),
        *identity(settings, directory),
        config.to_document(settings),
        __version__,
        prepared.target,
        prepared.approval,
    )
    inputs = [Input(str(each.path), each.size, each.sha256, each.rows) for each in prepared.inputs]
    return Journal.create(directory, prepared.plan, facts, inputs)


@contextmanager
def _run_in(directory: Path) -> Iterator[Journal]:
    """The journal of the run in `directory`, while nobody else works on it. InputError if there is none."""
    if (path := existing(directory)).is_symlink():
        raise InputError(Problem("is a link, which isn't followed", str(path)))
    asked_for = time.time()
    with lock_run(directory):
        control.forget(directory, since=asked_for)
        with closing(Journal.resume(directory)) as journal:
            yield journal


# ── what is done in it ────────────────────────────────────────────────────────────────────────────────────────────


async def _require_ready(session: Session) -> None:
    """CheckFailed unless the gateway lets us in and every pipeline is paused, where that is required, and called as it
    has to be."""
    safety, names = session.settings.safety, session.settings.names
    if not safety.require_paused and not names:
        return
    try:
        found = await session.connection.reads.pipelines(session.pipelines)
    except ReadFailed as failure:
        raise CheckFailed(f"gateway {failure}", hint="put that right and start again: nothing was deleted") from failure
    require(findings(found, session.pipelines, safety.require_paused, safety.pause, names))
    session.journal.saw_pipelines(time.time(), found.values())


async def _carry_out(
    session: Session, numbers: Sequence[int], looked: Looked, deadline: kept.Deadline | None
) -> Finished:
    """Pause, send the chunks `numbers`, but for stages that are left out, read back, start again, and put the ending on
    record. JournalNotWritable before the first delete; whatever ends it later is in what is returned."""

    async def work(session: Session) -> str:
        if deadline is None:
            return await carry_on(session)
        session.journal.set_deadline(deadline)
        with anyio.move_on_after(max(0.0, deadline.at - time.time())):
            return await carry_on(session)
        raise reached(deadline)

    async def carry_on(session: Session) -> str:
        _announce(session, looked, numbers, deadline)
        await pausing.pause(session)
        left = await leave_out(session, looked.unknown, numbers)
        try:
            are_seen = await _delete(session, left, canary_of(session, left, looked), deadline)
        except DeadlineReached as reason:
            session.connection.gate.open()
            reason.unread = await read_back_or_say(session)
            raise
        unread = await read_back_or_say(session)
        if not are_seen:
            await _see_pipelines(session)
        await session.verified.wait()
        await pausing.start_if_done(session, unread)
        return unread

    return await _finished(session, work)


def _announce(session: Session, looked: Looked, numbers: Sequence[int], deadline: kept.Deadline | None) -> None:
    """Say what begins, what was checked for it, and how it is stopped and gone on with, to whoever keeps the log."""
    journal = session.journal
    place, left_out = (journal.facts.gateway, journal.facts.organisation), sorted(looked.unknown)
    seen = journal.pipelines_seen()
    directory, plan = str(journal.directory), journal.plan.digest
    until = "" if deadline is None else done_by(deadline)
    about = directory, place, plan, len(numbers), seen, left_out, looked.found, until
    for said, figures in beginning(*about):
        log.info(said, **figures)


async def _start_again(session: Session) -> str:
    """What is left of a run that has deleted and read back everything: its pipelines."""
    await pausing.start_again(session)
    return ""


async def _finished(session: Session, work: Callable[[Session], Awaitable[str]]) -> Finished:
    """Do the session's work, which returns why what is left could not be read back, and put its ending on record."""
    session.journal.begin(time.time())
    await say_head(session.journal)
    ending: BulkstateError | None = None
    unread = ""
    try:
        with session.host.stopping.cancels():
            async with again_and_again(partial(say_head, session.journal), HEAD_SECONDS, session.host.stopping):
                unread = await work(session)
                await session.verified.wait()
                await session.connection.gate.settle()
                session.journal.require_in_place()
    except (Stopped, Interrupted, CheckFailed, NotRestarted) as reason:
        ending = reason
        unread = reason.unread if isinstance(reason, DeadlineReached) else ""
    session.host.stopping.over()
    if ending is not None:
        await pausing.start_untouched(session)
    finished = _finish(session.journal, ending, unread)
    await say_head(session.journal)
    await _keep_report(finished.report, session.settings.report)
    return finished


async def _see_pipelines(session: Session) -> None:
    """What the pipelines are in when all is over, for the report. Nobody is stopped by what it can't find out."""
    seen = session.journal.pipelines_seen()
    if not seen:
        return
    try:
        found = await session.connection.reads.pipelines(session.pipelines)
    except ReadFailed:
        found = {}
    unseen = [Pipeline(each.id, each.name, "") for each in seen if each.id not in found]
    session.journal.saw_pipelines(time.time(), (*found.values(), *unseen))


async def _delete(
    session: Session, numbers: Sequence[int], canary: Canary | None, deadline: kept.Deadline | None
) -> bool:
    """Send the chunks `numbers`, a canary of each stage first that has one. Raises what ended it early. Returns whether
    it is known what the pipelines are in: a call for the report alone might wait for an hour's quota."""
    settings, connection, journal = session.settings, session.connection, session.journal
    host, gate, clock = session.host, connection.gate, connection.clock
    safety = settings.safety
    every = partial(_look_every, session) if safety.require_paused else None
    chunks = journal.chunks()
    most, pilot = workers(settings.limits.concurrency, chunks.plan, connection.pilot)
    pace = Pace(most, settings.retry, pilot, _max_failed(settings))
    waits = safety.on_unpause is OnUnpause.WAIT
    status = StatusWatch(connection.reads, session.pipelines, every, log.warning, waits)
    async with (
        Aside("the status file", grace=STATUS_SECONDS) as status_file,
        watching(host.audience, chunks, numbers) as observer,
    ):

        def tell(status: Status) -> None:
            status_file.post(partial(control.tell, journal.directory, status))

        course = Course(observer, journal, tell, gate, time.time, clock)
        equipment = Equipment(
            connection.client,
            gate,
            status,
            journal,
            course,
            random,
            time.time,
            clock,
            connection.order,
            _resolver(settings, connection),
            canary,
        )
        engine = Engine(equipment, pace, chunks, numbers, journal.sizing(chunks))
        with host.stopping.drains(engine), session.by_hand.sets(engine):
            async with (
                again_and_again(partial(course.look, engine), COURSE_SECONDS, host.stopping),
                in_time(session, deadline, len(numbers), engine),
            ):
                ending = await engine.run()
            with suppress(JournalNotWritable):  # the run has ended for that reason
                await course.close(engine)
                if status.seen and journal.pipelines_seen():
                    journal.saw_pipelines(time.time(), status.seen.values())
    if ending is not None:
        raise ending
    return bool(status.seen)


def _look_every(session: Session) -> float:
    """Seconds from one look at the pipelines to the next, by what is known of the gateway's limits now."""
    every, limits, connection = session.settings.safety.status_every, session.settings.limits, session.connection
    if every != AUTO:
        return every
    learnt = connection.learnt()
    found = () if learnt is None else learnt.windows(limits.share.part)
    return look_every((*limits.windows, *found), connection.reads.pages)


def _max_failed(settings: Settings) -> float | None:
    """How many requests may fail; below 1, what share of them."""
    most = settings.safety.max_failed
    return most.part if isinstance(most, Share) else most


def _resolver(settings: Settings, connection: Connection) -> Resolver | None:
    """What reads back requests that were never answered, if that is wanted."""
    retry = settings.retry
    after = settings.gateway.timeout if retry.resolve_after is None else retry.resolve_after
    return Resolver(connection.reads, after) if retry.resolve else None


def _finish(journal: Journal, ending: BulkstateError | None, unread: str) -> Finished:
    """Put the ending into the journal. Where that can't be written, the report says all the same what ended the run."""
    doubts = "; ".join(text for text in (journal.doubts(), unread) if text)
    result = _result(ending, doubts)
    reason = ending.message if ending else doubts
    exit_code = ending.exit_code if ending else 3 if doubts else 0
    by = ending.reason_code if ending else ""
    with suppress(JournalNotWritable):
        journal.finish(Ending(time.time(), result, reason, exit_code, by, unread))
    report = account_of(journal)
    ended = replace(report.ended, by=by, unread=unread)
    return Finished(replace(report, result=result, reason=reason, ended=ended), exit_code, ending)


def _result(ending: BulkstateError | None, doubts: str) -> RunResult:
    if ending is None:
        return RunResult.PARTIAL if doubts else RunResult.DELETED
    if isinstance(ending, NotRestarted):
        return RunResult.DELETED
    if isinstance(ending, CheckFailed):
        return RunResult.REFUSED
    return RunResult.INTERRUPTED if isinstance(ending, Interrupted) else RunResult.STOPPED


async def _keep_report(report: Report, files: ReportFiles) -> None:
    """Write the report files that are configured. One that can't be written is said, and changes nothing else."""
    documents = (("report", files.json, to_json), ("certificate", files.certificate, certificate))
    for what, file, made in documents:
        if file is None:
            continue
        try:
            content = made(report)
        except InputError as error:
            log.error(f"the {what} can't be made", file=str(file), reason=error.message)
            continue
        trouble = await within(REPORT_SECONDS, partial(small_file.publish, file, content))
        if trouble:
            log.error(f"the {what} can't be written", file=str(file), reason=trouble)
