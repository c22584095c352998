"""Blocks with holes: covering a dense block from which single cells are missing, so that nearly all rows differ.

A rectangle is given by its columns S alone: its rows are those that are whole on S. So a cover is a binary code of
the columns, as in the cover of a crown graph with log2 n rectangles (de Caen, Gregory and Pullman, 1981); with d
holes a row it is a code that separates a column from d others, O(d² log n). Here the code is found by search: a
greedy that climbs to one rectangle after the other, then a walk in the manner of WalkSAT (Selman, Kautz and Cohen,
1994): drop a rectangle, then mend uncovered cells one at a time by the best single flip of a column in a rectangle,
with a tabu list, until all is covered again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bulkstate.planner.cover.crown import middle_layer
from bulkstate.planner.cover.packed import as_words

Flags = NDArray[np.bool_]
Reals = NDArray[
    np.floating
]  # 64 bits where pairs are weighed: sums of pairs stay exact, whatever order they are added in

_ROUNDS = 12  # rounds of a climb; the last few flip one column at a time
_SINGLE = 4
_NEVER = 1_000  # covers of a cell that isn't to be covered: never 0 or 1
_TENURE = 10
_PATIENCE = 400  # steps of a walk without a new low
_HEAVY = 8  # requests
_PENALTIES = (0.0625, 0.5)  # sums of such weights are exact, in whatever order a machine adds them
_SAMPLE = 600  # rows a climb looks at, fewer where they are long: a climb takes about as many steps in every block
_SAMPLED = 150_000  # cells
_CROWN = 2  # holes a row up to which a block is looked at as a crown
_SHRINKS = 1.5  # times the requests wanted that a beginning may have: a walk spares a third at best
_UNBOUNDED = 1 << 62
_MULTIPLIED = 16  # cells that a product of matrices takes in the time of one looked at otherwise
_PACKED = 64  # and cells as flags in words


@dataclass(frozen=True)
class HoledBlock:
    """A dense part of a relation: target and allowed cells (rows × columns), and how many rows and columns each
    class stands for."""

    target: Flags
    allowed: Flags
    row_sizes: Reals
    column_sizes: Reals


@dataclass(frozen=True)
class Sets:
    """Rectangles of a block: `rows[k]` and `columns[k]` flag the classes of rectangle k."""

    rows: Flags
    columns: Flags

    @property
    def count(self) -> int:
        """The number of rectangles."""
        return len(self.columns)


@dataclass
class Allowance:
    """What covering a block may take: a cover of `requests` or more is of no use, and `cells` are looked at at most."""

    requests: int
    cells: int

    def spend(self, cells: int) -> None:
        """Count cells that were looked at."""
        self.cells -= cells

    @property
    def spent(self) -> bool:
        """Whether nothing more may be looked at."""
        return self.cells <= 0


def cover_block(
    block: HoledBlock,
    cap: int,
    steps: int,
    allowance: Allowance,
    rng: np.random.Generator,
    expired: Callable[[], bool] = lambda: False,
) -> Sets | None:
    """Rectangles that cover the block's targets: few of them, and little overlap where their area exceeds `cap`
    pairs. None where that would take more than is allowed.

    `steps` bounds the walk, for a block of 100,000 cells; it is scaled down for larger ones.
    """
    search = _Search(block, cap, rng, allowance)
    while search.is_heavy():
        if search.requests >= allowance.requests or allowance.spent or expired():
            return None
        search.take(search.best_climb(_PENALTIES))
    peeled, left = search.found(), search.left
    useful = np.flatnonzero(left.any(axis=1))
    if not useful.size:
        return peeled
    most = int(_SHRINKS * max(0, allowance.requests - search.requests))
    light = _light_covers(left[useful], block.allowed[useful], steps, Allowance(most, allowance.cells), rng, expired)
    covers = [Sets(_trimmed(columns, left, block.allowed), columns) for columns in light]
    if not covers:
        return None
    best = min(covers, key=lambda one: _cost(one, block, cap))
    return Sets(np.concatenate([peeled.rows, best.rows]), np.concatenate([peeled.columns, best.columns]))


def _cost(sets: Sets, block: HoledBlock, cap: int) -> tuple[float, float]:
    """How many requests of `cap` pairs the rectangles take at least, and how many pairs they hold."""
    areas = (sets.rows @ block.row_sizes) * (sets.columns @ block.column_sizes)
    return float(np.ceil(areas / cap).sum()), float(areas.sum())


def _light_covers(
    target: Flags,
    allowed: Flags,
    steps: int,
    allowance: Allowance,
    rng: np.random.Generator,
    expired: Callable[[], bool],
) -> Iterator[Flags]:
    """The columns of few rectangles that cover the target, whatever their area, unless they are too many: from a
    climb's beginning, and, where the block is nearly a crown, from a crown's."""
    crown = middle_layer(target.shape[1])
    is_crown = False
    if np.count_nonzero(~allowed) <= _CROWN * len(allowed):
        begun = _begun(target, allowed, crown, allowance, rng, expired)
        if begun is not None:
            is_crown = len(begun) <= len(crown)
            yield _walked(target, allowed, begun, steps, allowance, rng, expired)
    if not is_crown:
        begun = _begun(target, allowed, crown[:0], allowance, rng, expired)
        if begun is not None:
            yield _walked(target, allowed, begun, steps, allowance, rng, expired)


def _walked(
    target: Flags,
    allowed: Flags,
    columns: Flags,
    steps: int,
    allowance: Allowance,
    rng: np.random.Generator,
    expired: Callable[[], bool],
) -> Flags:
    walk = Walk(target, allowed, columns, rng, allowance)
    walk.run(int(steps * min(1.0, 1e5 / target.size)), expired)
    return walk.best


def _begun(
    target: Flags,
    allowed: Flags,
    codes: Flags,
    allowance: Allowance,
    rng: np.random.Generator,
    expired: Callable[[], bool],
) -> Flags | None:
    """Rectangles by these columns, and by a climb after the other for what they leave; None if that is too much."""
    height, width = target.shape
    unit = HoledBlock(target, allowed, np.ones(height, np.float32), np.ones(width, np.float32))
    search = _Search(unit, target.size + 1, rng, allowance)
    for code in codes:
        search.take(search.rectangle(code))
    while search.left.any():
        if search.requests >= allowance.requests or allowance.spent or expired():
            return None
        search.take(search.best_climb((0.0,)))
    return search.found().columns


def _trimmed(columns: Flags, target: Flags, allowed: Flags) -> Flags:
    """The whole rows of each set of columns that hold a cell still to be covered, each cell left to the first that
    covers it."""
    holes = (~allowed).astype(np.float32)
    rows: Flags = columns.astype(np.float32) @ holes.T == 0
    left = target.copy()
    for flags, chosen in zip(rows, columns, strict=True):
        flags &= left[:, chosen].any(axis=1)
        left[np.ix_(flags, chosen)] = False
    return rows


@dataclass(frozen=True)
class _Found:
    """A rectangle: flags of its columns, its rows, the uncovered pairs it holds and the requests it takes."""

    columns: Flags
    rows: NDArray[np.int64]
    fresh: float
    requests: float


class _Search:
    """The state of a greedy: the cells left, and the rectangles found."""

    def __init__(self, block: HoledBlock, cap: int, rng: np.random.Generator, allowance: Allowance) -> None:
        self.requests = 0
        self.left = block.target.copy()
        self._block = block
        self._cap = cap
        self._rng = rng
        self._allowance = allowance
        self._found: list[_Found] = []
        self._worth = (self.left @ block.column_sizes) * block.row_sizes
        self._rows_lacking = [np.flatnonzero(lacking) for lacking in ~block.allowed.T]

    def is_heavy(self) -> bool:
        """Whether the area of rectangles matters for what is left: rows that lack something, times all columns, in
        requests."""
        area = self._block.row_sizes[self._worth > 0].sum() * self._block.column_sizes.sum()
        return bool(area > _HEAVY * self._cap)

    def take(self, rectangle: _Found) -> None:
        """Count the rectangle's cells as covered."""
        rows = rectangle.rows
        self.left[np.ix_(rows, rectangle.columns)] = False
        self._worth[rows] = (self.left[rows] @ self._block.column_sizes) * self._block.row_sizes[rows]
        self._found.append(rectangle)
        self.requests += int(rectangle.requests)

    def some_row(self) -> Flags:
        """All columns that are allowed on a row that has most left."""
        row: Flags = self._block.allowed[int(self._worth.argmax())]
        return row

    def found(self) -> Sets:
        """The rectangles taken so far."""
        height, width = self.left.shape
        rows = np.zeros((len(self._found), height), dtype=bool)
        for flags, rectangle in zip(rows, self._found, strict=True):
            flags[rectangle.rows] = True
        return Sets(rows, np.array([one.columns for one in self._found], dtype=bool).reshape(-1, width))

    def best_climb(self, penalties: tuple[float, ...]) -> _Found:
        """The rectangle with most uncovered pairs a request among one climb for each penalty on covering a pair
        again."""
        seed = int(self._worth.argmax())
        sample = self._sample()
        climbs = [self._climb(seed, sample, penalty) for penalty in penalties]
        best = max(climbs, key=lambda one: one.fresh / one.requests)
        return best if best.fresh else self.rectangle(self.some_row())

    def _climb(self, seed: int, sample: NDArray[np.int64], penalty: float) -> _Found:
        allowed = self._block.allowed[seed]
        start = allowed & (self._rng.random(allowed.size) < 0.5)
        candidates = np.flatnonzero(self.left[seed])
        start[candidates[int(self._rng.random() * candidates.size)]] = True
        self._allowance.spend(_ROUNDS * sample.size * allowed.size // _MULTIPLIED)
        allowed_there, left_there = self._block.allowed[sample], self.left[sample]
        weights = self._block.column_sizes * self._block.row_sizes[sample, None]
        gains = left_there * weights
        if penalty:
            gains -= (allowed_there & ~left_there) * weights * penalty
        return self.rectangle(_flip_columns(gains, (~allowed_there).astype(gains.dtype), start))

    def _sample(self) -> NDArray[np.int64]:
        rows = np.flatnonzero(self._worth)
        most = min(_SAMPLE, max(1, _SAMPLED // self.left.shape[1]))
        if rows.size <= most:
            return rows
        return np.sort(self._rng.choice(rows, size=most, replace=False))

    def rectangle(self, columns: Flags) -> _Found:
        """The rows that are whole on the columns: as many as give most uncovered pairs a request, fullest first."""
        chosen = np.flatnonzero(columns)
        whole = self._worth > 0
        for column in chosen.tolist():
            whole[self._rows_lacking[column]] = False
        rows = np.flatnonzero(whole)
        self._allowance.spend(self._worth.size + rows.size * chosen.size)
        fresh = self.left[rows][:, chosen] @ self._block.column_sizes[chosen]
        order = np.argsort(-fresh, kind="stable")[: np.count_nonzero(fresh)]
        if not order.size:
            return _Found(columns, rows[order], 0.0, 1.0)
        sizes = self._block.row_sizes[rows[order]]
        gained = np.cumsum(fresh[order] * sizes)
        requests = np.ceil(np.cumsum(sizes) * self._block.column_sizes[chosen].sum() / self._cap)
        last = gained.size - 1 - int((gained / requests)[::-1].argmax())
        return _Found(columns, rows[order[: last + 1]], float(gained[last]), float(requests[last]))


def _flip_columns(gains: Reals, holes: Reals, start: Flags) -> Flags:
    """Flip the columns that promise most, several at once at first, and keep the best state seen."""
    chosen = start.astype(gains.dtype)
    best, best_value = start, -1.0
    for turn in range(_ROUNDS):
        worth = np.maximum(gains @ chosen, 0)
        missing = holes @ chosen
        rows = ((missing == 0) & (worth > 0)).astype(gains.dtype)
        value = float(worth @ rows)
        if value > best_value:
            best, best_value = chosen > 0, value
        won = rows @ gains
        lost, regained = np.stack([worth * rows, worth * (missing == 1)]) @ holes
        change = np.where(chosen > 0, regained - won, won - lost)
        most = change.max()
        if most <= 0:
            break
        flips = change > most / 2 if turn < _ROUNDS - _SINGLE else np.arange(change.size) == change.argmax()
        chosen[flips] = 1 - chosen[flips]
    return best


class Walk:
    """The state of a walk: a cover by columns that may leave cells uncovered, and the best whole cover seen (`best`).

    `covers[r, q]` counts the rectangles over cell (r, q); `missing[k, r]` the holes of row r in the columns of
    rectangle k.
    """

    def __init__(
        self,
        target: Flags,
        allowed: Flags,
        columns: Flags,
        rng: np.random.Generator,
        allowance: Allowance | None = None,
    ) -> None:
        self.target = target
        self._allowance = allowance or Allowance(len(columns), _UNBOUNDED)
        self.best = columns.copy()
        self._rng = rng
        self._holes = ~allowed
        self._rows_lacking = [np.flatnonzero(lacking) for lacking in self._holes.T]
        self._columns = columns.copy()
        self._missing = (columns.astype(np.float32) @ self._holes.T.astype(np.float32)).astype(np.int16)
        self._whole = self._missing == 0
        self._covers = (self._whole.T.astype(np.float32) @ columns.astype(np.float32)).astype(np.int16)
        self._covers[~target] = _NEVER
        self._alone: NDArray[np.int64] | None = None  # known as long as rectangles are dropped

    def run(self, steps: int, expired: Callable[[], bool] = lambda: False) -> None:
        """Walk at most `steps` steps; `best` is the smallest whole cover seen."""
        low, idle, tabu = self.target.size, 0, np.zeros(self._columns.shape, dtype=np.int64)
        for step in range(steps):
            uncovered = np.flatnonzero(self._covers.ravel() == 0)
            while not uncovered.size and len(self._columns) > 1 and not self._allowance.spent:
                self.best = self._columns.copy()
                self._drop_least()
                low, idle, tabu = self.target.size, 0, np.zeros(self._columns.shape, dtype=np.int64)
                uncovered = np.flatnonzero(self._covers.ravel() == 0)
            idle = 0 if uncovered.size < low else idle + 1
            low = min(low, uncovered.size)
            if not uncovered.size or idle > max(_PATIENCE, steps // 5) or (step % 64 == 0 and expired()):
                break
            self._mend(uncovered, tabu, step)
        if not (self._covers == 0).any():
            self.best = self._columns.copy()

    def _drop_least(self) -> None:
        """Drop the rectangle with fewest cells that no other covers."""
        alone = self._cells_alone() if self._alone is None else self._alone
        least = int(alone.argmin())
        rows, columns = np.flatnonzero(self._whole[least]), np.flatnonzero(self._columns[least])
        covers = self._covers[np.ix_(rows, columns)] - 1
        self._covers[np.ix_(rows, columns)] = covers
        self._columns = np.delete(self._columns, least, 0)
        self._whole = np.delete(self._whole, least, 0)
        self._missing = np.delete(self._missing, least, 0)
        once = np.zeros((rows.size, self.target.shape[1]), np.bool_)
        once[:, columns] = covers == 1
        hit = np.flatnonzero(once.any(axis=1))
        self._alone = np.delete(alone, least) + self._held(rows[hit], once[hit])

    def _cells_alone(self) -> NDArray[np.int64]:
        """For each rectangle the number of cells that no other covers."""
        return self._held(np.arange(len(self.target)), self._covers == 1)

    def _held(self, rows: NDArray[np.int64], flags: Flags) -> NDArray[np.int64]:
        """For each rectangle how many flagged cells of some rows it holds."""
        self._allowance.spend(flags.size + len(self._columns) * flags.size // _PACKED)
        words = as_words(flags)
        counts = (
            np.bitwise_count(words[whole] & columns).sum(dtype=np.int64)
            for whole, columns in zip(self._whole[:, rows], as_words(self._columns), strict=True)
        )
        return np.fromiter(counts, np.int64, len(self._columns))

    def _mend(self, uncovered: NDArray[np.int64], tabu: NDArray[np.int64], step: int) -> None:
        """Cover one uncovered cell by the flip that leaves fewest cells uncovered."""
        rows, columns = np.divmod(uncovered, self.target.shape[1])
        pick = int(self._rng.random() * uncovered.size)
        row, column = rows[pick], columns[pick]
        entering, entered = self._enter(row, column, rows[columns == column])
        leaving, blocker, left = self._leave(row, column, rows, columns)
        rectangles = np.concatenate([entering, leaving])
        if not rectangles.size:
            return
        flipped = np.concatenate([np.full(entering.size, column), blocker])
        change = np.concatenate([entered, left]) + self._rng.random(rectangles.size) * 0.9
        change -= _NEVER * (tabu[rectangles, flipped] > step)
        best = int(change.argmax())
        tabu[rectangles[best], flipped[best]] = step + _TENURE + int(self._rng.random() * _TENURE)
        self._flip(rectangles[best], flipped[best])

    def _enter(
        self, row: np.int64, column: np.int64, beside: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rectangles that hold the row and could take in the column, and how many cells more would be covered."""
        rectangles = np.flatnonzero(self._whole[:, row])
        lacking = self._rows_lacking[column]
        leaves = self._whole[rectangles[:, None], lacking]
        touched = leaves.any(axis=0)
        once = (self._covers[lacking[touched]] == 1).astype(np.float32)
        lost = ((self._columns[rectangles].astype(np.float32) @ once.T) * leaves[:, touched]).sum(axis=1)
        return rectangles, self._whole[rectangles[:, None], beside].sum(axis=1) - lost

    def _leave(
        self, row: np.int64, column: np.int64, rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Rectangles that hold the column and all but one hole of the row; that hole's column; the change if it
        left."""
        rectangles = np.flatnonzero(self._columns[:, column] & (self._missing[:, row] == 1))
        if not rectangles.size:
            return rectangles, rectangles, rectangles.astype(np.float64)
        blocker = (self._columns[rectangles] & self._holes[row]).argmax(axis=1)
        lost = (self._whole[rectangles] & (self._covers[:, blocker] == 1).T).sum(axis=1)
        freed = (self._missing[rectangles[:, None], rows] == 1) & self._holes[rows, blocker[:, None]]
        won = (freed & self._columns[rectangles[:, None], columns]).sum(axis=1)
        return rectangles, blocker, (won - lost).astype(np.float64)

    def _flip(self, rectangle: np.int64, column: np.int64) -> None:
        self._alone = None
        lacking = self._rows_lacking[column]
        columns, whole, missing = self._columns[rectangle], self._whole[rectangle], self._missing[rectangle]
        if columns[column]:
            self._covers[whole, column] -= 1
            columns[column] = False
            missing[lacking] -= 1
            gained = lacking[missing[lacking] == 0]
            self._covers[np.ix_(gained, columns)] += 1
            whole[gained] = True
        else:
            parted = lacking[whole[lacking]]
            self._covers[np.ix_(parted, columns)] -= 1
            whole[parted] = False
            missing[lacking] += 1
            columns[column] = True
            self._covers[whole, column] += 1
