"""What stands in front of every call: it is counted, limited, read up to a size, let in or not, and always answered."""

from __future__ import annotations

import sqlite3
import time
from asyncio import get_running_loop
from math import ceil
from typing import Final

from aiohttp import web

from bulkstate.emulator import replies
from bulkstate.emulator.calls import Declined, kind_of
from bulkstate.emulator.doors import Doors
from bulkstate.emulator.handlers import Handler, json
from bulkstate.emulator.limits import FlowControl
from bulkstate.emulator.record import Record
from bulkstate.emulator.world import Limits
from bulkstate.wire import TOKEN_GET, TOKEN_REFRESH, Request

_OPEN_TO_ALL: Final = (TOKEN_GET, TOKEN_REFRESH)


class Front:
    """The gateway's front, as aiohttp's middleware."""

    def __init__(self, limits: Limits, doors: Doors, record: Record) -> None:
        self._flow = FlowControl(limits.windows, limits.kind)
        self._names_wait = limits.retry_after
        self._doors = doors
        self._record = record

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer one call."""
        try:
            return await self._admit(request, handler)
        except Declined as reason:
            return json(replies.declined(reason), reason.status)
        except web.HTTPException as error:
            return json(replies.declined(Declined(error.status, error.reason)), error.status)
        except sqlite3.Error as error:
            return json(replies.declined(Declined(500, f"Unexpected error: {error}")), 500)

    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        arrived = get_running_loop().time()
        wait = self._flow.admit(time.time())
        body = await self._read(request, arrived)
        if wait:
            return self._throttled(wait)
        if body is None:
            raise Declined(413, "Request size limit exceeded", status=413)
        if request.path not in _OPEN_TO_ALL:
            self._doors.admit(_as_signed(request, body), request.headers, time.time())
        return await handler(request)

    async def _read(self, request: web.Request, arrived: float) -> bytes | None:
        """The body, up to the size limit; None if it is larger."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            body = None
        kind = kind_of(request.path, request.query.get("action"))
        self._record.add(arrived, kind, request.path, request.query.get("orgId", ""), body or b"")
        return body

    def _throttled(self, wait: float) -> web.StreamResponse:
        self._record.throttled += 1
        response = json(replies.declined(Declined(429, "API rate limit exceeded")), 429)
        if self._names_wait:
            response.headers["Retry-After"] = str(ceil(wait))
        return response


def _as_signed(request: web.Request, body: bytes) -> Request:
    return Request(request.method, request.path, tuple(request.query.items()), body)
