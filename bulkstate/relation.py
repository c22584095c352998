"""The target as a value: which pairs lose their state, in one stage.

A block (assets × points) is never expanded into pairs. Single pairs are encoded as 64-bit integers, asset position
times the number of points plus point position, so that fifty million of them are 400 MB, sorted like any integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import IndexArray, Stage


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Every one of `assets` with every one of `points`, as positions in the relation's dictionaries."""

    assets: IndexArray
    points: IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """What is selected in one stage: the union of its blocks and its pairs.

    `assets` and `points` are sorted dictionaries without duplicates. `pairs` are codes, ascending, each once.
    `duplicates` counts what was named more than once, for the user to see.
    """

    stage: Stage
    assets: tuple[str, ...]
    points: tuple[str, ...]
    blocks: tuple[Block, ...]
    pairs: NDArray[np.int64]
    duplicates: int = 0
