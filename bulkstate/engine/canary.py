"""One chunk of a stage goes first, and is read back before the rest of its stage follows: where a gateway answers
"deleted" and deletes nothing, or something else goes wrong with all of them, one request is the damage.

Canaries of all stages go side by side, with the chunks of stages that have none.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Final

import anyio

from bulkstate.engine.gate import GateClosed
from bulkstate.engine.reads import ReadFailed, Reads
from bulkstate.errors import CanaryFailed, Stopped
from bulkstate.model import Chunk, Outcome, Pair, Stage, Verdict
from bulkstate.pairs.chunks import Chunks

READ_AGAIN: Final = 1.0
"""Seconds between two reads of a canary that still has state."""

PARTS_READ: Final = 3
"""So many parts of a canary that was cut are read, the largest."""


class Canary:
    """Knows which chunks go first. Each stage has some `candidates`, tried in turn until one is deleted; one whose
    state isn't gone `patience` seconds after the first read ends the run."""

    def __init__(self, reads: Reads, candidates: Mapping[Stage, Sequence[int]], patience: float) -> None:
        self._reads = reads
        self._patience = patience
        self._left = {stage: list(numbers) for stage, numbers in candidates.items()}
        self._tried: dict[int, Stage] = {}
        self._deleted: dict[int, list[int]] = {}
        self.suspects: list[Outcome] = []
        """Records for canaries that still have state."""

    def next(self) -> list[int]:
        """The chunks that are to be sent now, one of each stage that has no canary yet; none if all have, or if no
        candidate is left."""
        deleted = {self._tried[origin] for origin in self._deleted}
        chosen = {numbers.pop(0): stage for stage, numbers in self._left.items() if numbers and stage not in deleted}
        self._tried |= chosen
        return sorted(chosen)

    def holds_back(self, stage: Stage) -> bool:
        """Whether the chunks of a stage have to wait for its canary."""
        return stage in self._left

    def was_sent(self, number: int) -> bool:
        """Whether a chunk was sent as a canary."""
        return number in self._tried

    def deleted(self, origin: int, number: int) -> None:
        """A chunk, or a part of it, was deleted."""
        if origin in self._tried:
            self._deleted.setdefault(origin, []).append(number)

    async def come_back(self, chunks: Chunks, refused: Container[Stage]) -> None:
        """Read back those that were deleted, side by side. A stage that was refused needs none. CanaryFailed if one
        still has state, or can't be read, or if no candidate of a stage is left; or what else ends the run."""
        back = {self._tried[origin] for origin in self._deleted}
        failures: list[Stopped] = []

        async def look(chunk: Chunk) -> None:
            try:
                await self._read(chunk)
            except Stopped as failure:
                failures.append(failure)

        async with anyio.create_task_group() as reading:
            for deleted in self._deleted.values():
                for part in sorted(deleted, key=chunks.pairs, reverse=True)[:PARTS_READ]:
                    reading.start_soon(look, chunks.chunk(part))
        if failures:
            raise failures[0]
        self._deleted.clear()
        for stage in list(self._left):
            if stage in back or stage in refused:
                del self._left[stage]
            elif not self._left[stage]:
                why = f"no canary of stage {stage} could be deleted, so the rest of it was not sent"
                raise CanaryFailed(why, hint=_HINT)

    async def _read(self, chunk: Chunk) -> None:
        ends = anyio.current_time() + self._patience
        while found := await self._state(chunk):
            if anyio.current_time() >= ends:
                still = "1 pair still has" if len(found) == 1 else f"{len(found):,} pairs still have"
                self.suspects.append(Outcome(chunk.number, Verdict.SUSPECT, message=f"canary: {still} state"))
                first = min(found)
                raise CanaryFailed(
                    f'the canary of stage {chunk.stage} was answered "deleted", and {len(found):,} of its'
                    f" {chunk.pairs:,} pairs still hold state (first: {first.asset}, {first.point}), so the rest"
                    " of it was not sent",
                    hint=_HINT,
                )
            await anyio.sleep(READ_AGAIN)

    async def _state(self, chunk: Chunk) -> frozenset[Pair]:
        try:
            return await self._reads.state(chunk)
        except GateClosed:
            return frozenset()  # the run has ended already
        except ReadFailed as failure:
            why = f"the canary can't be read back: {failure}; the rest of its stage was not sent"
            raise CanaryFailed(why, hint=_HINT) from failure


_HINT: Final = "see what the gateway does with a delete, then `bulkstate resume`; safety.canary: false goes without one"
