"""What one request may hold, and what the IDs take of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bulkstate.gateway import wire
from bulkstate.model import IndexArray, Rectangle
from bulkstate.pairs.relation import Relation

IdSizes: TypeAlias = NDArray[np.int32]
"""Bytes of each ID with a comma after it: half the memory of 64 bits, and numpy adds them up in 64."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may hold: so many pairs, and so many bytes of encoded body. Both at least 1."""

    pairs: int
    bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What a stage's IDs take in a body, in bytes: each with a comma after it; `frame` is the rest, less two commas."""

    assets: IdSizes
    points: IdSizes
    frame: int

    def of(self, rectangle: Rectangle) -> int:
        """The size of the rectangle's body."""
        return self.frame + int(self.assets[rectangle.assets].sum()) + int(self.points[rectangle.points].sum())

    def of_all(self, rectangles: Sequence[Rectangle]) -> Iterator[int]:
        """The size of each rectangle's body. Tiles of a grid share their sides: each is added up once."""
        assets, points = _Sums(self.assets), _Sums(self.points)
        return (self.frame + assets.of(each.assets) + points.of(each.points) for each in rectangles)


class _Sums:
    """What the IDs of sides take, by the arrays that hold them."""

    def __init__(self, sizes: IdSizes) -> None:
        self._sizes = sizes
        self._known: dict[int, int] = {}

    def of(self, side: IndexArray) -> int:
        if len(side) == 1:
            return int(self._sizes[side[0]])
        found = self._known.get(id(side))
        if found is None:
            found = self._known[id(side)] = int(self._sizes[side].sum())
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Rectangles within the limits, and the size of their bodies together, in bytes."""

    rectangles: tuple[Rectangle, ...]
    body_bytes: int


def weigh(relation: Relation) -> Weights:
    """What the relation's IDs take in a request body."""
    return Weights(_sizes(relation.assets), _sizes(relation.points), wire.frame_size(relation.stage) - 2)


def _sizes(ids: tuple[str, ...]) -> IdSizes:
    sizes = np.fromiter(wire.id_sizes(ids), np.int32, len(ids))
    sizes += 1
    return sizes


def sums_before(sizes: IdSizes) -> NDArray[np.int64]:
    """The bytes of the IDs before each, and of all."""
    sums = np.zeros(sizes.size + 1, np.int64)
    sums[1:] = sizes
    np.cumsum(sums, out=sums)  # in place: of 32 bits it would copy the sizes
    return sums
