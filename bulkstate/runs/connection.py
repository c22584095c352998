"""The way to the gateway, the real one or the embedded one: address, credentials, gate and client, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from random import random
from typing import Final

import structlog

from bulkstate import config
from bulkstate.config import AUTO, Embedded, Gateway, Settings
from bulkstate.disk.journal import sent_history
from bulkstate.emulator.app import serve
from bulkstate.emulator.world import default_world
from bulkstate.engine.gate import Gate
from bulkstate.engine.reads import Reads
from bulkstate.gateway.client import Client
from bulkstate.gateway.credentials import AppKey, Auth
from bulkstate.gateway.response_order import ResponseOrder
from bulkstate.model import Grant
from bulkstate.policy.auto.learnt import NOTHING, Learnt
from bulkstate.policy.auto.pilot import Pilot
from bulkstate.policy.bottleneck import SHORTEST_PAUSE
from bulkstate.policy.pacing import Pacer

log = structlog.get_logger()

WAITING_SECONDS: Final = 5.0
"""How often it is said that the gateway is waited for."""

EMBEDDED_STORE: Final = "gateway.sqlite"
"""Where the embedded gateway keeps its state: in the run directory, so that a run can be resumed with it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the gateway is, and as whom it is called."""

    url: str
    organisation: str
    auth: Auth
    ca_pem: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """An open way to the gateway. Everything that is called through it goes through its one gate.

    `clock` is the event loop's, in seconds: asked directly, because a call asks several times. `pilot` finds out what
    the gateway allows.
    """

    gate: Gate
    client: Client
    order: ResponseOrder
    reads: Reads
    clock: Callable[[], float]
    pilot: Pilot | None

    def learnt(self) -> Learnt | None:
        """What is known by now of the gateway's limits, on the wall's clock; None where nobody finds out."""
        return None if self.pilot is None else self.pilot.learnt().shifted(time.time() - self.clock())


@asynccontextmanager
async def connect(
    settings: Settings,
    environ: Mapping[str, str],
    directory: Path | None,
    grants: Sequence[Grant] = (),
    learnt: Learnt = NOTHING,
) -> AsyncIterator[Connection]:
    """Open a way to the configured gateway.

    `directory` is the run directory: the embedded gateway keeps its store there, in memory without one. `grants` are
    the run's earlier ones: their calls count. `learnt` is what is known of the gateway's limits, on the wall's clock.
    InputError if the gateway can't be addressed.
    """
    clock = asyncio.get_running_loop().time
    pilot = _pilot(settings, learnt.shifted(clock() - time.time()).not_after(clock()))
    pacer, retry = Pacer(settings.limits.windows, _history(grants, clock())), settings.retry
    gate = Gate(pacer, time.time, clock, pilot, retry)
    order = ResponseOrder(settings.gateway.timeout)
    async with (
        _address(settings.gateway, environ, directory) as address,
        _client(settings, address, gate, clock, order) as client,
    ):
        yield Connection(
            gate, client, order, Reads(client, gate, retry, random, _say_pause, _Waiting(clock).say), clock, pilot
        )


def _pilot(settings: Settings, learnt: Learnt) -> Pilot | None:
    """Who finds out what the gateway allows, if that is asked for."""
    limits = settings.limits
    return Pilot(limits.share.part, learnt) if AUTO in limits.rate else None


def _say_pause(seconds: float, reason: str) -> None:
    if seconds >= SHORTEST_PAUSE:
        log.warning("paused", seconds=round(seconds, 1), reason=reason)


class _Waiting:
    """Says that the gateway doesn't answer as it should, and how long it is tried again: now and then, as many ask."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said_at = -inf

    def say(self, reason: str, seconds: float) -> None:
        """A read is asked again for so many seconds at the most."""
        if self._clock() - self._said_at < WAITING_SECONDS:
            return
        self._said_at = self._clock()
        until = f"{datetime.fromtimestamp(time.time() + seconds, UTC):%H:%M:%S} UTC"
        log.warning("waiting for the gateway", reason=reason, trying_until=until)


def _history(grants: Sequence[Grant], now: float) -> list[tuple[float, int]]:
    """Earlier calls in loop seconds; it is `now`."""
    wall = time.time()
    offset = now - wall
    return [(at + offset, calls) for at, calls in sent_history(grants, wall)]


@asynccontextmanager
async def _address(
    gateway: Gateway | Embedded, environ: Mapping[str, str], directory: Path | None
) -> AsyncIterator[Address]:
    if isinstance(gateway, Gateway):
        yield Address(gateway.url, gateway.org_id, config.revealed(gateway.auth, environ), gateway.ca_pem)
        return
    store = None if directory is None else directory / EMBEDDED_STORE
    async with serve(default_world(), database=store) as emulator:
        yield Address(emulator.url, emulator.organisation, AppKey(emulator.app_key, emulator.app_secret))


def _client(
    settings: Settings, address: Address, gate: Gate, clock: Callable[[], float], order: ResponseOrder
) -> Client:
    return Client(
        address.url,
        address.organisation,
        address.auth,
        gate,
        timeout=settings.gateway.timeout,
        ca_pem=address.ca_pem,
        clock=clock,
        order=order,
    )
