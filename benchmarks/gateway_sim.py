"""A gateway on virtual time, in front of the engine, the gate and the policies that a run uses.

Discrete events on trio's clock: a call leaves, travels one way, is judged by every limit on arrival, is worked on, and
its answer travels back. Time jumps from one event to the next, so an hour takes as long as its calls do. Everything
that nobody is told (the phases of windows, delays, other callers, lost replies) is drawn from a seed, each from a
sequence of its own: two ways to pace meet the same gateway and the same others.
"""

from __future__ import annotations

from collections import Counter as Census
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from heapq import merge
from math import ceil, inf
from random import Random
from typing import Any, Final, Protocol

import numpy as np
import trio
from gateway_limits import Counter, Limit, Others, TokenBucket, steady
from trio.testing import MockClock

from bulkstate.engine.engine import Engine, Equipment, Pace
from bulkstate.engine.gate import Gate
from bulkstate.engine.pipelines import StatusWatch
from bulkstate.engine.reads import Reads
from bulkstate.gateway import limit_headers
from bulkstate.gateway.api import StageStateApi
from bulkstate.model import (
    Answer,
    Attempt,
    Chunk,
    Grant,
    LowerBound,
    Outcome,
    Pair,
    Pipeline,
    PipelinePage,
    PipelineStatus,
    Plan,
    Rectangle,
    Reply,
    Stage,
    StagePlan,
    Told,
    Verdict,
)
from bulkstate.pairs.chunks import Chunks
from bulkstate.policy.concurrency import ConcurrencyPilot
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate

PIPELINE: Final = "simulated"
BODY_BYTES: Final = 11_000

PATIENT: Final = RetryPolicy(attempts=1_000_000)
"""No chunk is given up: every job ends with all of its calls accepted, and is timed to that end."""

FOR_EVER: Final = 1e7
"""Virtual seconds after which a job counts as hung: 116 days."""


class Wish(StrEnum):
    """What a 429 says in its `Retry-After`."""

    NOTHING = "nothing"
    HONEST = "whole seconds until there is room"
    HASTY = "a tenth of the time until there is room"
    LAZY = "a minute, whatever the matter"
    ANXIOUS = "an hour, whatever the matter"

    def seconds(self, until_room: float) -> float | None:
        """The header's value, if there is room in so many seconds."""
        match self:
            case Wish.NOTHING:
                return None
            case Wish.HONEST:
                return float(ceil(until_room))
            case Wish.HASTY:
                return until_room / 10
            case Wish.LAZY:
                return 60.0
            case Wish.ANXIOUS:
                return 3600.0


class Headers(StrEnum):
    """What every answer's `RateLimit` headers say of each fixed window."""

    NOTHING = "nothing"
    HONEST = "the limit, what is left of it, and when it is renewed"
    GENEROUS = "ten times the limit"
    STINGY = "a third of the limit"
    STUCK = "that nothing is left, whatever the matter"
    ABSURD = "that it is renewed in a year"
    KONG = "Kong's: the limit, what is left, when it is renewed, and the first two again under the window's name"

    def tell(self, truth: Told) -> tuple[Told, ...]:
        """What is said, if that is the truth."""
        limit, left = truth.limit or 0.0, truth.remaining or 0.0
        match self:
            case Headers.NOTHING:
                return ()
            case Headers.HONEST:
                return (truth,)
            case Headers.GENEROUS:
                return (replace(truth, limit=10 * limit, remaining=left + 9 * limit),)
            case Headers.STINGY:
                return (replace(truth, limit=limit / 3, remaining=max(0.0, left - 2 * limit / 3)),)
            case Headers.STUCK:
                return (replace(truth, remaining=0.0),)
            case Headers.ABSURD:
                return (replace(truth, reset_after=365 * 86_400.0),)
            case Headers.KONG:
                return limit_headers.read(_kong(truth), lambda: 0.0)


_UNITS: Final = {1.0: "Second", 60.0: "Minute", 3600.0: "Hour", 86_400.0: "Day"}


def _kong(truth: Told) -> dict[str, str]:
    limit, left = f"{truth.limit:.0f}", f"{truth.remaining:.0f}"
    unit = _UNITS.get(truth.seconds or 0.0)
    reset = f"{ceil(truth.reset_after or 0.0)}"
    named = {f"X-RateLimit-Limit-{unit}": limit, f"X-RateLimit-Remaining-{unit}": left} if unit else {}
    return {"RateLimit-Limit": limit, "RateLimit-Remaining": left, "RateLimit-Reset": reset, **named}


