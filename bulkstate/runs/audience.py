"""Whoever watches a run is called from a thread of their own: they may raise, hang or be slow, and the run goes on.

What doesn't fit into the queue before them is dropped and counted, and whatever fails is said once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Final, Self

import anyio
import anyio.to_thread
import structlog

from bulkstate.engine.ports import Observer
from bulkstate.model import Attempt, Outcome
from bulkstate.pairs.chunks import Chunks
from bulkstate.policy.bottleneck import Holding
from bulkstate.runs.host import Audience, Silence

MOST_WAITING: Final = 10_000
"""So many calls wait for a watcher at the most."""

LOOK_SECONDS: Final = 0.05
"""How often a thread looks for calls. Nobody is woken for each: that would cost the run more than all else here."""

GRACE_SECONDS: Final = 2.0
"""How long a run waits at its end for whoever watches it; who hasn't come back for so long is waited for no more."""


class Aside:
    """A thread that does what nothing depends on, one call after the other. Use as an asynchronous context manager.

    `name` says in words what is done there; `most` calls wait at the most. `grace` is in seconds of `clock`.
    """

    def __init__(
        self,
        name: str,
        most: int = MOST_WAITING,
        grace: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._most = most
        self._grace = grace
        self._clock = clock
        self._called_at: float | None = None
        self._waiting: deque[Callable[[], object]] = deque()
        self._over = threading.Event()
        self._abandoned = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self.dropped = 0
        self.failed = 0

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._thread.join, self._patience())
        if self._thread.is_alive():
            self._abandoned = True
            _say("something that only shows doesn't come to its end, and is left behind", what=self._name)
        if self.dropped:
            _say("something that only shows was too slow", what=self._name, calls_dropped=self.dropped)

    def _patience(self) -> float:
        """How long to wait at the end: what hangs has had some of the grace, or all of it, while the run went on."""
        called_at = self._called_at
        return self._grace if called_at is None else max(0.0, self._grace - (self._clock() - called_at))

    def post(self, act: Callable[[], object]) -> None:
        """Have it done, if there is room for it."""
        if len(self._waiting) < self._most:
            self._waiting.append(act)
        else:
            self.dropped += 1

    def post_last(self, act: Callable[[], object]) -> None:
        """Have it done after all else, however much that is."""
        self._waiting.append(act)

    def _work(self) -> None:
        over = False
        while not over:
            over = self._over.wait(LOOK_SECONDS)
            while self._waiting and not self._abandoned:
                self._do(self._waiting.popleft())

    def _do(self, act: Callable[[], object]) -> None:
        self._called_at = self._clock()
        try:
            act()
        except BaseException as error:
            self.failed += 1
            if self.failed == 1:
                reason = str(error) or type(error).__name__
                _say("something that only shows fails: the run goes on", what=self._name, reason=reason)
        finally:
            self._called_at = None


def _say(event: str, **what: object) -> None:
    with suppress(Exception):  # a log is something that only shows, too
        structlog.get_logger().warning(event, **what)


async def within(seconds: float, act: Callable[[], object]) -> str:
    """Do `act` in a thread of its own, and wait for it so long at the most. Why it isn't done, in words; empty if it
    is."""
    trouble = [f"not done within {seconds:g} s"]

    def work() -> None:
        try:
            act()
            trouble[0] = ""
        except OSError as error:
            trouble[0] = error.strerror or str(error)
        except BaseException as error:
            trouble[0] = str(error) or type(error).__name__

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(thread.join, seconds)
    return trouble[0]


class _Watched:
    """An observer that stands before those of an audience, who are called from aside."""

    def __init__(self, aside: Aside, audience: Audience, chunks: Chunks, numbers: Sequence[int]) -> None:
        self._aside = aside
        self._audience = audience
        self._chunks = chunks
        self._numbers = numbers
        self._shown: AbstractContextManager[Observer] | None = None
        self._observer: Observer = Silence()

    def enter(self) -> None:
        shown = self._audience(self._chunks, self._numbers)
        self._observer = shown.__enter__()
        self._shown = shown

    def leave(self) -> None:
        if self._shown is not None:
            self._shown.__exit__(None, None, None)

    def attempted(self, attempt: Attempt[bool]) -> None:
        """A delete was sent and answered, or was not."""
        self._aside.post(lambda: self._observer.attempted(attempt))

    def settled(self, outcome: Outcome, pairs: int) -> None:
        """A chunk of `pairs` pairs has an outcome, and it is on disk."""
        self._aside.post(lambda: self._observer.settled(outcome, pairs))

    def paused(self, seconds: float, reason: str) -> None:
        """No call will start for so many seconds."""
        self._aside.post(lambda: self._observer.paused(seconds, reason))

    def held(self, holding: Holding) -> None:
        """This holds the run back now."""
        self._aside.post(lambda: self._observer.held(holding))


@asynccontextmanager
async def watching(audience: Audience, chunks: Chunks, numbers: Sequence[int]) -> AsyncIterator[Observer]:
    """Within this block the audience is told how the chunks with these numbers are being sent, as far as it listens."""
    async with Aside("progress") as aside:
        watched = _Watched(aside, audience, chunks, numbers)
        aside.post(watched.enter)
        try:
            yield watched
        finally:
            aside.post_last(watched.leave)
