"""Calls that only read: repeated until answered, cut in halves where they are too large, shared by all who ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import astuple
from itertools import product
from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bulkstate.engine.gate import Gate
from bulkstate.engine.pipelines import StatusWatch, first_look, require
from bulkstate.engine.readback import draw, read_all
from bulkstate.engine.reads import ReadFailed, Reads
from bulkstate.errors import CheckFailed, CredentialsLost
from bulkstate.model import Answer, Chunk, Span
from bulkstate.pairs.chunks import Chunks
from bulkstate.policy.pacing import Pacer
from bulkstate.policy.retry import RetryPolicy
from bulkstate.policy.sizing import halves
from bulkstate.rates import Rate

from . import scripts
from .gateway import Say, ScriptedApi, World, pairs_of, pipelines_of
from .session import a_plan, virtually, wall

PLAN = a_plan(6, 2)
NAMES = pipelines_of(PLAN)
DOWN = Say(Answer.UNAVAILABLE, 1.0)


def reading(world: World, use: Callable[[Reads], Awaitable[Any]], attempts: int = 3) -> Any:
    """What `use` makes of the world's reads."""

    async def main() -> Any:
        gate = Gate(Pacer([Rate(1000, 1.0)]), wall)
        retry = RetryPolicy(attempts, 1.0, 8.0)
        return await use(Reads(ScriptedApi(world, gate), gate, retry, Random(1).random))

    return virtually(main)


sides = st.integers(0, 5).flatmap(lambda start: st.integers(start + 1, start + 9).map(lambda end: Span(start, end)))


@given(sides, sides)
def test_halves_are_about_equal_and_together_the_whole(assets: Span, points: Span) -> None:
    assume(len(assets) * len(points) > 1)
    one, other = (set(product(range(*astuple(a)), range(*astuple(p)))) for a, p in halves(assets, points))
    assert one | other == set(product(range(*astuple(assets)), range(*astuple(points))))
    assert not one & other
    assert abs(len(one) - len(other)) <= min(len(assets), len(points))


@given(st.lists(st.sampled_from([Say(Answer.TOO_LARGE), DOWN, Say(Answer.OK)]), max_size=2))
def test_a_read_that_is_too_large_is_asked_in_halves(said: list[Say]) -> None:
    world = World(PLAN, reads=said)
    world.fill()
    chunk = PLAN.chunk(3)
    assert reading(world, lambda reads: reads.state(chunk), attempts=4) == pairs_of(chunk)


@given(st.lists(scripts.throttled | st.just(DOWN), max_size=6), st.integers(1, 4))
def test_a_read_is_given_up_after_its_attempts_but_never_for_a_429(said: list[Say], attempts: int) -> None:
    world = World(PLAN, reads=said)
    bad = sum(one.answer is Answer.UNAVAILABLE for one in said)
    if bad < attempts:
        assert sorted(reading(world, lambda reads: reads.pipelines(NAMES), attempts)) == NAMES
    else:
        with pytest.raises(ReadFailed):
            reading(world, lambda reads: reads.pipelines(NAMES), attempts)


@pytest.mark.parametrize("said", [[], [DOWN] * 3])
def test_one_look_answers_all_who_ask_also_one_that_fails(said: list[Say]) -> None:
    world = World(PLAN, reads=said)

    async def ask(reads: Reads) -> None:
        status = StatusWatch(reads, NAMES)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(status.look, anyio.current_time())

    reading(world, ask)
    assert len(world.calls) == (3 if said else 2)


def test_a_pipeline_that_runs_is_a_finding() -> None:
    world = World(PLAN, running=[(0.0, 100.0)])
    findings = reading(world, lambda reads: first_look(reads, NAMES, True))
    assert [finding.passed for finding in findings] == [True, False, False]
    with pytest.raises(CheckFailed, match="pipeline0 is RUNNING"):
        require(findings)
    require(reading(World(PLAN), lambda reads: first_look(reads, NAMES, True)))


def test_a_gateway_that_does_not_answer_is_a_finding() -> None:
    (finding,) = reading(World(PLAN, reads=[DOWN] * 9), lambda reads: first_look(reads, NAMES, True))
    assert not finding.passed


@given(st.sets(st.integers(0, 7), min_size=1).map(sorted), st.integers(0, 10), st.randoms(use_true_random=False))
def test_what_is_drawn_is_deleted_and_of_every_stage(deleted: list[int], wanted: int, random: Random) -> None:
    drawn = draw(Chunks(PLAN), deleted, wanted, random)
    stages = {PLAN.chunk(number).stage for number in deleted}
    assert set(drawn.chunks) <= set(deleted)
    assert len(set(drawn.chunks)) == len(drawn.chunks)
    assert sum(stratum.drawn for stratum in drawn.strata) == len(drawn.chunks)
    assert sum(stratum.size for stratum in drawn.strata) == len(deleted)
    assert {PLAN.chunk(number).stage for number in drawn.chunks} == (stages if wanted else set())


@settings(max_examples=50)
@given(st.lists(st.sampled_from([DOWN, Say(Answer.OK), Say(Answer.TOO_LARGE)]), max_size=12))
def test_every_read_is_told_of_whatever_becomes_of_the_others(said: list[Say]) -> None:
    world = World(PLAN, reads=said)
    world.fill()
    world.state[PLAN.chunk(0).stage] -= pairs_of(PLAN.chunk(0))
    chunks = [PLAN.chunk(number) for number in range(6)]
    heard: dict[int, Any] = {}
    reading(world, lambda reads: read_all(reads, chunks, heard.__setitem__), attempts=2)
    assert sorted(heard) == [0, 1, 2, 3, 4, 5]
    for place, found in heard.items():
        if not isinstance(found, ReadFailed):
            assert found == (pairs_of(chunks[place]) if place else set())
    assert all(isinstance(found, frozenset) for found in heard.values()) or {one.answer for one in said} != {Answer.OK}


def test_credentials_that_are_lost_end_all_reads() -> None:
    class Lost(ScriptedApi):
        async def get(self, chunk: Chunk) -> Any:
            raise CredentialsLost("gone")

    async def main() -> None:
        gate = Gate(Pacer([Rate(1000, 1.0)]), wall)
        reads = Reads(Lost(World(PLAN), gate), gate, RetryPolicy(2, 1.0, 8.0), Random(1).random)
        await read_all(reads, [PLAN.chunk(number) for number in range(6)], {}.__setitem__)

    with pytest.raises(CredentialsLost):
        virtually(main)
