"""A loss, from its first refused call to the first one that passes again: the gate stays ajar or is shut for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

FIRST_GAP: Final = 0.13
"""Seconds between probes in the first second of a shut door."""

GAP_SHARE: Final = 0.4
"""Later, a probe waits for this share of the time that the door has been shut already,"""

LONG: Final = 8.0
LONG_GAP_SHARE: Final = 0.8
"""after so many seconds for this one: a window of a minute needn't be known to the second,"""

LONGEST_GAP: Final = 1200.0
"""or for so many seconds at most: a day that ran out is noticed 20 minutes late at worst."""

COARSE: Final = 1.05
"""`Retry-After` is in whole seconds: the door may open so much earlier."""

LOST: Final = 8.0
"""Round trips after which a probe counts as lost and another may go."""

AMONG: Final = 0.2
"""The share of accepted calls among refused ones that makes a loss a thinning; less is the jitter of an edge."""

RUN: Final = 3
RUN_SECONDS: Final = 0.03
"""So many refused calls without an accepted one between them, sent over so many seconds, shut the door."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a loss came to. Times are the send times of calls, s."""

    refused_from: float
    refused_to: float
    accepted_from: float
    accepted: int
    refused: int
    thinned: bool
    round_trip: float

    @property
    def shut_for(self) -> float:
        """Seconds that it certainly lasted."""
        return self.refused_to - self.refused_from


class Door:
    """Watches a loss. `read_at` is when its first refusal was read; calls sent before that tell about it for free."""

    def __init__(self, sent_at: float, now: float) -> None:
        self.read_at = now
        self.shut = False
        self._refused = [sent_at]
        self._accepted: list[float] = []
        self._run = 1
        self._hints: tuple[float, ...] = ()
        self._least_gap = FIRST_GAP
        self._probed_at: float | None = None
        self._patience = inf
        self._next_probe = now
        self._held_until = -inf

    @property
    def ready_at(self) -> float:
        """When the next probe, or the first call through the open door, may start."""
        after = self._next_probe if self._probed_at is None else self._probed_at + self._patience
        return max(after, self._held_until)

    @property
    def open(self) -> bool:
        """A call that left after the last refused one was accepted."""
        return any(at > max(self._refused) for at in self._accepted)

    @property
    def run(self) -> bool:
        """So many refused calls in a row that nothing but waiting helps."""
        return self._run >= RUN and max(self._refused) - min(self._refused) >= RUN_SECONDS

    def close(self, now: float, round_trip: float, hints: tuple[float, ...], least_gap: float) -> None:
        """No call but probes, the first when all that is under way has been answered."""
        self.shut = True
        self._hints = hints
        self._least_gap = max(FIRST_GAP, least_gap)
        self._patience = LOST * round_trip
        self._next_probe = now + 1.25 * round_trip

    def hold(self, until: float) -> None:
        """No probe before."""
        self._held_until = max(self._held_until, until)

    def sent(self, now: float) -> None:
        """A probe starts."""
        self._probed_at = now

    def passed(self, sent_at: float) -> bool:
        """A call was accepted; whether that contradicts the `Retry-After` of an earlier one."""
        self._accepted.append(sent_at)
        early = self._held_until - sent_at if max(self._refused) < sent_at < self.read_at else 0.0
        if sent_at > max(self._refused):
            self._run = 0
        if sent_at >= self.read_at:
            self._probed_at = None
        if early > 0.0:
            self._held_until = -inf
        return early > COARSE

    def failed(self, sent_at: float, now: float) -> None:
        """Another call was refused."""
        self._refused.append(sent_at)
        self._run += 1
        self.unanswered(sent_at, now)

    def unanswered(self, sent_at: float, now: float) -> None:
        """If that was the probe, the next one is due some time later."""
        if sent_at < self.read_at or self._probed_at is None:
            return
        self._probed_at = None
        shut = now - min(self._refused)
        share = GAP_SHARE if shut < LONG else LONG_GAP_SHARE
        gap = min(max(self._least_gap, share * shut if shut > 1.2 else 0.0), LONGEST_GAP)
        self._next_probe = min((hint for hint in self._hints if now < hint < now + 1.2 * gap), default=now + gap)

    def loss(self, round_trip: float, jitter: float) -> Loss:
        """What it came to."""
        first, last = min(self._refused), max(*self._refused, self._held_until - COARSE)
        accepted = [at for at in self._accepted if at > last]
        among = sum(first + jitter < at < last - jitter for at in self._accepted)
        other = sum(first + jitter < at < last - jitter for at in self._refused)
        thinned = among > 0 and among >= AMONG * (among + other)
        passed = sum(at > first for at in self._accepted) if thinned else len(accepted)
        return Loss(first, last, min(accepted, default=last), passed, len(self._refused), thinned, round_trip)
