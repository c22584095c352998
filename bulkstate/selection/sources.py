"""What a configuration selects, as written there: nothing is read or unfolded yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from bulkstate.model import Stage
from bulkstate.pairs.relation import Unlisted

ASSET_ID: Final = "asset_id"
POINT_ID: Final = "point_id"
PIPELINE: Final = "pipeline"
STAGE: Final = "stage"
"""What the columns of tables are called. The last two are read if both are there: a row is then for one stage alone."""

STDIN: Final = Path("-")
"""Stands for standard input, in place of a file."""


@dataclass(frozen=True, slots=True)
class IdList:
    """A list of IDs: those of `values`, patterns such as `{0001..2000}` not unfolded, and those of `file`.

    `file` may be a directory of files, or `STDIN`. `where` is the place in the configuration (`config.yaml:12`),
    `field` the path of the key that holds the list. `column` names the IDs in a table: None for `asset_id` or
    `point_id`, as fits.
    """

    values: tuple[str, ...]
    file: Path | None
    where: str
    field: str
    column: str | None = None
    literal: bool = False

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return _place(self)


@dataclass(frozen=True, slots=True)
class BlockSource:
    """Every asset with every point."""

    assets: IdList
    points: IdList

    @property
    def entry(self) -> str:
        """Which entry of `where` it is, for people."""
        return _entry(self.assets)


@dataclass(frozen=True, slots=True)
class PairSource:
    """Single pairs: those of `values`, or a table's, by the names of its columns; `file` may be a directory of tables,
    or `STDIN`.

    `literal` as in a list. One that `may_be_empty` needs no rows.
    """

    file: Path | None
    where: str
    field: str
    asset_column: str = ASSET_ID
    point_column: str = POINT_ID
    literal: bool = False
    may_be_empty: bool = False
    values: tuple[tuple[str, str], ...] = ()

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return _place(self)

    @property
    def entry(self) -> str:
        """Which entry of `where` it is, for people."""
        return _entry(self)

    @property
    def name(self) -> str:
        """What is read, for people."""
        return self.field if self.file is None else str(self.file)


def _place(source: IdList | PairSource) -> str:
    return f"{source.field} ({source.where})"


def _entry(source: IdList | PairSource) -> str:
    return f"{source.field.rpartition('.')[0]} ({source.where})"


Source: TypeAlias = BlockSource | PairSource


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `delete`: what `where` selects, in each of `stages` of one pipeline, without the pairs of `keep`.

    What is kept has to name an asset or a point that is selected, if `keep_must_match`. The pipeline has to be called
    `pipeline_name`, unless that is empty.
    """

    pipeline: str
    stages: tuple[str, ...]
    where: tuple[Source, ...]
    keep: PairSource | None = None
    unlisted: Unlisted = Unlisted.KEEP
    keep_must_match: bool = False
    pipeline_name: str = ""

    @property
    def sources(self) -> tuple[Source, ...]:
        """All that is read for this entry."""
        return self.where if self.keep is None else (*self.where, self.keep)

    @property
    def targets(self) -> tuple[Stage, ...]:
        """The stages that lose state, each once."""
        return tuple(Stage(self.pipeline, name) for name in dict.fromkeys(self.stages))
