"""The gateway over HTTP: `Client`, the `StageStateApi` that a run is given.

Every call, token calls included, waits for the pacer first and makes one HTTP exchange. What the network does to it is
in its reply; whatever a server says in words comes in by one door. Nothing is repeated here, but for what was sent on a
kept connection that turned out to be dead: that goes again at once, once, in a turn of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar
from urllib.parse import urlsplit

from aiohttp.connector import Connection

from bulkstate.errors import BulkstateError
from bulkstate.gateway import limit_headers, wire
from bulkstate.gateway.api import NoTurn, Turns
from bulkstate.gateway.credentials import Auth, Bearer, Credentials, FixedCredentials, TokenCredentials
from bulkstate.gateway.response_order import ResponseOrder, Settled
from bulkstate.gateway.transport import MEBIBYTE, HttpAnswer, Lost, Transport
from bulkstate.model import Absence, Answer, Attempt, Chunk, Pair, PipelinePage, Reply, Start, Token
from bulkstate.text import flat, one_line, shortened

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Call(Generic[T]):
    """One of the API's calls: how its answer is read, how many bytes of it, and what one that is longer means."""

    read: Callable[[int, bytes, wire.Clean], Reply[T]]
    most_bytes: int
    overflow: Answer


_DELETE: Final = _Call(wire.read_delete, MEBIBYTE, Answer.UNAVAILABLE)
_GET: Final = _Call(wire.read_state, 64 * MEBIBYTE, Answer.TOO_LARGE)
_PIPELINES: Final = _Call(wire.read_pipelines, MEBIBYTE, Answer.UNAVAILABLE)
_DETAILS: Final = _Call(wire.read_details, 16 * MEBIBYTE, Answer.UNAVAILABLE)
_COMMAND: Final = _Call(wire.read_command, MEBIBYTE, Answer.UNAVAILABLE)
_TOKEN: Final = _Call(wire.read_token, MEBIBYTE, Answer.UNAVAILABLE)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Client:
    """The gateway at `url`, for organisation `org`: an async context manager around its kept connections.

    Every call waits for one of the `turns`, and says how it ended. `timeout` is in seconds, for one whole exchange.
    `ca_pem` is the text of certificates that are trusted besides the system's. `clock` is the event loop's, `wall` UNIX
    time, both in seconds. `order` says which deletes' answers have come into doubt, after they were given.
    InputError if `url`, `ca_pem` or a proxy variable makes no sense.
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
        order: ResponseOrder | None = None,
    ) -> None:
        self._order = order or ResponseOrder(timeout)
        self._transport = Transport(url, timeout, ca_pem, self._order)
        self._org = org
        self._turns = turns
        self._clock = clock
        self._wall = wall
        self._dated: tuple[str, float] | None = None
        self._credentials: Credentials = (
            FixedCredentials(auth) if isinstance(auth, Bearer) else TokenCredentials(auth, self._ask, clock, wall)
        )

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    @property
    def clock_ahead(self) -> float | None:
        """How many seconds our clock is ahead of the gateway's, as the last answer that said its `Date` tells; None
        where none did. The date has whole seconds: less than one and an answer's way is no difference."""
        if self._dated is None:
            return None
        date, now = self._dated
        said = wire.said_at(date, now)
        return now - said

    async def delete(self, chunk: Chunk) -> Attempt[bool]:
        """Delete Stage State for the chunk's cross product."""
        return await self._call(wire.delete_stage_state(self._org, chunk), _DELETE, chunk.number)

    async def get(self, chunk: Chunk) -> Attempt[frozenset[Pair]]:
        """Get Stage State: those of the chunk's pairs that have state. `TOO_LARGE` if the answer is over 64 MiB."""
        attempt = await self._call(wire.get_stage_state(self._org, chunk), _GET)
        return replace(attempt, reply=_of_those_asked_for(chunk, attempt.reply))

    async def pipelines(self, page: int) -> Attempt[PipelinePage]:
        """List Pipelines, `page` counted from 1."""
        return await self._call(wire.list_pipelines(self._org, page), _PIPELINES)

    async def details(self, pipeline: str) -> Attempt[frozenset[str]]:
        """Get Pipeline Details: the texts in a pipeline's description, the names of its stages among them."""
        return await self._call(wire.pipeline_details(self._org, pipeline), _DETAILS)

    async def pause(self, pipeline: str) -> Attempt[bool]:
        """Pause a pipeline, by its ID; when it is answered it may not be paused yet."""
        return await self._call(wire.pause_pipeline(self._org, pipeline), _COMMAND)

    async def start(self, pipeline: str, how: Start) -> Attempt[bool]:
        """Start a pipeline, by its ID; when it is answered it may not run yet."""
        return await self._call(wire.start_pipeline(self._org, pipeline, how), _COMMAND)

    async def renew(self, refused_at: float) -> bool:
        """Have credentials younger than `refused_at` (loop seconds), made once for all who wait. False: none."""
        if not self._credentials.doubt(refused_at):
            return False
        while not self._credentials.are_good():
            if await self._credentials.obtain(self._turn_of_a_token_call) is not None:
                return False
        return True

    async def _call(self, request: wire.Request, call: _Call[T], chunk: int | None = None) -> Attempt[T]:
        """Make a call; of a delete, `chunk` is its number."""
        attempt = await self._once(request, call, chunk)
        if attempt.reply.absence is not Absence.STALE or self._turns.failing:
            return attempt
        try:
            again = await self._once(request, call, chunk)
        except (NoTurn, BulkstateError):
            return attempt  # the run is ending, and this call may have arrived
        return replace(again, reply=replace(again.reply, resent=True))

    async def _once(self, request: wire.Request, call: _Call[T], chunk: int | None) -> Attempt[T]:
        try:
            turn = await self._turn(deletes=chunk is not None)
        except Lost as lost:
            return Attempt(_absent(lost), self._clock(), 0.0)
        if isinstance(turn, Attempt):
            return _unsent(turn)
        return await self._exchange(turn, request, self._credentials.headers(request), call, chunk)

    async def _turn(self, deletes: bool) -> Connection | Attempt[Token]:
        """Come to a turn with good credentials and a connection; or the call to the token service that brought none.

        A token may end while the pacer holds the call: then the turn that comes is spent on a new one. Were another
        turn asked for it, a slow pacer could let every token end in the queue.
        """
        turn = self._turn_of_a_token_call
        while True:
            if not self._credentials.are_good():
                refusal = await self._credentials.obtain(turn)
                if refusal is not None:
                    return refusal
            connection = await self._next_turn(deletes)
            if self._credentials.are_good():
                return connection
            connection.release()
            if self._turns.failing:
                # The turn is the only one, and whoever makes new credentials may be waiting for it.
                self._turns.broken_off(self._clock())
            turn = self._turn_of_a_token_call if self._turns.failing else _at_hand

    async def _next_turn(self, deletes: bool = False) -> Connection:
        """Wait for the pacer with a connection at hand: what connects after its turn arrives late, and the next calls
        too close behind it for the gateway's windows. Where it is likely that there will be none, the turn is first."""
        if self._turns.failing:
            await self._turns.acquire(deletes)
            return await self._connection_in_turn()
        connection = await self._transport.connect()
        try:
            await self._turns.acquire(deletes)
        except BaseException:
            connection.release()
            raise
        return connection

    async def _connection_in_turn(self) -> Connection:
        turn = self._clock()
        try:
            return await self._transport.connect()
        except BaseException:
            self._turns.broken_off(turn)
            raise

    async def _turn_of_a_token_call(self) -> None:
        (await self._next_turn()).release()

    async def _ask(self, request: wire.Request) -> Attempt[Token]:
        sent_at = self._clock()
        try:
            connection = await self._transport.connect()
        except Lost as lost:
            return self._over(_absent(lost), request, sent_at)
        except asyncio.CancelledError:
            self._turns.broken_off(sent_at)
            raise
        return await self._exchange(connection, request, {}, _TOKEN)

    async def _exchange(
        self,
        connection: Connection,
        request: wire.Request,
        headers: dict[str, str],
        call: _Call[T],
        chunk: int | None = None,
    ) -> Attempt[T]:
        sent_at = self._clock()
        try:
            received = await self._transport.exchange(connection, request, headers, call.most_bytes)
            reply = self._believed(received, self._reply(received, call), chunk)
            date = wire.date_of(received.headers.get("Date"))
        except Lost as lost:
            reply, date = _absent(lost), None
        except asyncio.CancelledError:
            self._turns.broken_off(sent_at)
            raise
        return self._over(reply, request, sent_at, date)

    def _over(self, reply: Reply[T], request: wire.Request, sent_at: float, date: float | None = None) -> Attempt[T]:
        attempt = Attempt(reply, sent_at, self._clock() - sent_at, len(request.body), date)
        self._turns.answered(attempt)
        return attempt

    # ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _reply(self, received: HttpAnswer, call: _Call[T]) -> Reply[T]:
        status, headers, body = received.status, received.headers, received.body
        reply = _overflow(call, status) if body is None else call.read(status, body, self._clean)
        if 300 <= status < 400:
            reply = replace(reply, message=self._redirection(headers.get("Location", "")))
        if reply.answer is Answer.UNAVAILABLE and "Content-Encoding" in headers:
            reply = replace(reply, message=_COMPRESSED)
        wish, date = headers.get("Retry-After"), headers.get("Date")
        if date is not None:
            self._dated = date, self._wall()
        limits = limit_headers.read(headers, lambda: wire.said_at(date, self._wall()))
        if wish is None and not limits:
            return reply
        return replace(reply, retry_after=wire.retry_after(wish, date, self._wall()), limits=limits)

    def _clean(self, text: str) -> str:
        """The one door for what a server says in words: a clumsy one may quote what it was sent."""
        return shortened(self._credentials.hide(flat(text)))

    def _redirection(self, location: str) -> str:
        """Only the target's host: what else stands in the address may be the credentials."""
        try:
            host = urlsplit(location).hostname
        except ValueError:
            host = None
        return f"a redirect to {self._clean(host) if host else 'another path'}; redirects are never followed"

    def _believed(self, received: HttpAnswer, reply: Reply[T], chunk: int | None) -> Reply[T]:
        """An answer that may be another request's is none."""
        settled = Settled(chunk, reply.request_id) if chunk is not None and reply.answer is Answer.OK else None
        in_order = self._order.answered(received.connection, received.at, settled)
        if in_order and not received.disturbed:
            return reply
        return Reply(Answer.UNANSWERED, message=_OUT_OF_ORDER, absence=Absence.BROKEN)


