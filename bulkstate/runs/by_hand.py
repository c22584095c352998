"""A run set by hand: carries out what `bulkstate ctl` or a file PAUSE asks for, and writes each use down."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import structlog

from bulkstate.disk import control
from bulkstate.disk.control import Command, parse_pace, parse_workers
from bulkstate.engine.engine import Engine
from bulkstate.engine.gate import Gate
from bulkstate.errors import StoppedByHand
from bulkstate.model import Use
from bulkstate.runs.stopping import Stopping


class UseLog(Protocol):
    """Keeps what was asked."""

    def used(self, use: Use) -> Awaitable[None]:
        """Put it on disk. JournalNotWritable if that fails."""
        ...


class ByHand:
    """For one session of the run in `directory`. `wall` gives UNIX seconds."""

    def __init__(self, directory: Path, gate: Gate, stopping: Stopping, log: UseLog, wall: Callable[[], float]) -> None:
        self._directory = directory
        self._gate = gate
        self._stopping = stopping
        self._log = log
        self._wall = wall
        self._engine: Engine | None = None
        self._workers: int | None = None
        self._seen: tuple[Use, ...] = ()
        self._paused_by_file = False
        self._paused_by_command = False
        self._unreadable = False

    @contextmanager
    def sets(self, engine: Engine) -> Iterator[None]:
        """Within this block the number of calls under way can be set, and one that was set before counts."""
        self._engine = engine
        if self._workers is not None:
            engine.set_workers(self._workers)
        try:
            yield
        finally:
            self._engine = None

    async def look(self) -> None:
        """See what was asked since the last look, and do it. JournalNotWritable."""
        for use in (*self._by_file(), *self._by_command()):
            if self._carry_out(use):
                structlog.get_logger().info("by hand", command=use.command, value=use.value)
                await self._log.used(use)
        self._hold_still()

    def _by_file(self) -> Iterator[Use]:
        paused, before = control.is_paused(self._directory), self._paused_by_file
        self._paused_by_file = paused
        if paused != before:
            yield Use(self._wall(), Command.HOLD if paused else Command.RELEASE, f"file {control.PAUSE}")

    def _by_command(self) -> tuple[Use, ...]:
        try:
            asked = control.uses(self._directory)
        except (OSError, ValueError) as error:
            if not self._unreadable:
                structlog.get_logger().warning("what was asked can't be read, and is ignored", reason=str(error))
            self._unreadable = True
            return ()
        seen, self._seen = self._seen, asked
        goes_on = asked[: len(seen)] == seen  # else the file was spoilt, and whoever asked next began it anew
        return asked[len(seen) :] if goes_on else asked

    def _carry_out(self, use: Use) -> bool:
        """Whether it was something that can be done."""
        match use.command:
            case Command.HOLD | Command.RELEASE:
                if not use.value:
                    self._paused_by_command = use.command == Command.HOLD
            case Command.STOP:
                hint = f"`bulkstate resume {shlex.quote(str(self._directory))}` goes on"
                self._stopping.stop(StoppedByHand("stopped by hand", hint=hint))
            case Command.RATE:
                return self._set_rate(use.value)
            case Command.CONCURRENCY:
                return self._set_workers(use.value)
        return True

    def _set_rate(self, text: str) -> bool:
        try:
            self._gate.set_rate(parse_pace(text))
        except ValueError:
            return False
        return True

    def _set_workers(self, text: str) -> bool:
        try:
            self._workers = parse_workers(text)
        except ValueError:
            return False
        if self._engine is not None:
            self._engine.set_workers(self._workers)
        return True

    def _hold_still(self) -> None:
        paused = self._paused_by_file or self._paused_by_command
        if paused and not self._gate.paused:
            self._gate.pause()
        elif self._gate.paused and not paused:
            self._gate.resume()
            if self._engine is not None:
                self._engine.look_soon()
