"""What to look at before anything is deleted: a few pairs from all over the plan, of every entry of every stage.

A wrong prefix, a column for another, a stage of yesterday: whoever selected them finds nothing there. One read tells,
if it reaches the entry that is wrong; so each stage is read once at least, and each entry as often as the plan can
afford, three times at the most. Where there are fewer reads than entries, those of a stage share one: it asks about all
their assets with all their points, and only pairs of the target count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bulkstate.gateway import wire
from bulkstate.model import KEPT, Pair, Rectangle, Remark, RemarkKind, Stage
from bulkstate.pairs.relation import Relation, Selected

KEPT_PAIRS: Final = 64
"""So many kept pairs of a stage are looked at, as far as one read has room for all their assets and points."""

MOST_READS: Final = 3
"""Reads of one entry in one stage, at the most."""

DEAREST: Final = 10
"""One read a stage, and one for so many requests of the plan: that is what all spot checks may cost together."""

ENOUGH: Final = 10
"""Pairs of an entry that say whether it has state: where half of all pairs have, one look in a thousand finds none."""

MOST_CLOSER: Final = 20_000
"""Pairs that a plan keeps in case it is looked at more closely."""

_TRIES: Final = 8
"""How often another corner of a block is drawn where all of one is kept."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one read may hold: so many pairs, and so many bytes of encoded body."""

    pairs: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Spot:
    """A target pair to be looked at, and the entry that selects it."""

    entry: str
    pair: Pair


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """One read: every asset with every point, to learn about the pairs of `spots`, which are among them.

    A `closer` one is made where the others have found nothing of its entry, and looked at too little to say so.
    """

    stage: Stage
    assets: tuple[str, ...]
    points: tuple[str, ...]
    spots: tuple[Spot, ...]
    closer: bool = False


def spot_check(stage: Stage, spots: Iterable[Spot], closer: bool = False) -> SpotCheck:
    """The read that tells about these pairs."""
    wanted = tuple(spots)
    assets, points = {spot.pair.asset for spot in wanted}, {spot.pair.point for spot in wanted}
    return SpotCheck(stage, tuple(sorted(assets)), tuple(sorted(points)), wanted, closer)


