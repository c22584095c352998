"""The port that is listened on, and that may be closed for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from errno import EINVAL
from typing import Final

from aiohttp import web
from aiohttp.http import HttpProcessingError
from anyio import CancelScope

from bulkstate.errors import InputError, Problem

PATIENCE: Final = 75.0
"""Seconds that a connection may be silent, at its beginning, between two calls or inside the head of one."""

LINGERING: Final = 10.0
"""Seconds at most for which the rest of a body is awaited once its call has been answered."""


class _Bugs(logging.Filter):
    """Keeps quiet about what isn't HTTP: its sender was answered 400, and nobody else needs to see a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_log = logging.getLogger(__name__)
_log.addFilter(_Bugs())


class Port:
    """Where an application is served, for as long as `open_port` says."""

    def __init__(self, runner: web.AppRunner, host: str) -> None:
        self._runner = runner
        self._host = host
        self._number = 0
        self._site: web.TCPSite | None = None
        self._reopening: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The address that it is found at."""
        name, number = self._runner.addresses[0][:2]
        return f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"

    async def listen(self, number: int) -> None:
        """Begin to listen, on any port if it is 0. InputError if it can't be had."""
        try:
            if number not in range(65_536):  # uvloop would take the rest of a division
                raise OSError(EINVAL, "there is no such port")
            self._site = web.TCPSite(self._runner, self._host, number)
            await self._site.start()
        except OSError as error:
            message = f"can't listen on {self._host}, port {number}: {error.strerror}"
            raise InputError(Problem(message, hint="name another --host or --port")) from None
        self._number = self._runner.addresses[0][1]

    async def close_for(self, seconds: float) -> None:
        """Cut all connections, and take no others for so long."""
        if self._site is None:
            return
        site, self._site = self._site, None
        await site.stop()
        for connection in tuple(self._runner.server.connections if self._runner.server else ()):
            if connection.transport is not None:
                connection.transport.abort()
        self._reopening = asyncio.create_task(self._listen_again(seconds))

    async def _listen_again(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.listen(self._number)

    async def close(self) -> None:
        """Listen no more."""
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.wait([self._reopening])
        await self._runner.cleanup()


@asynccontextmanager
async def open_port(app: web.Application, host: str, number: int, patience: float) -> AsyncIterator[Port]:
    """Serve `app` for as long as the context is open; `patience` is in seconds. InputError if the port can't be had."""
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_log,
        auto_decompress=False,
        shutdown_timeout=1.0,
        keepalive_timeout=patience,
        lingering_time=min(patience, LINGERING),
    )
    await runner.setup()
    port = Port(runner, host)
    try:
        await port.listen(number)
        yield port
    finally:
        with CancelScope(shield=True):
            await port.close()
