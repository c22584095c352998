"""One exchange: a connection is taken, a request is written on it, and its answer is read; every foreign part is here.

aiohttp gives the pool, names, TLS, proxies and the parser; the request is written on the very connection that its turn
was awaited with. Its session isn't used: it would ask the pool twice, and repeat a GET on its own, unpaced and
uncounted. What the network does to a call leaves here as `Lost`, in the project's words.

Beyond what aiohttp documents this leans on: `BaseConnector.connect` and `.close`, and its `_factory` of protocols;
`ClientRequest`, to say where to connect; `Connection.protocol`, `.transport`, `.release` and `.close`; of the protocol
`ResponseHandler` its `set_response_params`, `read`, `feed_data`, `data_received`, `connection_lost`, `set_exception`,
`force_close` and `should_close`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from typing import Final, Self
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import ClientRequest
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from multidict import CIMultiDict
from yarl import URL

from bulkstate import __version__
from bulkstate.errors import InputError, Problem
from bulkstate.gateway import wire
from bulkstate.gateway.address import mistake_in
from bulkstate.gateway.response_order import ResponseOrder
from bulkstate.model import Absence, Answer

MEBIBYTE: Final = 1024 * 1024
CONNECT_SECONDS: Final = 10.0
"""Most seconds until a connection stands, names looked up and TLS agreed."""

LONGEST_LINE: Final = 65_536
LONGEST_HEADER: Final = 262_144
MOST_HEADERS: Final = 1_000
LONGEST_HEAD: Final = MEBIBYTE
"""How long an answer's first line, each header and all of them may be, in bytes, and how many headers are read."""

_FOREIGN: Final = (aiohttp.ClientError, HttpProcessingError, OSError)
"""What aiohttp and the system raise; a timeout is an OSError."""


class Lost(Exception):
    """A call without a whole answer: what that means, why in words, and how it came if the call may have arrived."""

    def __init__(self, answer: Answer, message: str, absence: Absence | None = None) -> None:
        super().__init__(message)
        self.answer = answer
        self.message = message
        self.absence = absence


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer, `at` seconds of the event loop's clock, on the connection of that number.

    The body is None if it is longer than was asked for; then the rest was not read. `disturbed`: there were more bytes
    than anybody had asked for.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    connection: int
    at: float
    disturbed: bool


