"""One exchange: a connection is taken, a request is written on it, and its answer is read; every foreign part is here.

aiohttp gives the pool, names, TLS, proxies and the parser; the request is written on the very connection that its turn
was awaited with. Its session isn't used: it would ask the pool twice, and repeat a GET on its own, unpaced and
uncounted. What the network does to a call leaves here as `Lost`, in the project's words.

Beyond what aiohttp documents this leans on: `BaseConnector.connect` and `.close`; `ClientRequest`, to say where to
connect; `Connection.protocol`, `.transport`, `.release` and `.close`; of the protocol `ResponseHandler` its
`set_response_params`, `read` and `should_close`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import ClientRequest
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from multidict import CIMultiDict
from yarl import URL

from bulkstate import __version__
from bulkstate.errors import InputError, Problem
from bulkstate.gateway import wire
from bulkstate.gateway.address import mistake_in
from bulkstate.model import Answer

MEBIBYTE: Final = 1024 * 1024
CONNECT_SECONDS: Final = 10.0
"""Most seconds until a connection stands, names looked up and TLS agreed."""

LONGEST_LINE: Final = 8_190
LONGEST_HEADER: Final = 8_190
MOST_HEADERS: Final = 128
"""How long an answer's first line and each header may be, in bytes, and how many headers are read."""

_FOREIGN: Final = (aiohttp.ClientError, HttpProcessingError, OSError)
"""What aiohttp and the system raise; a timeout is an OSError."""


class Lost(Exception):
    """A call without a whole answer: what that means, and why in words."""

    def __init__(self, answer: Answer, message: str) -> None:
        super().__init__(message)
        self.answer = answer
        self.message = message


@dataclass(frozen=True, slots=True)
class Received:
    """An answer. The body is None if it is longer than was asked for; then the rest was not read."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


class Transport:
    """Connections to the gateway at `url`, kept alive. `timeout` is in seconds, for one whole exchange.

    `ca_pem` is the text of certificates that are trusted besides the system's. InputError if `url`, `ca_pem` or a proxy
    variable makes no sense. There is no limit on connections: the engine bounds the calls in flight, and a call that
    the pacer let go must not wait any more.
    """

    def __init__(self, url: str, timeout: float, ca_pem: str | None) -> None:
        self._base = _checked_base(url)
        self._timeout = timeout
        self._connecting = _connect_timeouts(timeout)
        self._tls = _trusting(ca_pem) if self._base.scheme == "https" else None
        self._proxy = _proxy_for(self._base)
        self._frame = _frame(self._base)

    async def __aenter__(self) -> Self:
        self._connector = aiohttp.TCPConnector(limit=0, ssl=self._tls or True)
        self._whereto = self._any_request()
        return self

    async def __aexit__(self, *_: object) -> None:
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
        """A connection on which nothing lies unread: aiohttp would take that for the next request's answer.

        Raises Lost if there is none in time.
        """
        try:
            connection = await self._connector.connect(self._whereto, [], self._connecting)
        except _FOREIGN as error:
            raise self._unreached(error) from error
        if _protocol(connection).should_close:
            connection.close()
            raise Lost(Answer.UNREACHED, "not sent: the connection held an answer to something else")
        return connection

    async def exchange(
        self, connection: Connection, request: wire.Request, headers: Mapping[str, str], most_bytes: int
    ) -> Received:
        """Send a request, and read its answer up to `most_bytes` of body. Gives the connection back. Raises Lost.

        A connection that was lost while the turn was awaited is replaced.
        """
        try:
            async with asyncio.timeout(self._timeout):
                if connection.closed or _protocol(connection).should_close:
                    connection.close()
                    connection = await self.connect()
                return await self._exchange(connection, request, headers, most_bytes)
        except _FOREIGN as error:
            raise self._lost(error) from error
        finally:
            connection.close()  # of one that was given back already this does nothing

    async def _exchange(
        self, connection: Connection, request: wire.Request, headers: Mapping[str, str], most_bytes: int
    ) -> Received:
        protocol, transport = _protocol(connection), connection.transport
        if transport is None:
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_HEADER,
            max_headers=MOST_HEADERS,
        )
        # In one piece: whoever refuses a body by its head may answer long before it was all taken.
        transport.write(self._head(request, headers) + request.body)
        message, content = await protocol.read()
        while 100 <= message.code < 200 and message.code != 101:
            message, content = await protocol.read()
        body = await _read_at_most(most_bytes, content)
        if body is not None and not transport.get_write_buffer_size():
            connection.release()
        return Received(message.code, message.headers, body)

    def _head(self, request: wire.Request, headers: Mapping[str, str]) -> bytes:
        target = _target(self._base.raw_path.rstrip("/"), request.path, request.query)
        lines = [f"{request.method} {target} HTTP/1.1\r\n{self._frame}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if request.body or request.method == "POST":
            lines.append(f"Content-Type: application/json\r\nContent-Length: {len(request.body)}")
        return "\r\n".join((*lines, "", "")).encode("latin-1")

    def _unreached(self, error: Exception) -> Lost:
        """Nothing was sent: there was no connection to send it on."""
        if isinstance(error, TimeoutError):
            error = aiohttp.ConnectionTimeoutError()
        lost = self._lost(error)
        if lost.answer is Answer.UNANSWERED:
            return Lost(Answer.UNREACHED, "the connection was lost before anything was sent")
        return lost

    def _lost(self, error: Exception) -> Lost:
        return Lost(*_meaning(error, self._timeout))


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


def _protocol(connection: Connection) -> ResponseHandler:
    if connection.protocol is None:
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


def _meaning(error: Exception, timeout: float) -> tuple[Answer, str]:
    """What a foreign exception says of the call. Its own text isn't used where it quotes what a server sent."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return Answer.GATEWAY_REFUSED, _distrust(error)
        case aiohttp.ClientHttpProxyError(status=407 | 403):
            return Answer.GATEWAY_REFUSED, f"the proxy refused to connect: {error.status} (see HTTPS_PROXY)"
        case aiohttp.ClientHttpProxyError():
            return Answer.UNREACHED, f"the proxy could not connect: {error.status}"
        case aiohttp.ConnectionTimeoutError():
            return Answer.UNREACHED, "no connection in time"
        case aiohttp.ClientConnectorError():
            return Answer.UNREACHED, f"no connection to {error.host}:{error.port}: {error.strerror or 'TLS failed'}"
        case TimeoutError():
            return Answer.UNANSWERED, f"no whole answer within {timeout:g} s"
        case aiohttp.ClientPayloadError():
            return Answer.UNANSWERED, "the answer was cut off"
        case HttpProcessingError():
            return Answer.UNANSWERED, "the answer isn't HTTP"
    return Answer.UNANSWERED, "the connection was lost before a whole answer came"


def _distrust(error: aiohttp.ClientConnectorCertificateError) -> str:
    reason = getattr(error.certificate_error, "verify_message", "") or "unknown reason"
    hint = "if your own authority signed it, name its certificate in gateway.ca_file"
    return f"the certificate of {error.host}:{error.port} can't be trusted: {reason} ({hint})"
