"""Misbehaviour on purpose, for tests and rehearsal: some calls are answered as no client wants them to be.

    seed: 7                                                         # the same calls get the same faults
    rules:
      - {on: delete, rate: 5%, status: 503}                         # instead of doing it; with `location:` a redirect
      - {after: 100, times: 3, status: 429, retry_after: 2s}        # calls 101 to 103; `as_date: true` for a date
      - {on: delete, asset: WTG0042, status: 500, code: 61199}      # one asset is poisoned, wherever it stands
      - {on: pipelines, counting: delete, after: 60, status: 503}   # the list fails from the 60th delete on
      - {on: delete, after: 50, times: 1, unpause: true}            # somebody starts the pipeline
      - {after: 200, times: 1, closed_port: 90s}                    # nobody listens

Every rule names one thing that happens, and when: docs/rehearsal.md has them all. A rule sees the calls of the kinds
that it is `on` (all, if it names none) which name its `asset`, `point` or `stage`, and are `larger_than` so many bytes.
It lets `after` of them pass, or of those that it is `counting`, then fires with probability `rate`, at most `times`
times, and for as long as it `lasts` from the first time on. Of a call that several rules fire on, the first rule is the
outermost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bulkstate.emulator.amounts import Probability, Seconds
from bulkstate.emulator.calls import CallKind
from bulkstate.emulator.effects import (
    Close,
    ClosedPort,
    Coded,
    Delay,
    Effect,
    Endless,
    Exchange,
    Garbage,
    HttpStatus,
    Interim,
    Late,
    ManyHeaders,
    Odd,
    Perform,
    Powers,
    Pretend,
    ReflectToken,
    Restart,
    Truncate,
    Twice,
    Unasked,
    Unpause,
    When,
    Where,
)
from bulkstate.emulator.received import Received
from bulkstate.errors import Problem
from bulkstate.forms import documents
from bulkstate.forms.place import Place
from bulkstate.forms.sections import Found, ListOf, Made, OneOrMore, Section
from bulkstate.forms.single import AnyText, Choice, Flag, JsonObject, Size, Version, Whole


@dataclass(frozen=True, slots=True)
class Rule:
    """When an effect happens: see the module's docstring. No kinds in `on` means all of them, none in `counting` those
    that the rule sees; an empty text names nothing. Sizes are in bytes, `lasts` in seconds."""

    effect: Effect
    on: frozenset[CallKind] = frozenset()
    rate: float = 1.0
    after: int = 0
    times: float = inf
    lasts: float = inf
    counting: frozenset[CallKind] = frozenset()
    asset: str = ""
    point: str = ""
    stage: str = ""
    larger_than: int = 0

    def sees(self, call: Received) -> bool:
        """Whether a call is one of those that it is about."""
        if (self.on and call.kind not in self.on) or call.body_bytes < self.larger_than:
            return False
        if not (self.asset or self.point or self.stage):
            return True
        named = call.stage_call
        return (
            named is not None
            and (not self.asset or self.asset in named.assets)
            and (not self.point or self.point in named.points)
            and (not self.stage or self.stage == named.stage)
        )

    def counts(self, call: Received) -> bool:
        """Whether a call is one of those that pass before it fires."""
        return call.kind in self.counting if self.counting else self.sees(call)


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
        self._counted = 0
        self._fired = 0
        self._ends = inf

    def pull(self, call: Received) -> Effect | None:
        """What happens to a call, if anything does."""
        rule = self._rule
        passed = self._counted
        self._counted += rule.counts(call)
        if passed < rule.after or self._fired >= rule.times or call.at >= self._ends or not rule.sees(call):
            return None
        if self._chance.random() >= rule.rate:
            return None
        self._fired += 1
        self._ends = min(self._ends, call.at + rule.lasts)
        return rule.effect


class Mischief:
    """Faults at work."""

    def __init__(self, faults: Faults) -> None:
        self._triggers = [_Trigger(rule, Random(f"{faults.seed}/{n}")) for n, rule in enumerate(faults.rules)]
        self._owed: dict[RequestHandler, bytes] = {}

    async def answer(
        self, request: web.Request, received: Received, token: str, powers: Powers, perform: Perform
    ) -> web.StreamResponse:
        """Answer a call, or have it answered, as the rules say."""
        if not self._triggers:
            return await perform()
        exchange = Exchange(request, received, token, powers, partial(self._owed.__setitem__, request.protocol))
        exchange.write(self._owed.pop(request.protocol, b""))
        effects = [effect for trigger in self._triggers if (effect := trigger.pull(received))]
        for effect in reversed(effects):
            perform = partial(effect.answer, exchange, perform)
        return await perform()


# ── from a file ───────────────────────────────────────────────────────────────────────────────────────────────────


def load_faults(path: Path) -> Faults:
    """Read a file of faults. InputError, with file, line and field, for every mistake in it."""
    return documents.load(_FAULTS, path)


class _Body(StrEnum):
    TRUNCATED = "truncated"
    GARBAGE = "garbage"
    ENDLESS = "endless"
    BYTE_ORDER_MARK = "byte_order_mark"
    TEXT_CODE = "text_code"


_BODIES: Final[dict[_Body, Effect]] = {
    _Body.TRUNCATED: Truncate(),
    _Body.GARBAGE: Garbage(),
    _Body.ENDLESS: Endless(),
    _Body.BYTE_ORDER_MARK: Odd(byte_order_mark=True),
    _Body.TEXT_CODE: Odd(byte_order_mark=False),
}


class _Again(StrEnum):
    AT_ONCE = "at_once"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class _Quoting:
    """`true` for the message, or where else."""

    def read(self, at: Place) -> Where | None:
        """Where, if anywhere."""
        if at.written in ("true", "false"):
            return Where.MESSAGE if Flag().read(at) else None
        return Choice(Where).read(at)

    def schema(self) -> JsonObject:
        """Either."""
        return {"enum": [True, False, *(str(where) for where in Where)]}


_COUNT: Final = Whole(0, 10**17, "a whole number of at least 0")
_KINDS: Final = OneOrMore(Choice(CallKind), "kinds of call")
_ID: Final = AnyText("an ID")


@dataclass(frozen=True, slots=True)
class _RuleKeys:
    """First what happens, one of these; then details of it; then when."""

    status: Annotated[int | None, Whole(200, 999), "An HTTP status from the gateway in front, or of a code."] = None
    code: Annotated[int | None, _COUNT, "That code, at HTTP 200 unless there is a status, and data false."] = None
    delay: Annotated[float | None, Seconds(), "So long passes before the call is performed."] = None
    late: Annotated[float | None, Seconds(), "So long passes after it was performed."] = None
    close: Annotated[When | None, Choice(When), "Hangs up before doing it, after it, by a reset, or when answered."] = (
        None
    )
    body: Annotated[_Body | None, Choice(_Body), "Does it, and answers so."] = None
    twice: Annotated[_Again | None, Choice(_Again), "Does it, and answers twice."] = None
    unasked: Annotated[bool, Flag(), "Does it, and answers a call that nobody made as well."] = False
    interim: Annotated[bool, Flag(), "Sends an interim answer first."] = False
    header: Annotated[int | None, Size(1, 1 << 24), "Does it, and answers with a header of that size."] = None
    headers: Annotated[int | None, Whole(1, 10_000), "Does it, and answers with so many more headers."] = None
    unpause: Annotated[bool, Flag(), "Somebody starts the pipeline."] = False
    restart: Annotated[bool, Flag(), "Somebody starts the pipeline, and pauses it again."] = False
    closed_port: Annotated[float | None, Seconds(), "Nobody listens for so long."] = None
    pretend: Annotated[bool, Flag(), "Says that it deleted, and didn't."] = False
    reflect_token: Annotated[Where | None, _Quoting(), "An answer that quotes the caller's token, and where."] = None

    retry_after: Annotated[float | None, Seconds(), "Of a status: the header Retry-After."] = None
    as_date: Annotated[bool, Flag(), "Whether that is a date."] = False
    location: Annotated[str, AnyText("an address"), "Of a status: the header Location."] = ""
    message: Annotated[str, AnyText("a message"), "Of a code: what is said with it."] = "fault"

    on: Annotated[tuple[CallKind, ...], _KINDS, "The kinds of call that it sees."] = ()
    asset: Annotated[str, _ID, "Only calls that name this asset."] = ""
    point: Annotated[str, _ID, "Only calls that name this point."] = ""
    stage: Annotated[str, _ID, "Only calls that name this stage."] = ""
    larger_than: Annotated[int, Size(1, 1 << 40), "Only calls whose body has so many bytes."] = 0
    rate: Annotated[float, Probability(), "How often it fires."] = 1.0
    after: Annotated[int, _COUNT, "So many calls pass first."] = 0
    counting: Annotated[tuple[CallKind, ...], _KINDS, "Of which kinds: those that it sees unless named."] = ()
    times: Annotated[int | None, _COUNT, "It fires so often at the most."] = None
    lasts: Annotated[float | None, Seconds(), "And so long at the most, from the first time on."] = None

    def rule(self) -> Rule:
        """The rule that they make."""
        return Rule(
            next(self._effects()),
            frozenset(self.on),
            self.rate,
            self.after,
            inf if self.times is None else self.times,
            inf if self.lasts is None else self.lasts,
            frozenset(self.counting),
            self.asset,
            self.point,
            self.stage,
            self.larger_than,
        )

    def _effects(self) -> Iterator[Effect]:
        if self.code is not None:
            yield Coded(self.code, self.message, 200 if self.status is None else self.status)
        elif self.status is not None:
            yield HttpStatus(self.status, self.retry_after, self.as_date, self.location)
        made: tuple[tuple[Any, Callable[[Any], Effect]], ...] = (
            (self.delay, Delay),
            (self.late, Late),
            (self.close, Close),
            (self.body, _BODIES.__getitem__),
            (self.twice, lambda again: Twice(later=again is _Again.LATER)),
            (self.unasked or None, lambda _: Unasked()),
            (self.interim or None, lambda _: Interim()),
            (self.header, lambda size: ManyHeaders(bytes=size)),
            (self.headers, lambda many: ManyHeaders(many=many)),
            (self.unpause or None, lambda _: Unpause()),
            (self.restart or None, lambda _: Restart()),
            (self.closed_port, ClosedPort),
            (self.pretend or None, lambda _: Pretend()),
            (self.reflect_token, ReflectToken),
        )
        yield from (make(value) for value, make in made if value is not None)


_EFFECTS: Final = (
    *("status", "code", "delay", "late", "close", "body", "twice", "unasked", "interim", "header", "headers"),
    *("unpause", "restart", "closed_port", "pretend", "reflect_token"),
)


def _one_effect(found: Found) -> Iterator[Problem]:
    named = {name for name in _EFFECTS if name in found.written and found.values.get(name) is not False}
    misspelt = not named and any(name not in found.written for name, _ in found.at.entries())
    if len(named) != 1 and named != {"status", "code"} and not misspelt:
        yield found.at.problem(f"expected exactly one of {', '.join(_EFFECTS)}")


@dataclass(frozen=True, slots=True)
class _FaultsKeys:
    rules: Annotated[
        tuple[Rule, ...],
        ListOf(Made(Section(_RuleKeys, (_one_effect,)), _RuleKeys.rule), "rules", least=0),
        "What goes wrong, and when.",
    ]
    seed: Annotated[int, _COUNT, "The same calls get the same faults."] = 0
    version: Annotated[int, Version(1), "The version of this tree, 1."] = 1

    def faults(self) -> Faults:
        return Faults(self.rules, self.seed)


_FAULTS: Final = Made(Section(_FaultsKeys), _FaultsKeys.faults)
