"""The command line: commands, signals, exit codes. Nothing imports this room."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import anyio
import orjson
import typer

from bulkstate import __version__, config
from bulkstate.cli import ctl
from bulkstate.cli.agreement import agreement, audience
from bulkstate.cli.logs import LogStyle, log_style, set_up_logging
from bulkstate.cli.terminal import PRETTY, Page, attend, catch_signals, open_streams, printing, speaking, tell, write
from bulkstate.disk import saved_plan
from bulkstate.disk.control import Command
from bulkstate.disk.journal import RESUMED, RETRIED, Record
from bulkstate.emulator import app as emulator_app
from bulkstate.emulator.faults import load_faults
from bulkstate.emulator.world import World, default_world, load_world
from bulkstate.errors import InputError, Interrupted, Problem
from bulkstate.forms.values import parse_duration
from bulkstate.planner.difference import compare
from bulkstate.report import fold, show, to_json, to_text, write_failures
from bulkstate.report.differences import show_comparison
from bulkstate.report.explained import explanation_to_json
from bulkstate.report.planned import plan_to_json, show_plan
from bulkstate.runs import operations
from bulkstate.runs.session import Finished
from bulkstate.runs.stopping import Brake
from bulkstate.text import printable

NOT_READY: Final = 4
"""Exit code of `check` where a run would be refused."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Bulk deletion of EnOS stage state: planned exactly, paced to the gateway, recorded chunk by chunk.",
)

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration, a YAML file.", show_default=False)]
RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run directory.", show_default=False)]
ASKED_HELP: Final = "status, rate 10/s, concurrency 4 (or configured), pause, resume or stop."
NewRunDir = Annotated[
    Path | None, typer.Option("--run-dir", help="Where the run keeps its journal.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask: the plan is agreed to.")]
StateFile = Annotated[
    Path | None,
    typer.Option(
        "--state",
        dir_okay=False,
        readable=False,  # it isn't asked here: a file that can't be read is ignored, which is said
        help="What is known of the gateway from other runs, if not in the usual place.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, and nothing else there.")]


class Format(StrEnum):
    """How `report` writes."""

    TEXT = "text"
    JSON = "json"


class Asked(StrEnum):
    """What `ctl` is for."""

    STATUS = "status"
    RATE = Command.RATE
    CONCURRENCY = Command.CONCURRENCY
    PAUSE = Command.PAUSE
    RESUME = Command.RESUME
    STOP = Command.STOP


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bulkstate {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    log: Annotated[
        LogStyle | None, typer.Option(help="How log lines on stderr look. JSON if CI is set.", show_default=False)
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    set_up_logging(log or log_style(os.environ))


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────


@app.command("run")
def run_(
    config_file: Config, yes: Yes = False, run_dir: NewRunDir = None, state: StateFile = None, json: Json = False
) -> None:
    """Plan, check, delete, verify, report."""
    with speaking(json):
        _carry_out(operations.prepare(config.load(config_file, os.environ)), yes, run_dir, state, json)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}") from None


@app.command()
def plan(
    config_file: Config,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PLAN", help="Save it, for `apply`. Replaces an older saved plan only."),
    ] = None,
    old_file: Annotated[
        Path | None,
        typer.Option("--diff", metavar="OLD", help="Say what it deletes otherwise than this saved plan."),
    ] = None,
    explain: Annotated[
        Path | None, typer.Option("--explain", metavar="FILE", help="Write the evidence for the lower bounds, as JSON.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            parser=_duration, metavar="TIME", help="Search for so long, such as 30s, not by effort: not reproducible."
        ),
    ] = None,
    state: StateFile = None,
    json: Json = False,
) -> None:
    """Show what would be sent, and how few requests it could take. Calls nobody."""
    with speaking(json):
        settings = config.load(config_file, os.environ)
        old = None if old_file is None else saved_plan.read(old_file).plan
        made = (
            operations.prepare(settings, budget) if output is None else operations.save(settings, output, budget)
        ).plan
        if explain is not None:
            with _to_write(explain):
                explain.write_bytes(explanation_to_json(made))
        forecast = operations.forecast_of(made, settings, state)
        comparison = None if old is None else compare(old, made)
        if json:
            write(plan_to_json(made, forecast, comparison))
            return
        with printing():
            show_plan(made, forecast, Page())
            if comparison is not None:
                show_comparison(comparison, Page())
        if output is not None:
            typer.echo(f" Saved. To carry it out: bulkstate apply {shlex.quote(str(output))}")


@app.command()
def apply(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="A saved plan.", show_default=False)],
    yes: Yes = False,
    run_dir: NewRunDir = None,
    even_if_stale: Annotated[
        bool, typer.Option("--even-if-stale", help="Also if a file that the plan was made of has changed since.")
    ] = False,
    state: StateFile = None,
    json: Json = False,
) -> None:
    """Carry out a saved plan, exactly as it is, with the configuration that it was made with."""
    with speaking(json):
        saved = saved_plan.read(plan_file)
        if not even_if_stale:
            saved_plan.refuse_stale(saved)
        _carry_out(operations.restore(saved, os.environ), yes, run_dir, state, json)


def _carry_out(prepared: operations.Prepared, yes: bool, run_dir: Path | None, state: Path | None, json: bool) -> None:
    agree = agreement(prepared.settings, yes, state)
    directory = run_dir or operations.run_directory(prepared.plan)

    async def work(brake: Brake) -> Finished:
        return await operations.start(prepared, directory, os.environ, agree, audience, brake, state)

    tell(attend(work), json)


