"""A sparse 0/1 relation and its classes of equal rows and equal columns.

A row here is an asset, a column a point, a cell a pair; nothing in this module or those that build on it knows more
about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

_SEEDS = (0x5EED, 0xC0FFEE)


@dataclass(frozen=True)
class Incidence:
    """Cells in compressed rows: row `i` holds columns `columns[starts[i]:starts[i + 1]]`, ascending, each once."""

    starts: Indices
    columns: NDArray[np.int32]
    width: int

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.starts.size - 1

    @property
    def cells(self) -> int:
        """The number of cells."""
        return self.columns.size

    def lengths(self) -> Indices:
        """Cells in each row."""
        return np.diff(self.starts)

    def row_numbers(self) -> NDArray[np.int32]:
        """The row of each cell, in the order of `columns`."""
        return np.repeat(np.arange(self.height, dtype=np.int32), self.lengths())

    def transposed(self) -> Incidence:
        """The same cells in compressed columns."""
        order = np.argsort(self.columns, kind="stable")
        starts = np.zeros(self.width + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.columns, minlength=self.width), out=starts[1:])
        return Incidence(starts, self.row_numbers()[order], self.height)

    def take(self, rows: Indices) -> Incidence:
        """The chosen rows, in the order given."""
        lengths = self.lengths()[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
        return Incidence(starts, self.columns[np.repeat(self.starts[rows], lengths) + within], self.width)

    def only(self, columns: Indices) -> Incidence:
        """The cells in the chosen columns (ascending), which are numbered anew."""
        place = np.full(self.width, -1, np.int32)
        place[columns] = np.arange(columns.size, dtype=np.int32)
        there = place[self.columns]
        counts = np.concatenate([[0], np.cumsum(there >= 0)])
        return Incidence(counts[self.starts], there[there >= 0], columns.size)


def dense(cells: Incidence) -> NDArray[np.bool_]:
    """The cells as a dense matrix of flags."""
    flags = np.zeros((cells.height, cells.width), np.bool_)
    flags[cells.row_numbers(), cells.columns] = True
    return flags


def of_dense(flags: NDArray[np.bool_]) -> Incidence:
    """The cells of a dense matrix of flags."""
    starts = np.concatenate([[0], np.cumsum(flags.sum(axis=1, dtype=np.int64))])
    return Incidence(starts, np.nonzero(flags)[1].astype(np.int32), flags.shape[1])


@dataclass(frozen=True)
class Partition:
    """Items put into classes: class `c` has `members[starts[c]:starts[c + 1]]`, ascending; classes by their
    first member."""

    label: Indices
    members: Indices
    starts: Indices

    @property
    def count(self) -> int:
        """The number of classes."""
        return self.starts.size - 1

    def sizes(self) -> Indices:
        """Members of each class."""
        return np.diff(self.starts)

    def firsts(self) -> Indices:
        """The first member of each class."""
        firsts: Indices = self.members[self.starts[:-1]]
        return firsts

    def expand(self, classes: Indices) -> Indices:
        """All members of the given classes, class after class."""
        lengths = self.sizes()[classes]
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1] if ends.size else 0) - np.repeat(ends - lengths, lengths)
        expanded: Indices = self.members[np.repeat(self.starts[classes], lengths) + within]
        return expanded


@dataclass(frozen=True)
class ClassRelation:
    """A relation between classes of equal rows and classes of equal columns.

    `target` has a cell wherever all pairs of the two classes are to be covered. `forbidden` is None where every
    cell that isn't a target is forbidden; otherwise it lists the forbidden cells, and the others are free to be
    covered or not.
    """

    target: Incidence
    forbidden: Incidence | None
    rows: Partition
    columns: Partition

    def transposed(self) -> ClassRelation:
        """Columns as rows, and rows as columns."""
        forbidden = None if self.forbidden is None else self.forbidden.transposed()
        return ClassRelation(self.target.transposed(), forbidden, self.columns, self.rows)

    def pairs(self) -> int:
        """The number of target pairs that the classes stand for."""
        sizes = self.rows.sizes()[self.target.row_numbers()] * self.columns.sizes()[self.target.columns]
        return int(sizes.sum())


def merge_columns(rows: Partition, target: Incidence, forbidden: Incidence | None = None) -> ClassRelation:
    """The classes of a relation whose rows are merged already: `target` and `forbidden` have a row for each
    class of `rows`.

    The way in for blocks, which are never expanded: rows that lie in the same blocks are one class.
    """
    across = target.transposed()
    across_forbidden = None if forbidden is None else forbidden.transposed()
    columns = _equal(across, across_forbidden)
    merged = across.take(columns.firsts()).transposed()
    merged_forbidden = None if across_forbidden is None else across_forbidden.take(columns.firsts()).transposed()
    return ClassRelation(merged, merged_forbidden, rows, columns)


def partition_of(signatures: NDArray[np.uint64]) -> Partition:
    """Items with equal signatures (an array of items × words) in one class."""
    order = np.lexsort(signatures.T)
    ordered = signatures[order]
    fresh = np.ones(order.size, dtype=bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    by_signature = np.cumsum(fresh) - 1
    first = order[fresh]  # lexsort is stable: the smallest member of each class
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    label = np.empty(order.size, dtype=np.int64)
    label[order] = rank[by_signature]
    starts = np.concatenate([[0], np.cumsum(np.bincount(label, minlength=first.size))])
    return Partition(label, np.argsort(label, kind="stable"), starts.astype(np.int64))


def equal_lines(lines: Incidence) -> Partition:
    """Rows with the same cells in one class."""
    return _equal(lines, None)


def _equal(target: Incidence, forbidden: Incidence | None) -> Partition:
    """Rows that are equal, in both if there are two. Hashes find them; then they are compared, for exactness."""
    parts = [target] if forbidden is None else [target, forbidden]
    found = partition_of(np.stack([row_hashes(part, seed) for part in parts for seed in _SEEDS], axis=1))
    if all(_is_exact(found, part) for part in parts):
        return found
    return partition_of(np.stack([_numbers(part) for part in parts], axis=1))


def _is_exact(found: Partition, rows: Incidence) -> bool:
    """Whether every row is like the first of its class."""
    first = found.firsts()[found.label]
    others = np.flatnonzero(first != np.arange(rows.height))
    like = first[others]
    lengths = rows.lengths()
    if not np.array_equal(lengths[others], lengths[like]):
        return False
    return np.array_equal(rows.take(others).columns, rows.take(like).columns)


def _numbers(rows: Incidence) -> NDArray[np.uint64]:
    """A number for each row, the same for rows with the same bytes."""
    numbers: dict[bytes, int] = {}
    raw = (rows.columns[start:end].tobytes() for start, end in pairwise(rows.starts.tolist()))
    return np.fromiter((numbers.setdefault(each, len(numbers)) for each in raw), np.uint64, rows.height)


def row_hashes(incidence: Incidence, seed: int) -> NDArray[np.uint64]:
    """A commutative 64-bit hash of each row's columns (a sum of random words, one a column)."""
    words = np.random.default_rng(seed).integers(0, 2**64, size=incidence.width, dtype=np.uint64)
    hashes = np.zeros(incidence.height, dtype=np.uint64)
    full = np.flatnonzero(incidence.lengths())
    if full.size:
        hashes[full] = np.add.reduceat(words[incidence.columns], incidence.starts[full])
    return hashes
