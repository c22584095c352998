"""The target as a value: which pairs lose their state, in one stage, and which must not.

A block (assets × points) is never expanded into pairs. Single pairs are encoded as 64-bit integers, asset position
times the number of points plus point position, so that fifty million of them are 400 MB, sorted like any integers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import IndexArray, Pair, Rectangle, Remark, Stage


class Unlisted(StrEnum):
    """What may happen to pairs that are neither selected nor kept."""

    KEEP = "keep"
    MAY_DELETE = "may_delete"
    """A request may hold them, if that saves requests."""


def _no_codes() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """What one entry of `where` selects, to be looked at: its block, or some of its single pairs, drawn at random.

    `entry` says which it is, as people find it. Kept pairs are among them.
    """

    entry: str
    block: Rectangle | None = None
    codes: NDArray[np.int64] = field(default_factory=_no_codes)

    @property
    def pairs(self) -> int:
        """How many pairs there are to choose from."""
        return len(self.codes) if self.block is None else self.block.pairs


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """What is selected in one stage, the union of its blocks and its pairs, and what is kept there.

    The target is what is selected and not kept. No request may hold a kept pair, nor one outside the target unless
    `unlisted` says so. `assets` and `points` are the sorted dictionaries, without duplicates, of what is selected: a
    request names nothing else, so a kept pair with an ID that isn't there needs no code. `pairs` and `kept` are codes,
    ascending, each once. `duplicates` counts what was named more than once, and `remarks` say what does nothing, for
    the user to see. `entries` remembers which entry selected what, `keepers` where what is kept stands.
    """

    stage: Stage
    assets: tuple[str, ...]
    points: tuple[str, ...]
    blocks: tuple[Rectangle, ...]
    pairs: NDArray[np.int64]
    duplicates: int = 0
    kept: NDArray[np.int64] = field(default_factory=_no_codes)
    unlisted: Unlisted = Unlisted.KEEP
    entries: tuple[Selected, ...] = ()
    remarks: tuple[Remark, ...] = ()
    keepers: tuple[str, ...] = ()

    def holds(self, pair: Pair) -> bool:
        """Is this pair in the target?"""
        code = self._code(pair)
        return code is not None and self._selects(code) and not _has(self.kept, code)

    def is_like(self, other: Relation) -> bool:
        """Whether the same is selected and kept, in another stage perhaps; False where that takes long to find out.

        Stages of one entry share what is selected.
        """
        shared = ((self.assets, other.assets), (self.points, other.points), (self.pairs, other.pairs))
        return (
            all(mine is theirs for mine, theirs in (*shared, (self.blocks, other.blocks)))
            and self.unlisted is other.unlisted
            and np.array_equal(self.kept, other.kept)
        )

    def keeping(self, pairs: Collection[Pair]) -> Relation:
        """The relation that keeps these pairs as well."""
        codes = [code for code in map(self._code, pairs) if code is not None]
        return replace(self, kept=np.union1d(self.kept, np.array(codes, np.int64)))

    def _code(self, pair: Pair) -> int | None:
        """The pair as a code, None if no request can name it."""
        asset, point = _position(self.assets, pair.asset), _position(self.points, pair.point)
        return None if asset is None or point is None else asset * len(self.points) + point

    def _selects(self, code: int) -> bool:
        asset, point = divmod(code, len(self.points))
        return _has(self.pairs, code) or any(_has(b.assets, asset) and _has(b.points, point) for b in self.blocks)


def of_pairs(stage: Stage, pairs: Collection[Pair]) -> Relation:
    """The relation of a few single pairs."""
    assets = sorted({pair.asset for pair in pairs})
    points = sorted({pair.point for pair in pairs})
    codes = {bisect_left(assets, pair.asset) * len(points) + bisect_left(points, pair.point) for pair in pairs}
    return Relation(stage, tuple(assets), tuple(points), (), np.array(sorted(codes), np.int64))


def _position(ids: tuple[str, ...], id_: str) -> int | None:
    position = bisect_left(ids, id_)
    return position if position < len(ids) and ids[position] == id_ else None


def _has(ascending: NDArray[np.int32] | NDArray[np.int64], number: int) -> bool:
    position = int(np.searchsorted(ascending, number))
    return position < len(ascending) and int(ascending[position]) == number


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """The target as classes of assets that have the same points, ordered by their first asset.

    The rectangles share no asset, hence no pair, and together they are the target: a pair that several blocks hold, or
    that stands in a block and on its own, is in one of them. `kept_pairs` counts what was selected and is kept.
    """

    rectangles: tuple[Rectangle, ...]
    kept_pairs: int


def equal_rows(relation: Relation) -> Classes:
    """The target by its rows, which are compared as they are, never by a hash alone.

    Takes memory by assets, single pairs and kept ones; a block is never expanded.
    """
    rows = _Rows()
    labels = np.zeros(len(relation.assets), np.int32)
    for block in relation.blocks:
        _add_block(rows, labels, block)
    _change(rows.widened, labels, relation.pairs, len(relation.points))
    selected = rows.pairs(labels)
    _change(rows.narrowed, labels, relation.kept, len(relation.points))
    return Classes(_rectangles(rows, labels), selected - rows.pairs(labels))


def superfluous(blocks: Sequence[Rectangle], assets: int) -> list[bool]:
    """For each block, whether those before it hold all that it holds. Takes memory by the number of `assets`."""
    rows, labels, found = _Rows(), np.zeros(assets, np.int32), []
    for block in blocks:
        before = labels[block.assets]
        _add_block(rows, labels, block)
        found.append(np.array_equal(before, labels[block.assets]))
    return found


class _Rows:
    """The different rows that were met, numbered in that order; number 0 is the empty one."""

    def __init__(self) -> None:
        self.points: list[IndexArray] = []
        self._numbers: dict[bytes, int] = {}
        self.number(np.empty(0, np.int32))

    def number(self, points: IndexArray) -> int:
        """The number of a row, a new one if nobody met it."""
        number = self._numbers.setdefault(points.tobytes(), len(self.points))
        if number == len(self.points):
            self.points.append(points)
        return number

    def widened(self, number: int, points: IndexArray) -> int:
        """The number of the row that has the points of row `number` and these."""
        row = self.points[number]
        return self.number(np.union1d(row, points) if len(row) else points)

    def narrowed(self, number: int, points: IndexArray) -> int:
        """The number of the row that has the points of row `number` without these."""
        row = self.points[number]
        return self.number(row[np.isin(row, points, assume_unique=True, invert=True)])

    def pairs(self, labels: NDArray[np.int32]) -> int:
        """How many pairs assets with these rows have together."""
        of_row = np.bincount(labels, minlength=len(self.points))
        return int((of_row * np.fromiter(map(len, self.points), np.int64, len(self.points))).sum())


def _add_block(rows: _Rows, labels: NDArray[np.int32], block: Rectangle) -> None:
    labelled = labels[block.assets]
    if len(labelled) and labelled.min() == labelled.max():
        labels[block.assets] = rows.widened(int(labelled[0]), block.points)
        return
    before, which = np.unique(labelled, return_inverse=True)
    after = [rows.widened(number, block.points) for number in before.tolist()]
    labels[block.assets] = np.array(after, np.int32)[which]


_Change: TypeAlias = Callable[[int, IndexArray], int]
"""What a row becomes by some points, both rows by their numbers."""


def _change(change: _Change, labels: NDArray[np.int32], codes: NDArray[np.int64], width: int) -> None:
    """Change the row of each asset that has pairs among `codes` by the points of these; a row is `width` long."""
    if not len(codes):
        return
    assets, starts, points = _runs(codes, width)
    labels[assets] = _changed(change, labels[assets].tolist(), points, [*starts.tolist(), len(points)])


_AT_ONCE = 1 << 23  # codes: hundreds of millions of them leave no room for more of the same size


def _runs(codes: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64], IndexArray]:
    """The assets that codes are of, where the codes of each begin, and the point of every code."""
    points = np.empty(len(codes), np.int32)
    assets, starts, last = [], [], -1
    for begin in range(0, len(codes), _AT_ONCE):
        part = codes[begin : begin + _AT_ONCE]
        of_asset = part // width
        points[begin : begin + len(part)] = part - of_asset * width
        fresh = np.flatnonzero(np.diff(of_asset, prepend=last))
        assets.append(of_asset[fresh])
        starts.append(fresh + begin)
        last = int(of_asset[-1])
    return np.concatenate(assets), np.concatenate(starts), points


def _changed(change: _Change, numbers: list[int], points: IndexArray, bounds: list[int]) -> list[int]:
    """What the rows `numbers` become, each by its run of `points` between neighbouring `bounds`.

    A dictionary of the runs' bytes is exact, and keeps only those that differ.
    """
    known: dict[tuple[int, bytes], int] = {}
    data, width = points.data.cast("B"), points.itemsize
    changed = []
    for number, start, end in zip(numbers, bounds, bounds[1:], strict=False):
        run = (number, bytes(data[start * width : end * width]))
        if run not in known:
            known[run] = change(number, points[start:end])
        changed.append(known[run])
    return changed


def _rectangles(rows: _Rows, labels: NDArray[np.int32]) -> tuple[Rectangle, ...]:
    if len(labels) and labels.min() == labels.max():  # as in a block, whose assets may be most of the memory
        whole = Rectangle(np.arange(len(labels), dtype=np.int32), rows.points[int(labels[0])])
        return (whole,) if labels[0] else ()
    order = np.argsort(labels, kind="stable").astype(np.int32)
    sorted_labels = labels[order]
    starts = np.flatnonzero(np.diff(sorted_labels, prepend=-1))
    members = np.split(order, starts[1:])
    numbers = sorted_labels[starts].tolist()
    classes = (
        Rectangle(assets, rows.points[number]) for assets, number in zip(members, numbers, strict=True) if number
    )
    return tuple(sorted(classes, key=lambda rectangle: int(rectangle.assets[0])))
