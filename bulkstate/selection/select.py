"""Entries of a configuration become relations, one a stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, repeat
from operator import itemgetter
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bulkstate.errors import InputError, KeepUnmatched, Problem
from bulkstate.model import IndexArray, Pair, Rectangle, Remark, RemarkKind, Stage
from bulkstate.pairs.relation import Relation, Selected, Unlisted
from bulkstate.selection.column import Column
from bulkstate.selection.ids import Mistakes, fault, literal_fault
from bulkstate.selection.inputs import Inputs
from bulkstate.selection.lists import Listed, ascends, read_files, read_values, refuse_empty
from bulkstate.selection.remarks import (
    Rows,
    matches_nothing,
    repeated,
    repeated_blocks,
    repeated_ids,
    unmatched,
    unnameable,
)
from bulkstate.selection.sources import (
    ASSET_ID,
    PIPELINE,
    POINT_ID,
    STAGE,
    BlockSource,
    Entry,
    IdList,
    PairSource,
    Source,
)

MOST_WITNESSES: Final = 100_000
"""Most pairs that `read_pairs` hands out: they are read back through the gateway, before the run and after it."""

MOST_REMEMBERED: Final = 4_096
"""Most single pairs of an entry that are remembered as its own, to be looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class _BlockIds:
    """A block as read: its IDs, each once."""

    assets: Sequence[str]
    points: Sequence[str]
    repeated: tuple[Remark, ...] = ()

    @property
    def duplicates(self) -> int:
        """How many IDs were there again."""
        return sum(remark.count for remark in self.repeated)


@dataclass(frozen=True, slots=True, eq=False)
class _PairIds:
    """Single pairs as read, repetitions included, but for those that were `dropped`.

    `of` says of which pipeline and stage a row is, None: of any.
    """

    assets: Column
    points: Column
    of: tuple[Column, Column] | None = None
    dropped: int = 0

    def of_stage(self, stage: Stage) -> _PairIds:
        """The rows of one stage."""
        if self.of is None:
            return self
        pipelines, stages = self.of
        rows = np.flatnonzero(pipelines.equal(stage.pipeline) & stages.equal(stage.name))
        return _PairIds(self.assets.at(rows), self.points.at(rows), None, self.dropped)

    def stages(self) -> set[Stage]:
        """The stages that rows are of, if they are of any in particular."""
        if self.of is None:
            return set()
        pipelines, stages = self.of
        different = np.unique(np.stack([pipelines.codes, stages.codes], axis=1), axis=0)
        return {Stage(pipelines.ids[pipeline], stages.ids[stage]) for pipeline, stage in different.tolist()}


_Found: TypeAlias = _BlockIds | _PairIds


@dataclass(frozen=True, slots=True)
class _Target:
    """What the entries for one stage say together, the same source once."""

    where: tuple[Source, ...]
    keep: tuple[PairSource, ...]
    unlisted: Unlisted
    must_match: frozenset[PairSource]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (*self.where, *self.keep)


def select(entries: Iterable[Entry], inputs: Inputs | None = None) -> tuple[Relation, ...]:
    """What the entries select and keep: one relation for each stage of each pipeline, sorted by stage; none for a stage
    of which all tables are empty, and may be.

    Entries for the same stage are merged: what one of them keeps is kept, and unlisted pairs may be deleted only where
    all of them say so. A source of several stages is read once. InputError, with the mistakes of all sources at once,
    if an ID can't be sent, a file can't be read, or a selection comes out empty; KeepUnmatched. `inputs` remembers what
    was read.
    """
    targets = _targets(entries)
    with Inputs() if inputs is None else nullcontext(inputs) as remembered:
        found = _read_all(dict.fromkeys(chain.from_iterable(each.sources for each in targets.values())), remembered)
    _refuse_strange_stages(targets, found)
    relations = tuple(relation for relation in _relations(targets, found) if relation.assets)
    return tuple(_keeping_nothing_anywhere(relations, targets))


def read_pairs(source: PairSource, inputs: Inputs | None = None) -> tuple[Pair, ...]:
    """The different pairs of a file, sorted: for reading back, so at most `MOST_WITNESSES`. InputError as `select`."""
    with Inputs() if inputs is None else nullcontext(inputs) as remembered:
        found = _read_pairs(source, remembered)
    if (rows := len(found.assets.codes)) > MOST_WITNESSES:
        message = f"{source.name}: holds {rows:,} pairs, and each is read back: at most {MOST_WITNESSES:,}"
        raise InputError(Problem(message, source.where, source.field))
    return tuple(sorted(set(map(Pair, found.assets.spelt_out(), found.points.spelt_out()))))


