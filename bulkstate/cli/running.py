"""The commands that call a gateway: `run`, `apply`, `resume`, `verify`, `check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
import typer

from bulkstate.cli.agreement import agreement, audience, show_question
from bulkstate.cli.signals import attend
from bulkstate.cli.terminal import as_json, producing, tell
from bulkstate.disk import saved_plan
from bulkstate.disk.journal import RESUMED, RETRIED
from bulkstate.engine.pipelines import Finding
from bulkstate.errors import InputError, NotConfirmed, Problem
from bulkstate.policy.deadline import Deadline, parse_deadline
from bulkstate.policy.sampling import parse_sample
from bulkstate.runs import check as checking
from bulkstate.runs import operations, prepare
from bulkstate.runs.continuing import Press, press
from bulkstate.runs.host import Host, Question
from bulkstate.runs.operations import Finished
from bulkstate.runs.provenance import Voucher, plan_stored, settings_of
from bulkstate.runs.stopping import Stopping
from bulkstate.text import printable

log = structlog.get_logger()

NOT_READY = 4
"""Exit code of `check` where a run would be refused."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command line says of any run: what people call its reason, the file of what is known of the gateway, and
    whether stdout is for a document."""

    reference: str
    state: Path | None
    json: bool
    goes_on: bool = False
    """Whether a run that is there already is gone on with."""


def run(config_file: Path, yes: bool, dry_run: bool, run_dir: Path | None, said: Said) -> None:
    """Plan, check, delete, verify, report; a dry run comes as far as the question."""
    prepared = prepare.prepare(prepare.load(config_file, os.environ), folder=config_file.parent)
    if dry_run:
        _look_only(prepared, run_dir, said.state, said.json)
    else:
        _carry_out(prepared, yes, run_dir, said, config_file)


def _look_only(prepared: prepare.Prepared, run_dir: Path | None, state: Path | None, json: bool) -> None:
    """Everything up to the question, and what would be asked, on stdout."""
    asked: list[Question] = []

    async def note(question: Question) -> str:
        asked.append(question)
        raise NotConfirmed("it is a dry run")

    async def work(stopping: Stopping) -> Finished:
        directory = run_dir or operations.run_directory(prepared.plan)
        return await operations.start(prepared, directory, Host(os.environ, stopping, note, state=state))

    with suppress(NotConfirmed):
        attend(work)
    show_question(asked[0], prepared.settings, len(prepared.witnesses), state, json)


def apply(
    plan_file: Path,
    yes: bool,
    run_dir: Path | None,
    inputs: Path | None,
    even_if_stale: bool,
    digest: str,
    config_file: Path | None,
    said: Said,
) -> None:
    """Carry out a saved plan."""
    saved = saved_plan.read(plan_file)
    stored = plan_stored(saved, plan_file)
    settings = settings_of(stored, Voucher(os.environ, config_file, digest, asked=not yes and sys.stdin.isatty()))
    if digest:
        log.info("the digest fits", digest="approval" if digest == stored.seal else "target")
    if not even_if_stale:
        saved_plan.refuse_stale(saved, inputs or plan_file.parent, vouched=bool(digest))
    prepared = prepare.restore(saved, settings)
    if even_if_stale:
        prepared = replace(prepared, ahead=None)
    _carry_out(prepared, yes, run_dir, said, config_file, digest=bool(digest))


def _carry_out(
    prepared: prepare.Prepared,
    yes: bool,
    run_dir: Path | None,
    said: Said,
    config_file: Path | None,
    digest: bool = False,
) -> None:
    """Carry out a plan in a new run directory; or go on with the run that is there, if that was asked for."""
    if not prepared.plan.requests:
        tell(attend(lambda _: operations.nothing_to_delete(prepared)), said.json)
    if said.goes_on:
        _go_on(prepared, run_dir, config_file, said)
    agree = agreement(prepared.settings, yes, said.state, len(prepared.witnesses), digest)
    directory = run_dir or operations.run_directory(prepared.plan)

    async def work(stopping: Stopping) -> Finished:
        host = Host(os.environ, stopping, agree, audience, said.state, reference=said.reference)
        return await operations.start(prepared, directory, host)

    tell(attend(work), said.json)


def _go_on(prepared: prepare.Prepared, run_dir: Path | None, config_file: Path | None, said: Said) -> None:
    """Resume the run that is there, or tell how it ended; come back where there is none. The process ends otherwise."""
    if run_dir is None:
        hint = "a step that is pressed twice has to find its run again"
        raise InputError(Problem("--continue needs --run-dir", hint=hint))
    found = press(run_dir, prepared.target)
    if isinstance(found, Finished):
        log.info("the run has ended before", run_dir=str(run_dir))
        tell(found, said.json)
    if found is Press.RESUME:
        log.info("the run is gone on with", run_dir=str(run_dir))
        resume(run_dir, False, "", config_file, said)


def _deadline(text: str) -> Deadline:
    try:
        return parse_deadline(text)
    except ValueError as error:
        raise InputError(Problem(f"expected {error}", "--deadline")) from None


def resume(run_dir: Path, retry_failed: bool, deadline: str, config_file: Path | None, said: Said) -> None:
    """Go on with a run."""
    again, named = RETRIED if retry_failed else RESUMED, _deadline(deadline) if deadline else None

    async def work(stopping: Stopping) -> Finished:
        host = Host(
            os.environ, stopping, audience=audience, state=said.state, config=config_file, reference=said.reference
        )
        return await operations.resume(run_dir, again, host, named)

    tell(attend(work), said.json)


def verify(run_dir: Path, sample: str, config_file: Path | None, state: Path | None, json: bool) -> None:
    """Read back what a run deleted. The sample is written as in a configuration."""
    wanted = parse_sample(sample)

    async def work(stopping: Stopping) -> Finished:
        host = Host(os.environ, stopping, state=state, config=config_file)
        return await operations.verify(run_dir, wanted, host)

    tell(attend(work), json)


def check(config_file: Path, json: bool) -> None:
    """Find out what can be found out without a delete."""
    settings = prepare.load(config_file, os.environ)
    prepared = prepare.prepare(settings, folder=config_file.parent)
    forecast = prepare.forecast_of(prepared.plan, settings)
    findings = attend(lambda stopping: checking.check(prepared, forecast, Host(os.environ, stopping)))
    with producing():
        if json:
            sys.stdout.buffer.write(as_json({"findings": findings}))
        else:
            typer.echo("\n".join(_table(findings)))
    if not all(finding.passed for finding in findings):
        raise typer.Exit(NOT_READY)


def _table(findings: Sequence[Finding]) -> Iterator[str]:
    """A line a finding, and one for what to do about it."""
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        mark = "✓" if finding.passed else "✗"
        yield f"{mark} {printable(finding.subject):<{width}}  {printable(finding.detail)}"
        if finding.hint:
            yield f"  {'':<{width}}  → {printable(finding.hint)}"
