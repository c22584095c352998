"""What is asked of a run by hand is carried out once, whatever becomes of the file in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bulkstate.disk import control
from bulkstate.disk.control import Command
from bulkstate.engine.gate import Gate
from bulkstate.errors import StoppedByHand
from bulkstate.model import Use
from bulkstate.policy.pacing import Pacer
from bulkstate.rates import Rate
from bulkstate.runs.by_hand import ByHand
from bulkstate.runs.stopping import Stopping


class Uses:
    """Keeps what was done."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def used(self, use: Use) -> None:
        self.done.append(f"{use.command} {use.value}".rstrip())


class Idle:
    """A run that nobody works on, and what sets it by hand."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.gate, self.stopping, self.uses = Gate(Pacer((Rate(50, 1.0),)), lambda: 9.0), Stopping(), Uses()
        self.by_hand = ByHand(directory, self.gate, self.stopping, self.uses, lambda: 9.0)

    def ask(self, command: Command, value: str = "") -> None:
        control.ask(self.directory, Use(1.0, command, value))

    def spoil(self) -> None:
        (self.directory / "control.json").write_text("oops")


@pytest.mark.anyio
async def test_each_use_is_carried_out_once_and_in_order(tmp_path: Path) -> None:
    run = Idle(tmp_path)
    run.ask(Command.RATE, "4/s")
    run.ask(Command.HOLD)
    held = []
    for _ in range(2):
        await run.by_hand.look()
        held.append(run.gate.paused)
    run.ask(Command.RELEASE)
    await run.by_hand.look()
    assert [*held, run.gate.paused] == [True, True, False]
    assert run.uses.done == ["rate 4/s", "hold", "release"]


@pytest.mark.anyio
@pytest.mark.parametrize("seen", [True, False])
async def test_what_is_asked_after_the_file_was_spoilt_is_done(tmp_path: Path, seen: bool) -> None:
    run = Idle(tmp_path)
    run.ask(Command.RATE, "4/s")
    run.ask(Command.CONCURRENCY, "2")
    await run.by_hand.look()
    run.spoil()
    with capture_logs() as said:
        if seen:
            await run.by_hand.look()
            await run.by_hand.look()
    assert len(said) == seen
    run.ask(Command.HOLD)
    await run.by_hand.look()
    assert run.gate.paused
    assert run.uses.done == ["rate 4/s", "concurrency 2", "hold"]


@pytest.mark.anyio
async def test_what_is_asked_before_anybody_looks_is_done(tmp_path: Path) -> None:
    control.ask(tmp_path, Use(1.0, Command.STOP))
    run = Idle(tmp_path)
    await run.by_hand.look()
    assert isinstance(run.stopping.reason, StoppedByHand)


@pytest.mark.anyio
async def test_a_run_that_was_stopped_says_how_to_go_on_with_it(tmp_path: Path) -> None:
    directory = tmp_path / "my run"
    directory.mkdir()
    run = Idle(directory)
    run.ask(Command.STOP)
    await run.by_hand.look()
    assert run.stopping.reason is not None
    assert run.stopping.reason.hint == f"`bulkstate resume '{directory}'` goes on"
