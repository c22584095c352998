"""A run that is slowed down, held still and sped up while it runs, on virtual time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import anyio
import trio

from bulkstate.errors import PipelineNotPaused
from bulkstate.model import Answer
from bulkstate.policy.bottleneck import By, holding
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate

from .gateway import Call, Say, World
from .session import Session, Settings, a_folder, a_plan, assemble, create, virtually

Script = dict[float, Callable[[Session], object]]


def lived(world: World, settings: Settings, script: Script) -> list[Call]:
    """A session to which these things are done at these times."""

    async def main(directory: Path) -> None:
        with create(directory, world.plan) as journal:
            session = assemble(world, journal, settings)
            async with anyio.create_task_group() as tasks:
                for at, do in script.items():
                    tasks.start_soon(_later, at, do, session)
                assert await session.run() is None

    with a_folder() as folder:
        virtually(main, Path(folder, "run"))
    return world.deletes()


async def _later(at: float, do: Callable[[Session], object], session: Session) -> None:
    await anyio.sleep_until(at)
    do(session)


def between(calls: list[Call], start: float, end: float) -> int:
    return sum(start <= call.at < end for call in calls)


def test_a_rate_by_hand_is_kept_at_once_and_the_configured_one_always() -> None:
    calls = lived(
        World(a_plan(200)),
        Settings(windows=(Rate(20, 1.0),)),
        {
            2.0: lambda session: session.gate.set_rate(Rate(1, 10.0)),
            25.0: lambda session: session.gate.set_rate(Rate(500, 1.0)),
        },
    )
    assert len(calls) == 200
    assert between(calls, 2.1, 25.0) <= 3
    assert 19 <= between(calls, 26.0, 27.0) <= 20


def test_what_was_set_by_hand_can_be_taken_back() -> None:
    calls = lived(
        World(a_plan(400), say=Say(Answer.OK, 0.5, 0, True)),
        Settings(workers=10, windows=(Rate(40, 1.0),)),
        {
            2.0: lambda session: (session.gate.set_rate(Rate(2, 1.0)), session.engine.set_workers(1)),
            12.0: lambda session: (session.gate.set_rate(None), session.engine.set_workers(None)),
        },
    )
    assert between(calls, 3.0, 12.0) <= 18
    assert between(calls, 13.0, 14.0) >= 19
    assert most_at_once(calls, 13.2, 14.2) == 10


def test_after_a_pause_the_pipelines_are_looked_at_before_long() -> None:
    world = World(a_plan(100), running=[(10.0, 1000.0)])

    async def main(directory: Path) -> object:
        with create(directory, world.plan) as journal:
            session = assemble(world, journal, Settings(windows=(Rate(20, 1.0),), status_every=60.0))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_later, 1.0, lambda session: session.gate.pause(), session)
                tasks.start_soon(_later, 20.0, lambda session: session.gate.resume(), session)
                tasks.start_soon(_later, 20.0, lambda session: session.engine.look_soon(), session)
                return await session.run()

    with a_folder() as folder:
        assert isinstance(virtually(main, Path(folder, "run")), PipelineNotPaused)
    assert between(world.deletes(), 20.0, 1000.0) <= Settings().workers + 1


def test_in_a_pause_nothing_is_sent_and_afterwards_everything() -> None:
    world = World(a_plan(100))
    held: list[By] = []
    calls = lived(
        world,
        Settings(windows=(Rate(20, 1.0),), status_every=3.0),
        {
            1.0: lambda session: session.gate.pause(),
            9.0: lambda session: held.append(holding(session.engine.moment).by),
            61.0: lambda session: session.gate.resume(),
        },
    )
    assert held == [By.PAUSE]
    assert between(world.calls, 1.0, 61.0) == 0
    assert len(calls) == 100


def most_at_once(calls: list[Call], start: float, end: float) -> int:
    return max(sum(call.at <= at < call.answered_at for call in calls) for at in (start, (start + end) / 2, end))


def test_fewer_and_more_calls_under_way() -> None:
    calls = lived(
        World(a_plan(400), say=Say(Answer.OK, 1.0, 0, True)),
        Settings(workers=6),
        {
            5.5: lambda session: session.engine.set_workers(2),
            20.5: lambda session: session.engine.set_workers(30),
        },
    )
    assert most_at_once(calls, 1.5, 4.5) == 6
    assert most_at_once(calls, 8.5, 19.5) == 2
    assert most_at_once(calls, 22.5, 24.5) == 30
    assert len(calls) == 400


def test_retries_that_are_due_wait_for_a_place() -> None:
    world = World(
        a_plan(6),
        script={number: [Say(Answer.UNAVAILABLE, 0.1)] for number in range(6)},
        say=Say(Answer.OK, 5.0, 0, True),
    )
    calls = lived(
        world, Settings(3, RetryPolicy(first_delay=0.0)), {0.05: lambda session: session.engine.set_workers(1)}
    )
    assert len(calls) == 12
    assert all(later.at >= call.answered_at for call, later in pairwise(calls[3:]))


def test_whom_there_is_no_place_for_any_more_leaves() -> None:
    """Hundreds of idle workers that woke with every answer cost more than the calls."""
    living: list[int] = []

    def count(_: Session) -> None:
        living.append(trio.lowlevel.current_statistics().tasks_living)

    calls = lived(
        World(a_plan(900), say=Say(Answer.OK, 1.0, 0, True)),
        Settings(workers=200),
        {
            2.5: count,
            3.0: lambda session: session.engine.set_workers(2),
            6.5: count,
            7.0: lambda session: session.engine.set_workers(200),
            7.5: count,
        },
    )
    assert living[0] - living[1] >= 198
    assert living[2] - living[1] >= 190
    assert len(calls) == 900
