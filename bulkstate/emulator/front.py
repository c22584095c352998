"""What stands in front of every call: it is counted, limited, read up to a size, let in or not, and always answered."""

from __future__ import annotations

import sqlite3
import time
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable
from functools import partial
from math import ceil
from typing import Final

from aiohttp import web

from bulkstate.emulator import replies
from bulkstate.emulator.access import Doors, caller_token
from bulkstate.emulator.calls import Declined, kind_of
from bulkstate.emulator.faults import Exchange, Mischief
from bulkstate.emulator.handlers import Handler
from bulkstate.emulator.limits import FlowControl
from bulkstate.emulator.received import CallLog, Received
from bulkstate.emulator.replies import json
from bulkstate.emulator.world import GatewayLimits
from bulkstate.gateway.wire import TOKEN_GET, TOKEN_REFRESH, Request

_OPEN_TO_ALL: Final = (TOKEN_GET, TOKEN_REFRESH)


class Front:
    """The gateway's front, as aiohttp's middleware. `start` starts the pipeline of that ID, for faults."""

    def __init__(
        self,
        limits: GatewayLimits,
        doors: Doors,
        record: CallLog,
        mischief: Mischief,
        start: Callable[[str], Awaitable[None]],
    ) -> None:
        self._flow = FlowControl(limits.windows, limits.kind)
        self._names_wait = limits.retry_after
        self._doors = doors
        self._record = record
        self._mischief = mischief
        self._start = start

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer one call."""
        at = get_running_loop().time()
        wait = self._flow.admit(time.time())
        body = await _read(request)
        received = _received(at, request, body)
        self._record.add(received)
        token, start = caller_token(request.headers), partial(self._start_pipeline, received)
        exchange = Exchange(request, received.kind, token, start)
        return await self._mischief.answer(exchange, partial(self._answer, request, handler, body, wait))

    async def _answer(
        self, request: web.Request, handler: Handler, body: bytes | Declined, wait: float
    ) -> web.StreamResponse:
        try:
            if wait:
                return self._throttled(wait)
            self._admit(request, body)
            return await handler(request)
        except Declined as reason:
            return json(replies.declined(reason), reason.status)
        except web.HTTPException as error:
            return json(replies.declined(Declined(error.status, error.reason)), error.status)
        except sqlite3.Error as error:
            return json(replies.declined(Declined(500, f"Unexpected error: {error}")), 500)

    def _admit(self, request: web.Request, body: bytes | Declined) -> None:
        if isinstance(body, Declined):
            raise body
        if request.path not in _OPEN_TO_ALL:
            signed = Request(request.method, request.path, tuple(request.query.items()), body)
            self._doors.admit(signed, request.headers, time.time())

    def _throttled(self, wait: float) -> web.StreamResponse:
        self._record.throttled += 1
        response = json(replies.declined(Declined(429, "API rate limit exceeded")), 429)
        if self._names_wait:
            response.headers["Retry-After"] = str(ceil(wait))
        return response

    async def _start_pipeline(self, received: Received) -> None:
        if received.stage_call:
            await self._start(received.stage_call.pipeline)


def _received(at: float, request: web.Request, body: bytes | Declined) -> Received:
    kind = kind_of(request.path, request.query.get("action"))
    organisation = request.query.get("orgId", "")
    return Received(at, kind, request.path, organisation, body if isinstance(body, bytes) else None)


async def _read(request: web.Request) -> bytes | Declined:
    """The body; or why there is none: it is over the size limit, or broke off."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return Declined(413, "Request size limit exceeded", status=413)
    except (web.RequestPayloadError, ConnectionError):
        return Declined(400, "The body can't be processed: it broke off", status=400)
