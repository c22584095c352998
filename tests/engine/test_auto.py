"""`rate: auto` in the engine: never over a configured window, never stuck, whatever the gateway answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.engine.gate import Gate
from bulkstate.model import Answer, Attempt, Reply, Told, Verdict
from bulkstate.policy.auto.learnt import NOTHING, Learnt, LearntQuota
from bulkstate.policy.auto.pilot import Pilot
from bulkstate.policy.pacing import Pacer
from bulkstate.policy.throttling import Throttling
from bulkstate.rates import Rate

from . import scripts
from .gateway import Say, World, most_in_a_window
from .session import Settings, a_folder, a_plan, assemble, create, last_records, virtually, wall

PLAN = a_plan(12)
DAY = 86_400.0
YEAR = 366 * DAY

wishes = st.none() | st.floats(-10.0, 2 * YEAR) | st.sampled_from([0.0, 1.0, YEAR])
numbers = st.none() | st.floats(0.0, 1e9)
told = st.builds(
    Told, st.none() | st.just(0.0) | st.floats(20.0, 1e9), st.none() | st.floats(0.0, 3600.0), numbers, numbers
)
"""Whatever numbers, but not so slow a limit that keeping to it would take years."""

throttled = st.builds(
    Say,
    st.just(Answer.THROTTLED),
    scripts.LATENCIES,
    retry_after=wishes,
    limits=st.lists(told, max_size=2).map(tuple),
)
trouble = throttled | st.builds(Say, st.sampled_from([Answer.UNANSWERED, Answer.UNAVAILABLE]), scripts.LATENCIES)
worlds = st.builds(World, st.just(PLAN), st.dictionaries(st.integers(0, 11), st.lists(trouble, max_size=5)))
lengths = st.sampled_from([1.0, 2.0, 10.0, 60.0])
windows = st.lists(st.builds(Rate, st.integers(1, 50), lengths), max_size=2).map(tuple)
quotas = st.builds(
    LearntQuota, st.floats(1.0, 1e4), st.floats(1.0, 3600.0), st.floats(-1e6, 1e6), st.integers(0, 10_000)
)
learnt = st.just(NOTHING) | st.builds(Learnt, st.none() | st.floats(0.1, 1e4), st.lists(quotas, max_size=2).map(tuple))


def lived(world: World, windows: Sequence[Rate], share: float, known: Learnt) -> tuple[Any, Pilot]:
    """What ended a run of `world`, all of whose chunks were sent by the pilot's leave."""
    pilot = Pilot(share, known.not_after(0.0))

    async def main(directory: Path) -> Any:
        journal = create(directory, world.plan)
        session = assemble(world, journal, Settings(workers=6, windows=tuple(windows)), follower=pilot)
        await session.gate.keep(journal)
        ending = await session.run()
        await session.gate.settle()
        journal.close()
        return ending

    with a_folder() as folder:
        ending = virtually(main, Path(folder, "run"))
        verdicts = {outcome.verdict for outcome in last_records(Path(folder, "run")).values()}
    assert ending is not None or verdicts <= {Verdict.DELETED, Verdict.UNKNOWN, Verdict.EXHAUSTED}
    return ending, pilot


@given(worlds, windows, st.sampled_from([0.3, 1.0]), learnt)
def test_it_comes_to_an_end_and_no_configured_window_holds_more_than_it_allows(
    world: World, windows: tuple[Rate, ...], share: float, known: Learnt
) -> None:
    ending, _ = lived(world, windows, share, known)
    assert ending is None
    times = [call.at for call in world.calls]
    for window in windows:
        assert most_in_a_window(times, window.seconds) <= window.calls


@given(worlds, learnt)
def test_what_is_learnt_can_be_kept(world: World, known: Learnt) -> None:
    _, pilot = lived(world, (), 1.0, known)
    found = pilot.learnt()
    assert Learnt.from_dict(found.as_dict()) == found


class Until(Throttling):
    """Holds everybody until a call is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.until = 1e6

    def ready_at(self, now: float) -> float:
        return self.until

    def answered(
        self,
        now: float,
        sent_at: float,
        throttled: bool,
        retry_after: float | None = None,
        told: Sequence[Told] = (),
        date: float | None = None,
    ) -> None:
        self.until = now + 2.0


def test_who_waits_hears_of_an_answer_that_shortens_the_wait() -> None:
    async def main() -> float:
        gate = Gate(Pacer(), wall, follower=Until())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.acquire)
            await anyio.sleep(5.0)
            assert gate.in_line == 1
            gate.answered(Attempt(Reply(Answer.OK), 4.0, 1.0))
        return anyio.current_time()

    assert virtually(main) == pytest.approx(7.0)
