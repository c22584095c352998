"""A killed run goes on, and never over the limit: runs are cut at any moment, and resumed until all is deleted."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import anyio
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.disk.journal import FILE_NAME, RESUMED, RETRIED, Journal
from bulkstate.errors import BulkstateError, Interrupted
from bulkstate.model import Answer
from bulkstate.rates import Rate

from . import scripts
from .gateway import Say, World, most_in_a_window
from .session import Machine, Session, Settings, a_folder, a_plan, create, reopen, virtually

PLAN = a_plan(5, 3)


@dataclass(frozen=True, slots=True)
class Cut:
    """How a session ends before its time, and for how many seconds nobody works then."""

    at: float
    grace: float | None
    """None: a kill -9."""
    write: int
    written: bool
    rest: float
    retry_failed: bool


cuts = st.builds(
    Cut,
    scripts.times,
    st.none() | st.sampled_from([0.0, 0.3, 5.0]),
    st.integers(0, 12),
    st.booleans(),
    st.sampled_from([0.0, 0.2, 1.0, 61.0]),
    st.booleans(),
)


def owed(directory: Path, retry_failed: bool) -> set[int]:
    """What a resumed session has to send, counted without the code under test."""
    connection = sqlite3.connect(directory / FILE_NAME)
    last = dict(connection.execute("SELECT chunk, verdict FROM outcome ORDER BY seq").fetchall())
    connection.close()
    again = {None, "not_sent", "unknown", "suspect"} | ({"refused", "exhausted"} if retry_failed else set())
    return {number for number in range(PLAN.requests) if last.get(number) in again}


class Story:
    """A run that is cut and resumed, and what each of its sessions sent."""

    def __init__(self, world: World, settings: Settings, folder: Path) -> None:
        self.world, self.settings, self.folder = world, settings, folder
        self.directory = folder / "run0"
        self.sessions = 0

    async def begin(self, cut: Cut) -> None:
        create(self.directory, PLAN).close()
        await self.go_on(cut)

    async def go_on(self, cut: Cut) -> None:
        """A session that is cut, unless it ends before."""
        wanted = owed(self.directory, cut.retry_failed)
        before = len(self.world.calls)
        ending, machine = await self._cut(cut)
        sent = {call.chunk for call in self.world.deletes(before)}
        assert sent <= wanted
        if ending is None and not machine.dead and not self._refused_stage(before):
            assert sent == wanted
        await anyio.sleep(cut.rest)

    def _refused_stage(self, since: int) -> bool:
        return any(call.answer is Answer.STAGE_REFUSED for call in self.world.deletes(since))

    async def _cut(self, cut: Cut) -> tuple[BulkstateError | None, Machine]:
        self.sessions += 1
        copy = self.folder / f"run{self.sessions}"
        killed = cut.grace is None
        machine = Machine(self.directory, copy, cut.at if killed else 1e9, cut.write if killed else -1, cut.written)
        journal, session = reopen(
            self.world, self.directory, self.settings, RETRIED if cut.retry_failed else RESUMED, machine
        )
        ending = await machine.until_killed(lambda: self._run(journal, session, cut))
        journal.close()
        self.directory = copy if machine.dead else self.directory
        return ending, machine

    async def _run(self, journal: Journal, session: Session, cut: Cut) -> BulkstateError | None:
        await session.gate.keep(journal)
        async with anyio.create_task_group() as tasks:
            if cut.grace is not None:
                tasks.start_soon(self._interrupt, session, cut.at, cut.grace)
            ending = await session.run()
            tasks.cancel_scope.cancel()
        await session.gate.settle()
        return ending

    async def _interrupt(self, session: Session, at: float, grace: float) -> None:
        await anyio.sleep(at)
        session.engine.stop(Interrupted("interrupted", signal_number=15), grace)

    async def end(self) -> None:
        """Sessions that nobody cuts, until everything is deleted."""
        uncut = Cut(1e9, 5.0, -1, False, 0.0, True)
        while owed(self.directory, retry_failed=True):
            assert self.sessions < 100
            await self.go_on(uncut)


async def tell(world: World, settings: Settings, all_cuts: list[Cut], folder: Path) -> None:
    story = Story(world, settings, folder)
    await story.begin(all_cuts[0])
    for cut in all_cuts[1:]:
        await story.go_on(cut)
    await story.end()


def assert_within(windows: tuple[Rate, ...], world: World) -> None:
    times = [call.at for call in world.calls]
    assert times == sorted(times)
    for window in windows:
        assert most_in_a_window(times, window.seconds) <= window.calls


@given(
    st.builds(
        World,
        st.just(PLAN),
        scripts.scripts(PLAN.requests, scripts.anything, 6),
        scripts.reads,
        st.lists(st.booleans(), max_size=3),
        scripts.intervals,
        st.booleans(),
        st.builds(Say, st.just(Answer.OK), scripts.LATENCIES, st.just(0), st.just(True)),
    ),
    scripts.settings,
    st.lists(cuts, min_size=1, max_size=4),
)
def test_a_run_that_is_cut_goes_on_with_what_is_owed(world: World, settings: Settings, all_cuts: list[Cut]) -> None:
    world.fill()
    with a_folder() as folder:
        virtually(tell, world, settings, all_cuts, Path(folder))
    assert not world.planned_left
    assert world.bystanders_left
    assert_within(settings.windows, world)


@given(
    st.builds(
        World,
        st.just(PLAN),
        scripts.scripts(PLAN.requests, scripts.transient | scripts.credentials, 8),
        scripts.reads,
        say=st.builds(Say, st.just(Answer.OK), scripts.LATENCIES, st.just(0), st.just(True)),
    ),
    st.builds(
        Settings,
        workers=st.integers(1, 8),
        retry=scripts.policies,
        windows=scripts.windows,
        status_every=st.none() | st.just(3.0),
    ),
    st.lists(cuts, min_size=1, max_size=4),
)
def test_no_window_ever_holds_more_calls_than_it_allows(world: World, settings: Settings, all_cuts: list[Cut]) -> None:
    """Deletes, looks and tokens, across a kill -9 and a resume."""
    with a_folder() as folder:
        virtually(tell, world, settings, all_cuts, Path(folder))
    assert_within(settings.windows, world)
