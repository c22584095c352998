"""Reads back chunks of which nobody knows whether they are deleted: an attempt may have arrived, and none was answered.

What an unanswered attempt did can be seen once it can't be under way any more.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from bulkstate.engine.reads import ReadFailed, Reads
from bulkstate.model import Chunk

MOST_TIMES: Final = 2
"""So often a chunk that was found with state is sent again. Where nothing of it is ever answered, it is given up."""

RESOLVED: Final = "resolved: no attempt was answered, and read back none of its pairs has state"
REMAINS: Final = "no attempt was answered, and read back it still has state"


class Resolution(Enum):
    """What a chunk was found to be."""

    DELETED = "none of its pairs has state"
    STILL_THERE = "some of its pairs have state"
    NOTHING = "the gateway doesn't say"


class Resolver:
    """Reads chunks back, `after` so many seconds in which every attempt must have come to its end."""

    def __init__(self, reads: Reads, after: float) -> None:
        self._reads = reads
        self.after: Final = after

    async def look(self, chunk: Chunk) -> Resolution:
        """What the chunk is. GateClosed, JournalNotWritable."""
        try:
            state = await self._reads.state(chunk)
        except ReadFailed:
            return Resolution.NOTHING
        return Resolution.STILL_THERE if state else Resolution.DELETED
