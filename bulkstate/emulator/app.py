"""The emulator: the API of docs/enos-api.md, served over a real store.

async with serve(default_world(), database=None) as emulator:
    ...     # call emulator.url
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from aiohttp import web
from anyio import CancelScope

from bulkstate.emulator import openapi
from bulkstate.emulator.access import Doors
from bulkstate.emulator.faults import Faults, Mischief
from bulkstate.emulator.front import Front
from bulkstate.emulator.handlers import StreamingHandlers, TokenHandlers, describe
from bulkstate.emulator.listening import PATIENCE, Port, open_port
from bulkstate.emulator.received import CallLog
from bulkstate.emulator.store import Store
from bulkstate.emulator.streaming import Streaming
from bulkstate.emulator.tokens import TokenService
from bulkstate.emulator.worker import Worker
from bulkstate.emulator.world import Application, World
from bulkstate.errors import InputError, Problem
from bulkstate.model import PipelineStatus, Stage


@dataclass(frozen=True, slots=True)
class Emulator:
    """A serving emulator: what its callers need, and a way past the API for those who started it.

    `record` counts what arrives, and keeps it if `serve` was asked to.
    """

    url: str
    organisation: str
    app_key: str
    app_secret: str = field(repr=False)
    record: CallLog = field(repr=False)
    _streaming: Streaming = field(repr=False)
    _worker: Worker = field(repr=False)

    async def states(self, stage: Stage) -> int:
        """How many pairs a stage holds state for; 0 for one that isn't there."""
        return await self._worker.run(partial(self._streaming.states, stage))

    async def set_status(self, pipeline: str, status: PipelineStatus) -> None:
        """Move a pipeline to `status`, whatever its status is now."""
        await self._worker.run(partial(self._streaming.set_status, pipeline, status, _milliseconds()))


@asynccontextmanager
async def serve(
    world: World,
    *,
    database: Path | None,
    faults: Faults | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    trust_vendor_token: bool = False,
    record: bool = False,
    patience: float = PATIENCE,
) -> AsyncIterator[Emulator]:
    """Serve `world` on `host` and `port` (0: a free one) for as long as the context is open.

    `database` None keeps the state in memory. A new file is filled from the world; one that is there already keeps its
    own pipelines, their status and their state, and the world gives the rest. `record` keeps every call that arrives.
    Connections on which nothing comes for `patience` seconds are closed, calls whose body doesn't come are answered.
    InputError if the database can't be used, or the port can't be had.
    """
    organisation = world.organisation or f"o{secrets.randbelow(10**14):014d}"
    credentials = world.credentials or _made_up_application()
    tokens = TokenService(credentials, world.token.lifetime)
    doors = Doors(credentials, tokens, world.token, trust_vendor_token=trust_vendor_token)
    calls = CallLog(keep=record)
    async with _opened(world, database) as (store, worker):
        streaming = Streaming(store, world.limits.pairs)
        handlers = StreamingHandlers(organisation, streaming, worker)
        powers = _Powers(streaming, worker)
        front = Front(world.limits, doors, calls, Mischief(faults or Faults()), powers, patience)
        app = web.Application(middlewares=[front.handle], client_max_size=world.limits.body)
        app.add_routes([*handlers.routes(), *TokenHandlers(tokens).routes(), web.get(openapi.PATH, describe)])
        async with open_port(app, host, port, patience) as powers.port:
            url = powers.port.url
            yield Emulator(url, organisation, credentials.app_key, credentials.app_secret, calls, streaming, worker)


def _made_up_application() -> Application:
    """Of the form that the vendor's Python client insists on: a hyphen, then hexadecimal digits."""
    return Application(f"rehearsal-{secrets.token_hex(4)}", f"rehearsal-{secrets.token_hex(16)}")


class _Powers:
    """What faults can do beside an answer, once there is a `port`."""

    port: Port

    def __init__(self, streaming: Streaming, worker: Worker) -> None:
        self._streaming = streaming
        self._worker = worker

    async def start(self, pipeline: str) -> None:
        await self._move(pipeline, PipelineStatus.RUNNING)

    async def restart(self, pipeline: str) -> None:
        await self._move(pipeline, PipelineStatus.RUNNING)
        await self._move(pipeline, PipelineStatus.PAUSED)

    async def _move(self, pipeline: str, status: PipelineStatus) -> None:
        await self._worker.run(partial(self._streaming.set_status, pipeline, status, _milliseconds()))

    async def close_port(self, seconds: float) -> None:
        await self.port.close_for(seconds)


@asynccontextmanager
async def _opened(world: World, database: Path | None) -> AsyncIterator[tuple[Store, Worker]]:
    worker = Worker()
    try:
        with CancelScope(shield=True):
            store = await worker.run(partial(_open, world, database))
        try:
            yield store, worker
        finally:
            with CancelScope(shield=True):
                await worker.run(store.close)
    finally:
        worker.stop()


def _open(world: World, database: Path | None) -> Store:
    store = Store(database)
    try:
        if not store.seeded:
            store.seed(world.pipelines, _milliseconds())
        store.make_durable()
    except sqlite3.Error as error:
        store.close()
        raise InputError(Problem(f"can't be filled: {error}", str(database))) from None
    return store


def _milliseconds() -> int:
    return int(time.time() * 1000)
