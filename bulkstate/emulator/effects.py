"""Ways to misbehave: each answers a call, or has it answered, as no client wants it to be."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum
from math import ceil
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from time import time
from typing import Final, Protocol

import orjson
from aiohttp import web

from bulkstate.emulator import replies
from bulkstate.emulator.calls import CallKind, Declined
from bulkstate.emulator.received import Received
from bulkstate.emulator.replies import json
from bulkstate.gateway.wire import Code

ENDLESS: Final = 1 << 30
"""Bytes of an answer that no client should read to its end."""


class Powers(Protocol):
    """What can happen beside an answer."""

    async def start(self, pipeline: str) -> None:
        """Somebody starts a pipeline."""
        ...

    async def restart(self, pipeline: str) -> None:
        """Somebody starts a pipeline and pauses it again: only its `updateTime` shows it afterwards."""
        ...

    async def close_port(self, seconds: float) -> None:
        """Nobody listens for so long; open connections are cut."""
        ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call that is about to be answered. What `owe` is given is sent on its connection before the next answer."""

    request: web.Request
    received: Received
    token: str
    powers: Powers
    owe: Callable[[bytes], None]

    @property
    def kind(self) -> CallKind:
        """Which kind of call it is."""
        return self.received.kind

    def write(self, data: bytes) -> None:
        """Send bytes at once, whatever stands before and after them."""
        if self.request.transport is not None:
            self.request.transport.write(data)


Perform = Callable[[], Awaitable[web.StreamResponse]]


class Effect(Protocol):
    """A way to misbehave."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Answer the call; `perform` does what it asks for."""
        ...


# ── instead of doing it ───────────────────────────────────────────────────────────────────────────────────────────


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
    """A code, at HTTP 200 or another status; nothing is done. `data` is false, for code 0 too."""

    code: int
    message: str = "fault"
    status: int = 200

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """In the token service's words if it was asked."""
        write = replies.token_declined if exchange.kind is CallKind.TOKEN else replies.declined
        return json(write(Declined(self.code, self.message), data=False), self.status)


@dataclass(frozen=True, slots=True)
class Delay:
    """So many seconds pass before the call is performed."""

    seconds: float

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Late."""
        await sleep(self.seconds)
        return await perform()


@dataclass(frozen=True, slots=True)
class Late:
    """The call is performed at once, and answered so many seconds later."""

    seconds: float

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """When nobody may be waiting any more."""
        answer = await perform()
        await sleep(self.seconds)
        return answer


class When(StrEnum):
    """When a connection is closed."""

    BEFORE = "before"
    """Before the call is performed, which it never is."""
    AFTER = "after"
    """When it was performed, in place of an answer."""
    RESET = "reset"
    """Before the call is performed, by a reset."""
    ANSWERED = "answered"
    """When it was performed and answered, without a word that it would be."""


@dataclass(frozen=True, slots=True)
class Close:
    """The connection is closed."""

    when: When

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Never, or as the call deserves."""
        transport = exchange.request.transport
        answer: web.StreamResponse = web.Response()
        if self.when in (When.AFTER, When.ANSWERED):
            answer = await perform()
        if self.when is When.ANSWERED:
            await _send(exchange, answer)
        if transport is None:
            return answer
        if self.when is When.RESET and (socket := transport.get_extra_info("socket")):
            socket.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
        transport.close() if self.when is When.ANSWERED else transport.abort()
        return answer


# ── done, and answered badly ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Truncate:
    """The call is performed, and half of its answer arrives."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Half, under the length of the whole."""
        whole = await perform()
        body = _body(whole)
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
class Odd:
    """The call is performed, and its answer is JSON as few would write it: after a byte order mark, or with its code as
    a text."""

    byte_order_mark: bool

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """What a lenient client might take for a good one."""
        whole = await perform()
        body = _body(whole)
        if self.byte_order_mark:
            return json(b"\xef\xbb\xbf" + body, whole.status)
        document = orjson.loads(body)
        return json(orjson.dumps({**document, "code": str(document.get("code"))}), whole.status)


