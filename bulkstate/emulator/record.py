"""What reached the wire: counted always, and kept call by call if asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from bulkstate.emulator.calls import Declined, Kind, StageCall, read_stage_call


@dataclass(frozen=True, slots=True)
class Received:
    """One call as it arrived, whatever became of it. `at` is in seconds of the event loop's clock.

    `stage_call` is what a delete or get named, None for other calls and for bodies that can't be read.
    """

    at: float
    kind: Kind
    path: str
    organisation: str
    body_bytes: int
    stage_call: StageCall | None


class Record:
    """Counts every call by its kind, and those refused with 429. `calls` holds them all if `keep` was asked for."""

    def __init__(self, *, keep: bool) -> None:
        self.counts: Counter[Kind] = Counter()
        self.throttled = 0
        self.calls: list[Received] = []
        self._keep = keep

    def add(self, at: float, kind: Kind, path: str, organisation: str, body: bytes) -> None:
        """A call arrived."""
        self.counts[kind] += 1
        if self._keep:
            stage_call = _stage_call(body) if kind in (Kind.DELETE, Kind.GET) else None
            self.calls.append(Received(at, kind, path, organisation, len(body), stage_call))


def _stage_call(body: bytes) -> StageCall | None:
    try:
        return read_stage_call(body)
    except Declined:
        return None
