"""Ends a run from outside, by a signal or by hand: gently while chunks are being sent, at once otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

from bulkstate.engine.engine import Engine
from bulkstate.errors import BulkstateError


class Stopping:
    """For one run. Whoever catches the signal, or is asked to stop, calls `stop`; the innermost block that is entered
    decides how the run ends."""

    def __init__(self) -> None:
        self.reason: BulkstateError | None = None
        self._end: Callable[[BulkstateError], None] | None = None

    def stop(self, reason: BulkstateError) -> None:
        """End the run. Only the first reason counts."""
        self.reason = self.reason or reason
        if self._end is not None:
            self._end(self.reason)

    def over(self) -> None:
        """The run has come to its end, which is on record: whoever asks now is too late."""
        self._end = None

    @contextmanager
    def drains(self, engine: Engine) -> Iterator[None]:
        """Within this block the engine is stopped, which lets calls under way end."""
        with self._ending_by(engine.stop):
            yield

    @contextmanager
    def cancels(self) -> Iterator[None]:
        """Within this block whatever is awaited is cancelled, and the reason comes out of it."""
        with anyio.CancelScope() as scope, self._ending_by(lambda _: scope.cancel()):
            yield
        if self.reason is not None and scope.cancelled_caught:
            raise self.reason

    @contextmanager
    def _ending_by(self, end: Callable[[BulkstateError], None]) -> Iterator[None]:
        outer, self._end = self._end, end
        if self.reason is not None:
            end(self.reason)
        try:
            yield
        finally:
            self._end = outer
