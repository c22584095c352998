"""The entries of `delete`: what is selected, as written. Nothing is read or unfolded here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from bulkstate.errors import Problem
from bulkstate.forms import nodes
from bulkstate.forms.place import Place
from bulkstate.forms.sections import Either, Found, ListOf, Made, Maybe, Section
from bulkstate.forms.single import AnyText, Choice, FilePath, JsonObject, Text
from bulkstate.model import Stage
from bulkstate.pairs.relation import Unlisted
from bulkstate.selection import ASSET_ID, POINT_ID, STDIN, BlockSource, Entry, IdList, PairSource, Source

_LIST_FILE: Final = re.compile(r".*(\.(txt|csv|ndjson|parquet)(\.gz|\.zst)?|/)|-", re.DOTALL | re.IGNORECASE)
_ID: Final = AnyText("an ID")
_IDS: Final = ListOf(_ID, "IDs")
"""IDs or patterns. What makes a good one is for the selection to say, wherever it comes from."""
_PATTERN: Final = re.compile(r".*\{[^{}]*\.\.[^{}]*\}.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class InputPath:
    """The path of a file or folder to select from, or `-` for standard input."""

    def read(self, at: Place) -> Path:
        """The path."""
        return STDIN if at.text("a path") == str(STDIN) else FilePath().read(at)

    def schema(self) -> JsonObject:
        """Any string but the empty one."""
        return FilePath().schema()


@dataclass(frozen=True, slots=True)
class Ids:
    """A list in place, a single pattern, or where a list is read from."""

    def read(self, at: Place) -> IdList:
        """The list as written, or its path."""
        if isinstance(at.node, nodes.Sequence):
            return self._list(_IDS.read(at), None, at)
        text = _ID.read(at)
        if _LIST_FILE.fullmatch(text):
            return self._list((), InputPath().read(at), at)
        if _PATTERN.fullmatch(text):
            return self._list((text,), None, at)
        expected = "a list, a file (.txt, .csv, .ndjson, .parquet), a folder/, or a pattern such as WTG{0001..2000}"
        raise at.expected(expected, "for a single ID, write a list: [ID]")

    def _list(self, values: tuple[str, ...], file: Path | None, at: Place) -> IdList:
        return IdList(values, file, at.where, at.field)

    def schema(self) -> JsonObject:
        """Either."""
        return {"anyOf": [_IDS.schema(), {"type": "string"}]}


@dataclass(frozen=True, slots=True)
class PairsOf:
    """Where a table of single pairs is read from."""

    def read(self, at: Place) -> PairSource:
        """The path and where it stands."""
        return PairSource(InputPath().read(at), at.where, at.field)

    def schema(self) -> JsonObject:
        """A path."""
        return InputPath().schema()


@dataclass(frozen=True, slots=True)
class _SourceKeys:
    assets: Annotated[IdList | None, Ids(), "Asset IDs: a list, a pattern such as WTG{0001..2000}, or a file."] = None
    points: Annotated[IdList | None, Ids(), "Point IDs, likewise: every asset is taken with every point."] = None
    pairs: Annotated[PairSource | None, PairsOf(), "A file of single pairs: asset_id, point_id."] = None

    def source(self) -> Source:
        if self.pairs is not None:
            return self.pairs
        if self.assets is None or self.points is None:
            raise AssertionError("the rules let no such section through")
        return BlockSource(self.assets, self.points)


_BLOCK_OR_PAIRS: Final = Either(
    ("assets", "points"), "pairs", "a block is every asset with every point", "selects nothing"
)
_SOURCE: Final = Made(Section(_SourceKeys, (_BLOCK_OR_PAIRS,)), _SourceKeys.source)
_NAME: Final = Text("a name")


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the tables of an entry call their columns."""

    asset: Annotated[str | None, Maybe(_NAME), "The column of asset IDs, asset_id unless named."] = None
    point: Annotated[str | None, Maybe(_NAME), "The column of point IDs, point_id unless named."] = None

    def of(self, source: Source) -> Source:
        """The source, to be read by these names."""
        if isinstance(source, PairSource):
            return self.of_pairs(source)
        return BlockSource(replace(source.assets, column=self.asset), replace(source.points, column=self.point))

    def of_pairs(self, source: PairSource) -> PairSource:
        """The same for a table of pairs."""
        return replace(source, asset_column=self.asset or ASSET_ID, point_column=self.point or POINT_ID)


@dataclass(frozen=True, slots=True)
class _EntryKeys:
    pipeline: Annotated[str, _NAME, "The pipeline's ID."]
    stages: Annotated[tuple[str, ...], ListOf(_NAME, "stages"), "The stages whose state goes, by instance name."]
    where: Annotated[tuple[Source, ...], ListOf(_SOURCE, "blocks or pairs"), "Blocks (assets, points) and pairs."]
    keep: Annotated[
        PairSource | None, Maybe(PairsOf()), "A file of pairs that no request may hold: asset_id, point_id."
    ] = None
    unlisted: Annotated[
        Unlisted, Choice(Unlisted), "Pairs neither selected nor kept: keep, or may_delete if that saves requests."
    ] = Unlisted.KEEP
    columns: Annotated[_Columns, Section(_Columns), "What the entry's tables call their columns."] = _Columns()

    def entry(self) -> Entry:
        where = tuple(map(self.columns.of, self.where))
        keep = None if self.keep is None else self.columns.of_pairs(self.keep)
        return Entry(self.pipeline, self.stages, where, keep, self.unlisted)


def agreed_on_unlisted(found: Found) -> Iterator[Problem]:
    """Mistakes in the key `delete`: entries that disagree on what may happen to unlisted pairs of the same stage."""
    entries = found.values.get("delete")
    if not isinstance(entries, tuple):
        return
    first: dict[Stage, tuple[Entry, Place]] = {}
    for entry, at in zip(entries, found.written["delete"].items(), strict=True):
        for stage in entry.targets:
            other, place = first.setdefault(stage, (entry, at))
            if other.unlisted is not entry.unlisted:
                message = f"{entry.unlisted} for {stage}, and {other.unlisted} in {place.field} ({place.where})"
                yield Problem(
                    message, at.where, at.child("unlisted"), "entries for the same stage are merged: say the same"
                )


ENTRIES: Final = ListOf(Made(Section(_EntryKeys), _EntryKeys.entry), "entries")
