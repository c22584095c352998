"""What a process hears and says: streams that may be missing or narrow, signals, and how an ending is told."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, TypeVar

import anyio
import anyio.abc
import orjson
import typer
from rich.console import Console

from bulkstate.errors import BulkstateError, Interrupted, Stopped
from bulkstate.model import RunResult
from bulkstate.report import show, to_json
from bulkstate.runs.session import Finished
from bulkstate.runs.stopping import Brake

T = TypeVar("T")

PRETTY: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
"""How JSON is written for people."""


# ── streams ───────────────────────────────────────────────────────────────────────────────────────────────────────


def open_streams() -> None:
    """Put /dev/null where a stream is missing, and a `?` for what a narrow one can't show."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class Page(Console):
    """stdout for text. rich would end the process, with exit code 1, where the reader has left."""

    def on_broken_pipe(self) -> None:
        """Leave it to `printing`: called while a BrokenPipeError is being handled."""
        raise


@contextmanager
def printing() -> Iterator[None]:
    """Print within this block. If stdout doesn't take it, what was done is done, and no exit code changes for it."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            typer.echo(f"bulkstate: stdout can't be written: {error.strerror}", err=True)


def write(document: bytes) -> None:
    """Print a document on stdout."""
    with printing():
        sys.stdout.buffer.write(document)


# ── endings ───────────────────────────────────────────────────────────────────────────────────────────────────────


def tell(finished: Finished, json: bool) -> None:
    """Print how a run ended, and end the process with its exit code."""
    if json:
        write(to_json(finished.report))
    else:
        with printing():
            show(finished.report, Page())
    if finished.ending is not None:
        typer.echo(f"bulkstate: {finished.ending}", err=True)
    raise typer.Exit(finished.exit_code)


@contextmanager
def speaking(json: bool) -> Iterator[None]:
    """Say what ended the command in words on stderr, with `json` as a document on stdout as well."""
    try:
        yield
    except BulkstateError as error:
        typer.echo(f"bulkstate: {error}", err=True)
        if json:
            ending = {"result": _result(error), "exit": error.exit_code, "reason": error.message, "hint": error.hint}
            write(orjson.dumps(ending, option=PRETTY))
        raise typer.Exit(error.exit_code) from None


def _result(error: BulkstateError) -> RunResult:
    if isinstance(error, Interrupted):
        return RunResult.INTERRUPTED
    return RunResult.STOPPED if isinstance(error, Stopped) else RunResult.REFUSED


# ── signals ───────────────────────────────────────────────────────────────────────────────────────────────────────

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def _interrupted(number: int) -> Interrupted:
    return Interrupted(f"{signal.Signals(number).name} received", signal_number=number)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise _interrupted(number)


def catch_signals() -> None:
    """While nothing is sent, a signal ends the command at once, with a word."""
    for number in _SIGNALS:
        signal.signal(number, _raise)


def attend(work: Callable[[Brake], Awaitable[T]]) -> T:
    """Run `work` on the event loop, with SIGINT and SIGTERM at its brake."""
    options = {"use_uvloop": sys.platform != "win32"}
    return anyio.run(_attended, work, backend="asyncio", backend_options=options)


async def _attended(work: Callable[[Brake], Awaitable[T]]) -> T:
    brake = Brake()
    async with anyio.create_task_group() as signals:
        await signals.start(_pull, brake)
        try:
            return await work(brake)
        except BulkstateError as error:
            ending = error
        finally:
            signals.cancel_scope.cancel()
    raise ending


async def _pull(brake: Brake, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """The first signal ends the run gently; the second at once, for the journal bears it."""
    with anyio.open_signal_receiver(*_SIGNALS) as received:
        task_status.started()
        async for number in received:
            if brake.reason is not None:
                os._exit(128 + number)
            brake.pull(_interrupted(number))
