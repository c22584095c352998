"""Reads back: is the state gone where it should be, and still there where it should stay?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

import anyio

from bulkstate.engine.reads import ReadFailed, Reads
from bulkstate.errors import BulkstateError
from bulkstate.model import Chunk, Pair, Stage
from bulkstate.pairs.chunks import Chunks
from bulkstate.policy.sampling import Sample, Stratum, drawn

READERS: Final = 8
"""Reads under way at once: the gate paces them, and others' calls go through it as well."""

Heard: TypeAlias = Callable[[int, frozenset[Pair] | ReadFailed], None]
"""Is told what a read found: its place among those asked for, and the pairs with state, or why nobody could say."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Requests drawn at random from those that are deleted, stage by stage."""

    chunks: tuple[int, ...]
    strata: tuple[Stratum, ...]


def draw(chunks: Chunks, deleted: Sequence[int], wanted: Sample, random: Random) -> Draw:
    """As many of the deleted requests as are wanted, without replacement, from each stage its share."""
    stages: dict[Stage, list[int]] = {}
    for number in deleted:
        stages.setdefault(chunks.place(number)[0].stage, []).append(number)
    parts = drawn(wanted, list(map(len, stages.values())))
    drawn_ones = [
        number
        for numbers, part in zip(stages.values(), parts, strict=True)
        for number in sorted(random.sample(numbers, part))
    ]
    strata = (Stratum(len(numbers), part) for numbers, part in zip(stages.values(), parts, strict=True))
    return Draw(tuple(drawn_ones), tuple(strata))


async def read_all(reads: Reads, chunks: Sequence[Chunk] | Iterator[Chunk], heard: Heard) -> None:
    """Read all chunks, some at once, and tell of each as it is answered. A read that is given up ends nothing."""
    waiting = iter(enumerate(chunks))
    ending: BulkstateError | None = None

    async def read_on() -> None:
        nonlocal ending
        try:
            for place, chunk in waiting:
                try:
                    found: frozenset[Pair] | ReadFailed = await reads.state(chunk)
                except ReadFailed as failure:
                    found = failure
                heard(place, found)
        except BulkstateError as error:
            ending = error
            readers.cancel_scope.cancel()

    async with anyio.create_task_group() as readers:
        for _ in range(READERS):
            readers.start_soon(read_on)
    if ending is not None:
        raise ending


async def with_state(reads: Reads, chunks: Sequence[Chunk] | Iterator[Chunk]) -> tuple[tuple[Stage, Pair], ...]:
    """Those of the chunks' pairs that have state, in order. ReadFailed if the gateway doesn't say."""
    found: list[tuple[Stage, Pair]] = []
    for chunk in chunks:
        found.extend((chunk.stage, pair) for pair in sorted(await reads.state(chunk)))
    return tuple(found)
