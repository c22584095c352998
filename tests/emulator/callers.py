"""A caller of the emulator that shares no code with bulkstate/wire.py: it sends what the API's page says."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import anyio

from bulkstate.emulator.app import Emulator, serve
from bulkstate.emulator.faults import Faults
from bulkstate.emulator.world import Application, GatewayLimits, PipelineSeed, StateBlock, TokenPolicy, World
from bulkstate.model import PipelineStatus
from tests.waiting import PATIENCE

STAGE_STATE = "/streaming/v2.0/stage-state"
PIPELINES = "/streaming/v2.0/streaming/pipelines"
PIPELINE = "/streaming/v2.0/streaming/pipeline/"
TOKEN = "/apim-token-service/v2.0/token/"

NO_LIMITS = GatewayLimits()
TWO_HOURS = TokenPolicy()

_timestamps = count(1_700_000_000_000)


def small_world(
    status: PipelineStatus = PipelineStatus.PAUSED, limits: GatewayLimits = NO_LIMITS, token: TokenPolicy = TWO_HOURS
) -> World:
    """One pipeline, two stages that hold 6 states each, and one that holds none."""
    stages = ("LastRecordAppender_01", "LatestRecordMerger_02")
    state = StateBlock(stages, ("A{1..3}",), ("P1", "P2"), "M")
    pipeline = PipelineSeed("p-1", "First", status, ("PointSelector_00", *stages), (state,))
    return World("o1", Application("key", "secret"), (pipeline,), limits, token)


@dataclass
class Caller:
    emulator: Emulator
    session: aiohttp.ClientSession
    token: str = ""

    async def log_in(self) -> str:
        answer = await self.token_call("get")
        self.token = answer["data"]["accessToken"]
        return self.token

    async def token_call(self, action: str, timestamp: str | None = None, **more: Any) -> dict[str, Any]:
        stamp = timestamp or str(next(_timestamps))
        proof = sha256(f"key{stamp}secret".encode()).hexdigest()
        body = {"appKey": "key", "encryption": proof, "timestamp": stamp, **more}
        status, answer = await self.send("POST", TOKEN + action, json.dumps(body).encode())
        assert status == 200
        return answer

    async def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        own = {"Authorization": self.token} if headers is None else headers
        async with self.session.request(method, self.emulator.url + path, data=body, headers=own) as response:
            answer = json.loads(await response.read())
        assert answer["requestId"]
        return response.status, answer

    async def stage_call(self, action: str, **fields: Any) -> dict[str, Any]:
        body = {
            "pipelineId": "p-1",
            "stageInstanceName": "LastRecordAppender_01",
            "assetIds": "A1,A2",
            "pointIds": "P1",
            **fields,
        }
        named = {name: value for name, value in body.items() if value is not None}
        status, answer = await self.send("POST", f"{STAGE_STATE}?action={action}&orgId=o1", json.dumps(named).encode())
        assert status == 200
        return answer

    async def operate(self, action: str, pipeline: str = "p-1") -> dict[str, Any]:
        body = b'{"executionMode": 0, "kafkaRate": 1000}' if action == "start" else b""
        status, answer = await self.send("POST", f"{PIPELINE}{pipeline}?action={action}&orgId=o1", body)
        assert status == 200
        return answer

    async def pairs(self, stage: str = "LastRecordAppender_01") -> set[tuple[str, str]]:
        answer = await self.stage_call("get", stageInstanceName=stage, assetIds="A1,A2,A3", pointIds="P1,P2")
        return {(item["assetId"], item["pointId"]) for item in answer["data"]["items"]}

    async def status(self) -> str:
        _, answer = await self.send("GET", f"{PIPELINES}?orgId=o1")
        status: str = answer["data"]["pipelines"][0]["status"]
        return status


@asynccontextmanager
async def caller(world: World, *, faults: Faults | None = None, **more: Any) -> AsyncIterator[Caller]:
    """Somebody with a good token, in front of an emulator that serves `world`."""
    more = {"database": None, **more}
    async with serve(world, faults=faults, **more) as emulator, aiohttp.ClientSession() as session:
        someone = Caller(emulator, session)
        await someone.log_in()
        yield someone


async def raw_exchange(url: str, request: bytes) -> bytes:
    """Everything that comes back for `request`, byte for byte, until the server closes the connection."""
    address = urlsplit(url)
    with anyio.fail_after(PATIENCE):
        async with await anyio.connect_tcp(str(address.hostname), int(address.port or 0)) as stream:
            await stream.send(request)
            return b"".join([block async for block in stream])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
