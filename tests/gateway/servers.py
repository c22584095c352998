"""A gateway of a few lines over a raw socket: it records what arrives, byte for byte, and answers as told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from bulkstate.gateway.client import Client
from bulkstate.gateway.credentials import Auth, Bearer
from bulkstate.model import Answer, Attempt, Chunk, Stage

HERE = Path(__file__).parent
TOKEN = "canary-bearer-token-4c1f"
ORG = "o15504722874071"
CHUNK = Chunk(0, Stage("8a81b5f0-2c5e", "LastRecordAppender_01"), ("8byS3cuc", "8byS3cud"), ("INV.GenActivePW",))
DELETED = b'{"code":0,"msg":" OK","requestId":"5f1b","data":true}'


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


Answering: TypeAlias = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Gateway:
    """A listening server: what it has seen, and how often it was connected to."""

    port: int = 0
    scheme: str = "http"
    connections: int = 0
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


Serving: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def listening(serve: Serving, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A port on loopback, where `serve` is given each connection; nothing of it is left at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await serve(reader, writer)
        finally:
            await close(writer)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve_and_close(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def gateway(answer: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[Gateway]:
    """Serve HTTP; a connection is closed when `answer` raises ConnectionError or its peer goes."""
    ours = Gateway(scheme="https" if tls else "http")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours.connections += 1
        while True:
            ours.seen.append(await _read(reader))
            await answer(ours.seen[-1], writer)
            await writer.drain()

    async with listening(serve, tls) as ours.port:
        yield ours


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in rest)}
    return Seen(line, headers, await reader.readexactly(int(headers.get("content-length", 0))))


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError, ssl.SSLError):
        await writer.wait_closed()


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


def saying(*answers: bytes) -> Answering:
    """Write these bytes, an answer a request; the last one for all that follow."""
    left = list(answers)

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answer


def then_closing(data: bytes) -> Answering:
    """Write these bytes, then close the connection."""

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        raise ConnectionError

    return answer


def token_answer(token: str, expire: float = 7200) -> bytes:
    """The token service's good answer, spelt as the vendor's sample spells it."""
    data = {"accessToken": token, "expire": expire}
    return http(orjson.dumps({"stauts": 0, "msg": "SUCCESS", "business": "apim-token-service", "data": data}))


async def _at_once() -> None:
    """A turn that nobody waits for."""


@dataclass
class Gate:
    """A pacer that lets everything through, unless it is told otherwise, and keeps account."""

    turn: Callable[[], Awaitable[None]] = _at_once
    failing: bool = False
    passed: int = 0
    ended: list[Answer] = field(default_factory=list)
    left: list[float] = field(default_factory=list)

    async def acquire(self, deletes: bool = False) -> None:
        self.passed += 1
        await self.turn()

    def answered(self, attempt: Attempt[Any]) -> None:
        self.ended.append(attempt.reply.answer)

    def broken_off(self, sent_at: float) -> None:
        self.left.append(sent_at)


def client(url: str, auth: Auth | None = None, *, gate: Gate | None = None, timeout: float = 5.0) -> Client:
    return Client(url, ORG, auth or Bearer(TOKEN), gate or Gate(), timeout=timeout)
