"""A run that has to end does so within its grace, in whatever phase it is, and never by an exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.engine.engine import GRACE_SECONDS
from bulkstate.errors import BulkstateError, Interrupted, JournalNotWritable
from bulkstate.model import Answer, Verdict
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate

from . import scripts
from .gateway import Say, World
from .session import Session, Settings, a_folder, a_plan, all_records, assemble, create, last_records, virtually

PLAN = a_plan(5, 3)
SIGNAL = Interrupted("interrupted", signal_number=2)


@dataclass(frozen=True, slots=True)
class End:
    """What ended a session, and when."""

    ending: BulkstateError | None
    at: float


async def stopped(world: World, directory: Path, settings: Settings, at: float, grace: float) -> End:
    """A session that is stopped `at` some second, unless it ended before."""
    journal = create(directory, world.plan)
    session = assemble(world, journal, settings)
    await session.gate.keep(journal)
    ended = anyio.Event()

    async def interrupt() -> None:
        with anyio.move_on_after(at):
            await ended.wait()
            return
        session.engine.stop(SIGNAL, grace)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(interrupt)
        ending = await session.run()
        ended.set()
    journal.close()
    return End(ending, anyio.current_time())


@given(
    st.builds(
        World,
        st.just(PLAN),
        scripts.scripts(PLAN.requests, scripts.ends_well, 5),
        scripts.reads,
        running=scripts.intervals,
        say=st.builds(Say, st.just(Answer.OK), scripts.LATENCIES, st.just(0), st.just(True)),
    ),
    scripts.settings,
    scripts.times,
    st.sampled_from([0.0, 0.3, GRACE_SECONDS]),
)
def test_a_stop_ends_the_run_within_the_grace(world: World, settings: Settings, at: float, grace: float) -> None:
    with a_folder() as folder:
        directory = Path(folder, "run")
        end = virtually(stopped, world, directory, settings, at, grace)
        records = last_records(directory)

    assert end.at <= at + grace + 0.2 or end.at <= at
    assert all(call.at <= at for call in world.calls)
    assert end.at < at or end.ending is not None
    for number in range(PLAN.requests):
        attempts = [c for c in world.deletes() if c.chunk == number and c.answer is not Answer.THROTTLED]
        assert attempts == [] or number in records
        if attempts and attempts[-1].answer is None:
            assert records[number].verdict is Verdict.UNKNOWN
    assert all(record.message for record in records.values() if record.verdict is Verdict.NOT_SENT)


def test_a_stop_during_the_last_look_is_heard() -> None:
    """Every chunk is deleted, and the gateway takes its time to tell the pipelines' status."""
    slow = [Say(Answer.UNAVAILABLE, 2.0)] * 20
    world = World(a_plan(1), reads=slow)
    settings = Settings(retry=RetryPolicy(attempts=20, first_delay=60.0), status_every=1000.0)
    with a_folder() as folder:
        end = virtually(stopped, world, Path(folder, "run"), settings, 40.0, 5.0)
    assert end.ending is SIGNAL
    assert end.at <= 45.2


def test_those_who_wait_at_the_gate_leave_at_once() -> None:
    world = World(a_plan(20), say=Say(Answer.OK, 0.1, 0, True))
    settings = Settings(workers=10, windows=(Rate(1, 3600.0),))
    with a_folder() as folder:
        directory = Path(folder, "run")
        end = virtually(stopped, world, directory, settings, 1.0, 5.0)
        records = last_records(directory)
    assert end.ending is SIGNAL
    assert end.at <= 1.2
    verdicts = [records[number].verdict for number in sorted(records)]
    assert verdicts == [Verdict.DELETED, *[Verdict.NOT_SENT] * 10]


def test_a_stop_before_the_run_leaves_everything() -> None:
    world = World(PLAN)

    async def main(directory: Path) -> BulkstateError | None:
        journal = create(directory, PLAN)
        session = assemble(world, journal, Settings(status_every=1.0))
        session.engine.stop(SIGNAL)
        ending = await session.run()
        journal.close()
        return ending

    with a_folder() as folder:
        assert virtually(main, Path(folder, "run")) is SIGNAL
    assert world.calls == []