def spot_checks(
    relations: Sequence[Relation], requests: int, pairs: int, room: Room, chance: Generator
) -> tuple[SpotCheck, ...]:
    """What to read of a plan of so many `requests`, to learn about `pairs` target pairs, more or less.

    Half of what may be read is left for the same reads afterwards. An entry that is kept whole isn't looked at, nor one
    that there is no room for: `overlooked` says which.
    """
    entries = [len(relation.entries) for relation in relations]
    reads = _reads(entries, requests)
    plans = [_Rounds.of(*each) for each in zip(entries, reads, strict=True)]
    share = max(1, pairs // max(1, sum(of.rounds * count for of, count in zip(plans, entries, strict=True))))
    return tuple(
        check
        for relation, rounds in zip(relations, plans, strict=True)
        for group in _groups(relation.entries, rounds.groups)
        for check in _checks_of(relation, group, rounds.rounds, share, room, chance)
    )


def closer_checks(
    relations: Sequence[Relation], checks: Iterable[SpotCheck], room: Room, chance: Generator
) -> tuple[SpotCheck, ...]:
    """A read for each entry of which the checks look at few pairs, for it alone, the largest entries first: one pair
    without state says little of an entry, as not every pair of a right one need have some."""
    seen = Counter((check.stage, spot.entry) for check in checks for spot in check.spots)
    few = [
        (relation, entry)
        for relation in relations
        for entry in relation.entries
        if 0 < seen[relation.stage, entry.entry] < min(ENOUGH, entry.pairs)
    ]
    few.sort(key=lambda each: -each[1].pairs)
    share = min(2 * ENOUGH, max(2, MOST_CLOSER // max(1, len(few))))
    closer = (_check(relation, [entry], share, room, chance) for relation, entry in few)
    return tuple(
        replace(check, closer=True)
        for check in closer
        if check.spots and len(check.spots) > seen[check.stage, check.spots[0].entry]
    )


def to_look_closer(
    checks: Sequence[SpotCheck], empty: Mapping[str, int], stages: int, requests: int
) -> tuple[list[SpotCheck], frozenset[str]]:
    """Which closer checks to make for the entries that were found `empty`, so many pairs of each; and which of these
    entries nothing can be said of, because no more can be afforded."""
    doubtful = {entry for entry, pairs in empty.items() if pairs < ENOUGH}
    wanted = [check for check in checks if check.closer and check.spots[0].entry in doubtful]
    most = max(1, affordable_again(sum(not check.closer for check in checks), stages, requests))
    return wanted[:most], frozenset(check.spots[0].entry for check in wanted[most:])


def overlooked(relations: Sequence[Relation], checks: Iterable[SpotCheck]) -> Iterator[Remark]:
    """What the checks say nothing of: entries of which no pair is looked at in any stage."""
    seen = {spot.entry for check in checks for spot in check.spots}
    entries = {entry.entry: entry for relation in relations for entry in relation.entries}
    for name, entry in entries.items():
        if name not in seen:
            yield Remark(name, RemarkKind.OVERLOOKED, entry.pairs, entry.pairs)


def kept_checks(
    relations: Sequence[Relation], spent: int, requests: int, room: Room, chance: Generator
) -> tuple[SpotCheck, ...]:
    """One read of kept pairs of each stage that has such, as far as it can be afforded twice beside so many reads that
    are `spent`: what had state before has to have it afterwards."""
    left = (len(relations) + requests // DEAREST - spent) // 2
    keeping = [relation for relation in relations if len(relation.kept)]
    return tuple(_kept_check(relation, room, chance) for relation in keeping[: max(0, left)])


def _kept_check(relation: Relation, room: Room, chance: Generator) -> SpotCheck:
    number = KEPT_PAIRS
    while True:
        codes = _some(relation.kept, number, chance)
        pairs = (divmod(code, len(relation.points)) for code in codes.tolist())
        spots = [Spot(KEPT, Pair(relation.assets[row], relation.points[column])) for row, column in pairs]
        check = spot_check(relation.stage, spots)
        if number == 1 or _fits(check, room):
            return check
        number //= 2


def affordable_again(reads: int, stages: int, requests: int) -> int:
    """How many of the reads may be made once more, when the run is over."""
    return min(reads, max(0, stages + requests // DEAREST - reads))


def _reads(entries: Sequence[int], requests: int) -> list[int]:
    """How many reads each stage gets, given how many entries it has."""
    reads = [min(1, count) for count in entries]
    left = requests // (2 * DEAREST)
    open_stages = [index for index, count in enumerate(entries) if count]
    for index in cycle(open_stages):
        if left <= 0 or all(reads[each] >= MOST_READS * entries[each] for each in open_stages):
            return reads
        if reads[index] < MOST_READS * entries[index]:
            reads[index] += 1
            left -= 1
    return reads


@dataclass(frozen=True, slots=True)
class _Rounds:
    """How a stage's reads are spent: its entries in so many groups, each read in so many rounds."""

    groups: int
    rounds: int

    @classmethod
    def of(cls, entries: int, reads: int) -> _Rounds:
        groups = min(entries, reads)
        return cls(groups, min(MOST_READS, reads // groups) if groups else 0)


def _groups(entries: Sequence[Selected], groups: int) -> Iterator[Sequence[Selected]]:
    return (entries[number::groups] for number in range(groups))


def _checks_of(
    relation: Relation, group: Sequence[Selected], rounds: int, share: int, room: Room, chance: Generator
) -> Iterator[SpotCheck]:
    """A group's reads. One is enough where it holds all that there is."""
    for _ in range(1 if all(entry.pairs <= share for entry in group) else rounds):
        check = _check(relation, group, share, room, chance)
        if check.spots:
            yield check


def _check(relation: Relation, group: Sequence[Selected], share: int, room: Room, chance: Generator) -> SpotCheck:
    """One read of so many pairs of each entry. Where there is no room for them it is of fewer; then of one each, that
    share as many IDs as can be; and then of the entries that select most."""
    while True:
        check = _spelt_out(relation, group, [_drawn(relation, entry, share, chance) for entry in group])
        if share == 1 and not _fits(check, room):
            sharing = (_sharing(relation, group, axis, chance) for axis in (0, 1))
            check = min((_spelt_out(relation, group, drawn) for drawn in sharing), key=_asked)
        if _fits(check, room) or (share == 1 and len(group) == 1):
            return check
        if share > 1:
            share //= 2
        else:
            largest = sorted(range(len(group)), key=lambda index: -group[index].pairs)[: (len(group) + 1) // 2]
            group = [group[index] for index in sorted(largest)]


def _fits(check: SpotCheck, room: Room) -> bool:
    """Whether the gateway may be asked about so much in one request."""
    ids = (*check.assets, *check.points)
    size = wire.frame_size(check.stage) - 2 + sum(wire.id_sizes(ids)) + len(ids)
    return _asked(check) <= room.pairs and size <= room.bytes


def _asked(check: SpotCheck) -> int:
    """How many pairs the gateway is asked about."""
    return len(check.assets) * len(check.points)


def _drawn(relation: Relation, entry: Selected, share: int, chance: Generator) -> NDArray[np.int64]:
    """Codes of target pairs of an entry, about so many."""
    for _ in range(_TRIES):
        codes = (
            _some(entry.codes, share, chance)
            if entry.block is None
            else _corner(entry.block, share, len(relation.points), chance)
        )
        wanted = _without(codes, relation.kept)
        if len(wanted):
            break
    return wanted


def _sharing(relation: Relation, group: Sequence[Selected], axis: int, chance: Generator) -> list[NDArray[np.int64]]:
    """The code of one target pair of each entry, so that few different assets (axis 0) or points (1) are named: the one
    that most entries select is taken for all of them, and so on."""
    width = len(relation.points)
    sides = [_sides(entry, axis, width) for entry in group]
    drawn: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * len(group)
    left = set(range(len(group)))
    while left:
        common = int(np.argmax(np.bincount(np.concatenate([sides[index] for index in left]))))
        for index in [each for each in sorted(left) if common in sides[each]]:
            codes = _codes_with(group[index], common, axis, width)
            wanted = _without(codes, relation.kept)
            drawn[index] = _some(wanted, 1, chance) if len(wanted) else wanted
            left.remove(index)
    return drawn


def _sides(entry: Selected, axis: int, width: int) -> NDArray[np.int64]:
    """The different assets or points that an entry names."""
    if entry.block is not None:
        return (entry.block.points if axis else entry.block.assets).astype(np.int64)
    return np.unique(entry.codes % width if axis else entry.codes // width)


def _codes_with(entry: Selected, side: int, axis: int, width: int) -> NDArray[np.int64]:
    """The codes of an entry's pairs that have this asset or point."""
    if entry.block is None:
        with_it: NDArray[np.int64] = entry.codes[(entry.codes % width if axis else entry.codes // width) == side]
        return with_it
    if axis:
        return entry.block.assets.astype(np.int64) * width + side
    return side * width + entry.block.points.astype(np.int64)


def _without(codes: NDArray[np.int64], kept: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the codes that aren't among the kept ones, which are ascending, and may be many."""
    if not len(kept):
        return codes
    places = np.minimum(np.searchsorted(kept, codes), len(kept) - 1)
    left: NDArray[np.int64] = codes[kept[places] != codes]
    return left


def _corner(block: Rectangle, share: int, width: int, chance: Generator) -> NDArray[np.int64]:
    """Some assets with some points, as many of one as of the other, as far as the block has them."""
    points = min(len(block.points), max(int(share**0.5), -(-share // len(block.assets))))
    assets = min(len(block.assets), max(1, share // points))
    rows = _some(block.assets, assets, chance).astype(np.int64)
    return (rows[:, None] * width + _some(block.points, points, chance)).ravel()


def _some(among: NDArray[np.int64] | NDArray[np.int32], number: int, chance: Generator) -> NDArray[np.int64]:
    """So many, each once, ascending; all, if there are no more."""
    if number >= len(among):
        return among.astype(np.int64)
    return np.sort(among[chance.choice(len(among), number, replace=False)]).astype(np.int64)


def _spelt_out(relation: Relation, group: Sequence[Selected], drawn: Sequence[NDArray[np.int64]]) -> SpotCheck:
    width = len(relation.points)
    spots = tuple(
        Spot(entry.entry, Pair(relation.assets[code // width], relation.points[code % width]))
        for entry, codes in zip(group, drawn, strict=True)
        for code in codes.tolist()
    )
    return spot_check(relation.stage, spots)
