"""The one door: first come, first served, never over a limit, near it all the time, and shut while a 429 says so."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.engine.gate import Gate, GateClosed
from bulkstate.errors import JournalNotWritable, StatusUnread
from bulkstate.model import Answer, Grant
from bulkstate.policy.pacing import Pacer
from bulkstate.rates import Rate

from . import scripts
from .gateway import Say, World, most_in_a_window
from .session import Settings, a_folder, a_plan, first, virtually, wall

PLAN = a_plan(12)
FAST = st.just((Rate(1000, 1.0),))
PACED = st.just((Rate(3, 1.0),))

throttling = st.builds(
    World,
    st.just(PLAN),
    scripts.scripts(PLAN.requests, scripts.throttled | scripts.deleted, 3),
    scripts.reads,
    say=st.builds(Say, st.just(Answer.OK), scripts.LATENCIES, st.just(0), st.just(True)),
)
settings = st.builds(
    Settings, workers=st.integers(1, 6), windows=FAST | PACED, status_every=st.none() | st.sampled_from([0.7, 5.0])
)


@given(throttling, settings)
def test_a_429_shuts_the_gate_and_its_chunk_is_the_next_in_line(world: World, settings: Settings) -> None:
    world.fill()
    with a_folder() as folder:
        ending, session = virtually(first, world, Path(folder, "run"), settings)
    assert ending is None or isinstance(ending, StatusUnread)
    assert not world.planned_left
    throttled = [call for call in world.calls if call.answer is Answer.THROTTLED]
    for call in throttled:
        until = call.answered_at + (call.retry_after or 0.0)
        assert not any(call.answered_at < other.at < until - 1e-6 for other in world.calls)
        if call.kind == "delete":
            again = next(c for c in world.deletes(world.calls.index(call) + 1) if c.chunk == call.chunk)
            begun = {c.chunk for c in world.deletes() if c.asked_at <= call.answered_at}
            overtaking = [c for c in world.deletes() if call.answered_at < c.asked_at < again.asked_at]
            assert all(c.chunk in begun for c in overtaking)
    for at, seconds in session.witness.pauses:
        assert not any(at < other.at < at + seconds - 1e-6 for other in world.calls)
    assert len(session.witness.pauses) == sum(call.kind == "delete" for call in throttled)


@given(throttling, settings)
def test_first_come_first_served(world: World, settings: Settings) -> None:
    """Also where deletes are withheld, because looks failed for long: reads pass them then, and they join the line
    again together, in no order."""
    with a_folder() as folder:
        _, session = virtually(first, world, Path(folder, "run"), settings)
    withheld = any("deletes are held" in text for text in session.witness.said)
    calls = [call for call in world.calls if call.kind != "delete" or not withheld]
    assert all(one.asked_at <= other.asked_at for one, other in pairwise(calls))


async def through(windows: tuple[Rate, ...], calls: int, callers: int) -> list[float]:
    """When so many calls pass a gate at which several callers wait all the time."""
    gate = Gate(Pacer(windows), wall)
    times: list[float] = []

    async def call() -> None:
        while len(times) < calls:
            await gate.acquire()
            times.append(anyio.current_time())
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        for _ in range(callers):
            tasks.start_soon(call)
    return times


@given(
    st.integers(1, 300),
    st.sampled_from([1.0, 2.0, 10.0, 60.0, 3600.0]),
    st.integers(1, 20),
    st.sampled_from([1, 5, 40]),
)
def test_what_is_allowed_is_used(calls: int, seconds: float, callers: int, faster: int) -> None:
    """Also where a second window allows more than this one does."""
    window = Rate(calls, seconds)
    times = virtually(through, (window, Rate(faster * calls, seconds)), 400, callers)
    assert (len(times) - 1) / (times[-1] - times[0]) / (calls / seconds) >= 0.97
    assert most_in_a_window(times, seconds) <= calls


def test_who_waits_leaves_when_the_gate_closes_and_who_comes_is_turned_away() -> None:
    async def main() -> tuple[float, int]:
        gate, left = Gate(Pacer([Rate(1, 3600.0)]), wall), 0

        async def caller() -> None:
            nonlocal left
            try:
                await gate.acquire()
            except GateClosed:
                left += 1

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(caller)
            await anyio.sleep(7.0)
            gate.close()
            await anyio.sleep(0.001)
            tasks.start_soon(caller)
        return anyio.current_time(), left

    assert virtually(main) == (pytest.approx(7.001), 5)


class Ledger:
    """Keeps grants; fails, or takes its time, where it is told to."""

    def __init__(self, seconds: float = 0.0, fails: bool = False) -> None:
        self.grants: list[tuple[float, Grant]] = []
        self.seconds, self.fails = seconds, fails

    async def grant(self, grant: Grant) -> None:
        await anyio.sleep(self.seconds)
        if self.fails:
            raise JournalNotWritable("the disk is full")
        self.grants.append((anyio.current_time(), grant))


@given(st.integers(1, 50), st.lists(st.sampled_from([0.0, 0.01, 0.3, 5.0]), min_size=1, max_size=60), st.integers(0, 9))
def test_every_call_is_granted_before_it_is_made(calls: int, pauses: list[float], before: int) -> None:
    """At every moment the ledger holds what was spent before, and allows at least what was spent since."""
    ledger = Ledger(0.02)

    async def main() -> list[float]:
        gate, times = Gate(Pacer([Rate(calls, 1.0)]), wall), []
        for number, pause in enumerate([0.0] * before + pauses):
            if number == before:
                await gate.keep(ledger)
            await gate.acquire()
            times.append(anyio.current_time())
            await anyio.sleep(pause)
        await gate.settle()
        return times

    times = virtually(main)
    for (at, grant), (until, _) in pairwise([*ledger.grants, (float("inf"), Grant(0.0, 0, 0))]):
        made = sum(at <= time < until for time in times)
        assert made <= grant.calls
    assert sum(grant.spent for _, grant in ledger.grants) == len(times)


def test_a_ledger_that_fails_lets_nobody_through() -> None:
    async def main() -> None:
        gate = Gate(Pacer([Rate(10, 1.0)]), wall)
        await gate.keep(Ledger(fails=True))
        for _ in range(3):
            with pytest.raises(JournalNotWritable):
                await gate.acquire()
        gate.close()
        with pytest.raises(GateClosed):
            await gate.acquire()

    virtually(main)


def test_who_waits_for_a_slow_ledger_leaves_when_the_gate_closes() -> None:
    """Without a call, and without another grant."""
    ledger = Ledger(3.0)

    async def main() -> None:
        gate = Gate(Pacer([Rate(10, 1.0)]), wall)
        await gate.keep(ledger)

        async def caller() -> None:
            with pytest.raises(GateClosed):
                await gate.acquire()

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(caller)
            await anyio.sleep(1.0)
            gate.close()
        assert anyio.current_time() == pytest.approx(3.0)

    virtually(main)
    assert len(ledger.grants) == 1
