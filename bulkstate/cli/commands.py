"""The command line: what each command takes. What it does is imported when it is asked for, so that a word of help is
cheap.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final

import typer

from bulkstate import __version__
from bulkstate.cli.options import (
    ASKED_HELP,
    LATEST,
    Config,
    Continue,
    ControlWord,
    Json,
    LatestRunDir,
    LogStyle,
    NewRunDir,
    OwnConfig,
    Reference,
    ReportFormat,
    RunDir,
    SchemaOf,
    StateFile,
    Yes,
    named,
)
from bulkstate.cli.signals import heard
from bulkstate.cli.terminal import as_json, helping, open_streams, produce, speaking
from bulkstate.errors import InputError, Problem
from bulkstate.forms.values import parse_duration

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Bulk deletion of EnOS stage state: planned exactly, paced to the gateway, recorded chunk by chunk.",
)


def main() -> None:
    """Carry out what the command line says."""
    # Before numpy is imported: the planner's products are small, and threads that wait for each other on busy cores
    # made them four to ten times slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _mend_size_of_terminal()
    os.umask(os.umask(0o022) | 0o022)  # whatever is written, reports too, nobody else may change
    # A million rectangles are a million objects without a cycle: looking for some took a fifth of all planning.
    gc.set_threshold(50_000, 20, 20)
    with heard():
        open_streams()
        with helping(sys.argv[1:]):
            app()


def _mend_size_of_terminal() -> None:
    """`COLUMNS=0`, as some jobs and containers have it, would show nothing at all; millions would take all memory."""
    for name in ("COLUMNS", "LINES"):
        size = os.environ.get(name, "")
        if size.isdigit() and not (len(size) <= len(str(LARGEST_TERMINAL)) and 0 < int(size) <= LARGEST_TERMINAL):
            del os.environ[name]


LARGEST_TERMINAL: Final = 10_000
"""Columns or lines that a terminal may have."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bulkstate {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    log: Annotated[
        LogStyle | None, typer.Option(help="How log lines on stderr look. JSON if CI is set.", show_default=False)
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    context.obj = log
    with speaking("--json" in sys.argv):
        _refuse_empty(sys.argv[1:])


def _refuse_empty(arguments: Sequence[str]) -> None:
    """InputError where one is empty: it was meant to say something, as `--digest "$D"` does where D isn't set."""
    for before, argument in pairwise(("bulkstate", *arguments)):
        option = argument.partition("=")[0]
        if not argument or (option.startswith("--") and argument == f"{option}="):
            raise InputError(Problem("is empty", f"what follows {option or before}", hint="is a variable not set?"))


@contextmanager
def _at_work(context: typer.Context, json: bool) -> Iterator[None]:
    """Log as was asked for, and say what ended the command."""
    with speaking(json):
        from bulkstate.cli.logs import log_style, set_up_logging

        set_up_logging(context.obj or log_style(os.environ))
        yield


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────


@app.command()
def run(
    context: typer.Context,
    config_file: Config,
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan and look, show what would be asked, and delete nothing.")
    ] = False,
    run_dir: NewRunDir = None,
    goes_on: Continue = False,
    reference: Reference = "",
    state: StateFile = None,
    json: Json = False,
) -> None:
    """Plan, check, look, delete, read back, report."""
    with _at_work(context, json):
        from bulkstate.cli import running

        running.run(config_file, yes, dry_run, run_dir, running.Said(reference, state, json, goes_on))


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}") from None


@app.command()
def plan(
    context: typer.Context,
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
    look: Annotated[
        bool, typer.Option("--look", help="Look at pipelines and state, and keep in the plan what was seen.")
    ] = False,
    state: StateFile = None,
    json: Json = False,
) -> None:
    """Show what would be sent, and how few requests it could take. Calls nobody, unless told to look."""
    with _at_work(context, json):
        from bulkstate.cli import planning

        planning.plan(config_file, output, old_file, explain, budget, look, state, json)


@app.command()
def show(
    context: typer.Context,
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="A saved plan.", show_default=False)],
    state: StateFile = None,
    json: Json = False,
) -> None:
    """Show what an approver needs to know of a saved plan: where, as whom, what, how much. Calls nobody."""
    with _at_work(context, json):
        from bulkstate.cli import planning

        planning.show(plan_file, state, json)


@app.command()
def apply(
    context: typer.Context,
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="A saved plan.", show_default=False)],
    yes: Yes = False,
    run_dir: NewRunDir = None,
    inputs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the files are that the plan was made of, if not beside it."),
    ] = None,
    even_if_stale: Annotated[
        bool, typer.Option("--even-if-stale", help="Also if a file has changed, or isn't there, or what was seen.")
    ] = False,
    digest: Annotated[
        str,
        typer.Option(metavar="DIGEST", help="Only if its target or approval has this digest.", show_default=False),
    ] = "",
    own_config: OwnConfig = None,
    goes_on: Continue = False,
    reference: Reference = "",
    state: StateFile = None,
    json: Json = False,
) -> None:
    """Carry out a saved plan, exactly as it is, with the configuration that it was made with."""
    with _at_work(context, json):
        from bulkstate.cli import running

        said = running.Said(reference, state, json, goes_on)
        running.apply(plan_file, yes, run_dir, inputs, even_if_stale, digest, own_config, said)


