"""The gateway over HTTP: `Client`, the `StageStateApi` that a run is given.

Every call, token calls included, waits for the pacer first, makes one HTTP exchange and is never repeated here. What
the network does to it is in its reply: this is the one place where foreign exceptions become the project's words.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from multidict import CIMultiDict
from yarl import URL

from bulkstate import __version__
from bulkstate.errors import InputError, Problem
from bulkstate.gateway import limit_headers, wire
from bulkstate.gateway.address import mistake_in
from bulkstate.gateway.api import Turns
from bulkstate.gateway.credentials import Auth, Bearer, Credentials, FixedCredentials, TokenCredentials
from bulkstate.model import Answer, Attempt, Chunk, Pair, PipelinePage, Reply, Token

T = TypeVar("T")

MEBIBYTE: Final = 1024 * 1024

_FOREIGN: Final = (aiohttp.ClientError, OSError)
"""What aiohttp and the system raise; a timeout is an OSError."""
CONNECT_SECONDS: Final = 10.0
"""Most seconds until a connection stands, names looked up and TLS agreed."""


@dataclass(frozen=True, slots=True)
class _Call(Generic[T]):
    """One of the API's calls: how its answer is read, how many bytes of it, and what one that is longer means."""

    read: Callable[[int, bytes], Reply[T]]
    most_bytes: int
    overflow: Answer


