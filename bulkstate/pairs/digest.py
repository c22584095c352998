"""What makes two plans the same: the digest of their canonical chunks."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from bulkstate.model import IndexArray, StagePlan

FORMAT = b"bulkstate plan 1\n"


def digest(stages: Iterable[StagePlan]) -> str:
    """SHA-256, in hex, of the chunks in order, as what is sent: not as positions in a dictionary.

    Hashed is `bulkstate plan 1` and a line feed, then 128 bytes a chunk: the SHA-256 each of the pipeline, of the
    stage's name, of the assets joined by commas, and of the points joined by commas, all in UTF-8. No ID holds a comma,
    and every part has a fixed length, so that different chunks never give the same bytes.
    """
    total = sha256(FORMAT)
    known: dict[tuple[int, int, int], list[bytes]] = {}
    for stage in stages:
        shared = id(stage.assets), id(stage.points), id(stage.rectangles)
        if shared not in known:
            known[shared] = _sides(stage)
        head = _hash(stage.stage.pipeline) + _hash(stage.stage.name)
        total.update(b"".join(part for sides in known[shared] for part in (head, sides)))
    return total.hexdigest()


def _sides(stage: StagePlan) -> list[bytes]:
    """The hashes of each chunk's assets and points. Stages of one selection share their rectangles."""
    assets, points = _Sides(stage.assets), _Sides(stage.points)
    return [assets.hash(rectangle.assets) + points.hash(rectangle.points) for rectangle in stage.rectangles]


class _Sides:
    """Hashes of lists of IDs. Tiles of a grid share their sides' arrays: each is hashed once."""

    def __init__(self, ids: tuple[str, ...]) -> None:
        self._ids = ids
        self._known: dict[int, bytes] = {}

    def hash(self, side: IndexArray) -> bytes:
        known = self._known.get(id(side))
        if known is None:
            known = self._known[id(side)] = _hash(",".join(map(self._ids.__getitem__, side.tolist())))
        return known


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