def test_whoever_is_cancelled_from_outside_still_records_what_was_answered() -> None:
    """A second signal: the whole run is cancelled, while a slow disk holds back what was answered."""
    world = World(a_plan(600), say=Say(Answer.OK, 0.01, 0, True))

    async def slowly(work: Callable[[], None]) -> None:
        await anyio.sleep(3.0)
        work()

    async def main(directory: Path) -> None:
        journal = create(directory, world.plan, slowly)
        with anyio.move_on_after(2.0) as scope:
            await assemble(world, journal, Settings(workers=8)).run()
        assert scope.cancelled_caught
        journal.close()

    with a_folder() as folder:
        directory = Path(folder, "run")
        virtually(main, directory)
        deleted = [n for n, record in last_records(directory).items() if record.verdict is Verdict.DELETED]
    assert set(deleted) == {call.chunk for call in world.deletes() if call.answer is Answer.OK}


class Fails:
    """A hop to a disk that takes so many writes, and then is full for some."""

    def __init__(self, good: int, bad: int, seconds: float) -> None:
        self.good, self.bad, self.seconds = good, bad, seconds
        self.failed_at: float | None = None

    async def __call__(self, work: Callable[[], None]) -> None:
        await anyio.sleep(self.seconds)
        self.good -= 1
        if self.good < 0 and self.bad > 0:
            self.bad -= 1
            self.failed_at = self.failed_at or anyio.current_time()
            raise JournalNotWritable("the disk is full")
        work()


@given(
    scripts.scripts(PLAN.requests, scripts.ends_well, 4),
    scripts.settings,
    st.builds(Fails, st.integers(0, 4), st.sampled_from([1, 2, 1000]), st.sampled_from([0.0, 0.3])),
)
def test_a_journal_that_fails_ends_the_run(script: dict[int, list[Say]], settings: Settings, disk: Fails) -> None:
    world = World(PLAN, script)

    async def main(directory: Path) -> BulkstateError | None:
        journal = create(directory, PLAN, disk)
        session = assemble(world, journal, settings)
        await session.gate.keep(journal)
        ending = await session.run()
        journal.close()
        return ending

    with a_folder() as folder:
        directory = Path(folder, "run")
        ending = virtually(main, directory)
        recorded = all_records(directory)
    if disk.failed_at is None:
        assert ending is None
    else:
        assert isinstance(ending, JournalNotWritable)
        assert all(call.at <= disk.failed_at for call in world.calls)
    done = {call.chunk for call in world.deletes() if call.answer is Answer.OK}
    assert {n for n, story in recorded.items() if story[-1].verdict is Verdict.DELETED} <= done


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 30.0])
def test_a_slow_journal_holds_back_the_network(seconds: float) -> None:
    """What isn't on disk yet is bounded: a batch being written, a batch in the stream, one outcome a worker."""
    world = World(a_plan(4000), say=Say(Answer.OK, 0.001, 0, True))
    in_memory: list[int] = []

    async def slowly(work: Callable[[], None]) -> None:
        in_memory.append(len(world.calls) - len(sessions[0].witness.settled_))
        await anyio.sleep(seconds)
        work()
        in_memory.append(len(world.calls) - len(sessions[0].witness.settled_))

    async def main(directory: Path) -> None:
        journal = create(directory, world.plan, slowly)
        sessions.append(assemble(world, journal, Settings(workers=16, windows=(Rate(2000, 1.0),))))
        assert await sessions[0].run() is None
        journal.close()

    sessions: list[Session] = []
    with a_folder() as folder:
        virtually(main, Path(folder, "run"))
    assert 256 < max(in_memory) <= 2 * 256 + 16


def test_a_recorder_that_fails_for_a_reason_nobody_foresaw_lets_everybody_go() -> None:
    """A bug ends the run as itself, and no worker waits for ever for somebody to take its outcome."""
    world = World(a_plan(2000), say=Say(Answer.OK, 0.001, 0, True))

    class Bug(Exception):
        pass

    async def broken(work: Callable[[], None]) -> None:
        await anyio.sleep(10.0)
        raise Bug

    async def main(directory: Path) -> None:
        journal = create(directory, world.plan, broken)
        try:
            await assemble(world, journal, Settings(workers=16)).run()
        finally:
            journal.close()

    with a_folder() as folder, pytest.RaisesGroup(Bug, flatten_subgroups=True):
        virtually(main, Path(folder, "run"))
