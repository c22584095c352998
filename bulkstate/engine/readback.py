"""Reads back: is the state gone where it should be, and still there where it should stay?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, isqrt
from random import Random

from bulkstate.engine.reads import Reads
from bulkstate.model import Chunk, Pair, Stage
from bulkstate.pairs.chunks import Chunks

PROBES = 20
"""A sample is spread over about so many chunks: each costs a call."""


def sample(chunks: Chunks, deleted: Sequence[int], pairs: int, random: Random) -> Iterator[Chunk]:
    """Corners of deleted chunks, drawn at random, that hold about `pairs` pairs together: all, if they hold less."""
    share = max(1, ceil(pairs / PROBES))
    left = pairs
    for number in random.sample(deleted, len(deleted)):
        if left <= 0:
            return
        corner = _corner(chunks.chunk(number), min(share, left), random)
        left -= corner.pairs
        yield corner


def _corner(chunk: Chunk, pairs: int, random: Random) -> Chunk:
    """A random sub-rectangle of about `pairs` pairs, as near to a square as the chunk allows."""
    points = min(len(chunk.points), max(isqrt(pairs), ceil(pairs / len(chunk.assets))))
    assets = min(len(chunk.assets), max(1, pairs // points))
    return Chunk(
        chunk.number,
        chunk.stage,
        tuple(random.sample(chunk.assets, assets)),
        tuple(random.sample(chunk.points, points)),
    )


async def read_back(reads: Reads, chunks: Iterable[Chunk]) -> tuple[int, int]:
    """How many pairs were read, and how many of them have state. ReadFailed if the gateway doesn't say."""
    sampled = remaining = 0
    for chunk in chunks:
        remaining += len(await reads.state(chunk))
        sampled += chunk.pairs
    return sampled, remaining


async def with_state(reads: Reads, chunks: Iterable[Chunk]) -> tuple[tuple[Stage, Pair], ...]:
    """Those of the chunks' pairs that have state, in order. ReadFailed if the gateway doesn't say."""
    found: list[tuple[Stage, Pair]] = []
    for chunk in chunks:
        found.extend((chunk.stage, pair) for pair in sorted(await reads.state(chunk)))
    return tuple(found)
