"""Ends a run from outside, by a signal or by hand: gently while chunks are being sent, at once otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from bulkstate.engine.engine import Engine
from bulkstate.errors import BulkstateError


class Brake:
    """For one run. Whoever catches the signal, or is asked to stop, calls `pull`."""

    def __init__(self) -> None:
        self.reason: BulkstateError | None = None
        self._engine: Engine | None = None
        self._scope: anyio.CancelScope | None = None

    def pull(self, reason: BulkstateError) -> None:
        """End the run. Only the first reason counts."""
        self.reason = self.reason or reason
        if self._engine is not None:
            self._engine.stop(self.reason)
        elif self._scope is not None:
            self._scope.cancel()

    @contextmanager
    def gently(self, engine: Engine) -> Iterator[None]:
        """Within this block a pull stops the engine, which lets calls under way end."""
        self._engine = engine
        if self.reason is not None:
            engine.stop(self.reason)
        try:
            yield
        finally:
            self._engine = None

    @contextmanager
    def around(self) -> Iterator[None]:
        """Within this block a pull cancels, and the reason comes out of it."""
        with anyio.CancelScope() as self._scope:
            if self.reason is not None:
                self._scope.cancel()
            yield
        if self.reason is not None and self._scope.cancelled_caught:
            raise self.reason
