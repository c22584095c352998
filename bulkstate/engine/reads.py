"""Calls that only read, repeated by the same policy as deletes until they are answered or given up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

import anyio

from bulkstate.engine.gate import Gate
from bulkstate.gateway.api import StageStateApi
from bulkstate.model import Answer, Attempt, Chunk, Pair, Pipeline, Reply, Span, describe
from bulkstate.policy.retry import FAILED, Again, Renew, RetryPolicy, Tries, Yield, decide
from bulkstate.policy.sizing import halves

T = TypeVar("T")

_RECENT: Final = 0.2
"""What the latest call counts in the latency."""

MOST_PAGES = 1_000
"""Pages of List Pipelines that are read at the most: a gateway that always has one more isn't followed for ever."""


class ReadFailed(Exception):
    """A read was given up. `reply` is the last answer."""

    def __init__(self, what: str, reply: Reply[object]) -> None:
        super().__init__(f"{what}: {describe(reply)}")
        self.reply = reply


class Reads:
    """The gateway's reading calls, with retries.

    `random` gives uniform numbers in [0, 1). `paused` is told for how many seconds a 429 holds everybody, and why;
    `waiting` why a read is asked again, and for how many seconds that may go on, without those that answers take.
    """

    def __init__(
        self,
        api: StageStateApi,
        gate: Gate,
        retry: RetryPolicy,
        random: Callable[[], float],
        paused: Callable[[float, str], None] = lambda seconds, reason: None,
        waiting: Callable[[str, float], None] = lambda reason, seconds: None,
    ) -> None:
        self._api = api
        self.gate: Final = gate
        self.retry: Final = retry
        self.trouble = ""
        """Why the latest read wasn't answered, in words; empty if it was."""
        self.listed: Mapping[str, Pipeline] = {}
        """The pipelines as they were listed last."""
        self.pages = 1
        """How many calls the latest list of pipelines took."""
        self.latency = 0.0
        """How long a call takes to be answered, in seconds, lately; 0 before the first."""
        self._random = random
        self._paused = paused
        self._waiting = waiting

    async def state(self, chunk: Chunk) -> frozenset[Pair]:
        """Those of the chunk's pairs that have state. A read that is too large is asked again in halves. ReadFailed."""
        reply = await self.ask(partial(self._api.get, chunk))
        if reply.answer is Answer.TOO_LARGE and chunk.pairs > 1:
            first, second = _in_halves(chunk)
            return await self.state(first) | await self.state(second)
        return _payload(f"Get Stage State of {chunk.stage}", reply)

    async def pipelines(
        self, wanted: Collection[str], failing: Callable[[Reply[object]], None] = lambda reply: None
    ) -> dict[str, Pipeline]:
        """The wanted pipelines by ID, as far as the organisation has them. ReadFailed; `failing` is told of each call
        that isn't answered, before it is repeated."""
        found: dict[str, Pipeline] = {}
        seen = 0
        for page in range(1, MOST_PAGES + 1):
            rows = _payload("List Pipelines", await self.ask(partial(self._api.pipelines, page), failing))
            found.update((row.id, row) for row in rows.pipelines if row.id in wanted)
            seen += len(rows.pipelines)
            if len(found) == len(set(wanted)) or not rows.pipelines or seen >= rows.count:
                break
        self.listed, self.pages = found, page
        return found

    async def ask(
        self,
        call: Callable[[], Awaitable[Attempt[T]]],
        failing: Callable[[Reply[object]], None] = lambda reply: None,
    ) -> Reply[T]:
        """Make a call, and repeat it until it is answered or given up: the last answer."""
        tries = Tries()
        while True:
            attempt = await call()
            self.latency += (attempt.seconds - self.latency) * (_RECENT if self.latency else 1.0)
            tries = tries.after(attempt.reply)
            if attempt.reply.answer is not Answer.THROTTLED:
                self.trouble = "" if attempt.reply.answer is Answer.OK else describe(attempt.reply)
            if attempt.reply.answer in FAILED:
                failing(attempt.reply)
            match decide(self.retry, tries, attempt.reply, self._random()):
                case Yield():
                    self._paused(self.gate.throttled_for, "the gateway's rate limit")
                case Renew():
                    await self._api.renew(attempt.sent_at)
                    tries = replace(tries, renewed=True)
                case Again(delay):
                    self._waiting(describe(attempt.reply), self.retry.patience(tries.attempts))
                    await anyio.sleep(delay)
                case _:
                    return attempt.reply


def _in_halves(chunk: Chunk) -> Iterator[Chunk]:
    for assets, points in halves(Span(0, len(chunk.assets)), Span(0, len(chunk.points))):
        yield replace(
            chunk, assets=chunk.assets[assets.start : assets.end], points=chunk.points[points.start : points.end]
        )


def _payload(what: str, reply: Reply[T]) -> T:
    if reply.answer is not Answer.OK or reply.data is None:
        raise ReadFailed(what, reply)
    return reply.data
