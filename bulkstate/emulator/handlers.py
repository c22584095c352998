"""The calls themselves, one handler each: a request in, an answer's bytes out, or `Declined`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from secrets import token_hex
from typing import TypeVar

import orjson
from aiohttp import web

from bulkstate.emulator import openapi, replies
from bulkstate.emulator.calls import (
    Declined,
    StageCall,
    check_start,
    missing,
    read_list_call,
    read_save,
    read_stage_call,
)
from bulkstate.emulator.replies import NO_DATA, json
from bulkstate.emulator.streaming import MOVES, OFFSET_LAG, RESET_OFFSET, Move, Streaming
from bulkstate.emulator.tokens import TokenService, read_token_call
from bulkstate.emulator.worker import Worker
from bulkstate.gateway.wire import PIPELINE, PIPELINES, STAGE_STATE, TOKEN_GET, TOKEN_REFRESH, Code

T = TypeVar("T")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StreamingHandlers:
    """The stream processing service of one organisation. Its answers are made by the `worker`."""

    def __init__(self, organisation: str, streaming: Streaming, worker: Worker) -> None:
        self._organisation = organisation
        self._streaming = streaming
        self._worker = worker

    def routes(self) -> list[web.RouteDef]:
        """Where the calls are found."""
        return [
            web.post(STAGE_STATE, self.stage_state),
            web.get(PIPELINES, self.list),
            web.get(PIPELINE + "{pipeline}", self.details),
            web.post(PIPELINE + "{pipeline}", self.operate),
            web.get(PIPELINE + "{pipeline}/offset-lag", self.offset_lag),
            web.post(PIPELINE + "{pipeline}/offset", self.reset_offset),
        ]

    async def stage_state(self, request: web.Request) -> web.StreamResponse:
        """Delete Stage State and Get Stage State."""
        answers = {"delete": self._delete, "get": self._get}
        action = request.query.get("action")
        if action not in answers:
            raise missing("action")
        self._check_organisation(request)
        call = read_stage_call(await request.read())
        return await self._blocking(partial(answers[action], call))

    async def list(self, request: web.Request) -> web.StreamResponse:
        """List Pipelines."""
        self._check_organisation(request)
        call = read_list_call(request.query)
        return await self._blocking(lambda: replies.page(self._organisation, *self._streaming.page(call)))

    async def details(self, request: web.Request) -> web.StreamResponse:
        """Get Pipeline Details."""
        self._check_organisation(request)
        pipeline = request.match_info["pipeline"]
        return await self._blocking(lambda: replies.details(*self._streaming.details(pipeline)))

    async def operate(self, request: web.Request) -> web.StreamResponse:
        """Pause, Start, Stop, Release and Save Pipeline."""
        action = request.query.get("action", "")
        if action not in MOVES:
            raise missing("action")
        self._check_organisation(request)
        pipeline, body = request.match_info["pipeline"], await request.read()
        if action == "start":
            check_start(body)
        if action == "save":
            return await self._blocking(partial(self._save, pipeline, read_save(body)))
        data = NO_DATA if action in ("stop", "release") else ""
        return await self._blocking(partial(self._move, pipeline, MOVES[action], data))

    async def offset_lag(self, request: web.Request) -> web.StreamResponse:
        """How far a pipeline is behind. What `data` looks like isn't documented."""
        self._check_organisation(request)
        return await self._blocking(partial(self._lag, request.match_info["pipeline"]))

    async def reset_offset(self, request: web.Request) -> web.StreamResponse:
        """Have a pipeline begin elsewhere. What `data` looks like isn't documented."""
        self._check_organisation(request)
        await request.read()
        return await self._blocking(partial(self._move, request.match_info["pipeline"], RESET_OFFSET, ""))

    def _delete(self, call: StageCall) -> bool:
        self._streaming.delete(call)
        return True

    def _get(self, call: StageCall) -> dict[str, object]:
        return replies.states(call.stage, self._streaming.get(call))

    def _move(self, pipeline: str, move: Move, data: object) -> object:
        self._streaming.move(pipeline, move, _milliseconds())
        return data

    def _lag(self, pipeline: str) -> dict[str, int]:
        self._streaming.require(pipeline, OFFSET_LAG)
        return {"lag": 0}

    def _save(self, pipeline: str, name: str) -> str:
        """Save a pipeline, or make one where the ID is `null`; its ID."""
        if pipeline == "null":
            pipeline = token_hex(8)
            self._streaming.create(pipeline, name or pipeline, _milliseconds())
        else:
            self._streaming.move(pipeline, MOVES["save"], _milliseconds())
        return pipeline

    def _check_organisation(self, request: web.Request) -> None:
        organisation = request.query.get("orgId")
        if not organisation:
            raise missing("orgId")
        if organisation != self._organisation:
            raise Declined(Code.WRONG_PIPELINE, "Wrong pipelineId or OU has no privilege")

    async def _blocking(self, data: Callable[[], object]) -> web.StreamResponse:
        """Answer with what `data` returns. It is turned into bytes by the worker too: a Get's may be megabytes."""
        return json(await self._worker.run(lambda: replies.succeeded(data())))


class TokenHandlers:
    """The token service. It answers its refusals itself: they look unlike everybody else's."""

    def __init__(self, tokens: TokenService) -> None:
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        """Where the calls are found."""
        return [web.post(TOKEN_GET, self.get), web.post(TOKEN_REFRESH, self.refresh)]

    async def get(self, request: web.Request) -> web.StreamResponse:
        """An access token for an application."""
        body = await request.read()
        return self._answer(lambda: replies.token_given(self._tokens.get(read_token_call(body), time.time())))

    async def refresh(self, request: web.Request) -> web.StreamResponse:
        """A new access token for one that is still good."""
        body = await request.read()
        return self._answer(
            lambda: replies.token_given(self._tokens.refresh(read_token_call(body, refresh=True), time.time()))
        )

    def _answer(self, given: Callable[[], bytes]) -> web.StreamResponse:
        try:
            return json(given())
        except Declined as reason:
            return json(replies.token_declined(reason))


async def describe(request: web.Request) -> web.StreamResponse:
    """The API, as an OpenAPI document."""
    return json(orjson.dumps(openapi.document()))


def _milliseconds() -> int:
    return int(time.time() * 1000)