class Words(StrEnum):
    """How a gateway says that it has no room for a call."""

    THROTTLED = "HTTP 429"
    OTHER = "code 61199 on HTTP 200"
    UNAVAILABLE = "HTTP 503"
    UNAVAILABLE_FOR = "HTTP 503 with a Retry-After"
    REAL = "HTTP 430"

    def reply(self, wish: float | None, told: tuple[Told, ...]) -> Reply[bool]:
        """The answer, where the gateway wishes for so many seconds without calls."""
        match self:
            case Words.THROTTLED:
                return Reply(Answer.THROTTLED, 429, retry_after=wish, limits=told)
            case Words.OTHER:
                return Reply(Answer.UNDECIDED, 200, 61199, limits=told)
            case Words.UNAVAILABLE:
                return Reply(Answer.UNAVAILABLE, 503, limits=told)
            case Words.UNAVAILABLE_FOR:
                return Reply(Answer.UNAVAILABLE, 503, retry_after=1.0 if wish is None else wish, limits=told)
            case Words.REAL:
                return Reply(Answer.THROTTLED, 430, retry_after=wish, limits=told)


@dataclass(frozen=True, slots=True)
class Load:
    """How the work behind the gateway takes longer when there is more of it.

    `seconds` a call while at most `knee` are worked on, in proportion to their number beyond; 503 beyond `most`, or a
    429 if it `throttles` there. Of the calls, the share `slow` takes `slow_seconds` instead.
    """

    seconds: float = 0.0
    knee: int = 1
    most: float = inf
    throttles: bool = False
    slow: float = 0.0
    slow_seconds: float = 0.0

    def takes(self, working: int) -> float:
        """Seconds for a call that makes it so many."""
        return self.seconds * max(1.0, working / self.knee)

    @property
    def limit(self) -> Limit | None:
        """What it lets through at the most, as a limit: so many at once, and then as many as are done."""
        at_once = int(min(self.knee, self.most))
        return TokenBucket(steady(at_once / self.seconds), at_once) if self.seconds else None


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, the way to it, and who else is there.

    `one_way` are the least and the most seconds that a call or its answer travels, uniform between. Of the answers,
    the share `lost` never arrives: the call did, and the caller gives up after `timeout` seconds. `strict`: refused
    calls count like accepted ones. The share `stray` is refused for no reason, and everything from the first second of
    `outage` until its last one. Refusals are said in `words`.
    """

    limits: tuple[Limit, ...]
    others: tuple[Others, ...] = ()
    one_way: tuple[float, float] = (0.0345, 0.0425)
    load: Load = Load()
    lost: float = 0.0
    timeout: float = 30.0
    wish: Wish = Wish.NOTHING
    headers: Headers = Headers.NOTHING
    strict: bool = False
    stray: float = 0.0
    outage: tuple[float, float] = (inf, inf)
    words: Words = Words.THROTTLED


@dataclass(frozen=True, slots=True)
class Job:
    """So many calls to a gateway. `told` is what the caller is told of its limits, nothing where it has to find out;
    `workers` are the most calls that it may have under way. Each is for so many `pairs`. Patient: no chunk is given up,
    so that every job ends with all of its calls accepted, and is timed to that end."""

    world: World
    calls: int = 10_000
    told: tuple[Rate, ...] = ()
    workers: int = 64
    pairs: int = 1
    retry: RetryPolicy = PATIENT


@dataclass(slots=True)
class Tally:
    """What reached the gateway from the job, and what became of it. `ended` is when the latest answer came."""

    calls: int = 0
    accepted: int = 0
    refused: int = 0
    overloaded: int = 0
    lost: int = 0
    ended: float = 0.0
    accepted_at: list[float] = field(default_factory=list)


def begins(seed: str) -> float:
    """What the gateway's clock shows at the beginning of a job: some time of a day, UNIX seconds."""
    return 86_400.0 * (20_800 + Random(f"{seed} begins").random())


def counters(limits: Sequence[Limit], seed: str) -> list[Counter]:
    """Limits as they stand at the beginning; their phases are the seed's."""
    phases = Random(f"{seed} phases")
    return [limit.counter(phases, begins(seed)) for limit in limits]