@app.command()
def resume(
    run_dir: RunDir,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also send what was refused, and what ran out of attempts.")
    ] = False,
    state: StateFile = None,
    json: Json = False,
) -> None:
    """Go on with a run. Asks nothing: the run was agreed to."""

    async def work(brake: Brake) -> Finished:
        again = RETRIED if retry_failed else RESUMED
        return await operations.resume(run_dir, os.environ, again, audience, brake, state)

    with speaking(json):
        tell(attend(work), json)


@app.command()
def report(
    run_dir: RunDir,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.TEXT,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file, instead of stdout.")] = None,
    failed: Annotated[
        Path | None, typer.Option("--failed", help="Also write the pairs that aren't deleted to a CSV file a stage.")
    ] = None,
) -> None:
    """Tell how a run went, or how it stands."""
    with speaking(form is Format.JSON), Record.open(run_dir) as record:
        folded = fold(record)
        if failed is not None:
            with _to_write(failed):
                files = write_failures(record, failed)
            for stage, file in files.items():
                typer.echo(f"what isn't deleted of {printable(str(stage))}: {file}", err=True)
        if output is not None:
            with _to_write(output):
                output.write_bytes(to_json(folded) if form is Format.JSON else to_text(folded).encode())
        elif form is Format.JSON:
            write(to_json(folded))
        else:
            with printing():
                show(folded, Page())


@app.command("ctl")
def control(
    run_dir: RunDir,
    command: Annotated[Asked, typer.Argument(metavar="COMMAND", help=ASKED_HELP, show_default=False)],
    value: Annotated[str, typer.Argument(metavar="[VALUE]", help="10/s, or 4.", show_default=False)] = "",
    json: Json = False,
) -> None:
    """Look at a run while it runs, slow it down, pause it, stop it. It heeds within a second."""
    with speaking(json):
        if command is Asked.STATUS:
            ctl.no_value(value)
            _show_standing(ctl.standing(run_dir), json)
        else:
            use = ctl.ask(run_dir, Command(command), value)
            if json:
                write(orjson.dumps(use, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
            else:
                typer.echo(f"asked for: {command} {value}".rstrip())


def _show_standing(standing: ctl.Standing, json: bool) -> None:
    if json:
        write(orjson.dumps(standing, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    else:
        typer.echo("\n".join(ctl.lines(standing, time.time())))


def _sample(text: str) -> config.Sample:
    if text == "all":
        return "all"
    if text.isascii() and text.isdigit() and int(text[:12]) > 0:
        return int(text[:12])
    raise typer.BadParameter("expected a number of pairs, or all")


@app.command()
def verify(
    run_dir: RunDir,
    sample: Annotated[str, typer.Option(help="How many pairs to read back, or all.")] = "2000",
    state: StateFile = None,
    json: Json = False,
) -> None:
    """Read back what a run deleted, through Get Stage State."""
    pairs = _sample(sample)

    async def work(brake: Brake) -> Finished:
        return await operations.verify(run_dir, os.environ, pairs, brake, state)

    with speaking(json):
        tell(attend(work), json)


@app.command()
def check(config_file: Config, json: Json = False) -> None:
    """Try the credentials and look at the pipelines. Sends no delete."""
    with speaking(json):
        settings = config.load(config_file, os.environ)
        findings = attend(lambda brake: operations.check(settings, os.environ, brake))
        if json:
            write(orjson.dumps({"findings": findings}, option=PRETTY))
        with printing():
            for finding in () if json else findings:
                typer.echo(f"{'✓' if finding.passed else '✗'} {finding.subject} {finding.detail}")
    if not all(finding.passed for finding in findings):
        raise typer.Exit(NOT_READY)


@app.command()
def emulator(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0: a free one.", min=0, max=65535)] = 8080,
    db: Annotated[Path | None, typer.Option(help="Keep the state in this file.", show_default=False)] = None,
    world: Annotated[Path | None, typer.Option(help="What there is, a YAML file.", show_default=False)] = None,
    faults: Annotated[Path | None, typer.Option(help="How to misbehave, a YAML file.", show_default=False)] = None,
    trust_vendor_token: Annotated[
        bool, typer.Option("--trust-vendor-token", help="Accept the vendor's encrypted tokens, unread.")
    ] = False,
) -> None:
    """Serve the same API over a real store, for rehearsal, learning and tests."""
    with speaking(False):
        seed = default_world() if world is None else load_world(world)
        serving = emulator_app.serve(
            seed,
            database=db,
            faults=None if faults is None else load_faults(faults),
            host=host,
            port=port,
            trust_vendor_token=trust_vendor_token,
        )
        with suppress(Interrupted):
            attend(lambda brake: _serve(serving, seed, brake))


async def _serve(serving: AbstractAsyncContextManager[emulator_app.Emulator], world: World, brake: Brake) -> None:
    with brake.around():
        async with serving as served:
            typer.echo(f"emulator at {served.url}\n  organisation  {served.organisation}")
            if world.credentials is None:
                typer.echo(f"  app_key       {served.app_key}\n  app_secret    {served.app_secret}")
            await anyio.sleep_forever()


@app.command()
def schema() -> None:
    """Print the configuration's JSON Schema, for editors."""
    write(orjson.dumps(config.schema(), option=PRETTY))


@contextmanager
def _to_write(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(Problem(f"can't be written: {error.strerror}", where=str(error.filename or path))) from error


def main() -> None:
    """The `bulkstate` command."""
    open_streams()
    catch_signals()
    app()
