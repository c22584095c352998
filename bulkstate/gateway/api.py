"""The API as whoever calls it sees it: Protocols, so that a run works over HTTP and, in tests, on a virtual clock."""

from __future__ import annotations

from typing import Any, Protocol

from bulkstate.model import Attempt, Chunk, Pair, PipelinePage, Start


class StageStateApi(Protocol):
    """The gateway's calls. Each waits for the pacer, makes one HTTP exchange and never retries by itself.

    No call raises for what the gateway or the network does: that is in the attempt's reply.
    """

    async def delete(self, chunk: Chunk) -> Attempt[bool]:
        """Delete Stage State for the chunk's cross product."""
        ...

    async def get(self, chunk: Chunk) -> Attempt[frozenset[Pair]]:
        """Get Stage State: those of the chunk's pairs that have state."""
        ...

    async def pipelines(self, page: int) -> Attempt[PipelinePage]:
        """List Pipelines, `page` counted from 1."""
        ...

    async def renew(self, refused_at: float) -> bool:
        """Make new credentials after a call that was sent at `refused_at` (loop seconds) was answered `CREDENTIALS`.

        Renews once for all who wait: credentials younger than `refused_at` are left alone. False: no renewal possible.
        """
        ...


class PipelineApi(Protocol):
    """The calls that are about one pipeline. As those of `StageStateApi`."""

    async def details(self, pipeline: str) -> Attempt[frozenset[str]]:
        """Get Pipeline Details: the texts in a pipeline's description, the names of its stages among them."""
        ...

    async def pause(self, pipeline: str) -> Attempt[bool]:
        """Pause a pipeline, by its ID; when it is answered it may not be paused yet."""
        ...

    async def start(self, pipeline: str, how: Start) -> Attempt[bool]:
        """Start a pipeline, by its ID; when it is answered it may not run yet."""
        ...


class NoTurn(Exception):
    """No turn comes any more: the run is ending, and the call was not made."""


class Turns(Protocol):
    """Who says when a call may start, and is told how it ended. Times are loop seconds."""

    @property
    def failing(self) -> bool:
        """Every delete fails, so that not even a connection may be tried before its turn."""
        ...

    async def acquire(self, deletes: bool = False) -> None:
        """Wait for the next call's turn; if it `deletes`, also until it is known that it may. NoTurn, or what ends the
        run, if none comes any more."""
        ...

    def answered(self, attempt: Attempt[Any]) -> None:
        """A call that had its turn has ended."""
        ...

    def broken_off(self, sent_at: float) -> None:
        """A call that had its turn, at `sent_at` or just before, wasn't made, or nobody waits for its answer."""
        ...