def _targets(entries: Iterable[Entry]) -> dict[Stage, _Target]:
    """What the entries say of each stage."""
    merged: dict[Stage, list[Entry]] = {}
    for entry in entries:
        for stage in entry.targets:
            merged.setdefault(stage, []).append(entry)
    targets = {stage: _target(of_stage) for stage, of_stage in merged.items()}
    empty = [Problem(f"nothing is selected in {stage}") for stage, target in targets.items() if not target.where]
    if empty or not targets:
        raise InputError(*empty or [Problem("nothing is selected")])
    return targets


def _target(entries: Sequence[Entry]) -> _Target:
    where = dict.fromkeys(chain.from_iterable(entry.where for entry in entries))
    keep = dict.fromkeys(entry.keep for entry in entries if entry.keep is not None)
    strict = any(entry.unlisted is Unlisted.KEEP for entry in entries)
    must_match = frozenset(entry.keep for entry in entries if entry.keep is not None and entry.keep_must_match)
    return _Target(tuple(where), tuple(keep), Unlisted.KEEP if strict else Unlisted.MAY_DELETE, must_match)


def _read_all(sources: Iterable[Source], inputs: Inputs) -> dict[Source, _Found]:
    found: dict[Source, _Found] = {}
    problems: list[Problem] = []
    for source in sources:
        try:
            found[source] = _read(source, inputs)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return found


def _read(source: Source, inputs: Inputs) -> _Found:
    return _read_block(source, inputs) if isinstance(source, BlockSource) else _read_pairs(source, inputs)


def _read_block(source: BlockSource, inputs: Inputs) -> _BlockIds:
    assets, points = _read_list(source.assets, inputs, ASSET_ID), _read_list(source.points, inputs, POINT_ID)
    repeated = (*repeated_ids(source.assets.place, assets), *repeated_ids(source.points.place, points))
    return _BlockIds(assets.ids, points.ids, repeated)


def _read_list(source: IdList, inputs: Inputs, column: str) -> Listed:
    column = source.column or column
    found = read_values(source)
    if source.file is not None:
        in_files, rows = read_files(source, inputs.lists(source, column), column)
        found = Listed.of(found.counts() + in_files)
        inputs.counted(source.file, rows)
    refuse_empty(source, found)
    return found


def _read_pairs(source: PairSource, inputs: Inputs) -> _PairIds:
    if source.values:
        return _pairs_in_place(source)
    # Polars takes a fifth of a second to import, which a run without tables needn't wait for.
    from bulkstate.selection.tables import has_columns, read_columns

    columns = source.asset_column, source.point_column
    if len(set(columns)) == 1:
        message = f"{source.name}: the column {columns[0]} is to be asset and point at once"
        raise InputError(Problem(message, source.where, source.field, "say `columns: {asset: …, point: …}`"))
    files, fault_of = inputs.tables(source), literal_fault if source.literal else fault
    if has_columns(files, columns, (PIPELINE, STAGE)):
        table = read_columns(files, (*columns, PIPELINE, STAGE), fault_of)
        assets, points, pipelines, stages = table.columns
        found = _PairIds(assets, points, (pipelines, stages), table.dropped)
    else:
        table = read_columns(files, columns, fault_of)
        assets, points = table.columns
        found = _PairIds(assets, points, None, table.dropped)
    if source.file is not None:
        inputs.counted(source.file, len(found.assets.codes) + found.dropped)
    if not len(found.assets.codes) and not source.may_be_empty:
        hint = "if that is as it should be, say `empty: allow` beside the source"
        raise InputError(Problem(f"{source.name}: has no rows", source.where, source.field, hint))
    return found


def _pairs_in_place(source: PairSource) -> _PairIds:
    mistakes, fault_of = Mistakes(), literal_fault if source.literal else fault
    for position, pair in enumerate(source.values):
        for id_ in pair:
            if wrong := fault_of(id_):
                mistakes.add(f"the ID {wrong}", source.where, f"{source.field}[{position}]")
    mistakes.refuse()
    assets, points = zip(*source.values, strict=True)
    return _PairIds(Column.of(assets), Column.of(points))


