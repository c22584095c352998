"""The entries of `delete`: what is selected, as written. Nothing is read or unfolded here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Final, TypeAlias

from bulkstate.errors import Problem
from bulkstate.forms import nodes
from bulkstate.forms.place import Place
from bulkstate.forms.sections import Either, Found, ListOf, Made, Maybe, Section
from bulkstate.forms.single import AnyText, Choice, FilePath, JsonObject, Text
from bulkstate.model import Stage
from bulkstate.pairs.relation import Unlisted
from bulkstate.selection import ASSET_ID, POINT_ID, STDIN, BlockSource, Entry, IdList, PairSource, Source

_LIST_FILE: Final = re.compile(r".*(\.(txt|csv|tsv|ndjson|jsonl|parquet)(\.gz|\.zst)?|/)|-", re.DOTALL | re.IGNORECASE)
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


_NAME: Final = Text("a name")


@dataclass(frozen=True, slots=True)
class _Columns:
    """What tables call their columns."""

    asset: Annotated[str | None, Maybe(_NAME), "The column of asset IDs, asset_id unless named."] = None
    point: Annotated[str | None, Maybe(_NAME), "The column of point IDs, point_id unless named."] = None

    def over(self, usual: _Columns) -> _Columns:
        """These names, and the usual ones where there is none."""
        return _Columns(self.asset or usual.asset, self.point or usual.point)


_COLUMNS: Final = Section(_Columns)


class _Spelling(StrEnum):
    """How IDs are taken."""

    CHECKED = "checked"
    LITERAL = "literal"


class _IfEmpty(StrEnum):
    """What comes of a table without rows."""

    ERROR = "error"
    ALLOW = "allow"


class _Unmatched(StrEnum):
    """What comes of a table to keep that has nothing to do with the selection."""

    REFUSE = "refuse"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class _Usual:
    """How the sources of an entry are read that don't say so themselves."""

    columns: _Columns = _Columns()
    ids: _Spelling = _Spelling.CHECKED


@dataclass(frozen=True, slots=True)
class _OnePair:
    """A pair in place: `[asset, point]`."""

    def read(self, at: Place) -> tuple[str, str]:
        if not isinstance(at.node, nodes.Sequence) or len(at.node.items) != 2:
            raise at.expected("a pair such as [WTG0001, WTG.GenSpd]")
        asset, point = _IDS.read(at)
        return asset, point

    def schema(self) -> JsonObject:
        return {"type": "array", "items": _ID.schema(), "minItems": 2, "maxItems": 2}


_PAIRS: Final = ListOf(_OnePair(), "pairs")


@dataclass(frozen=True, slots=True)
class _PairsPath:
    """Where a table of single pairs is read from, or the pairs themselves."""

    def read(self, at: Place) -> PairSource:
        """The pairs or their path, and where it stands."""
        if isinstance(at.node, nodes.Sequence):
            return PairSource(None, at.where, at.field, values=_PAIRS.read(at))
        return PairSource(InputPath().read(at), at.where, at.field)

    def schema(self) -> JsonObject:
        """Either."""
        return {"anyOf": [InputPath().schema(), _PAIRS.schema()]}


_COLUMNS_KEY: TypeAlias = Annotated[
    _Columns, _COLUMNS, "What its tables call their columns, if not what the entry says."
]
_IDS_KEY: TypeAlias = Annotated[
    _Spelling | None,
    Maybe(Choice(_Spelling)),
    "literal: every line and value is an ID as it stands.",
]
_EMPTY_KEY: TypeAlias = Annotated[_IfEmpty, Choice(_IfEmpty), "Whether a table may have no rows: error, or allow."]


@dataclass(frozen=True, slots=True)
class _TableKeys:
    pairs: Annotated[PairSource, _PairsPath(), "A file of single pairs: asset_id, point_id."]
    columns: _COLUMNS_KEY = _Columns()
    ids: _IDS_KEY = None
    empty: _EMPTY_KEY = _IfEmpty.ERROR

    def source(self, usual: _Usual = _Usual()) -> PairSource:
        columns = self.columns.over(usual.columns)
        return replace(
            self.pairs,
            asset_column=columns.asset or ASSET_ID,
            point_column=columns.point or POINT_ID,
            literal=(self.ids or usual.ids) is _Spelling.LITERAL,
            may_be_empty=self.empty is _IfEmpty.ALLOW,
        )


@dataclass(frozen=True, slots=True)
class _Table:
    """A path, or a mapping that also says how the table is read."""

    _keys: ClassVar = Section(_TableKeys)

    def read(self, at: Place) -> _TableKeys:
        return self._keys.read(at) if isinstance(at.node, nodes.Mapping) else _TableKeys(_PairsPath().read(at))

    def schema(self) -> JsonObject:
        return {"anyOf": [_PairsPath().schema(), self._keys.schema()]}


@dataclass(frozen=True, slots=True)
class PairsOf:
    """A table of single pairs: its path, or a mapping that also says how it is read."""

    def read(self, at: Place) -> PairSource:
        """The table and where it stands."""
        return _Table().read(at).source()

    def schema(self) -> JsonObject:
        """Either."""
        return _Table().schema()


