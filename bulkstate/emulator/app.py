"""The emulator: the API of docs/enos-api.md, served over a real store.

async with serve(default_world(), database=None) as emulator:
    ...     # call emulator.url
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from errno import EINVAL
from functools import partial
from pathlib import Path

from aiohttp import web
from aiohttp.http import HttpProcessingError
from anyio import CancelScope

from bulkstate.emulator.access import Doors
from bulkstate.emulator.faults import Faults, Mischief
from bulkstate.emulator.front import Front
from bulkstate.emulator.handlers import StreamingHandlers, TokenHandlers
from bulkstate.emulator.received import CallLog
from bulkstate.emulator.store import Store
from bulkstate.emulator.streaming import Streaming
from bulkstate.emulator.tokens import TokenService
from bulkstate.emulator.worker import Worker
from bulkstate.emulator.world import Application, World
from bulkstate.errors import InputError, Problem
from bulkstate.model import PipelineStatus, Stage


class _Bugs(logging.Filter):
    """Keeps quiet about what isn't HTTP: its sender was answered 400, and nobody else needs to see a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_log = logging.getLogger(__name__)
_log.addFilter(_Bugs())


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
) -> AsyncIterator[Emulator]:
    """Serve `world` on `host` and `port` (0: a free one) for as long as the context is open.

    `database` None keeps the state in memory. A new file is filled from the world; one that is there already keeps its
    own pipelines, their status and their state, and the world gives the rest. `record` keeps every call that arrives.
    InputError if the database can't be used, or the port can't be had.
    """
    organisation = world.organisation or f"o{secrets.randbelow(10**14):014d}"
    credentials = world.credentials or Application(f"rehearsal-{secrets.token_hex(4)}", secrets.token_urlsafe(24))
    tokens = TokenService(credentials, world.token.lifetime)
    doors = Doors(credentials, tokens, world.token, trust_vendor_token=trust_vendor_token)
    calls = CallLog(keep=record)
    async with _opened(world, database) as (store, worker):
        streaming = Streaming(store, world.limits.pairs)
        handlers = StreamingHandlers(organisation, streaming, worker)
        front = Front(world.limits, doors, calls, Mischief(faults or Faults()), handlers.start)
        app = web.Application(middlewares=[front.handle], client_max_size=world.limits.body)
        app.add_routes([*handlers.routes(), *TokenHandlers(tokens).routes()])
        async with _listening(app, host, port) as url:
            yield Emulator(url, organisation, credentials.app_key, credentials.app_secret, calls, streaming, worker)


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


@asynccontextmanager
async def _listening(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, logger=_log, auto_decompress=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        name, number = runner.addresses[0][:2]
        yield f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"
    finally:
        with CancelScope(shield=True):
            await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        if port not in range(65_536):  # uvloop would take the rest of a division
            raise OSError(EINVAL, "there is no such port")
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        message = f"can't listen on {host}, port {port}: {error.strerror}"
        raise InputError(Problem(message, hint="name another --host or --port")) from None