class Gateway:
    """The gateway's own state: its counters, and how many calls it works on."""

    def __init__(self, world: World, seed: str) -> None:
        self._world = world
        self.begins = begins(seed)
        self._counters = counters(world.limits, seed)
        self._others: Iterator[float] = merge(
            *(others.times(Random(f"{seed} others {number}")) for number, others in enumerate(world.others))
        )
        self._next_other = next(self._others, inf)
        self._working = 0
        self.others_refused = 0

    def admits(self, now: float) -> float:
        """A call arrives, in order of time: 0 if it may pass, else the seconds until another might."""
        while self._next_other <= now:
            self.others_refused += self._judge(self._next_other) > 0
            self._next_other = next(self._others)
        return self._judge(now)

    def _judge(self, now: float) -> float:
        wait = 0.0
        for counter in self._counters:
            wait = max(wait, counter.room_at(now) - now)
        if wait <= 0 or self._world.strict:
            for counter in self._counters:
                counter.take(now)
        return wait

    def tells(self, now: float) -> tuple[Told, ...]:
        """What an answer's headers say, after it was judged."""
        truths = (counter.tells(now) for counter in self._counters)
        return tuple(said for truth in truths if truth is not None for said in self._world.headers.tell(truth))

    def begin(self) -> float | None:
        """Start to work on a call: the seconds that it takes, None if there are too many already."""
        if self._working >= self._world.load.most:
            return None
        self._working += 1
        return self._world.load.takes(self._working)

    def end(self) -> None:
        """A call was worked on."""
        self._working -= 1


ACCEPTED: Final = Reply(Answer.OK, 200, 0, data=True)
LOST: Final[Reply[bool]] = Reply(Answer.UNANSWERED)


class SimulatedApi:
    """`ports.StageStateApi` to one gateway: like the real client it waits for the gate before every call, and tells it
    how the call ended."""

    def __init__(self, world: World, seed: str, gate: Gate, gateway: Gateway | None = None) -> None:
        self._world = world
        self._gateway = gateway or Gateway(world, seed)
        self._delays = Random(f"{seed} delays")
        self._losses = Random(f"{seed} losses")
        self._random = Random(f"{seed} strays")
        self._gate = gate
        self.tally = Tally()

    async def delete(self, chunk: Chunk) -> Attempt[bool]:
        """Delete nothing, as fast as the gateway lets it."""
        return await self._call(ACCEPTED)

    async def get(self, chunk: Chunk) -> Attempt[frozenset[Pair]]:
        """Find no state."""
        return await self._call(Reply(Answer.OK, 200, 0, data=frozenset()))

    async def pipelines(self, page: int) -> Attempt[PipelinePage]:
        """One pipeline, paused."""
        row = Pipeline(PIPELINE, "", PipelineStatus.PAUSED)
        return await self._call(Reply(Answer.OK, 200, 0, data=PipelinePage(1, (row,))))

    async def renew(self, refused_at: float) -> bool:
        """This gateway refuses nobody's credentials."""
        return False

    async def _call(self, accepted: Reply[Any]) -> Attempt[Any]:
        await self._gate.acquire()
        sent_at = trio.current_time()
        self.tally.calls += 1
        reply = await self._exchange(sent_at, accepted)
        self.tally.ended = trio.current_time()
        date = None if reply is LOST else float(int(self._gateway.begins + self.tally.ended - self._world.one_way[0]))
        attempt = Attempt(reply, sent_at, self.tally.ended - sent_at, BODY_BYTES, date)
        self._gate.answered(attempt)
        return attempt

    async def _exchange(self, sent_at: float, accepted: Reply[Any]) -> Reply[Any]:
        out, back = self._delay(), self._delay()
        await trio.sleep_until(sent_at + out)
        reply = await self._answer(accepted)
        if self._losses.random() < self._world.lost:
            self.tally.lost += 1
            await trio.sleep_until(sent_at + self._world.timeout)
            return LOST
        await trio.sleep(back)
        return reply

    def _delay(self) -> float:
        least, most = self._world.one_way
        return least + (most - least) * self._delays.random()

    async def _answer(self, accepted: Reply[Any]) -> Reply[Any]:
        now = trio.current_time()
        wait, told = self._gateway.admits(now), self._gateway.tells(now)
        world = self._world
        if world.stray and self._random.random() < world.stray:
            wait = max(wait, 0.01)
        if world.outage[0] <= now < world.outage[1]:
            wait = world.outage[1] - now
        if wait > 0:
            self.tally.refused += 1
            return world.words.reply(world.wish.seconds(wait), told)
        seconds = self._gateway.begin()
        if seconds is None:
            self.tally.overloaded += 1
            return Reply(Answer.THROTTLED, 429) if world.load.throttles else Reply(Answer.UNAVAILABLE, 503)
        if world.load.slow and self._random.random() < world.load.slow:
            seconds = world.load.slow_seconds
        if seconds:
            await trio.sleep(seconds)
        self._gateway.end()
        self.tally.accepted += 1
        self.tally.accepted_at.append(now)
        return replace(accepted, limits=told) if told else accepted


class Memory:
    """`ports.OutcomeLog` without a disk: a virtual clock stands still for nobody's thread."""

    def __init__(self) -> None:
        self.verdicts: Census[Verdict] = Census()

    async def grant(self, grant: Grant) -> None:
        """Nobody resumes a simulation."""

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        """Count how chunks ended."""
        self.verdicts.update(outcome.verdict for outcome in outcomes)


