"""The simulated gateway keeps its accounts, its promises and its seeds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import ceil
from random import Random
from typing import Any

import pytest
import trio
from gateway_limits import Bursts, FixedWindow, Poisson, SlidingWindow, TokenBucket, steady
from gateway_sim import (
    PIPELINE,
    Caller,
    Gateway,
    Headers,
    Job,
    Load,
    SimulatedApi,
    Taken,
    Wish,
    World,
    a_plan,
    simulate,
)
from omniscient import least
from trio.testing import MockClock

from bulkstate.engine.gate import Gate
from bulkstate.model import Answer, Attempt
from bulkstate.policy.pacing import Pacer
from bulkstate.rates import Rate


class Told:
    """The program with the limits that it is told."""

    def caller(self, job: Job, random: Random) -> Caller:
        return Caller(Gate(Pacer(job.told), trio.current_time, trio.current_time), job.workers)


def run(world: World, *windows: Rate, calls: int = 300, seed: str = "seed", workers: int = 16) -> Taken:
    return simulate(Job(world, calls, windows, workers), seed, Told())


FIXED = FixedWindow(steady(20), 1.0)
WORLDS = {
    "fixed": World((FIXED,)),
    "two": World((FIXED, FixedWindow(steady(100), 10.0))),
    "sliding": World((SlidingWindow(steady(20), 1.0),)),
    "no burst": World((TokenBucket(steady(25)),)),
    "others": World((FIXED,), (Poisson(steady(5)), Bursts(4, 3.0))),
    "slow": World((FixedWindow(steady(40), 1.0),), load=Load(0.3, 4)),
    "overloaded": World((FixedWindow(steady(40), 1.0),), load=Load(0.3, 4, 6)),
    "lossy": World((FIXED,), lost=0.05, timeout=5.0),
    "strict": World((FIXED,), strict=True),
    "honest": World((FIXED,), wish=Wish.HONEST),
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> World:
    return WORLDS[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("rate", [10, 30])
def test_every_call_is_accounted_for(world: World, rate: int) -> None:
    taken = run(world, Rate(rate, 1.0))
    assert taken.deleted == 300
    assert taken.calls == taken.accepted + taken.refused + taken.overloaded
    assert 300 <= taken.accepted <= 300 + taken.lost


@pytest.mark.slow
def test_a_seed_is_one_story(world: World) -> None:
    assert run(world, Rate(30, 1.0)) == run(world, Rate(30, 1.0))
    assert run(world, Rate(30, 1.0)) != run(world, Rate(30, 1.0), seed="another")


def test_nobody_is_faster_than_the_least_time(world: World) -> None:
    soonest = least(Job(world, 300), "seed")
    taken = run(world, Rate(100, 1.0))
    assert soonest is None or taken.seconds >= soonest


def test_no_more_calls_pass_than_the_windows_hold() -> None:
    taken = run(WORLDS["two"], Rate(30, 1.0))
    assert taken.accepted <= 100 * (ceil(taken.seconds / 10.0) + 1)
    assert taken.refused > 0


def test_who_keeps_to_the_limit_is_never_refused() -> None:
    assert run(WORLDS["two"], Rate(20, 1.0), Rate(100, 10.0)).refused == 0


def virtually(main: Callable[[], Awaitable[Any]]) -> Any:
    return trio.run(main, clock=MockClock(autojump_threshold=0))


class Unpaced(Gate):
    """A gate that stands open, whatever the answers are."""

    def __init__(self) -> None:
        super().__init__(Pacer(), trio.current_time)

    def answered(self, attempt: Attempt[Any]) -> None:
        pass


def attempts(world: World, calls: int, gap: float) -> list[Attempt[bool]]:
    """Calls that start at even distances, by a caller who heeds nothing, in order of their start."""
    made: list[Attempt[bool]] = []

    async def all_of_them() -> None:
        api = SimulatedApi(world, "seed", Unpaced())
        chunk = a_plan(1).chunk(0)

        async def one() -> None:
            made.append(await api.delete(chunk))

        async with trio.open_nursery() as nursery:
            for _ in range(calls):
                nursery.start_soon(one)
                await trio.sleep(gap)

    virtually(all_of_them)
    return sorted(made, key=lambda attempt: attempt.sent_at)


WIDE = FixedWindow(steady(1_000_000), 1.0)


def test_delays_are_uniform_and_as_long_as_said() -> None:
    seconds = [attempt.seconds for attempt in attempts(World((WIDE,)), 2_000, 0.01)]
    assert min(seconds) >= 2 * 0.0345
    assert max(seconds) <= 2 * 0.0425 + 1e-9
    assert sum(seconds) / len(seconds) == pytest.approx(0.077, abs=0.0003)
    assert sum(one < 0.073 for one in seconds) / len(seconds) == pytest.approx(1 / 8, abs=0.03)


def test_work_takes_longer_when_there_is_more_of_it() -> None:
    world = World((WIDE,), one_way=(0.0, 0.0), load=Load(0.5, 2))
    idle = [attempt.seconds for attempt in attempts(world, 5, 1.0)]
    busy = [attempt.seconds for attempt in attempts(world, 5, 0.001)]
    assert idle == pytest.approx([0.5] * 5)
    assert busy == pytest.approx([0.5, 0.5, 0.75, 1.0, 1.25])


def test_too_much_of_it_is_refused_as_overload() -> None:
    world = World((WIDE,), one_way=(0.0, 0.0), load=Load(0.5, 2, 3))
    answers = [attempt.reply.answer for attempt in attempts(world, 5, 0.001)]
    assert answers == [Answer.OK] * 3 + [Answer.UNAVAILABLE] * 2


def test_a_lost_reply_is_waited_for_until_the_timeout() -> None:
    made = attempts(World((WIDE,), lost=0.2, timeout=7.0), 200, 0.1)
    lost = [attempt for attempt in made if attempt.reply.answer is Answer.UNANSWERED]
    assert 20 < len(lost) < 60
    assert [attempt.seconds for attempt in lost] == pytest.approx([7.0] * len(lost))


@pytest.mark.parametrize("wish", Wish)
def test_a_refusal_says_what_it_is_meant_to(wish: Wish) -> None:
    world = World((FixedWindow(steady(1), 10.0),), one_way=(0.0, 0.0), wish=wish)
    refused = [attempt for attempt in attempts(world, 40, 0.5) if attempt.reply.answer is Answer.THROTTLED]
    wishes = [attempt.reply.retry_after for attempt in refused]
    if wish is Wish.NOTHING:
        assert set(wishes) == {None}
    elif wish in (Wish.LAZY, Wish.ANXIOUS):
        assert set(wishes) == {60.0 if wish is Wish.LAZY else 3600.0}
    else:
        longest = 10.0 if wish is Wish.HONEST else 1.0
        assert all(0 < (seconds or 0) <= longest for seconds in wishes)


@pytest.mark.parametrize("headers", Headers)
def test_headers_say_what_they_are_meant_to(headers: Headers) -> None:
    limits = (FixedWindow(steady(9), 10.0), TokenBucket(steady(100), 100))
    made = attempts(World(limits, one_way=(0.0, 0.0), headers=headers), 60, 0.5)
    said = [attempt.reply.limits for attempt in made]
    if headers is Headers.NOTHING:
        assert set(said) == {()}
        return
    assert all(told.seconds == (None if headers is Headers.KONG else 10.0) for (told,) in said)
    limit = {Headers.GENEROUS: 90.0, Headers.STINGY: 3.0}.get(headers, 9.0)
    assert {told.limit for (told,) in said} == {limit}
    left = [told.remaining for (told,) in said if told.remaining is not None]
    assert max(left) == (0.0 if headers is Headers.STUCK else limit - 1)
    assert (max(left[-20:]), min(left)) == (max(left), 81.0 if headers is Headers.GENEROUS else 0.0)
    resets = [told.reset_after for (told,) in said if told.reset_after is not None]
    assert max(resets) <= 10.0 or headers is Headers.ABSURD


def test_who_comes_back_when_there_is_room_is_taken() -> None:
    gateway = Gateway(World((FixedWindow(steady(1), 10.0), FixedWindow(steady(2), 60.0))), "seed")
    now = 0.0
    for _ in range(20):
        assert gateway.admits(now) == 0.0
        wait = gateway.admits(now)
        assert gateway.admits(now + wait / 2) == pytest.approx(wait / 2)
        now += wait + 1e-9


def test_refused_calls_count_where_a_gateway_is_strict() -> None:
    bucket = TokenBucket(steady(1.0), 1)
    for strict, admitted in ((False, 10), (True, 1)):
        gateway = Gateway(World((bucket,), strict=strict), "seed")
        passed = [gateway.admits(0.5 * number) == 0.0 for number in range(20)]
        assert sum(passed) == admitted


def test_others_take_their_part_of_the_limit() -> None:
    gateway = Gateway(World((FixedWindow(steady(10), 1.0),), (Bursts(10, 1.0),)), "seed")
    passed = sum(gateway.admits(0.1 * number) == 0.0 for number in range(1_000))
    assert gateway.others_refused > 0
    assert passed + 10 * 100 - gateway.others_refused <= 10 * 102


def test_reads_pass_the_same_gate_and_limits() -> None:
    async def read() -> tuple[list[Answer], SimulatedApi]:
        api = SimulatedApi(World((FixedWindow(steady(1), 1_000.0),)), "seed", Unpaced())
        page, state = await api.pipelines(1), await api.get(a_plan(1).chunk(0))
        assert page.reply.data is not None
        assert [row.id for row in page.reply.data.pipelines] == [PIPELINE]
        assert not await api.renew(0.0)
        return [page.reply.answer, state.reply.answer], api

    answers, api = virtually(read)
    assert answers == [Answer.OK, Answer.THROTTLED]
    assert (api.tally.calls, api.tally.refused) == (2, 1)