@app.command()
def resume(
    context: typer.Context,
    run_dir: RunDir,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also send what was refused, and what ran out of attempts.")
    ] = False,
    deadline: Annotated[
        str, typer.Option("--deadline", metavar="D", help="Be done in 45m, or at '05:00 Europe/Berlin'.")
    ] = "",
    own_config: OwnConfig = None,
    reference: Reference = "",
    state: StateFile = None,
    json: Json = False,
) -> None:
    """Go on with a run. Asks nothing: the run was agreed to."""
    with _at_work(context, json):
        from bulkstate.cli import running

        running.resume(run_dir, retry_failed, deadline, own_config, running.Said(reference, state, json))


@app.command()
def report(
    context: typer.Context,
    run_dir: LatestRunDir = LATEST,
    form: Annotated[ReportFormat, typer.Option("--format", help="How it is written.")] = ReportFormat.TEXT,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file, instead of stdout.")] = None,
    failed: Annotated[
        Path | None,
        typer.Option("--failed", help="Also write the pairs that aren't deleted, as CSV for `pairs:`."),
    ] = None,
    failed_blocks: Annotated[
        bool,
        typer.Option("--failed-blocks", help="Write them as entries of `delete` in YAML: a rectangle is a few lines."),
    ] = False,
) -> None:
    """Tell how a run went, or how it stands."""
    with _at_work(context, form is ReportFormat.JSON):
        from bulkstate.cli import reporting

        reporting.report(named(run_dir), form, output, failed, failed_blocks)


@app.command()
def certificate(
    context: typer.Context,
    run_dir: LatestRunDir = LATEST,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A file, instead of stdout.")
    ] = None,
    check_file: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Make it anew, and compare it with this file, byte by byte."),
    ] = None,
    expect_head: Annotated[
        str,
        typer.Option(metavar="HEAD", help="A head of the journal's chain that was kept, in a log say: is it there?"),
    ] = "",
    asset_ids: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also write the assets' IDs, which the certificate then holds the digest of."
        ),
    ] = None,
    tests: Annotated[
        Path | None,
        typer.Option("--test-result", metavar="FILE", help="Also write in-toto's test-result, for policy engines."),
    ] = None,
) -> None:
    """Write what can be proved of a run, as an in-toto Statement, once all of its journal's chain is verified."""
    with _at_work(context, False):
        from bulkstate.cli import certifying

        if check_file is None:
            certifying.certify(named(run_dir), output, asset_ids, tests, expect_head)
        else:
            certifying.check(named(run_dir), check_file, expect_head)


@app.command()
def runs(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="A folder of run directories.", show_default=False)
    ] = LATEST.parent,
    json: Json = False,
) -> None:
    """List the runs there are, each with its conclusion."""
    with _at_work(context, json):
        from bulkstate.cli import reporting

        reporting.runs(folder, json)


@app.command()
def ctl(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN_DIR] COMMAND [VALUE]",
            help=f"Of a run, unless named the newest: {ASKED_HELP}",
            show_default=False,
        ),
    ],
    json: Json = False,
) -> None:
    """Look at a run while it runs, slow it down, hold it, stop it. It heeds within a second."""
    run_dir, asked, value = _asked(words)
    with _at_work(context, json):
        from bulkstate.cli.ctl import control

        control(run_dir, asked, value, json)


def _asked(words: list[str]) -> tuple[Path, ControlWord, str]:
    """The run, what is asked of it, and the value. The first word is no run directory if it is a command, and the
    second is none."""
    names = [each.value for each in ControlWord]
    latest = words[0] in names and words[1:2] not in [[name] for name in names]
    run_dir, rest = (named(LATEST), words) if latest else (Path(words[0]), words[1:])
    if not rest:
        raise typer.BadParameter("what is asked of it is missing", param_hint="COMMAND")
    if rest[0] not in names:
        raise typer.BadParameter(f"{rest[0]!r} is not one of {', '.join(names[:-2])}", param_hint="COMMAND")
    if len(rest) > 2:
        raise typer.BadParameter(f"{rest[2]!r} is one too many", param_hint="VALUE")
    return run_dir, ControlWord(rest[0]), "".join(rest[1:])


def _sample(text: str) -> str:
    if text in ("all", "auto") or re.fullmatch(r"[1-9][0-9]{0,11}|(100|[1-9][0-9]?)%", text):
        return text
    raise typer.BadParameter("expected a number of requests, a share such as 5%, auto or all")


@app.command()
def verify(
    context: typer.Context,
    run_dir: LatestRunDir = LATEST,
    sample: Annotated[str, typer.Option(help="Requests to read back whole: a number, 5%, auto or all.")] = "auto",
    own_config: OwnConfig = None,
    state: StateFile = None,
    json: Json = False,
) -> None:
    """Read back what a run deleted, through Get Stage State."""
    wanted = _sample(sample)
    with _at_work(context, json):
        from bulkstate.cli import running

        running.verify(named(run_dir), wanted, own_config, state, json)


@app.command()
def check(context: typer.Context, config_file: Config, json: Json = False) -> None:
    """Ask about a configuration: credentials, pipelines, stages, state there is. Sends no delete."""
    with _at_work(context, json):
        from bulkstate.cli import running

        running.check(config_file, json)


@app.command()
def emulator(
    context: typer.Context,
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
    with _at_work(context, False):
        from bulkstate.cli import emulating

        emulating.emulator(host, port, db, world, faults, trust_vendor_token)


@app.command()
def schema(
    context: typer.Context,
    of: Annotated[
        SchemaOf, typer.Argument(metavar="[WHAT]", help="config, plan, report or certificate.", show_default=False)
    ] = SchemaOf.CONFIG,
) -> None:
    """Print a JSON Schema: the configuration's, for editors, or that of what is written."""
    with _at_work(context, False):
        from bulkstate.cli.schemas import schema_of

        produce(as_json(schema_of(of)))
