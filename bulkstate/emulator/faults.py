"""Misbehaviour on purpose, for tests and rehearsal: some calls are answered as no client wants them to be.

    seed: 7                                                         # the same calls get the same faults
    rules:
      - {on: delete, rate: 5%, status: 503}                         # instead of doing it; with `location:` a redirect
      - {after: 100, times: 3, status: 429, retry_after: 2s}        # calls 101 to 103; `as_date: true` for a date
      - {on: [delete, get], rate: 1%, code: 61199, message: busy}   # HTTP 200, that code, data false
      - {on: delete, rate: 2%, delay: 1500ms}
      - {on: delete, times: 1, close: after}                        # hang up, before or after doing it
      - {on: delete, times: 1, body: truncated}                     # done, but answered so: truncated, garbage, endless
      - {on: delete, after: 50, times: 1, unpause: true}            # somebody starts the pipeline
      - {on: delete, rate: 1%, pretend: true}                       # says deleted, and didn't
      - {on: delete, times: 1, reflect_token: true}                 # an error that quotes the caller's token

A rule sees the calls of the kinds that it is `on` (all, if it names none): it lets `after` of them pass, then fires
with probability `rate`, at most `times` times. Of a call that several rules fire on, the first rule is the outermost.
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum
from functools import partial
from math import ceil, inf
from pathlib import Path
from random import Random
from time import time
from typing import Annotated, Final, Protocol

from aiohttp import web

from bulkstate.emulator import replies
from bulkstate.emulator.amounts import Chance, Seconds
from bulkstate.emulator.calls import CallKind, Declined
from bulkstate.emulator.replies import json
from bulkstate.errors import Problem
from bulkstate.forms import documents
from bulkstate.forms.sections import Found, ListOf, Made, OneOrMore, Section
from bulkstate.forms.single import AnyText, Choice, Flag, Whole
from bulkstate.gateway.wire import Code

ENDLESS: Final = 1 << 30
"""Bytes of an answer that no client should read to its end."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call that is about to be answered. `start_pipeline` starts the pipeline that it names, if it names one."""

    request: web.Request
    kind: CallKind
    token: str
    start_pipeline: Callable[[], Awaitable[None]]


Perform = Callable[[], Awaitable[web.StreamResponse]]


class Effect(Protocol):
    """A way to misbehave."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Answer the call; `perform` does what it asks for."""
        ...


@dataclass(frozen=True, slots=True)
class HttpStatus:
    """An HTTP status from the gateway in front; nothing is done. `retry_after` is in seconds from now."""

    status: int
    retry_after: float | None = None
    as_date: bool = False
    location: str = ""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """A page of HTML: no JSON is promised."""
        page = f"<html><body><h1>{self.status}</h1></body></html>"
        response = web.Response(text=page, status=self.status, content_type="text/html")
        if self.retry_after is not None:
            response.headers["Retry-After"] = self._wish(self.retry_after)
        if self.location:
            response.headers["Location"] = self.location
        return response

    def _wish(self, seconds: float) -> str:
        return formatdate(ceil(time() + seconds), usegmt=True) if self.as_date else str(ceil(seconds))


@dataclass(frozen=True, slots=True)
class Coded:
    """HTTP 200 with a code; nothing is done. `data` is false, for code 0 too."""

    code: int
    message: str = "fault"

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """In the token service's words if it was asked."""
        write = replies.token_declined if exchange.kind is CallKind.TOKEN else replies.declined
        return json(write(Declined(self.code, self.message), data=False))


