"""A run on virtual time: engine, gate and the journal on disk, put together as a session of the program does it."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import numpy as np
from trio.testing import MockClock

from bulkstate.disk.journal import RESUMED, Journal, Record, RunFacts, inline, sent_history
from bulkstate.engine.canary import Canary
from bulkstate.engine.engine import Engine, Equipment, Pace
from bulkstate.engine.gate import Gate
from bulkstate.engine.pipelines import StatusWatch
from bulkstate.engine.reads import Reads
from bulkstate.engine.resolver import Resolver
from bulkstate.errors import BulkstateError
from bulkstate.model import Attempt, LowerBound, Outcome, Plan, Rectangle, Stage, StagePlan, Verdict
from bulkstate.pairs.digest import digest
from bulkstate.policy.pacing import Pacer
from bulkstate.policy.retry import RetryPolicy
from bulkstate.policy.turns import Follower
from bulkstate.rates import Rate

from .gateway import ScriptedApi, World, pipelines_of

WALL = 1_790_000_000.0
"""What the wall clock shows when the loop's shows 0."""

RAM = Path("/dev/shm")
"""Where a file is as real as elsewhere, and a sync costs nothing: thousands of runs are made here, on shared disks."""

CANARY_PATIENCE = 20.0
"""How long a canary may have state."""

FOR_EVER = 10 * 86_400.0
"""A run that takes longer, in virtual seconds, hangs."""


def virtually(main: Callable[..., Awaitable[Any]], *arguments: object) -> Any:
    """Run `main` on a clock that jumps to the next thing that happens."""
    clock = MockClock(autojump_threshold=0)
    return anyio.run(main, *arguments, backend="trio", backend_options={"clock": clock})


def a_folder() -> TemporaryDirectory[str]:
    """A place for run directories."""
    return TemporaryDirectory(dir=RAM if RAM.is_dir() else None)


def wall() -> float:
    return WALL + anyio.current_time()


def a_plan(*chunks: int) -> Plan:
    """A plan with so many chunks of 2 × 2 pairs for each of some stages, each stage in a pipeline of its own."""
    stages = tuple(map(_stage, range(len(chunks)), chunks))
    return Plan(stages, digest(stages), 0)


def _stage(index: int, chunks: int) -> StagePlan:
    points = np.arange(2, dtype=np.int32)
    tiles = tuple(Rectangle(np.array([2 * n, 2 * n + 1], np.int32), points) for n in range(chunks))
    assets = tuple(f"asset{n:07}" for n in range(2 * chunks))
    stage = Stage(f"pipeline{index}", "LastRecordAppender_01")
    return StagePlan(stage, assets, ("p0", "p1"), tiles, 4 * chunks, LowerBound(1, ""))


