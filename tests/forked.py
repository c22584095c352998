"""The command in hundreds of processes: each a process of its own that can be killed, forked from one that has read
the code already, because reading it takes longer than what most of them do."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from tests.waiting import PATIENCE

_UNSET = ("CI", "PYTHONDONTWRITEBYTECODE")

# For the process that is forked: the command itself sets it before it imports numpy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "bulkstate.cli.commands", "bulkstate.cli.running", "tests.forked"])
    return context


def _command(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], out: Path, err: Path) -> None:
    """What runs in the process: the entry point of the installed command, with these streams."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, name in ((0, Path(os.devnull)), (1, out), (2, err)):
        opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
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


class Command:
    """One command that has been started in `folder`."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self._arguments = arguments
        self._streams = (folder / f".{os.urandom(6).hex()}.out", folder / f".{os.urandom(6).hex()}.err")
        kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
        kept |= {"XDG_STATE_HOME": str(folder / "state"), "TOKEN": "canary-bearer", **environment}
        self._process: ForkServerProcess = _context().Process(
            target=_command, args=(arguments, folder, kept, *self._streams)
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

    def ended(self, seconds: float = PATIENCE) -> Done:
        """Wait for its end. AssertionError if it doesn't come."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            raise AssertionError(f"bulkstate {' '.join(self._arguments)} hangs")
        texts = [stream.read_text(encoding="utf-8", errors="replace") for stream in self._streams if stream.exists()]
        for stream in self._streams:
            stream.unlink(missing_ok=True)
        return Done(self._arguments, self._process.exitcode, *(texts or ["", ""]))


def bulkstate(folder: Path, *arguments: str, **environment: str) -> Done:
    """Carry out one command, to its end."""
    return Command(folder, *arguments, **environment).ended()
