"""The emulator: the API of docs/enos-api.md, served over a real store.

async with serve(default_world(), database=None) as emulator:
    ...     # call emulator.url
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from asyncio import get_running_loop
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from bulkstate.emulator.doors import Doors
from bulkstate.emulator.front import Front
from bulkstate.emulator.handlers import StreamingHandlers, TokenHandlers
from bulkstate.emulator.record import Record
from bulkstate.emulator.store import Store
from bulkstate.emulator.streaming import Streaming
from bulkstate.emulator.tokens import TokenService
from bulkstate.emulator.world import Credentials, World
from bulkstate.errors import InputError, Problem
from bulkstate.model import Stage


@dataclass(frozen=True, slots=True)
class Emulator:
    """A serving emulator, and what a caller needs to call it. `record` counts what arrives."""

    url: str
    organisation: str
    app_key: str
    app_secret: str = field(repr=False)
    record: Record = field(repr=False)
    _store: Store = field(repr=False)
    _worker: Executor = field(repr=False)

    async def stored(self, stage: Stage) -> int:
        """How many pairs a stage holds state for; 0 for one that isn't there."""
        return await get_running_loop().run_in_executor(self._worker, self._stored, stage)

    def _stored(self, stage: Stage) -> int:
        number = self._store.stages(stage.pipeline).get(stage.name)
        return 0 if number is None else self._store.states(number)


@asynccontextmanager
async def serve(
    world: World,
    *,
    database: Path | None,
    host: str = "127.0.0.1",
    port: int = 0,
    trust_vendor_token: bool = False,
    record: bool = False,
) -> AsyncIterator[Emulator]:
    """Serve `world` on `host` and `port` (0: a free one) for as long as the context is open.

    `database` None keeps the state in memory. A new file is filled from the world; one that is there already keeps its
    own pipelines, their status and their state, and the world gives the rest. `record` keeps every call.
    InputError if the database can't be used, or the port can't be had.
    """
    organisation = world.organisation or f"o{secrets.randbelow(10**14):014d}"
    credentials = world.credentials or Credentials(f"rehearsal-{secrets.token_hex(4)}", secrets.token_urlsafe(24))
    with ThreadPoolExecutor(1, "emulator") as worker:
        store = await get_running_loop().run_in_executor(worker, _open, world, database)
        calls = Record(keep=record)
        try:
            tokens = TokenService(credentials, world.token.lifetime)
            doors = Doors(credentials, tokens, world.token, trust_vendor_token=trust_vendor_token)
            app = web.Application(
                middlewares=[Front(world.limits, doors, calls).handle], client_max_size=world.limits.body_bytes
            )
            app.add_routes(StreamingHandlers(organisation, Streaming(store, world.limits.pairs), worker).routes())
            app.add_routes(TokenHandlers(tokens).routes())
            async with _listening(app, host, port) as url:
                yield Emulator(url, organisation, credentials.app_key, credentials.app_secret, calls, store, worker)
        finally:
            await get_running_loop().run_in_executor(worker, store.close)


def _open(world: World, database: Path | None) -> Store:
    store = Store(database)
    try:
        if not store.seeded:
            store.seed(world.pipelines, int(time.time() * 1000))
        store.serve()
    except sqlite3.Error as error:
        store.close()
        raise InputError(Problem(f"can't be filled: {error}", str(database))) from None
    return store


@asynccontextmanager
async def _listening(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        name, number = runner.addresses[0][:2]
        yield f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        message = f"can't listen on {host}, port {port}: {error.strerror}"
        raise InputError(Problem(message, hint="name another --host or --port")) from None