@dataclass(frozen=True, slots=True)
class _SourceKeys:
    assets: Annotated[IdList | None, Ids(), "Asset IDs: a list, a pattern such as WTG{0001..2000}, or a file."] = None
    points: Annotated[IdList | None, Ids(), "Point IDs, likewise: every asset is taken with every point."] = None
    pairs: Annotated[PairSource | None, _PairsPath(), "A file of single pairs: asset_id, point_id."] = None
    columns: _COLUMNS_KEY = _Columns()
    ids: _IDS_KEY = None
    empty: _EMPTY_KEY = _IfEmpty.ERROR

    def source(self, usual: _Usual) -> Source:
        if self.pairs is not None:
            return _TableKeys(self.pairs, self.columns, self.ids, self.empty).source(usual)
        if self.assets is None or self.points is None:
            raise AssertionError("the rules let no such section through")
        columns, literal = self.columns.over(usual.columns), (self.ids or usual.ids) is _Spelling.LITERAL
        return BlockSource(
            replace(self.assets, column=columns.asset, literal=literal),
            replace(self.points, column=columns.point, literal=literal),
        )


_BLOCK_OR_PAIRS: Final = Either(
    ("assets", "points"), "pairs", "a block is every asset with every point", "selects nothing"
)


def _empty_pairs(found: Found) -> Iterator[Problem]:
    if "empty" in found.written and "pairs" not in found.written:
        yield found.problem("empty", "is for pairs: a block without an asset or a point is a mistake")


def _keep_unmatched_of_keep(found: Found) -> Iterator[Problem]:
    if "keep_unmatched" in found.written and "keep" not in found.written:
        yield found.problem("keep_unmatched", "is about keep, and nothing is kept here")


_SOURCE: Final = Section(_SourceKeys, (_BLOCK_OR_PAIRS, _empty_pairs))


@dataclass(frozen=True, slots=True)
class _PipelineKeys:
    id: Annotated[str, _NAME, "The pipeline's ID."]
    name: Annotated[str, _NAME, "What it has to be called."]


@dataclass(frozen=True, slots=True)
class _PipelineOf:
    """An ID, or a mapping that also says what the pipeline has to be called."""

    _keys: ClassVar = Section(_PipelineKeys)

    def read(self, at: Place) -> _PipelineKeys:
        return self._keys.read(at) if isinstance(at.node, nodes.Mapping) else _PipelineKeys(_NAME.read(at), "")

    def schema(self) -> JsonObject:
        return {"anyOf": [_NAME.schema(), self._keys.schema()]}


@dataclass(frozen=True, slots=True)
class _EntryKeys:
    pipeline: Annotated[_PipelineKeys, _PipelineOf(), "The pipeline's ID; or {id, name}: its name is checked, too."]
    stages: Annotated[tuple[str, ...], ListOf(_NAME, "stages"), "The stages whose state goes, by instance name."]
    where: Annotated[tuple[_SourceKeys, ...], ListOf(_SOURCE, "blocks or pairs"), "Blocks (assets, points) and pairs."]
    keep: Annotated[
        _TableKeys | None, Maybe(_Table()), "A file of pairs that no request may hold: asset_id, point_id."
    ] = None
    keep_unmatched: Annotated[
        _Unmatched, Choice(_Unmatched), "Whether keep may name nothing that is selected: refuse, or allow."
    ] = _Unmatched.REFUSE
    unlisted: Annotated[
        Unlisted, Choice(Unlisted), "Pairs neither selected nor kept: keep, or may_delete if that saves requests."
    ] = Unlisted.KEEP
    columns: Annotated[_Columns, _COLUMNS, "What the entry's tables call their columns."] = _Columns()
    ids: Annotated[_Spelling, Choice(_Spelling), "literal: every line and value is an ID as it stands."] = (
        _Spelling.CHECKED
    )

    def entry(self) -> Entry:
        usual = _Usual(self.columns, self.ids)
        where = tuple(each.source(usual) for each in self.where)
        keep = None if self.keep is None else self.keep.source(usual)
        must_match = keep is not None and self.keep_unmatched is _Unmatched.REFUSE
        pipeline = self.pipeline
        return Entry(pipeline.id, self.stages, where, keep, self.unlisted, must_match, pipeline.name)


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


def agreed_on_names(found: Found) -> Iterator[Problem]:
    """Mistakes in the key `delete`: entries that call one pipeline by different names."""
    entries = found.values.get("delete")
    if not isinstance(entries, tuple):
        return
    first: dict[str, Entry] = {}
    for entry, at in zip(entries, found.written["delete"].items(), strict=True):
        other = first.setdefault(entry.pipeline, entry) if entry.pipeline_name else entry
        if other.pipeline_name != entry.pipeline_name:
            yield Problem(f"{entry.pipeline} has another name in an entry before", at.where, at.child("pipeline"))


ENTRIES: Final = ListOf(Made(Section(_EntryKeys, (_keep_unmatched_of_keep,)), _EntryKeys.entry), "entries")