_DELETE: Final = _Call(wire.read_delete, MEBIBYTE, Answer.UNAVAILABLE)
_GET: Final = _Call(wire.read_state, 64 * MEBIBYTE, Answer.TOO_LARGE)
_PIPELINES: Final = _Call(wire.read_pipelines, MEBIBYTE, Answer.UNAVAILABLE)
_TOKEN: Final = _Call(wire.read_token, MEBIBYTE, Answer.UNAVAILABLE)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Client:
    """The gateway at `url`, for organisation `org`: an async context manager around one keep-alive session.

    Every call waits for one of the `turns`, and says how it ended. `timeout` is in seconds, for one whole exchange.
    `ca_pem` is the text of certificates that are trusted besides the system's. `clock` is the event loop's, `wall` UNIX
    time, both in seconds. InputError if `url`, `ca_pem` or a proxy variable makes no sense.

    There is no limit on connections: the engine bounds the calls in flight, and a call that the pacer let go must not
    wait any more.
    """

    def __init__(
        self,
        url: str,
        org: str,
        auth: Auth,
        turns: Turns,
        *,
        timeout: float = 30.0,
        ca_pem: str | None = None,
        clock: Callable[[], float] = _loop_time,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._base = _checked_base(url)
        self._org = org
        self._turns = turns
        self._timeout = timeout
        self._clock = clock
        self._wall = wall
        self._tls = _trusting(ca_pem) if self._base.startswith("https:") else None
        self._proxy = _proxy_for(self._base)
        self._credentials: Credentials = (
            FixedCredentials(auth) if isinstance(auth, Bearer) else TokenCredentials(auth, self._ask, clock, wall)
        )

    async def __aenter__(self) -> Self:
        self._connector = _Connector(limit=0, ssl=self._tls or True)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            timeout=_timeouts(self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._proxy,
            # A reply is never inflated: a small one that grows to gigabytes would take the process with it.
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": f"bulkstate/{__version__}"},
        )
        # Never sent: it says whereto a connection is wanted, in the same words as the calls, for the pool to match.
        self._any_call = ClientRequest(
            "POST",
            URL(self._base, encoded=True),
            loop=asyncio.get_running_loop(),
            proxy=self._proxy,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def delete(self, chunk: Chunk) -> Attempt[bool]:
        """Delete Stage State for the chunk's cross product."""
        return await self._call(wire.delete_stage_state(self._org, chunk), _DELETE)

    async def get(self, chunk: Chunk) -> Attempt[frozenset[Pair]]:
        """Get Stage State: those of the chunk's pairs that have state. `TOO_LARGE` if the answer is over 64 MiB."""
        return await self._call(wire.get_stage_state(self._org, chunk), _GET)

    async def pipelines(self, page: int) -> Attempt[PipelinePage]:
        """List Pipelines, `page` counted from 1."""
        return await self._call(wire.list_pipelines(self._org, page), _PIPELINES)

    async def renew(self, refused_at: float) -> bool:
        """Have credentials younger than `refused_at` (loop seconds), made once for all who wait. False: none."""
        if not self._credentials.doubt(refused_at):
            return False
        while not self._credentials.are_good():
            if await self._credentials.obtain(self._next_turn) is not None:
                return False
        return True

    async def _call(self, request: wire.Request, call: _Call[T]) -> Attempt[T]:
        try:
            refusal = await self._turn()
        except _FOREIGN as error:
            return Attempt(self._unreached(error), self._clock(), 0.0)
        if refusal is not None:
            return _unsent(refusal)
        return await self._exchange(request, self._credentials.headers(request), call)

    async def _turn(self) -> Attempt[Token] | None:
        """Come to a turn with good credentials: None; else the call to the token service that brought none.

        A token may end while the pacer holds the call: then the turn that comes is spent on a new one. Were another
        turn asked for it, a slow pacer could let every token end in the queue.
        """
        turn = self._next_turn
        while True:
            if not self._credentials.are_good():
                refusal = await self._credentials.obtain(turn)
                if refusal is not None:
                    return refusal
            await self._next_turn()
            if self._credentials.are_good():
                return None
            if self._turns.failing:
                # The turn is the only one, and whoever makes new credentials may be waiting for it.
                self._turns.broken_off(self._clock())
            turn = self._next_turn if self._turns.failing else _at_hand

    async def _next_turn(self) -> None:
        """Wait for the pacer with a connection at hand: what connects after its turn arrives late, and the next calls
        too close behind it for the gateway's windows."""
        if self._turns.failing:
            await self._turns.acquire()
            await self._try_connecting(self._clock())
            return
        connection = await self._connection()
        try:
            await self._turns.acquire()
        finally:
            connection.release()

    async def _try_connecting(self, turn: float) -> None:
        """Have a connection at hand after the turn, where it is likely that there will be none."""
        try:
            (await self._connection()).release()
        except BaseException:
            self._turns.broken_off(turn)
            raise

    async def _connection(self) -> Connection:
        if self._proxy is not None:
            # aiohttp tells connections apart by these headers too, and adds to them when it connects.
            self._any_call.proxy_headers = CIMultiDict(self._session.headers)
        return await self._connector.connect(self._any_call, [], self._session.timeout)

    async def _ask(self, request: wire.Request) -> Attempt[Token]:
        return await self._exchange(request, {}, _TOKEN)

    async def _exchange(self, request: wire.Request, headers: dict[str, str], call: _Call[T]) -> Attempt[T]:
        if request.body:
            headers = {"Content-Type": "application/json", **headers}
        sent_at = self._clock()
        try:
            response = await self._session.request(
                request.method,
                _url(self._base, request.path, request.query),
                data=_payload(request.body),
                headers=headers,
                allow_redirects=False,
                middlewares=_MIDDLEWARES.get(request.method, ()),
            )
            try:
                reply = await self._reply(response, call)
            finally:
                response.release()
        except _FOREIGN as error:
            reply = self._absence(error)
        except asyncio.CancelledError:
            self._turns.broken_off(sent_at)
            raise
        attempt = Attempt(self._scrubbed(reply), sent_at, self._clock() - sent_at, len(request.body))
        self._turns.answered(attempt)
        return attempt

    async def _reply(self, response: ClientResponse, call: _Call[T]) -> Reply[T]:
        body = await _read_at_most(call.most_bytes, response)
        reply = _overflow(call, response.status) if body is None else call.read(response.status, body)
        if 300 <= response.status < 400:
            reply = replace(reply, message=_redirection(response))
        if reply.answer is Answer.UNAVAILABLE and "Content-Encoding" in response.headers:
            reply = replace(reply, message=_COMPRESSED)
        return self._with_limits(reply, response)

    def _with_limits(self, reply: Reply[T], response: ClientResponse) -> Reply[T]:
        headers = response.headers
        wish, date = headers.get("Retry-After"), headers.get("Date")
        limits = limit_headers.read(headers, lambda: wire.said_at(date, self._wall()))
        if wish is None and not limits:
            return reply
        return replace(reply, retry_after=wire.retry_after(wish, date, self._wall()), limits=limits)

    def _unreached(self, error: Exception) -> Reply[Any]:
        """Nothing was sent: there was no connection to send it on."""
        if isinstance(error, TimeoutError):
            error = aiohttp.ConnectionTimeoutError()
        answer, message = _meaning(error, self._timeout)
        if answer is Answer.UNANSWERED:
            return Reply(Answer.UNREACHED, message="the connection was lost before anything was sent")
        return Reply(answer, message=message)

    def _absence(self, error: Exception) -> Reply[Any]:
        answer, message = _meaning(error, self._timeout)
        return Reply(answer, message=message)

    def _scrubbed(self, reply: Reply[T]) -> Reply[T]:
        """A clumsy gateway may quote what it was sent."""
        message = self._credentials.hide(reply.message)
        request_id = self._credentials.hide(reply.request_id) if reply.request_id else reply.request_id
        if message == reply.message and request_id == reply.request_id:
            return reply
        return replace(reply, message=message, request_id=request_id)


async def _at_hand() -> None:
    """The turn for a call that has it already."""


# ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=256)
def _url(base: str, path: str, query: tuple[tuple[str, str], ...]) -> URL:
    """Where a call goes, sent exactly as it is spelt here."""
    return URL(f"{base}{path}?{urlencode(query, quote_via=quote)}" if query else f"{base}{path}", encoded=True)


def _payload(body: bytes) -> bytes | BytesIO | None:
    """A body as aiohttp likes it: over 1 MiB it sends pieces, and lets others run in between."""
    return BytesIO(body) if len(body) > MEBIBYTE else body or None


class _OutOfStep(aiohttp.ClientConnectionError):
    """A connection held an answer before anything was asked."""


class _Connector(aiohttp.TCPConnector):
    """Never sends a request where an answer lies already: aiohttp would take that one for the request's own."""

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> Connection:
        """A connection without unread bytes. Raises `_OutOfStep`, with nothing sent, if it has any."""
        connection = await super().connect(req, traces, timeout)
        if connection.protocol is not None and connection.protocol.should_close:
            connection.close()
            raise _OutOfStep
        return connection


async def _never_again(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """aiohttp repeats a GET on its own when a kept connection turns out to be dead: unpaced and uncounted.

    It does so for these two errors, so they leave here as another. (A failed connect is a ClientOSError too, but is
    not repeated.)
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError from error


_MIDDLEWARES: Final = {"GET": (_never_again,)}


def _timeouts(seconds: float) -> aiohttp.ClientTimeout:
    """The connect timeout ends first, so that it can be told from a call that may have arrived; and none is rounded."""
    return aiohttp.ClientTimeout(seconds, connect=min(0.9 * seconds, CONNECT_SECONDS), ceil_threshold=2 * seconds)


def _checked_base(url: str) -> str:
    mistake = mistake_in(url)
    if mistake:
        raise InputError(Problem(f"isn't a gateway's address: {mistake}", field="gateway.url"))
    return url.rstrip("/")


def _trusting(ca_pem: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_pem is None:
        return context
    try:
        # Between certificates, bundles hold comments in any language; OpenSSL wants ASCII.
        context.load_verify_locations(cadata=ca_pem.encode("ascii", "ignore").decode())
    except (ssl.SSLError, ValueError) as error:
        problem = Problem("holds no PEM certificate that can be read", field="gateway.ca_file")
        raise InputError(problem) from error
    return context


def _proxy_for(base: str) -> URL | None:
    """The proxy that HTTPS_PROXY and NO_PROXY name. Never one for plain http: it would read the credentials.

    aiohttp's own `trust_env` isn't used: it reads .netrc and the variables anew in a thread for each call, and
    would send a password from .netrc to the gateway.
    """
    parts = urlsplit(base)
    address = getproxies().get("https")
    if parts.scheme != "https" or not address or proxy_bypass(parts.netloc):
        return None
    try:
        proxy = URL(address if "://" in address else f"http://{address}")
    except ValueError:
        proxy = URL()
    if not proxy.host:
        raise InputError(Problem("not the address of a proxy", where="HTTPS_PROXY", hint="expected http://host:port"))
    return proxy


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────

_COMPRESSED: Final = "the gateway compressed its answer though it was asked not to"


async def _read_at_most(most_bytes: int, response: ClientResponse) -> bytes | None:
    """The body; None if it is longer, and then the connection is closed with the rest unread."""
    content = response.content
    body = await content.readany()
    if content.at_eof() and len(body) <= most_bytes:
        return body
    chunks, size = [body], len(body)
    while size <= most_bytes and (chunk := await content.readany()):
        chunks.append(chunk)
        size += len(chunk)
    if size <= most_bytes:
        return b"".join(chunks)
    response.close()
    return None


def _overflow(call: _Call[T], status: int) -> Reply[T]:
    reply = call.read(status, b"")
    answer = call.overflow if 200 <= status < 300 else reply.answer
    return Reply(answer, status, message=f"the answer is over {call.most_bytes // MEBIBYTE} MiB; the rest was not read")


def _redirection(response: ClientResponse) -> str:
    """Only the target's host: what else stands in the address may be the credentials."""
    try:
        host = urlsplit(response.headers.get("Location", "")).hostname
    except ValueError:
        host = None
    return f"a redirect to {wire.one_line(host) if host else 'another path'}; redirects are never followed"


_WITHOUT_TOKEN: Final = {
    Answer.UNANSWERED: Answer.UNREACHED,
    Answer.UNDECIDED: Answer.UNAVAILABLE,
    Answer.TOO_LARGE: Answer.UNAVAILABLE,
    Answer.REFUSED: Answer.CREDENTIALS,
}
"""What the token service's answer means for the call that waited for it, and that certainly never went out."""


def _unsent(refusal: Attempt[Token]) -> Attempt[Any]:
    reply = refusal.reply
    answer = _WITHOUT_TOKEN.get(reply.answer, reply.answer)
    message = f"token service: {reply.message or reply.answer}"
    unsent: Reply[Any] = replace(reply, answer=answer, message=message, data=None)
    return Attempt(unsent, refusal.sent_at, refusal.seconds)


def _meaning(error: Exception, timeout: float) -> tuple[Answer, str]:
    """What a foreign exception says of the call. Its own text isn't used where it quotes what a server sent."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return Answer.GATEWAY_REFUSED, _distrust(error)
        case aiohttp.ClientHttpProxyError(status=407 | 403):
            return Answer.GATEWAY_REFUSED, f"the proxy refused to connect: {error.status} (see HTTPS_PROXY)"
        case aiohttp.ClientHttpProxyError():
            return Answer.UNREACHED, f"the proxy could not connect: {error.status}"
        case _OutOfStep():
            return Answer.UNREACHED, "not sent: the connection held an answer to something else"
        case aiohttp.ConnectionTimeoutError():
            return Answer.UNREACHED, "no connection in time"
        case aiohttp.ClientConnectorError():
            return Answer.UNREACHED, f"no connection to {error.host}:{error.port}: {error.strerror or 'TLS failed'}"
        case TimeoutError():
            return Answer.UNANSWERED, f"no whole answer within {timeout:g} s"
        case aiohttp.ClientPayloadError():
            return Answer.UNANSWERED, "the answer was cut off"
        case aiohttp.ClientResponseError():
            return Answer.UNANSWERED, "the answer isn't HTTP"
    return Answer.UNANSWERED, "the connection was lost before a whole answer came"


def _distrust(error: aiohttp.ClientConnectorCertificateError) -> str:
    reason = getattr(error.certificate_error, "verify_message", "") or "unknown reason"
    hint = "if your own authority signed it, name its certificate in gateway.ca_file"
    return f"the certificate of {error.host}:{error.port} can't be trusted: {reason} ({hint})"