def _relations(targets: Mapping[Stage, _Target], found: Mapping[Source, _Found]) -> Iterator[Relation]:
    """One relation a stage; stages of which the same is said share all but their name."""
    made: dict[tuple[_Target, Stage | None], Relation] = {}
    for stage, target in sorted(targets.items(), key=itemgetter(0)):
        of_this = {source: _of_stage(found[source], stage) for source in target.sources}
        shared = all(of_this[source] is found[source] for source in target.sources)
        key = target, None if shared else stage
        if key not in made:
            made[key] = _relation(stage, target, of_this)
        yield replace(made[key], stage=stage)


def _of_stage(found: _Found, stage: Stage) -> _Found:
    return found.of_stage(stage) if isinstance(found, _PairIds) else found


def _refuse_strange_stages(targets: Mapping[Stage, _Target], found: Mapping[Source, _Found]) -> None:
    """InputError if a table that selects has rows of a stage that is no entry's: nobody would miss them."""
    for source in dict.fromkeys(chain.from_iterable(target.where for target in targets.values())):
        ids = found[source]
        strange = sorted(ids.stages() - targets.keys()) if isinstance(ids, _PairIds) else []
        if strange and isinstance(source, PairSource):
            message = f"{source.name}: has rows of {strange[0]}, and no entry deletes in that stage"
            hint = "add an entry for it, or take the rows, or the columns pipeline and stage, out"
            raise InputError(Problem(message, source.where, source.field, hint))


def _relation(stage: Stage, target: _Target, found: Mapping[Source, _Found]) -> Relation:
    selected, kept = ([found[source] for source in sources] for sources in (target.where, target.keep))
    blocks, singles = _blocks(selected), _singles(selected)
    assets = _Dictionary([*(ids.assets for ids in blocks), *(ids.assets.ids for ids in singles)])
    points = _Dictionary([*(ids.points for ids in blocks), *(ids.points.ids for ids in singles)])
    pairs, repeated = _codes(singles, assets, points)
    rectangles = [Rectangle(assets.side(ids.assets), points.side(ids.points)) for ids in blocks]
    relation = Relation(
        stage=stage,
        assets=assets.ids,
        points=points.ids,
        blocks=tuple(rectangles),
        pairs=pairs,
        duplicates=repeated + sum(ids.dropped for ids in singles) + sum(ids.duplicates for ids in blocks),
        kept=_codes([_nameable(ids, assets, points) for ids in _singles(kept)], assets, points)[0],
        unlisted=target.unlisted,
        entries=tuple(_entries(target.where, selected, rectangles, assets, points)),
        keepers=tuple(f"{source.name} ({source.where})" for source in target.keep),
    )
    return replace(relation, remarks=tuple(_remarks(relation, target, found, assets, points)))


def _remarks(
    relation: Relation,
    target: _Target,
    found: Mapping[Source, _Found],
    assets: _Dictionary,
    points: _Dictionary,
) -> Iterator[Remark]:
    """What in the entries does nothing. KeepUnmatched if that is all of what is to be kept."""
    blocks, width = relation.blocks, len(relation.points)
    selected = [(source.entry, found[source]) for source in target.where]
    yield from chain.from_iterable(ids.repeated for _, ids in selected if isinstance(ids, _BlockIds))
    yield from repeated_blocks(
        [entry for entry, ids in selected if isinstance(ids, _BlockIds)], blocks, len(relation.assets)
    )
    if relation.duplicates or len(selected) > 1:
        earlier = np.empty(0, np.int64)
        for entry, ids in selected:
            if isinstance(ids, _PairIds):
                yield from repeated(_rows(entry, ids, assets, points), blocks, earlier, width)
                earlier = _codes([ids], assets, points, earlier)[0]
    for source in target.keep:
        ids = found[source]
        if isinstance(ids, _PairIds):
            rows = _rows(source.place, ids, assets, points)
            if source in target.must_match and relation.assets and matches_nothing(rows):
                raise _keeps_nothing(relation.stage, source)
            strict = target.unlisted is Unlisted.KEEP
            yield from unmatched(rows, blocks, relation.pairs, width) if strict else unnameable(rows)


def _keeping_nothing_anywhere(relations: Sequence[Relation], targets: Mapping[Stage, _Target]) -> Iterator[Relation]:
    """The relations, in which nothing is said to keep nothing that has no rows, or keeps something in another stage."""
    helpful = {
        source.place
        for relation in relations
        for source in targets[relation.stage].keep
        if source.place not in {each.entry for each in relation.remarks if each.kind is RemarkKind.KEEPS_NOTHING}
    }
    for relation in relations:
        remarks = [
            each
            for each in relation.remarks
            if each.kind is not RemarkKind.KEEPS_NOTHING or (each.of and each.entry not in helpful)
        ]
        yield replace(relation, remarks=tuple(remarks))