@dataclass(frozen=True, slots=True)
class Delay:
    """So many seconds pass before the call is performed."""

    seconds: float

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Late."""
        await sleep(self.seconds)
        return await perform()


@dataclass(frozen=True, slots=True)
class Close:
    """The connection is closed without an answer; the call was `performed`, or wasn't."""

    performed: bool

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Never."""
        if self.performed:
            await perform()
        if exchange.request.transport is not None:
            exchange.request.transport.abort()
        return web.Response()


@dataclass(frozen=True, slots=True)
class Truncate:
    """The call is performed, and half of its answer arrives."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Half, under the length of the whole."""
        whole = await perform()
        body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""
        response = web.StreamResponse(status=whole.status, headers={"Content-Length": str(len(body))})
        await response.prepare(exchange.request)
        await response.write(body[: len(body) // 2])
        if exchange.request.transport is not None:
            exchange.request.transport.close()
        return response


@dataclass(frozen=True, slots=True)
class Garbage:
    """The call is performed, and its answer isn't JSON."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Bytes that are no text either."""
        await perform()
        return web.Response(body=b"\xff\xfe<html>\x00", content_type="application/json")


@dataclass(frozen=True, slots=True)
class Endless:
    """The call is performed, and its answer goes on for `bytes` bytes."""

    bytes: int = ENDLESS

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Until the caller has had enough."""
        await perform()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(exchange.request)
        block = b'{"code": 0, "data": "' + b" " * 65_536
        try:
            for _ in range(ceil(self.bytes / len(block))):
                await response.write(block)
        except ConnectionError:
            pass  # the caller hung up, as it should
        return response


@dataclass(frozen=True, slots=True)
class Unpause:
    """Somebody starts the call's pipeline, just before the call is performed."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """As the call deserves, now that the pipeline runs."""
        await exchange.start_pipeline()
        return await perform()


@dataclass(frozen=True, slots=True)
class Pretend:
    """A delete is acknowledged, and not done."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """A lie."""
        return json(replies.succeeded(True))


@dataclass(frozen=True, slots=True)
class ReflectToken:
    """An error whose message holds the caller's token; nothing is done."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """What a careless server says, and a careful client doesn't repeat."""
        return json(replies.declined(Declined(Code.OTHER, f"no luck with token {exchange.token}")))


@dataclass(frozen=True, slots=True)
class Rule:
    """When an effect happens: see the module's docstring. No kinds in `on` means all of them."""

    effect: Effect
    on: frozenset[CallKind] = frozenset()
    rate: float = 1.0
    after: int = 0
    times: float = inf


@dataclass(frozen=True, slots=True)
class Faults:
    """All rules, in order, and the seed of their chance."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0


class _Trigger:
    """One rule, and how often it saw a call and fired. Each has a chance of its own, and so doesn't disturb others."""

    def __init__(self, rule: Rule, chance: Random) -> None:
        self._rule = rule
        self._chance = chance
        self._seen = 0
        self._fired = 0

    def pull(self, kind: CallKind) -> Effect | None:
        rule = self._rule
        if rule.on and kind not in rule.on:
            return None
        self._seen += 1
        if self._seen <= rule.after or self._fired >= rule.times or self._chance.random() >= rule.rate:
            return None
        self._fired += 1
        return rule.effect


class Mischief:
    """Faults at work."""

    def __init__(self, faults: Faults) -> None:
        self._triggers = [_Trigger(rule, Random(f"{faults.seed}/{n}")) for n, rule in enumerate(faults.rules)]

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Answer a call, or have it answered, as the rules say."""
        effects = [effect for trigger in self._triggers if (effect := trigger.pull(exchange.kind))]
        for effect in reversed(effects):
            perform = partial(effect.answer, exchange, perform)
        return await perform()


# ── from a file ───────────────────────────────────────────────────────────────────────────────────────────────────


def load_faults(path: Path) -> Faults:
    """Read a file of faults. InputError, with file, line and field, for every mistake in it."""
    return documents.load(_FAULTS, path)


class _Hanging(StrEnum):
    BEFORE = "before"
    AFTER = "after"


class _Body(StrEnum):
    TRUNCATED = "truncated"
    GARBAGE = "garbage"
    ENDLESS = "endless"


_BODIES: Final[dict[_Body, Effect]] = {
    _Body.TRUNCATED: Truncate(),
    _Body.GARBAGE: Garbage(),
    _Body.ENDLESS: Endless(),
}
_COUNT: Final = Whole(0, 10**17, "a whole number of at least 0")


@dataclass(frozen=True, slots=True)
class _RuleKeys:
    """First what happens, one of these; then details of it; then when."""

    status: Annotated[int | None, Whole(200, 999), "An HTTP status from the gateway in front."] = None
    code: Annotated[int | None, _COUNT, "HTTP 200 with that code, and data false."] = None
    delay: Annotated[float | None, Seconds(), "So long passes before the call is performed."] = None
    close: Annotated[_Hanging | None, Choice(_Hanging), "Hangs up before doing it, or after."] = None
    body: Annotated[_Body | None, Choice(_Body), "Does it, and answers so."] = None
    unpause: Annotated[bool, Flag(), "Somebody starts the pipeline."] = False
    pretend: Annotated[bool, Flag(), "Says that it deleted, and didn't."] = False
    reflect_token: Annotated[bool, Flag(), "An error that quotes the caller's token."] = False

    retry_after: Annotated[float | None, Seconds(), "Of a status: the header Retry-After."] = None
    as_date: Annotated[bool, Flag(), "Whether that is a date."] = False
    location: Annotated[str, AnyText("an address"), "Of a status: the header Location."] = ""
    message: Annotated[str, AnyText("a message"), "Of a code: what is said with it."] = "fault"

    on: Annotated[
        tuple[CallKind, ...], OneOrMore(Choice(CallKind), "kinds of call"), "The kinds of call that it sees."
    ] = ()
    rate: Annotated[float, Chance(), "How often it fires."] = 1.0
    after: Annotated[int, _COUNT, "So many calls pass first."] = 0
    times: Annotated[int | None, _COUNT, "It fires so often at the most."] = None

    def rule(self) -> Rule:
        times = inf if self.times is None else self.times
        return Rule(next(self._effects()), frozenset(self.on), self.rate, self.after, times)

    def _effects(self) -> Iterator[Effect]:
        if self.status is not None:
            yield HttpStatus(self.status, self.retry_after, self.as_date, self.location)
        if self.code is not None:
            yield Coded(self.code, self.message)
        if self.delay is not None:
            yield Delay(self.delay)
        if self.close is not None:
            yield Close(performed=self.close is _Hanging.AFTER)
        if self.body is not None:
            yield _BODIES[self.body]
        if self.unpause:
            yield Unpause()
        if self.pretend:
            yield Pretend()
        if self.reflect_token:
            yield ReflectToken()


_EFFECTS: Final = ("status", "code", "delay", "close", "body", "unpause", "pretend", "reflect_token")


def _one_effect(found: Found) -> Iterator[Problem]:
    named = [name for name in _EFFECTS if name in found.written and found.values.get(name) is not False]
    misspelt = not named and any(name not in found.written for name, _ in found.at.entries())
    if len(named) != 1 and not misspelt:
        yield found.at.problem(f"expected exactly one of {', '.join(_EFFECTS)}")


@dataclass(frozen=True, slots=True)
class _FaultsKeys:
    rules: Annotated[
        tuple[Rule, ...],
        ListOf(Made(Section(_RuleKeys, (_one_effect,)), _RuleKeys.rule), "rules", least=0),
        "What goes wrong, and when.",
    ]
    seed: Annotated[int, _COUNT, "The same calls get the same faults."] = 0

    def faults(self) -> Faults:
        return Faults(self.rules, self.seed)


_FAULTS: Final = Made(Section(_FaultsKeys), _FaultsKeys.faults)
