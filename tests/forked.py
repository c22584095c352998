"""The command in hundreds of processes: each a process of its own that can be killed, forked from one that has read
the code already, because reading it takes longer than what most of them do."""

from __future__ import annotations

import atexit
import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE

_UNSET = ("CI", "TOKEN", "PYTHONDONTWRITEBYTECODE")
"""The last so that not every process compiles the project anew."""

# For the process that is forked: the command itself sets it before it imports numpy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a command in `folder` finds: ours, with a bearer token and a state directory of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return {**kept, "TOKEN": "canary-bearer", "XDG_STATE_HOME": str(folder / "state"), **more}


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    rooms = ("commands", "ctl", "logs", "planning", "reporting", "running")
    lazy = ("typer._adapters", "rich.table", "uvloop")
    context.set_forkserver_preload(["__main__", "tests.forked", *(f"bulkstate.cli.{room}" for room in rooms), *lazy])
    return context


def _command(arguments: Sequence[str], folder: Path, found: Mapping[str, str], out: Path, err: Path) -> None:
    """What runs in the process: the entry point of the installed command, with these streams."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(found)
    for descriptor, name in ((0, Path(os.devnull)), (1, out), (2, err)):
        opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = ["bulkstate", *arguments]

    from bulkstate.cli.commands import main

    try:
        main()
    finally:
        # What a process does at its end; a forked one would leave it out.
        atexit._run_exitfuncs()


@dataclass
class Done:
    """How a command ended: its exit code, or the negative number of the signal that killed it."""

    arguments: tuple[str, ...]
    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


class Command:
    """One command that has been started in `folder`; `together`: both of its streams go to one log."""

    def __init__(self, folder: Path, *arguments: str, together: bool = False, **more: str) -> None:
        self._arguments = arguments
        self._streams = Path(tempfile.mkdtemp(prefix="streams-"))
        self._process: ForkServerProcess = _context().Process(
            target=_command,
            args=(
                arguments,
                folder,
                environment(folder, **more),
                self._streams / "out",
                self._streams / ("out" if together else "err"),
            ),
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def ended(self, seconds: float = PATIENCE) -> Done:
        """Wait for its end. AssertionError if it doesn't come."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            raise AssertionError(f"bulkstate {' '.join(self._arguments)} hangs")
        done = Done(self._arguments, self._process.exitcode, self._said("out"), self._said("err"))
        shutil.rmtree(self._streams, ignore_errors=True)
        return done

    def _said(self, stream: str) -> str:
        """Nothing, if it was killed before it opened its streams, or has been waited for before."""
        with contextlib.suppress(FileNotFoundError):
            return (self._streams / stream).read_text(encoding="utf-8", errors="replace")
        return ""


def bulkstate(folder: Path, *arguments: str, **more: str) -> Done:
    """Carry out one command, to its end."""
    return Command(folder, *arguments, **more).ended()