class Transport:
    """Connections to the gateway at `url`, kept alive. `timeout` is in seconds, for one whole exchange.

    `ca_pem` is the text of certificates that are trusted besides the system's. InputError if `url`, `ca_pem` or a proxy
    variable makes no sense. What each connection is asked and what comes unasked is told to `order`. There is no limit
    on connections: the engine bounds the calls in flight, and a call that the pacer let go must not wait any more.
    """

    def __init__(self, url: str, timeout: float, ca_pem: str | None, order: ResponseOrder) -> None:
        self._base = _checked_base(url)
        self._timeout = timeout
        self._order = order
        self._connecting = _connect_timeouts(timeout)
        self._tls = _trusting(ca_pem) if self._base.scheme == "https" else None
        self._proxy = _proxy_for(self._base)
        self._frame = _frame(self._base)
        self._listened_to: set[Connection] = set()
        self._found_dead_at = float("-inf")

    async def __aenter__(self) -> Self:
        self._connector = _Connector(self._tls, self._order)
        self._whereto = self._any_request()
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._listened_to:
            connection.close()
        await self._connector.close()

    def _any_request(self) -> ClientRequest:
        """Never sent: it says whereto a connection is wanted, in the words that the pool takes.

        aiohttp tells connections apart by a proxy's headers too, and sets `Host` among them when it connects.
        """
        host = self._base.host_port_subcomponent or ""
        headers = CIMultiDict({"User-Agent": _USER_AGENT, "Host": host}) if self._proxy else None
        loop = asyncio.get_running_loop()
        return ClientRequest("POST", self._base, loop=loop, proxy=self._proxy, proxy_headers=headers)

    async def connect(self) -> Connection:
        """A connection that is in step, with nothing unread on it. Raises Lost if there is none in time.

        Where a kept one was found dead, others that had been kept as long aren't tried.
        """
        while True:
            try:
                connection = await self._connector.connect(self._whereto, [], self._connecting)
            except _FOREIGN as error:
                raise self._unreached(error) from error
            if self._is_usable(connection):
                return connection
            never_used = isinstance(connection.protocol, Line) and not connection.protocol.asked
            connection.close()
            if never_used:
                raise Lost(Answer.UNREACHED, "not sent: a new connection held an answer to something else")

    def _is_usable(self, connection: Connection) -> bool:
        line = connection.protocol
        if not isinstance(line, Line) or not line.is_connected() or line.should_close:
            return False
        return not line.asked or not (line.rested_at <= self._found_dead_at or self._order.is_out_of_step(line.number))

    async def exchange(
        self, connection: Connection, request: wire.Request, headers: Mapping[str, str], most_bytes: int
    ) -> HttpAnswer:
        """Send a request, and read its answer up to `most_bytes` of body. Gives the connection back. Raises Lost.

        A connection that was lost while the turn was awaited, or on which bytes have come, is replaced.
        """
        line = None
        try:
            async with asyncio.timeout(self._timeout):
                if not self._is_usable(connection):
                    connection.close()
                    connection = await self.connect()
                line = _line(connection)
                return await self._exchange(connection, line, request, headers, most_bytes)
        except _FOREIGN as error:
            raise self._lost(error, line) from error
        finally:
            connection.close()  # of one that was given back already this does nothing

    async def _exchange(
        self, connection: Connection, line: Line, request: wire.Request, headers: Mapping[str, str], most_bytes: int
    ) -> HttpAnswer:
        loop, writer = asyncio.get_running_loop(), connection.transport
        if writer is None:
            raise aiohttp.ServerDisconnectedError
        self._order.asked(line.number, loop.time())
        line.ask()
        # In one piece: whoever refuses a body by its head may answer long before it was all taken.
        writer.write(self._head(request, headers) + request.body)
        message, content = await line.read()
        while 100 <= message.code < 200 and message.code != 101:
            message, content = await line.read()
        body = await _read_at_most(most_bytes, content)
        disturbed = line.hear_out()
        if disturbed:
            self._order.disturbed(line.number, loop.time())
        elif body is not None and not writer.get_write_buffer_size():
            self._give_back(connection, line)
        return HttpAnswer(message.code, message.headers, body, line.number, loop.time(), disturbed)

    def _give_back(self, connection: Connection, line: Line) -> None:
        """Keep a connection for the next call; or listen to it, where too much would come into doubt at once."""
        if not self._order.is_worn(line.number) or line.should_close:
            connection.release()
            return
        self._listened_to.add(connection)
        asyncio.get_running_loop().call_later(self._order.silence, self._stop_listening, connection)

    def _stop_listening(self, connection: Connection) -> None:
        self._listened_to.discard(connection)
        connection.close()

    def _head(self, request: wire.Request, headers: Mapping[str, str]) -> bytes:
        target = _target(self._base.raw_path.rstrip("/"), request.path, request.query)
        lines = [f"{request.method} {target} HTTP/1.1\r\n{self._frame}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if request.method == "POST":
            lines.append(f"Content-Type: application/json\r\nContent-Length: {len(request.body)}")
        return "\r\n".join((*lines, "", "")).encode("latin-1")

    def _unreached(self, error: Exception) -> Lost:
        """Nothing was sent: there was no connection to send it on."""
        if isinstance(error, TimeoutError):
            error = aiohttp.ConnectionTimeoutError()
        lost = _meaning(error, self._timeout)
        if lost.answer is Answer.UNANSWERED:
            return Lost(Answer.UNREACHED, "the connection was lost before anything was sent")
        return lost

    def _lost(self, error: Exception, line: Line | None) -> Lost:
        lost = _meaning(error, self._timeout)
        if lost.absence is not Absence.BROKEN or line is None or line.heard:
            return lost
        if line.asked == 1:
            return Lost(lost.answer, lost.message, Absence.SILENT)
        self._found_dead_at = asyncio.get_running_loop().time()
        return Lost(lost.answer, lost.message, Absence.STALE)


# ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────

_USER_AGENT: Final = f"bulkstate/{__version__}"


def _frame(base: URL) -> str:
    """The headers of every request. A reply may not be compressed: a small one that grows to gigabytes would take the
    process with it."""
    return (
        f"Host: {base.host_port_subcomponent}\r\nAccept: */*\r\nAccept-Encoding: identity\r\nUser-Agent: {_USER_AGENT}"
    )


@lru_cache(maxsize=256)
def _target(prefix: str, path: str, query: tuple[tuple[str, str], ...]) -> str:
    """Where a call goes, sent exactly as it is spelt here."""
    return f"{prefix}{path}?{urlencode(query, quote_via=quote)}" if query else f"{prefix}{path}"


# ── connections ───────────────────────────────────────────────────────────────────────────────────────────────────


class Line(ResponseHandler):
    """The protocol of one connection, which keeps account of it.

    Its `number` is no other connection's. It was `asked` so often, so many bytes were `heard` since it was last asked,
    and it was at rest from `rested_at` on, in seconds of the loop's clock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int, order: ResponseOrder) -> None:
        super().__init__(loop)
        self.number = number
        self.asked = 0
        self.heard = 0
        self.rested_at = 0.0
        self._order = order
        self._answers = 0
        self._waiting = False

    def ask(self) -> None:
        """A request is about to be written."""
        self.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_HEADER,
            max_headers=MOST_HEADERS,
        )
        self.asked += 1
        self.heard = self._answers = 0
        self._waiting = True

    def hear_out(self) -> bool:
        """The answer was read, or as much of it as was wanted. True if more than one came."""
        self._waiting = False
        self.rested_at = self._loop.time()
        return self._answers > 1

    def data_received(self, data: bytes) -> None:
        """Bytes came. Where nothing was asked, or an answer's head never ends, the connection is of no more use."""
        self.heard += len(data)
        kept = self.asked and not self._waiting and self.transport is not None
        if kept and data.strip(b"\r\n"):  # line ends between answers say nothing
            self.force_close()
            self._order.disturbed(self.number, self._loop.time())
        super().data_received(data)
        if not self._answers and self.heard > LONGEST_HEAD and self.transport is not None:
            self.transport.close()
            self.set_exception(HttpProcessingError(message="the head never ends"))

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """The head of an answer was read."""
        self._answers += not 100 <= data[0].code < 200 or data[0].code == 101
        super().feed_data(data, size)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing comes any more."""
        self._order.closed(self.number)
        super().connection_lost(exc)


class _Connector(aiohttp.TCPConnector):
    """A pool of connections whose protocols are `Line`s."""

    def __init__(self, tls: ssl.SSLContext | None, order: ResponseOrder) -> None:
        super().__init__(limit=0, ssl=tls or True)
        loop, numbers = asyncio.get_running_loop(), count(1)
        self._factory = partial(_line_made, numbers, order, loop=loop)


def _line_made(numbers: Iterator[int], order: ResponseOrder, loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return Line(loop, next(numbers), order)


def _line(connection: Connection) -> Line:
    if not isinstance(connection.protocol, Line):
        raise aiohttp.ServerDisconnectedError
    return connection.protocol


def _connect_timeouts(seconds: float) -> aiohttp.ClientTimeout:
    """The connect timeout ends first, so that it can be told from a call that may have arrived; and none is rounded."""
    return aiohttp.ClientTimeout(seconds, connect=min(0.9 * seconds, CONNECT_SECONDS), ceil_threshold=2 * seconds)


def _checked_base(url: str) -> URL:
    mistake = mistake_in(url)
    if mistake:
        raise InputError(Problem(f"isn't a gateway's address: {mistake}", field="gateway.url"))
    return URL(url, encoded=True)


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


def _proxy_for(base: URL) -> URL | None:
    """The proxy that HTTPS_PROXY and NO_PROXY name. Never one for plain http: it would read the credentials.

    aiohttp's own `trust_env` isn't used: it reads .netrc and the variables anew in a thread for each call, and
    would send a password from .netrc to the gateway.
    """
    address = getproxies().get("https")
    if base.scheme != "https" or not address or proxy_bypass(urlsplit(str(base)).netloc):
        return None
    try:
        proxy = URL(address if "://" in address else f"http://{address}")
    except ValueError:
        proxy = URL()
    if not proxy.host:
        raise InputError(Problem("not the address of a proxy", where="HTTPS_PROXY", hint="expected http://host:port"))
    return proxy


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def _read_at_most(most_bytes: int, content: StreamReader) -> bytes | None:
    """The body; None if it is longer."""
    body = await content.readany()
    if content.at_eof() and len(body) <= most_bytes:
        return body
    chunks, size = [body], len(body)
    while size <= most_bytes and (chunk := await content.readany()):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks) if size <= most_bytes else None


def _meaning(error: Exception, timeout: float) -> Lost:
    """What a foreign exception says of the call. Its own text isn't used where it quotes what a server sent."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return Lost(Answer.GATEWAY_REFUSED, _distrust(error))
        case aiohttp.ClientHttpProxyError(status=407 | 403):
            return Lost(Answer.GATEWAY_REFUSED, f"the proxy refused to connect: {error.status} (see HTTPS_PROXY)")
        case aiohttp.ClientHttpProxyError():
            return Lost(Answer.UNREACHED, f"the proxy could not connect: {error.status}")
        case aiohttp.ConnectionTimeoutError():
            return Lost(Answer.UNREACHED, "no connection in time")
        case aiohttp.ClientConnectorError():
            reason = error.strerror or "TLS failed"
            return Lost(Answer.UNREACHED, f"no connection to {error.host}:{error.port}: {reason}")
        case TimeoutError():
            return Lost(Answer.UNANSWERED, f"no whole answer within {timeout:g} s", Absence.LATE)
        case aiohttp.ClientPayloadError():
            return Lost(Answer.UNANSWERED, "the answer was cut off", Absence.BROKEN)
        case HttpProcessingError():
            return Lost(Answer.UNANSWERED, "the answer isn't HTTP", Absence.BROKEN)
    return Lost(Answer.UNANSWERED, "the connection was lost before a whole answer came", Absence.BROKEN)


def _distrust(error: aiohttp.ClientConnectorCertificateError) -> str:
    reason = getattr(error.certificate_error, "verify_message", "") or "unknown reason"
    hint = "if your own authority signed it, name its certificate in gateway.ca_file"
    return f"the certificate of {error.host}:{error.port} can't be trusted: {reason} ({hint})"
