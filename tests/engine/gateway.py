"""A gateway made of a script, in memory, and an account of what reached it: what the engine is tested against.

It awaits `acquire` before each call, as the client does, and knows nothing else of the engine. `World` outlives runs;
`ScriptedApi` is one run's way to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from bulkstate.engine.gate import Gate
from bulkstate.gateway.wire import Code
from bulkstate.model import (
    Answer,
    Attempt,
    Chunk,
    Pair,
    Pipeline,
    PipelinePage,
    PipelineStatus,
    Plan,
    Reply,
    Stage,
    Told,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Say:
    """One answer of the script: given `seconds` after the call; `applied` if the state is gone all the same."""

    answer: Answer
    seconds: float = 0.05
    code: int | None = None
    applied: bool = False
    retry_after: float | None = None
    limits: tuple[Told, ...] = ()
    status: int | None = None


OK = Say(Answer.OK, code=Code.OK, applied=True)


@dataclass(slots=True, eq=False)
class Call:
    """Something that reached the wire. Times are loop seconds; no `answer`: the caller left before there was one.

    `asked_at` is when the caller came, before it waited for its turn. `found` is the pipeline status that `page` told.
    """

    asked_at: float
    at: float
    kind: str
    chunk: int | None = None
    answer: Answer | None = None
    retry_after: float | None = None
    answered_at: float = float("inf")
    found: str | None = None
    page: int = 0


@dataclass
class World:
    """What lies behind the gateway: `state` holds the pairs of each stage that still have state.

    `script` holds what each chunk's calls are answered in turn, `reads` what the looks at the pipelines are; beyond
    it everything is OK. `running` are the times in which the pipelines run; if `strict`, no delete works then. `down`
    are the times in which deletes are answered by `outage`, whatever the script says, `blind` those in which no look
    at the pipelines is answered; `updated` is what they say of when they were changed. A delete takes effect after
    `lag` seconds.
    """

    plan: Plan = field(repr=False)
    script: Mapping[int, Sequence[Say]] = field(default_factory=dict)
    reads: Sequence[Say] = ()
    renewals: Sequence[bool] = ()
    running: Sequence[tuple[float, float]] = ()
    strict: bool = True
    say: Say = OK
    keep_calls: bool = True
    down: Sequence[tuple[float, float]] = ()
    outage: Say = Say(Answer.UNAVAILABLE)
    blind: Sequence[tuple[float, float]] = ()
    updated: Callable[[float], str] = lambda now: ""
    lag: float = 0.0

    def __post_init__(self) -> None:
        self._late: list[tuple[float, Stage, frozenset[Pair]]] = []
        self.calls: list[Call] = []
        self.state: dict[Stage, set[Pair]] = {}
        self._script = {number: iter(answers) for number, answers in self.script.items()}
        self._reads = iter(self.reads)
        self._renewals = iter(self.renewals)
        self._token_made_at = float("-inf")
        self._at_token_service = anyio.Lock()

    def fill(self) -> None:
        """Give state to every pair of the plan, and to others in the same stages."""
        for chunk in self.plan.chunks():
            self.state.setdefault(chunk.stage, set()).update(pairs_of(chunk), bystanders_of(chunk))

    @property
    def planned_left(self) -> bool:
        """Some pair of the plan has state."""
        return any(self.state[chunk.stage] & pairs_of(chunk) for chunk in self.plan.chunks())

    @property
    def bystanders_left(self) -> bool:
        """Every pair beside the plan has state."""
        return all(bystanders_of(chunk) <= self.state[chunk.stage] for chunk in self.plan.chunks())

    def apply(self, now: float, chunk: Chunk) -> None:
        """A delete takes effect, `lag` seconds later."""
        self._late.append((now + self.lag, chunk.stage, pairs_of(chunk)))
        self.settle(now)

    def settle(self, now: float) -> None:
        """What was to take effect by now has done so."""
        for _, stage, pairs in (each for each in self._late if each[0] <= now):
            self.state[stage].difference_update(pairs)
        self._late = [each for each in self._late if each[0] > now]

    def deletes(self, since: int = 0) -> list[Call]:
        """The deletes from the call with that place on."""
        return [call for call in self.calls[since:] if call.kind == "delete"]

    def reached(self, call: Call) -> Call:
        if self.keep_calls:
            self.calls.append(call)
        return call

    def runs_at(self, now: float) -> bool:
        return _within(self.running, now)

    def next_delete(self, number: int, now: float) -> Say:
        if _within(self.down, now):
            return self.outage
        said = next(self._script.get(number, iter(())), self.say)
        if self.strict and self.runs_at(now) and said.answer is Answer.OK:
            return Say(Answer.UNDECIDED, said.seconds, Code.OTHER)
        return said

    def next_read(self) -> Say:
        return next(self._reads, OK)

    async def make_token(self, refused_at: float, acquire: Callable[[], Awaitable[None]]) -> bool:
        """Once for all who wait, like the client."""
        async with self._at_token_service:
            if self._token_made_at > refused_at:
                return True
            asked_at = anyio.current_time()
            await acquire()
            call = self.reached(Call(asked_at, anyio.current_time(), "token"))
            await anyio.sleep(0.1)
            made = next(self._renewals, True)
            _answered(call, Answer.OK if made else Answer.REFUSED)
            self._token_made_at = anyio.current_time() if made else self._token_made_at
            return made


class ScriptedApi:
    """One run's `ports.StageStateApi`, which tells the gate how each call ended."""

    def __init__(self, world: World, gate: Gate) -> None:
        self._world = world
        self._gate = gate

    def _told(self, attempt: Attempt[T]) -> Attempt[T]:
        self._gate.answered(attempt)
        return attempt

    async def delete(self, chunk: Chunk) -> Attempt[bool]:
        asked_at = anyio.current_time()
        await self._gate.acquire(deletes=True)
        now = anyio.current_time()
        call = self._world.reached(Call(asked_at, now, "delete", chunk.number))
        said = self._world.next_delete(chunk.number, now)
        if said.applied and self._world.state:
            self._world.apply(now, chunk)
        await anyio.sleep(said.seconds)
        _answered(call, said.answer)
        call.retry_after = said.retry_after
        data = True if said.answer is Answer.OK else None
        reply = Reply(said.answer, said.status, said.code, said.answer.value, None, data, said.retry_after, said.limits)
        return self._told(Attempt(reply, now, anyio.current_time() - now, 100))

    async def get(self, chunk: Chunk) -> Attempt[frozenset[Pair]]:
        asked_at = anyio.current_time()
        await self._gate.acquire()
        now = anyio.current_time()
        call = self._world.reached(Call(asked_at, now, "get", chunk.number))
        said = self._world.next_read()
        await anyio.sleep(said.seconds)
        _answered(call, said.answer)
        self._world.settle(anyio.current_time())
        found = frozenset(self._world.state.get(chunk.stage, set())) & pairs_of(chunk)
        data = found if said.answer is Answer.OK else None
        return self._told(Attempt(Reply(said.answer, data=data, retry_after=said.retry_after), now, said.seconds))

    async def pipelines(self, page: int) -> Attempt[PipelinePage]:
        """One pipeline a page."""
        asked_at = anyio.current_time()
        await self._gate.acquire()
        now = anyio.current_time()
        call = self._world.reached(Call(asked_at, now, "pipelines", page=page))
        said = self._world.outage if _within(self._world.blind, now) else self._world.next_read()
        await anyio.sleep(said.seconds)
        status = PipelineStatus.RUNNING if self._world.runs_at(now) else PipelineStatus.PAUSED
        _answered(call, said.answer)
        call.retry_after = said.retry_after
        if said.answer is not Answer.OK:
            return self._told(Attempt(Reply(said.answer, retry_after=said.retry_after), now, said.seconds))
        call.found = status
        names = pipelines_of(self._world.plan)
        row = Pipeline(names[page - 1], "", status, updated=self._world.updated(now))
        return self._told(Attempt(Reply(Answer.OK, 200, 0, data=PipelinePage(len(names), (row,))), now, said.seconds))

    async def renew(self, refused_at: float) -> bool:
        return await self._world.make_token(refused_at, self._gate.acquire)


def _within(stretches: Sequence[tuple[float, float]], now: float) -> bool:
    return any(start <= now < end for start, end in stretches)


def _answered(call: Call, answer: Answer) -> None:
    call.answer, call.answered_at = answer, anyio.current_time()


def pairs_of(chunk: Chunk) -> frozenset[Pair]:
    return frozenset(Pair(asset, point) for asset in chunk.assets for point in chunk.points)


def bystanders_of(chunk: Chunk) -> frozenset[Pair]:
    """Pairs that share assets or points with the chunk's, and are none of the plan's."""
    pairs = {Pair(asset, "other") for asset in chunk.assets} | {Pair("other", point) for point in chunk.points}
    return frozenset(pairs)


def pipelines_of(plan: Plan) -> list[str]:
    return sorted({stage.stage.pipeline for stage in plan.stages})


def most_in_a_window(times: Iterable[float], seconds: float) -> int:
    """Most of the ascending `times` that any half-open stretch of `seconds` seconds holds."""
    ordered = list(times)
    most = first = 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
