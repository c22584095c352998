"""`bulkstate ctl`: asks something of a run that is at work, or says how it stands."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from bulkstate.cli.options import ControlWord
from bulkstate.cli.terminal import as_json, printing, producing
from bulkstate.disk import control as files
from bulkstate.disk.control import Command, Status, parse_pace, parse_workers
from bulkstate.disk.journal import Record, existing
from bulkstate.disk.locks import is_in_use
from bulkstate.errors import InputError, Problem
from bulkstate.model import RunResult, Use
from bulkstate.report import duration
from bulkstate.text import printable

_COMMAND: Final = "COMMAND"
_VALUE: Final = "VALUE"


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How a run stands. `working`: a process is at it; else `result` and `reason` say how the last one ended.

    `pause_file`: a file PAUSE is there. `status` is what the session last said of itself, None if it said nothing.
    """

    run: str
    run_dir: str
    working: bool
    result: RunResult
    reason: str
    pause_file: bool
    status: Status | None


def control(run_dir: Path, asked: ControlWord, value: str, json: bool) -> None:
    """Say how the run stands, or ask something of it."""
    if asked is ControlWord.STATUS:
        _no_value(value)
        standing = _standing(run_dir)
        with producing():
            typer.echo(as_json(standing) if json else "\n".join(_lines(standing, time.time())), nl=not json)
        return
    command = Command(asked.value)
    use = _ask(run_dir, command, value)
    with printing():
        typer.echo(as_json(use) if json else f"asked for: {command} {value}".rstrip(), nl=not json)


def _ask(directory: Path, command: Command, value: str) -> Use:
    """Ask something of the run in `directory`. InputError if that can't be asked, or nobody works on the run; Refused
    if it can't be written down."""
    _check(command, value)
    existing(directory)
    if not is_in_use(directory):
        name = shlex.quote(str(directory))
        hint = f"`bulkstate resume {name}` goes on with it, `bulkstate report {name}` tells how it went"
        raise InputError(Problem("no process works on this run", str(directory), hint=hint))
    use = Use(time.time(), command, value)
    files.ask(directory, use)
    return use


def _check(command: Command, value: str) -> None:
    try:
        match command:
            case Command.RATE:
                parse_pace(value)
            case Command.CONCURRENCY:
                parse_workers(value)
            case _:
                _no_value(value)
    except ValueError as error:
        raise InputError(Problem(f"expected {error}", _VALUE)) from None


def _no_value(value: str) -> None:
    """InputError if there is one."""
    if value:
        raise InputError(Problem("takes no value", _COMMAND))


def _standing(directory: Path) -> RunStatus:
    """How the run in `directory` stands. InputError if there is none."""
    with Record.open(directory) as record:
        result, reason = record.ending
        working, paused = is_in_use(directory), files.is_paused(directory)
        return RunStatus(record.name, str(directory), working, result, reason, paused, files.told(directory))


def _lines(standing: RunStatus, now: float) -> Iterator[str]:
    """It for people; it is `now`, in UNIX seconds."""
    how = "at work" if standing.working else printable(f"{standing.result}: {standing.reason}".removesuffix(": "))
    yield f"run {printable(standing.run)}: {how}"
    if standing.pause_file:
        yield f"  a file {files.PAUSE} is there: nothing is sent until it is taken away"
    status = standing.status
    if status is None:
        if standing.working:
            yield "  it has said nothing of itself yet, as it does from the first delete on"
        return
    yield f"  {status.settled:,} chunks settled, {status.not_deleted:,} of them not deleted"
    pace = f"{status.rate:,.1f} a second, at most {status.limit:,.1f}"
    yield f"  {status.calls:,} calls, {status.refused:,} refused; {pace}"
    yield f"  {status.in_flight:,} in flight, at most {status.concurrency:,}; {_latency(status)}"
    yield f"  {'was ' * (not standing.working)}held back by {printable(status.held_by)}"
    yield f"  said {duration(max(0.0, now - status.at))} ago"


def _latency(status: Status) -> str:
    return f"half the answers within {status.p50 * 1000:,.0f} ms, 99 of 100 within {status.p99 * 1000:,.0f} ms"
