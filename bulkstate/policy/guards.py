"""When so much fails that a run had better stop: somebody should look before more is tried."""

from __future__ import annotations

from collections import Counter
from typing import Final

LEAST_SAMPLE: Final = 100
"""Chunks of the plan that must be settled before a share of them says anything."""


class FailureGuard:
    """Counts the plan's chunks that fail. At most so many may: a number, or a share of those settled, a fraction of 1.

    A chunk that is cut is settled when its last part is, and fails as soon as one does.
    """

    def __init__(self, most: float | None) -> None:
        self._most = most
        self._parts: dict[int, int] = {}
        self._failed: set[int] = set()
        self._reasons: Counter[str] = Counter()
        self._settled = 0

    def was_cut(self, chunk: int, parts: int) -> None:
        """A chunk of the plan, or a part of it, goes on as so many parts."""
        self._parts[chunk] = self._parts.get(chunk, 1) + parts - 1

    def settled(self, chunk: int, failed: str = "") -> None:
        """A chunk of the plan, or a part of it, has come to its end; why, if it `failed`."""
        parts = self._parts.get(chunk, 1) - 1
        if parts:
            self._parts[chunk] = parts
        else:
            self._parts.pop(chunk, None)
        if chunk in self._failed:
            return
        if failed:
            self._failed.add(chunk)
            self._reasons[failed] += 1
        self._settled += bool(failed) or not parts

    @property
    def is_exceeded(self) -> bool:
        """More has failed than may."""
        most, failed = self._most, len(self._failed)
        if most is None or not failed:
            return False
        if isinstance(most, int):
            return failed > most
        return self._settled >= LEAST_SAMPLE and failed > most * self._settled

    def __str__(self) -> str:
        (reason, _), *_ = self._reasons.most_common(1)
        limit = f"{self._most:,}" if isinstance(self._most, int) else f"{self._most or 0:.0%}"
        return f"{len(self._failed):,} of {self._settled:,} requests failed (the limit is {limit}), most with {reason}"