class Nobody:
    """`ports.Observer` that doesn't look."""

    def attempted(self, attempt: Attempt[bool]) -> None:
        """A call was answered."""

    def settled(self, outcome: Outcome, pairs: int) -> None:
        """A chunk has an outcome."""

    def paused(self, seconds: float, reason: str) -> None:
        """Everybody waits."""

    def held(self, holding: object) -> None:
        """Something holds the run back."""


def same(api: StageStateApi) -> StageStateApi:
    """The API as it is."""
    return api


def nothing() -> None:
    """Nothing is left to do."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who does a job: the gate that its calls go through, how many are under way at the most, and, where it isn't the
    engine that sees to refused calls, what stands between the engine and the API. `done` is called in the end. Where
    there is a `crew`, it decides how many are under way."""

    gate: Gate
    workers: int
    between: Callable[[StageStateApi], StageStateApi] = same
    done: Callable[[], None] = nothing
    crew: ConcurrencyPilot | None = None


class Contestant(Protocol):
    """One way to pace. What it learns in one job it may use in its next."""

    def caller(self, job: Job, random: Random) -> Caller:
        """Get ready for a job, on its event loop. Of its world only what is told may be used."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What a job came to: the seconds from its beginning to the last answer, and what became of its calls."""

    seconds: float
    calls: int
    accepted: int
    refused: int
    overloaded: int
    lost: int
    deleted: int
    exhausted: int = 0
    split: int = 0


def a_plan(calls: int, pairs: int = 1) -> Plan:
    """So many chunks, all alike."""
    tile = Rectangle(np.arange(pairs, dtype=np.int32), np.zeros(1, np.int32))
    assets = tuple(f"asset{number}" for number in range(pairs))
    stage = StagePlan(Stage(PIPELINE, "Stage"), assets, ("point",), (tile,) * calls, pairs * calls, LowerBound(1, ""))
    return Plan((stage,), "", 0)


def simulate(job: Job, seed: str, contestant: Contestant) -> Taken:
    """Let a contestant do a job, from nothing sent to everything deleted."""
    return trio.run(_do, job, seed, contestant, clock=MockClock(autojump_threshold=0))


def together(job: Job, seed: str, make: Callable[[], Contestant], starts: Sequence[float], end: float) -> list[Tally]:
    """Let several runs, begun at `starts`, do the job at one gateway until `end`: what reached it from each."""
    return trio.run(_together, job, seed, make, starts, end, clock=MockClock(autojump_threshold=0))


async def _together(
    job: Job, seed: str, make: Callable[[], Contestant], starts: Sequence[float], end: float
) -> list[Tally]:
    gateway, tallies = Gateway(job.world, seed), []

    async def one(number: int, start: float) -> None:
        await trio.sleep_until(start)
        random = Random(f"{seed} caller {number}")
        caller = make().caller(job, random)
        simulated = SimulatedApi(job.world, f"{seed} {number}", caller.gate, gateway)
        tallies.append(simulated.tally)
        await _delete_all(job, caller, simulated, random)

    with trio.move_on_at(end):
        async with trio.open_nursery() as nursery:
            for number, start in enumerate(starts):
                nursery.start_soon(one, number, start)
    return tallies


async def _do(job: Job, seed: str, contestant: Contestant) -> Taken:
    random = Random(f"{seed} caller")
    caller = contestant.caller(job, random)
    simulated = SimulatedApi(job.world, seed, caller.gate)
    with trio.fail_after(FOR_EVER):
        verdicts = await _delete_all(job, caller, simulated, random)
    caller.done()
    tally = simulated.tally
    return Taken(
        tally.ended,
        tally.calls,
        tally.accepted,
        tally.refused,
        tally.overloaded,
        tally.lost,
        verdicts[Verdict.DELETED],
        verdicts[Verdict.EXHAUSTED],
        verdicts[Verdict.SPLIT],
    )


async def _delete_all(job: Job, caller: Caller, simulated: SimulatedApi, random: Random) -> Census[Verdict]:
    """Do the job; how its chunks ended."""
    api = caller.between(simulated)
    status = StatusWatch(Reads(api, caller.gate, PATIENT, random.random), [PIPELINE])
    journal = Memory()
    now = trio.current_time
    equipment = Equipment(api, caller.gate, status, journal, Nobody(), random.random, now, now)
    await caller.gate.keep(journal)
    pace = Pace(caller.workers, job.retry, caller.crew)
    ending = await Engine(equipment, pace, Chunks(a_plan(job.calls, job.pairs)), range(job.calls)).run()
    if ending is not None:
        raise ending
    return journal.verdicts
