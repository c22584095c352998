"""What reached the wire: counted always, and kept call by call if asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bulkstate.emulator.calls import CallKind, Declined, StageCall, read_stage_call


@dataclass(frozen=True, slots=True)
class Received:
    """One call as it arrived, whatever became of it. `at` is in seconds of the event loop's clock.

    `body` is None if it was over the size limit, or broke off.
    """

    at: float
    kind: CallKind
    path: str
    organisation: str
    body: bytes | None = field(repr=False)

    @property
    def body_bytes(self) -> int:
        """The size of the body, 0 if there is none."""
        return len(self.body or b"")

    @property
    def stage_call(self) -> StageCall | None:
        """What a delete or get named; None for other calls, and for a body that can't be read."""
        if self.kind not in (CallKind.DELETE, CallKind.GET) or self.body is None:
            return None
        try:
            return read_stage_call(self.body)
        except Declined:
            return None


class CallLog:
    """Counts every call by its kind, and those refused with 429. `calls` holds them all if `keep` was asked for."""

    def __init__(self, *, keep: bool = False) -> None:
        self.counts: Counter[CallKind] = Counter()
        self.throttled = 0
        self.calls: list[Received] = []
        self._keep = keep

    def add(self, received: Received) -> None:
        """A call arrived."""
        self.counts[received.kind] += 1
        if self._keep:
            self.calls.append(received)