@dataclass(frozen=True, slots=True)
class Twice:
    """The call is performed, and answered twice: at once, or, `later`, when the connection's next call has come."""

    later: bool

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """An answer that the next call may take for its own."""
        answer = await perform()
        await _send(exchange, answer)
        again = _spelt_out(answer)
        if self.later:
            exchange.owe(again)
        else:
            exchange.write(again)
        return answer


@dataclass(frozen=True, slots=True)
class Unasked:
    """The call is performed and answered, and so is one that nobody made."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Then what an idle connection is told by some servers before they close it."""
        answer = await perform()
        await _send(exchange, answer)
        exchange.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        return answer


@dataclass(frozen=True, slots=True)
class Interim:
    """An interim answer, and then the call's own."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """As HTTP allows."""
        exchange.write(b"HTTP/1.1 103 Early Hints\r\nLink: </>; rel=preconnect\r\n\r\n")
        return await perform()


@dataclass(frozen=True, slots=True)
class ManyHeaders:
    """The call is performed, and its answer has one header of so many `bytes`, or so `many` more of them."""

    bytes: int = 0
    many: int = 0

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """What cookies and tracing make of an answer's head."""
        answer = await perform()
        if self.bytes:
            answer.headers["X-Long"] = "x" * self.bytes
        for number in range(self.many):
            answer.headers[f"X-Many-{number}"] = "y" * 32
        return answer


# ── beside the answer ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Unpause:
    """Somebody starts the call's pipeline, just before the call is performed."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """As the call deserves, now that the pipeline runs."""
        if exchange.received.stage_call:
            await exchange.powers.start(exchange.received.stage_call.pipeline)
        return await perform()


@dataclass(frozen=True, slots=True)
class Restart:
    """Somebody starts the call's pipeline and pauses it again, just before the call is performed."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """As if nothing had been."""
        if exchange.received.stage_call:
            await exchange.powers.restart(exchange.received.stage_call.pipeline)
        return await perform()


@dataclass(frozen=True, slots=True)
class ClosedPort:
    """Nobody listens for so many seconds, from this call on, which isn't performed."""

    seconds: float

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """Never."""
        await exchange.powers.close_port(self.seconds)
        return web.Response()


@dataclass(frozen=True, slots=True)
class Pretend:
    """A delete is acknowledged, and not done."""

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """A lie."""
        return json(replies.succeeded(True))


class Where(StrEnum):
    """Where an answer quotes what it was sent."""

    MESSAGE = "message"
    DATA = "data"
    STATUS = "status"
    """As the status of each pipeline in a list."""
    REDIRECT = "redirect"
    """As the host of a redirect, which is spelt in small letters."""


@dataclass(frozen=True, slots=True)
class ReflectToken:
    """An answer that holds the caller's token; nothing is done."""

    where: Where = Where.MESSAGE

    async def answer(self, exchange: Exchange, perform: Perform) -> web.StreamResponse:
        """What a careless server says, and a careful client doesn't repeat."""
        token = exchange.token.encode("utf-8", "replace").decode()
        match self.where:
            case Where.MESSAGE:
                return json(replies.declined(Declined(Code.OTHER, f"no luck with token {token}")))
            case Where.DATA:
                return json(replies.succeeded({"items": [{"assetId": token, "pointId": token}]}))
            case Where.STATUS:
                row = {"pipelineId": token, "pipelineName": token, "status": f"\x1b[31m{token}"}
                return json(replies.succeeded({"count": 1, "pipelines": [row]}))
            case Where.REDIRECT:
                host = "".join(character if character.isalnum() else "-" for character in token)
                return web.Response(status=302, headers={"Location": f"https://{host}.example/"})


# ── bytes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _body(answer: web.StreamResponse) -> bytes:
    return answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""


async def _send(exchange: Exchange, answer: web.StreamResponse) -> None:
    """Send an answer whole, now."""
    await answer.prepare(exchange.request)
    await answer.write_eof()


def _spelt_out(answer: web.StreamResponse) -> bytes:
    """The bytes of an answer that was sent."""
    lines = [
        f"HTTP/1.1 {answer.status} {answer.reason}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return "\r\n".join((*lines, "", "")).encode("utf-8", "replace") + _body(answer)