@dataclass
class Witness:
    """An observer that keeps what it is told."""

    attempts: int = 0
    settled_: list[Outcome] = field(default_factory=list)
    pauses: list[tuple[float, float]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def attempted(self, attempt: Attempt[bool]) -> None:
        self.attempts += 1

    def settled(self, outcome: Outcome, pairs: int) -> None:
        self.settled_.append(outcome)

    def paused(self, seconds: float, reason: str) -> None:
        self.pauses.append((anyio.current_time(), seconds))


@dataclass(frozen=True, slots=True)
class Settings:
    """How a session works."""

    workers: int = 4
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    windows: tuple[Rate, ...] = (Rate(1000, 1.0),)
    status_every: float | None = None
    seed: int = 0
    max_failed: float | None = None
    waits: bool = False
    canaries: Mapping[Stage, Sequence[int]] = field(default_factory=dict)

    @property
    def longest(self) -> float:
        return max(window.guarded for window in self.windows)


@dataclass(frozen=True, slots=True)
class Session:
    """One engine and what it was given."""

    engine: Engine
    gate: Gate
    witness: Witness

    async def run(self) -> BulkstateError | None:
        """The engine's run, which may take long but not for ever; then what is owed to the journal."""
        with anyio.fail_after(FOR_EVER):
            return await self.engine.run()


def assemble(
    world: World,
    journal: Journal,
    settings: Settings,
    numbers: Sequence[int] | None = None,
    history: Sequence[tuple[float, int]] = (),
    follower: Follower | None = None,
) -> Session:
    """A session that sends the chunks `numbers`, all by default."""
    gate = Gate(Pacer(settings.windows, history), wall, follower=follower, retry=settings.retry)
    api = ScriptedApi(world, gate)
    random = Random(settings.seed).random
    reads = Reads(api, gate, settings.retry, random)
    resolver = Resolver(reads, settings.retry.resolve_after or 30.0) if settings.retry.resolve else None
    witness = Witness()
    every = None if settings.status_every is None else lambda: settings.status_every or 0.0
    status = StatusWatch(reads, pipelines_of(world.plan), every, witness.said.append, settings.waits)
    canary = Canary(reads, settings.canaries, CANARY_PATIENCE) if settings.canaries else None
    equipment = Equipment(api, gate, status, journal, witness, random, wall, resolver=resolver, canary=canary)
    pace = Pace(settings.workers, settings.retry, max_failed=settings.max_failed)
    wanted = range(world.plan.requests) if numbers is None else numbers
    return Session(Engine(equipment, pace, journal.chunks(), wanted, journal.sizing(journal.chunks())), gate, witness)


def create(directory: Path, plan: Plan, hop: Callable[..., Any] = inline) -> Journal:
    """A new journal, of a run that was agreed to."""
    directory.mkdir()
    facts = RunFacts("run", wall(), "http://127.0.0.1", "o1", "{}", "0")
    journal = Journal.create(directory, plan, facts, hop=hop)
    journal.agree(wall())
    journal.begin(wall())
    return journal


async def first(world: World, directory: Path, settings: Settings, hop: Callable[..., Any] = inline) -> Any:
    """A whole first session: what ended it, and its parts."""
    journal = create(directory, world.plan, hop)
    try:
        session = assemble(world, journal, settings)
        await session.gate.keep(journal)
        ending = await session.run()
        await session.gate.settle()
    finally:
        journal.close()
    return ending, session


def reopen(
    world: World,
    directory: Path,
    settings: Settings,
    again: frozenset[Verdict] = RESUMED,
    hop: Callable[..., Any] = inline,
) -> tuple[Journal, Session]:
    """A session that resumes the run in `directory`."""
    journal = Journal.resume(directory, hop=hop)
    journal.settle_grants(wall())
    journal.begin(wall())
    history = [(at - WALL, n) for at, n in sent_history(journal.grants(wall() - settings.longest), wall())]
    return journal, assemble(world, journal, settings, journal.pending(again), history)


class Killed(BaseException):
    """The machine is gone."""


class Machine:
    """Writes inline, until it is killed: at `at` seconds from now, or around its write number `write`.

    Then `copy` holds the run directory as a kill -9 leaves it: nothing was closed, nothing folded in.
    """

    def __init__(self, directory: Path, copy: Path, at: float, write: int, written: bool) -> None:
        self.directory, self.copy = directory, copy
        self.at, self.write, self.written = anyio.current_time() + at, write, written
        self.writes = 0
        self.dead = False

    async def __call__(self, work: Callable[[], None]) -> None:
        if self.dead:
            raise Killed
        self.writes += 1
        if self.writes == self.write and not self.written:
            self.die()
        work()
        if self.writes == self.write:
            self.die()

    def die(self) -> None:
        shutil.copytree(self.directory, self.copy, ignore=shutil.ignore_patterns("*-shm"))
        self.dead = True
        raise Killed

    async def until_killed(self, run: Callable[[], Awaitable[BulkstateError | None]]) -> BulkstateError | None:
        """What ended the run, None if it was killed."""
        ending = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._wait)
                ending = await run()
                tasks.cancel_scope.cancel()
        except* (Killed, anyio.BrokenResourceError):
            assert self.dead
        return ending

    async def _wait(self) -> None:
        await anyio.sleep_until(self.at)
        self.die()


def last_records(directory: Path) -> dict[int, Outcome]:
    """Each chunk's last record."""
    return {number: records[-1] for number, records in all_records(directory).items()}


def all_records(directory: Path) -> dict[int, list[Outcome]]:
    """Each chunk's records, oldest first."""
    found: dict[int, list[Outcome]] = {}
    with Record.open(directory) as record:
        for _, outcome in record.records():
            found.setdefault(outcome.chunk, []).append(outcome)
    return found