async def _at_hand() -> None:
    """The turn for a call that has it already."""


_OUT_OF_ORDER: Final = "the connection held more answers than requests: this one may be another's"
_COMPRESSED: Final = "the gateway compressed its answer though it was asked not to"


def _absent(lost: Lost) -> Reply[Any]:
    return Reply(lost.answer, message=lost.message, absence=lost.absence)


def _overflow(call: _Call[T], status: int) -> Reply[T]:
    reply = call.read(status, b"", one_line)
    answer = call.overflow if 200 <= status < 300 else reply.answer
    return Reply(answer, status, message=f"the answer is over {call.most_bytes // MEBIBYTE} MiB; the rest was not read")


def _of_those_asked_for(chunk: Chunk, reply: Reply[frozenset[Pair]]) -> Reply[frozenset[Pair]]:
    """An answer that tells of other pairs is the answer to another question, be it that IDs are spelt otherwise there:
    what it doesn't tell of may have state all the same."""
    if reply.data is None:
        return reply
    assets, points = frozenset(chunk.assets), frozenset(chunk.points)
    if all(pair.asset in assets and pair.point in points for pair in reply.data):
        return reply
    return replace(reply, answer=Answer.UNDECIDED, data=None, message="it tells of pairs that nobody asked about")


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
    unsent: Reply[Any] = replace(reply, answer=answer, message=message, data=None, absence=None)
    return Attempt(unsent, refusal.sent_at, refusal.seconds)
