"""Requests under a cap that binds: merged where their hull is allowed, and improved by destroy and repair on single
pairs.

Works on the pairs themselves, not on classes, since a request may hold a part of a class; so it is for small
relations only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bulkstate.planner.cover.bits import members
from bulkstate.planner.cover.chance import Chance

_TRIES = 12  # seeds tried for a request before the best is taken


@dataclass(frozen=True)
class Piece:
    """Rows × columns of one request, as bit sets over the relation's rows and columns."""

    rows: int
    columns: int

    @property
    def area(self) -> int:
        """Pairs in the request."""
        return self.rows.bit_count() * self.columns.bit_count()


class Squeeze:
    """The state of the search: a list of requests that cover all targets, each of at most `cap` pairs."""

    def __init__(self, pieces: list[Piece], target: list[int], allowed: list[int], cap: int) -> None:
        self.pieces = list(pieces)
        self._target = target
        self._allowed = allowed
        self._cap = cap
        self._rng = Chance(0)
        self._work = 0
        self._most = 0

    def run(self, work: int, floor: int, expired: Callable[[], bool] = lambda: False) -> None:
        """Drop what is spare, merge, and repair until `work` rows were looked at; stop at `floor` requests."""
        self.pieces = self._without_spare(self.pieces)
        self._merge(expired)
        self._work, self._most = 0, work
        while len(self.pieces) > max(floor, 1) and self._work < work and not expired():
            self._repair()

    def _repair(self) -> None:
        """Take away some requests near each other, cover what they alone covered anew, and keep that unless it takes
        more."""
        gone = self._near(self._rng.randrange(len(self.pieces)), self._rng.randint(2, 7))
        kept = [piece for number, piece in enumerate(self.pieces) if number not in gone]
        left = self._left(kept)
        fresh: list[Piece] = []
        while left and len(fresh) < len(gone) and self._work < self._most:
            piece = self._best_piece(left)
            fresh.append(piece)
            _strike(left, piece)
        if not left:
            self.pieces = self._without_spare(kept + fresh) if len(fresh) == len(gone) else kept + fresh

    def _near(self, centre: int, count: int) -> set[int]:
        piece = self.pieces[centre]
        near = [n for n, one in enumerate(self.pieces) if one.rows & piece.rows or one.columns & piece.columns]
        self._rng.shuffle(near)
        return {centre, *near[: count - 1]}

    def _left(self, pieces: list[Piece]) -> dict[int, int]:
        """Row by row the target columns that the pieces don't cover."""
        left = dict(enumerate(self._target))
        self._work += len(left)
        for piece in pieces:
            self._work += piece.rows.bit_count()
            for row in members(piece.rows):
                left[row] &= ~piece.columns
        return {row: columns for row, columns in left.items() if columns}

    def _best_piece(self, left: dict[int, int]) -> Piece:
        rows = list(left)
        seeds = rows if len(rows) <= _TRIES else self._rng.sample(rows, _TRIES)
        return max((self._grown(seed, left) for seed in seeds), key=lambda piece: _fresh(piece, left))

    def _grown(self, seed: int, left: dict[int, int]) -> Piece:
        """From one row's uncovered columns: take in rows, giving up columns they aren't allowed on, while that
        covers more."""
        piece = Piece(1 << seed, _first(left[seed], self._cap))
        value = piece.area
        while self._work < self._most:
            self._work += len(left) * piece.rows.bit_count()
            options = [
                self._with(piece, row) for row in left if not piece.rows >> row & 1 and left[row] & piece.columns
            ]
            options = [option for option in options if option.columns]
            if not options:
                return piece
            best = max(options, key=lambda option: _fresh(option, left))
            gained = _fresh(best, left)
            if gained <= value:
                return self._widened(piece, left)
            piece, value = best, gained
        return piece

    def _with(self, piece: Piece, row: int) -> Piece:
        height = piece.rows.bit_count() + 1
        return Piece(piece.rows | 1 << row, _first(piece.columns & self._allowed[row], self._cap // height))

    def _widened(self, piece: Piece, left: dict[int, int]) -> Piece:
        """Take in columns allowed on all rows that are uncovered somewhere, most uncovered first, while the cap
        allows."""
        common, wanted = ~0, 0
        for row in members(piece.rows):
            common &= self._allowed[row]
            wanted |= left.get(row, 0)
        height = piece.rows.bit_count()
        room = self._cap // height - piece.columns.bit_count()
        extra = _first(common & wanted & ~piece.columns, max(room, 0))
        return Piece(piece.rows, piece.columns | extra)

    def _merge(self, expired: Callable[[], bool]) -> None:
        """Join two requests at a time where all of their hull is allowed and it is within the cap, smallest first."""
        pieces = sorted(self.pieces, key=lambda piece: (piece.area, piece.rows, piece.columns))
        merged: list[Piece] = []
        while pieces:
            piece = pieces.pop(0)
            partner = None if expired() else next((other for other in pieces if self._fits(piece, other)), None)
            if partner is None:
                merged.append(piece)
                continue
            pieces.remove(partner)
            pieces.insert(0, Piece(piece.rows | partner.rows, piece.columns | partner.columns))
        self.pieces = merged

    def _fits(self, one: Piece, other: Piece) -> bool:
        hull = Piece(one.rows | other.rows, one.columns | other.columns)
        return hull.area <= self._cap and all(not hull.columns & ~self._allowed[row] for row in members(hull.rows))

    def _without_spare(self, pieces: list[Piece]) -> list[Piece]:
        """The requests without those whose targets others cover, smallest first."""
        kept = sorted(pieces, key=lambda piece: (piece.area, piece.rows, piece.columns))
        self._work += len(self._target) + 2 * sum(piece.rows.bit_count() for piece in kept)
        counts = [[0, 0] for _ in self._target]
        for piece in kept:
            for row in members(piece.rows):
                counts[row][1] |= counts[row][0] & piece.columns
                counts[row][0] |= piece.columns
        spare = [
            number
            for number, piece in enumerate(kept)
            if all(not self._target[row] & piece.columns & ~counts[row][1] for row in members(piece.rows))
        ]
        if not spare:
            return kept
        del kept[spare[0]]
        return self._without_spare(kept) if len(spare) > 1 else kept


def _first(columns: int, count: int) -> int:
    """The first `count` members."""
    while columns.bit_count() > count:
        columns &= ~(1 << columns.bit_length() - 1)
    return columns


def _fresh(piece: Piece, left: dict[int, int]) -> int:
    return sum((left.get(row, 0) & piece.columns).bit_count() for row in members(piece.rows))


def _strike(left: dict[int, int], piece: Piece) -> None:
    for row in members(piece.rows):
        remaining = left.get(row, 0) & ~piece.columns
        if remaining:
            left[row] = remaining
        else:
            left.pop(row, None)
