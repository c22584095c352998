"""What a process says: on streams that may be missing or narrow, down to the words that it ends with."""

from __future__ import annotations

import atexit
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bulkstate.cli.signals import SignalReceived
from bulkstate.cli.stderr import PatientStderr
from bulkstate.errors import BulkstateError, InputError, Interrupted, Problem, Stopped
from bulkstate.text import printable

if TYPE_CHECKING:  # what `--version` has no use for is imported where it is used
    from bulkstate.model import Report, RunResult
    from bulkstate.runs.operations import Finished


# ── streams ───────────────────────────────────────────────────────────────────────────────────────────────────────


def open_streams() -> None:
    """Put /dev/null where a stream is missing, a `?` for what a narrow one can't show, and before stderr whoever waits
    for it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    stderr = PatientStderr(2, sys.stderr.encoding if sys.stderr else "utf-8")
    sys.stderr = stderr
    atexit.register(stderr.drain)


@contextmanager
def printing() -> Iterator[None]:
    """Print within this block. If stdout doesn't take it, what was done is done, and no exit code changes for it."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if problem := _given_up(error):
            typer.echo(f"bulkstate: {problem}", err=True)


@contextmanager
def producing() -> Iterator[None]:
    """Print within this block what the command is there for. InputError if stdout doesn't take it: half of it may look
    like all. A reader that has left has what it wanted."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if problem := _given_up(error):
            raise InputError(problem) from error


def _given_up(error: OSError) -> Problem | None:
    """Nothing more goes to stdout. What is wrong with it, unless its reader has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return None if isinstance(error, BrokenPipeError) else Problem(f"can't be written: {error.strerror}", "stdout")


@contextmanager
def helping(arguments: Sequence[str]) -> Iterator[None]:
    """Within this block the words that typer itself prints, for help, may not fit on stdout: that is no bug of ours."""
    try:
        yield
    except OSError as error:
        if arguments and not {"--help", "--version"} & set(arguments):
            raise
        if problem := _given_up(error):
            typer.echo(f"bulkstate: {problem}", err=True)
        sys.exit(1)


def write(document: bytes) -> None:
    """Print a document on stdout that says what was done."""
    with printing():
        sys.stdout.buffer.write(document)


def produce(document: bytes) -> None:
    """Print a document on stdout that the command is there for. InputError."""
    with producing():
        sys.stdout.buffer.write(document)


def as_json(value: Any) -> bytes:
    """A value as JSON for people."""
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


@contextmanager
def to_write(path: Path, *inputs: Path) -> Iterator[None]:
    """InputError for what keeps a file at `path`, which somebody asked for, from being written within this block. No
    journal and no plan is overwritten, nor one of the command's own `inputs`."""
    from bulkstate.disk.small_file import require_no_database

    try:
        if any(path.exists() and each.exists() and path.samefile(each) for each in inputs):
            raise InputError(Problem("is what the command reads, and isn't overwritten", str(path)))
        require_no_database(path)
        yield
    except OSError as error:
        raise InputError(Problem(f"can't be written: {error.strerror}", where=str(error.filename or path))) from error


# ── endings ───────────────────────────────────────────────────────────────────────────────────────────────────────


def tell(finished: Finished, json: bool) -> None:
    """Print how a run ended, and end the process with its exit code. The last lines are the conclusion and the next
    command, on stderr: who reads a job's log begins at its end."""
    from bulkstate.cli.page import Page
    from bulkstate.report import show, to_json

    try:
        if json:
            write(to_json(finished.report))
        else:
            with printing():
                show(finished.report, Page())
    except Exception as error:  # what only shows can't change how it ended (law 7)
        typer.echo(f"bulkstate: the report can't be shown: {str(error) or type(error).__name__}", err=True)
    for line in last_words(finished.report, finished.ending):
        typer.echo(f"bulkstate: {line}", err=True)
    raise typer.Exit(finished.exit_code)


def last_words(report: Report, ending: BulkstateError | None = None) -> list[str]:
    """The last lines of a log: the conclusion, with what to do about what ended the run early, and the next command."""
    from bulkstate.report.conclusion import concluded

    conclusion = concluded(report)
    hint = f" ({printable(ending.hint)})" if ending and ending.hint else ""
    return [f"{conclusion.sentence}{hint}", *([f"next: {printable(conclusion.next)}"] if conclusion.next else [])]


@contextmanager
def speaking(json: bool) -> Iterator[None]:
    """Say what ended the command in words on stderr, with `json` as a document on stdout as well."""
    try:
        yield
    except SignalReceived as received:
        raise _said(received.ending, json) from None
    except BulkstateError as error:
        raise _said(error, json) from None


def _said(error: BulkstateError, json: bool) -> typer.Exit:
    typer.echo(f"bulkstate: {words_of(error)}", err=True)
    if json:
        from bulkstate.report.conclusion import refused

        conclusion = refused(error)
        ending = {
            "conclusion": conclusion.sentence,
            "reason_code": conclusion.reason_code,
            "next": conclusion.next,
            "result": _result(error),
            "exit": error.exit_code,
            "reason": error.message,
            "hint": error.hint,
        }
        write(as_json(ending))
    return typer.Exit(error.exit_code)


def words_of(error: BulkstateError) -> str:
    """All mistakes in an input, each with its hint; a signal, which may come while something is imported; else the
    conclusion, with the hint."""
    if isinstance(error, InputError | Interrupted):
        return str(error)
    from bulkstate.report.conclusion import refused

    sentence = refused(error).sentence
    return f"{sentence} ({printable(error.hint)})" if error.hint else sentence


def _result(error: BulkstateError) -> RunResult:
    from bulkstate.model import RunResult

    if isinstance(error, Interrupted):
        return RunResult.INTERRUPTED
    return RunResult.STOPPED if isinstance(error, Stopped) else RunResult.REFUSED
