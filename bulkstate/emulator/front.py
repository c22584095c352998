"""What stands in front of every call: it is counted, limited, read up to a size, let in or not, and always answered."""

from __future__ import annotations

import sqlite3
import time
from asyncio import get_running_loop, timeout
from functools import partial
from math import ceil
from typing import Final

from aiohttp import web

from bulkstate.emulator import openapi, replies
from bulkstate.emulator.access import Doors, caller_token
from bulkstate.emulator.calls import Declined, kind_of
from bulkstate.emulator.effects import Powers
from bulkstate.emulator.faults import Mischief
from bulkstate.emulator.handlers import Handler
from bulkstate.emulator.limits import FlowControl
from bulkstate.emulator.received import CallLog, Received
from bulkstate.emulator.replies import json
from bulkstate.emulator.world import GatewayLimits
from bulkstate.gateway.wire import TOKEN_GET, TOKEN_REFRESH, Code, Request

_OPEN_TO_ALL: Final = (TOKEN_GET, TOKEN_REFRESH, openapi.PATH)


class Front:
    """The gateway's front, as aiohttp's middleware. `powers` are for faults; a body may take `patience` seconds."""

    def __init__(
        self,
        limits: GatewayLimits,
        doors: Doors,
        record: CallLog,
        mischief: Mischief,
        powers: Powers,
        patience: float,
    ) -> None:
        self._flow = FlowControl(limits.windows, limits.kind)
        self._names_wait = limits.retry_after
        self._told_as = limits.told_as
        self._doors = doors
        self._record = record
        self._mischief = mischief
        self._powers = powers
        self._patience = patience

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer one call."""
        at = get_running_loop().time()
        wait = self._flow.admit(time.time())
        body = await self._read(request)
        received = _received(at, request, body)
        self._record.add(received)
        perform = partial(self._answer, request, handler, body, wait)
        return await self._mischief.answer(request, received, caller_token(request.headers), self._powers, perform)

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
            response = json(replies.declined(Declined(error.status, error.reason)), error.status)
            response.headers.extend({name: error.headers[name] for name in ("Allow",) if name in error.headers})
            return response
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
        status = 200 if self._told_as == Code.OTHER else self._told_as
        response = json(replies.declined(Declined(self._told_as, "API rate limit exceeded")), status)
        if self._names_wait:
            response.headers["Retry-After"] = str(ceil(wait))
        return response

    async def _read(self, request: web.Request) -> bytes | Declined:
        """The body; or why there is none: it is over the size limit, broke off, or doesn't come."""
        try:
            async with timeout(self._patience):
                return await request.read()
        except web.HTTPRequestEntityTooLarge:
            return Declined(413, "Request size limit exceeded", status=413)
        except TimeoutError:
            return Declined(408, "The body didn't come", status=408)
        except (web.RequestPayloadError, ConnectionError):
            return Declined(400, "The body can't be processed: it broke off", status=400)


def _received(at: float, request: web.Request, body: bytes | Declined) -> Received:
    kind = kind_of(request.path, request.query.get("action"))
    organisation = request.query.get("orgId", "")
    return Received(at, kind, request.path, organisation, body if isinstance(body, bytes) else None)