def _keeps_nothing(stage: Stage, source: PairSource) -> KeepUnmatched:
    return KeepUnmatched(
        f"{source.place}: {source.name} names no asset and no point that is selected in {stage}",
        hint="is it the right file? `keep_unmatched: allow` lets it pass",
    )


def _rows(entry: str, found: _PairIds, assets: _Dictionary, points: _Dictionary) -> Rows:
    return Rows(
        entry,
        (found.assets, found.points),
        assets.positions(found.assets.ids).astype(np.int64)[found.assets.codes],
        points.positions(found.points.ids).astype(np.int64)[found.points.codes],
        found.dropped,
    )


def _entries(
    where: Sequence[Source],
    selected: Sequence[_Found],
    rectangles: Iterable[Rectangle],
    assets: _Dictionary,
    points: _Dictionary,
) -> Iterator[Selected]:
    """Which entry selects what: its block, or a few of its pairs, the same ones whenever it is read."""
    blocks = iter(rectangles)
    for source, found in zip(where, selected, strict=True):
        if isinstance(found, _BlockIds):
            yield Selected(source.entry, next(blocks))
        else:
            yield Selected(source.entry, codes=_codes([_a_few(found)], assets, points)[0])


def _a_few(found: _PairIds) -> _PairIds:
    """At most `MOST_REMEMBERED` of the rows, drawn at random."""
    rows = np.arange(len(found.assets.codes))
    if len(rows) > MOST_REMEMBERED:
        rows = np.random.default_rng(len(rows)).choice(len(rows), MOST_REMEMBERED, replace=False)
    return _PairIds(found.assets.at(rows), found.points.at(rows))


def _blocks(found: Iterable[_Found]) -> list[_BlockIds]:
    return [ids for ids in found if isinstance(ids, _BlockIds)]


def _singles(found: Iterable[_Found]) -> list[_PairIds]:
    return [ids for ids in found if isinstance(ids, _PairIds)]


class _Dictionary:
    """All IDs of one kind that a selection names, sorted, and the position of each."""

    def __init__(self, lists: Sequence[Sequence[str]]) -> None:
        # Of a single block in order, such as a pattern's, nothing is copied: a fleet's IDs are most of the memory.
        in_order = len(lists) == 1 and ascends(lists[0])
        self.ids = tuple(lists[0] if in_order else sorted(dict.fromkeys(chain.from_iterable(lists))))

    @cached_property
    def _positions(self) -> dict[str, int]:
        return dict(zip(self.ids, range(len(self.ids)), strict=True))

    def positions(self, ids: Sequence[str]) -> IndexArray:
        """Where the IDs are, in the order given; -1 for one that isn't there."""
        if ids is self.ids:
            return np.arange(len(ids), dtype=np.int32)
        return np.fromiter(map(self._positions.get, ids, repeat(-1)), np.int32, len(ids))

    def side(self, ids: Sequence[str]) -> IndexArray:
        """The same, ascending."""
        return np.sort(self.positions(ids))


def _nameable(found: _PairIds, assets: _Dictionary, points: _Dictionary) -> _PairIds:
    """Those of the pairs of which the dictionaries have both IDs: a request can't name the others."""
    known_assets, known_points = assets.positions(found.assets.ids) >= 0, points.positions(found.points.ids) >= 0
    rows = known_assets[found.assets.codes] & known_points[found.points.codes]
    return _PairIds(found.assets.only(rows), found.points.only(rows))


def _codes(
    singles: Sequence[_PairIds], assets: _Dictionary, points: _Dictionary, *more: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """All single pairs, and what `more` codes stand for, as codes, ascending, each once; and how many were there again.

    Positions are 32-bit, so that a code can't overflow.
    """
    parts = [part for part in more if len(part)]
    for found in singles:
        codes = assets.positions(found.assets.ids).astype(np.int64)[found.assets.codes]
        codes *= len(points.ids)
        codes += points.positions(found.points.ids)[found.points.codes]
        parts.append(codes)
    codes = parts[0] if len(parts) == 1 and not more else np.concatenate([np.empty(0, np.int64), *parts])
    codes.sort()
    fresh = np.ones(len(codes), np.bool_)
    np.not_equal(codes[1:], codes[:-1], out=fresh[1:])
    return (codes, 0) if fresh.all() else (codes[fresh], len(codes) - int(fresh.sum()))
