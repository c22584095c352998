"""The one thread that works on the store, so that SQL never holds up the event loop."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Worker:
    """Runs what blocks, one piece at a time, in the order in which it was asked to."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "emulator")

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns. It is done even if the caller is cancelled meanwhile."""
        return await get_running_loop().run_in_executor(self._thread, work)

    def stop(self) -> None:
        """Wait for what is under way, and end the thread."""
        self._thread.shutdown()
