"""What a configuration selects, as written there: nothing is read or unfolded yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class IdList:
    """A list of IDs: those of `values`, patterns such as `{0001..2000}` not unfolded, and those of `file`.

    `where` is the place in the configuration (`config.yaml:12`), `field` the path of the key that holds the list.
    """

    values: tuple[str, ...]
    file: Path | None
    where: str
    field: str


@dataclass(frozen=True, slots=True)
class BlockSource:
    """Every asset with every point."""

    assets: IdList
    points: IdList


@dataclass(frozen=True, slots=True)
class PairSource:
    """A file of single pairs, with the columns `asset_id` and `point_id`."""

    file: Path
    where: str
    field: str


Source: TypeAlias = BlockSource | PairSource


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `delete`: what `where` selects, in each of `stages` of one pipeline."""

    pipeline: str
    stages: tuple[str, ...]
    where: tuple[Source, ...]
