"""Who comes first, and how much is held in memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.engine.queue import MOST_WAITING, Job, JobQueue
from bulkstate.model import Answer, Outcome
from bulkstate.policy.retry import RESERVE, RetryBudget, RetryPolicy
from bulkstate.rates import Rate

from .gateway import Say, World
from .session import Settings, a_folder, a_plan, assemble, create, virtually

FAST = Settings(workers=16, windows=(Rate(2000, 1.0),))


def test_throttled_jobs_come_first_then_retries_that_are_due_then_fresh_ones() -> None:
    async def main() -> list[int]:
        work = work_of(5)
        jobs = [await taken(work) for _ in range(3)]
        work.put_back(jobs[0], anyio.current_time() + 9.0)
        work.put_back(jobs[1], anyio.current_time())
        work.put_first(jobs[2])
        return [(await taken(work)).chunk.number for _ in range(5)]

    assert virtually(main) == [2, 1, 3, 4, 0]


@dataclass
class Gateway:
    doubtful: bool = False
    failing: bool = False


def work_of(chunks: int, doubtful: bool = False, failing: bool = False) -> JobQueue:
    return JobQueue(range(chunks), jobs_of(chunks), RetryBudget(RetryPolicy()), Gateway(doubtful, failing))


def jobs_of(chunks: int) -> Callable[[int], Job]:
    plan = a_plan(max(chunks, 1))
    return lambda number: Job(plan.chunk(number))


def test_while_the_gateway_is_in_doubt_those_that_failed_and_those_that_never_did_take_turns() -> None:
    async def main() -> list[int]:
        work = work_of(6, doubtful=True)
        jobs = [await taken(work) for _ in range(4)]
        for job in jobs:
            work.put_back(job, anyio.current_time())
        return [(await taken(work)).chunk.number for _ in range(6)]

    assert virtually(main) == [0, 4, 1, 5, 2, 3]


def test_while_it_is_down_those_that_never_failed_come_from_all_over_the_plan() -> None:
    async def main() -> list[int]:
        work = work_of(16, failing=True)
        return [(await taken(work)).chunk.number for _ in range(16)]

    order = virtually(main)
    assert order[:4] == [8, 4, 12, 2]
    assert sorted(order) == list(range(16))


@given(st.lists(st.booleans(), min_size=60, max_size=60), st.integers(0, 60))
def test_every_chunk_is_handed_out_once_however_often_it_fails(failing: list[bool], chunks: int) -> None:
    async def main() -> list[int]:
        gateway = Gateway()
        work = JobQueue(range(chunks), jobs_of(chunks), RetryBudget(RetryPolicy()), gateway)
        numbers = []
        for gateway.failing in failing[:chunks]:
            numbers.append((await taken(work)).chunk.number)
        assert not work.untried
        return numbers

    assert sorted(virtually(main)) == list(range(chunks))


def test_repeats_that_the_budget_cannot_afford_let_others_go_first_and_then_wait() -> None:
    async def main() -> list[tuple[int, float]]:
        budget = RetryBudget(RetryPolicy(first_delay=1.0))
        for _ in range(int(RESERVE)):
            budget.repeats(0.0)
        work = JobQueue(range(4), jobs_of(4), budget, Gateway())
        budget.repeats(anyio.current_time())
        for job in [await taken(work) for _ in range(3)]:
            work.put_back(job, anyio.current_time())
        jobs = [((await taken(work)).chunk.number, anyio.current_time()) for _ in range(4)]
        return [(number, round(at, 3)) for number, at in jobs]

    assert virtually(main) == [(3, 0.0), (0, 0.2), (1, 0.4), (2, 0.6)]


async def taken(work: JobQueue) -> Job:
    job = await work.take()
    assert job is not None
    return job


def test_while_the_gateway_is_down_fresh_chunks_stay_in_the_plan() -> None:
    """Else an outage of minutes would bring the whole plan into memory, and use up every chunk's attempts."""
    world = World(a_plan(4000), say=Say(Answer.UNREACHED, 0.001))
    settings = Settings(16, RetryPolicy(attempts=4, first_delay=600.0, max_delay=600.0), FAST.windows)

    async def main(directory: Path) -> None:
        journal = create(directory, world.plan)
        with anyio.move_on_after(5.0):
            await assemble(world, journal, settings).run()
        journal.close()

    with a_folder() as folder:
        virtually(main, Path(folder, "run"))
    assert len({call.chunk for call in world.calls}) <= MOST_WAITING + settings.workers


@pytest.mark.slow
def test_twenty_thousand_chunks_run_flat_in_memory() -> None:
    world = World(a_plan(20_000), keep_calls=False)
    alive: list[int] = []

    async def main(directory: Path) -> None:
        journal = create(directory, world.plan)
        session = assemble(world, journal, FAST)
        session.witness.settled_ = Counted(alive)
        assert await session.run() is None
        journal.close()

    gc.collect()  # what other tests left behind isn't this run's
    with a_folder() as folder:
        virtually(main, Path(folder, "run"))
    assert len(alive) == 10
    assert max(alive) <= 2 * FAST.workers


class Counted(list[Outcome]):
    """Takes what comes and keeps nothing, but counts the jobs in memory at every two thousandth."""

    def __init__(self, alive: list[int]) -> None:
        super().__init__()
        self.alive, self.seen = alive, 0

    def append(self, _: Outcome) -> None:
        self.seen += 1
        if self.seen % 2_000 == 0:
            self.alive.append(sum(type(thing) is Job for thing in gc.get_objects()))
