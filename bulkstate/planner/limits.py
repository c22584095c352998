"""What one request may hold, and what the IDs take of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bulkstate.gateway import wire
from bulkstate.model import Rectangle
from bulkstate.pairs.relation import Relation


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may hold: so many pairs, and so many bytes of encoded body. Both at least 1."""

    pairs: int
    bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What a stage's IDs take in a body, in bytes: each with a comma after it; `frame` is the rest, less two commas."""

    assets: NDArray[np.int64]
    points: NDArray[np.int64]
    frame: int

    def of(self, rectangle: Rectangle) -> int:
        """The size of the rectangle's body."""
        return self.frame + int(self.assets[rectangle.assets].sum()) + int(self.points[rectangle.points].sum())


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Rectangles within the limits, and the size of their bodies together, in bytes."""

    rectangles: tuple[Rectangle, ...]
    body_bytes: int


def weigh(relation: Relation) -> Weights:
    """What the relation's IDs take in a request body."""
    return Weights(_sizes(relation.assets), _sizes(relation.points), wire.frame_size(relation.stage) - 2)


def _sizes(ids: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array(wire.id_sizes(ids), np.int64) + 1
