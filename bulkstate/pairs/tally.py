"""What became of a run's chunks so far, in columns: a million of them fit into a few megabytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import Verdict

VERDICTS: Final = tuple(Verdict)
"""A verdict's number is its place in here."""

_NUMBERS: Final = {verdict: number for number, verdict in enumerate(VERDICTS)}
_NO_RECORD: Final = -1

Numbers: TypeAlias = slice | NDArray[np.int64]
"""Chunks, by number."""


@dataclass(frozen=True, slots=True, eq=False)
class ChunkTally:
    """Each chunk's last verdict, by its number, and the sums of its records: how many deletes were sent, and how many
    were throttled (429)."""

    verdicts: NDArray[np.int8]
    attempts: NDArray[np.int64]
    throttled: NDArray[np.int64]

    @classmethod
    def of(cls, chunks: int, rows: NDArray[Any]) -> Self:
        """The tally of so many chunks and their records, in order: `verdict`, `chunk`, `attempts`, `throttled`.

        ValueError if one of them is of no such chunk, or counts what can't be.
        """
        chunk = rows["chunk"]
        if np.any((chunk < 0) | (chunk >= chunks) | (rows["attempts"] < 0) | (rows["throttled"] < 0)):
            raise ValueError("it holds an outcome of a chunk that isn't in the plan, or a negative count")
        verdicts = np.full(chunks, _NO_RECORD, np.int8)
        verdicts[chunk] = rows["verdict"]  # where a chunk has several, the last one stays
        attempts, throttled = np.zeros((2, chunks), np.int64)
        np.add.at(attempts, chunk, rows["attempts"])
        np.add.at(throttled, chunk, rows["throttled"])
        return cls(verdicts, attempts, throttled)

    def __len__(self) -> int:
        return len(self.verdicts)

    def __getitem__(self, numbers: Numbers) -> ChunkTally:
        """The tally of these chunks alone."""
        return ChunkTally(self.verdicts[numbers], self.attempts[numbers], self.throttled[numbers])

    @property
    def retries(self) -> int:
        """Deletes that weren't a chunk's first."""
        return int(np.maximum(self.attempts - 1, 0).sum())

    def ended(self, *verdicts: Verdict) -> NDArray[np.bool_]:
        """Which chunks' last verdict is one of these."""
        ended: NDArray[np.bool_] = np.isin(self.verdicts, [_NUMBERS[verdict] for verdict in verdicts])
        return ended

    def unrecorded(self) -> NDArray[np.bool_]:
        """Which chunks have no record."""
        unrecorded: NDArray[np.bool_] = self.verdicts == _NO_RECORD
        return unrecorded

    def verdict(self, number: int) -> Verdict:
        """A chunk's last verdict; `NOT_SENT` without a record."""
        return Verdict.NOT_SENT if self.verdicts[number] == _NO_RECORD else VERDICTS[self.verdicts[number]]

    def counts(self) -> Counter[Verdict]:
        """How many chunks ended in each way."""
        found, counted = np.unique(self.verdicts, return_counts=True)
        counts: Counter[Verdict] = Counter()
        for number, count in zip(found.tolist(), counted.tolist(), strict=True):
            counts[Verdict.NOT_SENT if number == _NO_RECORD else VERDICTS[number]] += count
        return counts
