"""What in a selection does nothing: no mistake, but worth a look before anybody agrees to what is left of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import Pair, Rectangle, Remark, RemarkKind
from bulkstate.pairs.relation import Relation, superfluous
from bulkstate.selection.column import Column
from bulkstate.selection.ids import show
from bulkstate.selection.lists import Listed
from bulkstate.selection.sources import PairSource

_EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of a table: its `columns`, and their IDs' positions in a stage's dictionaries, -1 for a foreign one.

    So many more rows, which were there again, were `dropped`.
    """

    entry: str
    columns: tuple[Column, Column]
    assets: NDArray[np.int64]
    points: NDArray[np.int64]
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.assets)

    def remark(self, kind: RemarkKind, rows: NDArray[np.bool_], more: int = 0) -> Iterator[Remark]:
        """What is to be said of some of the rows, and `more` of the dropped ones, if there are any."""
        if count := int(rows.sum()) + more:
            examples = (column.at(np.flatnonzero(rows)[:_EXAMPLES]).spelt_out() for column in self.columns)
            spelt_out = tuple(map(", ".join, zip(*examples, strict=True)))
            yield Remark(self.entry, kind, count, len(self) + self.dropped, spelt_out)


def matches_nothing(rows: Rows) -> bool:
    """Whether neither an asset nor a point of the rows is selected."""
    return len(rows) > 0 and not np.any(rows.assets >= 0) and not np.any(rows.points >= 0)


def unmatched(rows: Rows, blocks: Sequence[Rectangle], pairs: NDArray[np.int64], width: int) -> Iterator[Remark]:
    """Rows that were to be kept, or to be looked at, and name nothing that is selected.

    `pairs` are the single pairs that are selected, as ascending codes; a code is the asset's position times `width`
    and the point's.
    """
    no_asset = rows.assets < 0
    no_point = ~no_asset & (rows.points < 0)
    selected = _selected(rows, blocks, pairs, width)
    yield from rows.remark(RemarkKind.NO_ASSET, no_asset)
    yield from rows.remark(RemarkKind.NO_POINT, no_point)
    yield from rows.remark(RemarkKind.NO_PAIR, ~no_asset & ~no_point & ~selected)
    yield from _keeps_nothing(rows, selected)


def unnameable(rows: Rows) -> Iterator[Remark]:
    """Rows that were to be kept where requests may name what nobody listed, and can't name one of these."""
    yield from _keeps_nothing(rows, (rows.assets >= 0) & (rows.points >= 0))


def _keeps_nothing(rows: Rows, endangered: NDArray[np.bool_]) -> Iterator[Remark]:
    """Also said of no rows: whoever asks for one stage may have some in another."""
    if not endangered.any():
        total = len(rows) + rows.dropped
        yield Remark(rows.entry, RemarkKind.KEEPS_NOTHING, total, total)


def strangers(source: PairSource, witnesses: Sequence[Pair], relations: Sequence[Relation]) -> Iterator[Remark]:
    """Witnesses of assets, or with points, that are selected in no stage: what becomes of them says little."""
    assets, points = (set().union(*sides) for sides in ([r.assets for r in relations], [r.points for r in relations]))
    no_asset = [pair for pair in witnesses if pair.asset not in assets]
    no_point = [pair for pair in witnesses if pair.asset in assets and pair.point not in points]
    for kind, pairs in ((RemarkKind.NO_ASSET, no_asset), (RemarkKind.NO_POINT, no_point)):
        if pairs:
            examples = tuple(f"{pair.asset}, {pair.point}" for pair in pairs[:_EXAMPLES])
            yield Remark(source.place, kind, len(pairs), len(witnesses), examples)


def repeated(rows: Rows, blocks: Sequence[Rectangle], pairs: NDArray[np.int64], width: int) -> Iterator[Remark]:
    """Rows that select what is selected already, by `blocks`, the single `pairs` of earlier tables, or rows above."""
    codes = rows.assets * width + rows.points
    _, first = np.unique(codes, return_index=True)
    again = np.ones(len(rows), np.bool_)
    again[first] = False
    again |= _selected(rows, blocks, pairs, width)
    kind = RemarkKind.NOTHING_NEW if again.all() else RemarkKind.REPEATED
    yield from rows.remark(kind, again, rows.dropped)


def repeated_blocks(entries: Sequence[str], blocks: Sequence[Rectangle], assets: int) -> Iterator[Remark]:
    """Blocks that select nothing which those before them don't, among so many `assets`."""
    nothing_new = superfluous(blocks, assets) if len(blocks) > 1 else ()
    for entry, block, needless in zip(entries, blocks, nothing_new, strict=False):
        if needless:
            yield Remark(entry, RemarkKind.NOTHING_NEW, block.pairs, block.pairs)


def repeated_ids(entry: str, listed: Listed) -> Iterator[Remark]:
    """IDs that a list names more than once."""
    if again := sum(listed.again.values()) - len(listed.again):
        examples = islice(map(show, listed.again), _EXAMPLES)
        yield Remark(entry, RemarkKind.REPEATED, again, len(listed.ids) + again, tuple(examples))


def _selected(rows: Rows, blocks: Sequence[Rectangle], pairs: NDArray[np.int64], width: int) -> NDArray[np.bool_]:
    """Which of the rows name a pair that is selected."""
    found = _in(pairs, rows.assets * width + rows.points) & (rows.assets >= 0) & (rows.points >= 0)
    for block in blocks:
        found |= _in(block.assets, rows.assets) & _in(block.points, rows.points)
    return found


def _in(ascending: NDArray[np.int32] | NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(len(numbers), np.bool_)
    places = np.searchsorted(ascending, numbers)
    return np.asarray(ascending[np.minimum(places, len(ascending) - 1)] == numbers)
