"""A loss, from its first refused call to the first one that passes again: the gate stays ajar or is shut for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

FIRST_GAP: Final = 0.13
"""Seconds between probes in the first second of a shut door."""

GAP_SHARE: Final = 0.4
"""Later, a probe waits for this share of the time that the door has been shut already,"""

LONG: Final = 8.0
LONG_GAP: Final = 48.0
LONG_GAP_SHARE: Final = 0.8
"""after so many seconds for this one, until that comes to so many seconds: a window of a minute needn't be known to the
second,"""

LATE_SHARE: Final = 0.33
SURPRISED_SHARE: Final = 0.2
"""then for the first of these: what is found so much later than it was there is time lost; or for the second, where a
limit is known that wasn't reached: that may be an outage, of which nobody can know when it ends,"""

LONGEST_GAP: Final = 900.0
"""or for so many seconds at most: a day that ran out is noticed a quarter of an hour late at worst."""

COARSE: Final = 1.05
COARSE_SHARE: Final = 0.01
"""`Retry-After` is in whole seconds, and clocks differ: the door may open so much earlier (s, and of the wish), and a
round trip, without the wish being a lie."""

BELIEVED: Final = 1.0
"""Seconds for which a wish is granted before any has proved honest."""

BOLDER: Final = 4.0
"""A longer one is tried by single probes, each after so many times the seconds of the one before. One that proves
honest is proof for wishes so many times as long."""

RAREST_TRY: Final = 3600.0
"""Seconds between two such probes at most: no lie costs more."""

AMONG: Final = 0.2
"""The share of accepted calls among refused ones that makes a loss a thinning; less is the jitter of an edge."""

EARLY: Final = 1e-6
"""Seconds that a clock may be off by."""

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
    run: bool
    round_trip: float

    @property
    def shut_for(self) -> float:
        """Seconds that it certainly lasted."""
        return self.refused_to - self.refused_from


def tries(wish: float, believed: float, slack: float) -> Iterator[float]:
    """When to try a door that the gateway wishes to be left alone for `wish` seconds, in seconds from the same time.
    The last one comes so late that, refused as well, it proves the wish honest."""
    if wish <= believed:
        return
    after, last = believed, wish - 1.2 * slack
    while after < last:
        yield after
        after += min((BOLDER - 1.0) * after, RAREST_TRY)
    yield last


@dataclass(frozen=True, slots=True)
class Gaps:
    """Seconds between two probes: at `least` so many, half of the time until a door is likely to open at all, and after
    the first minutes the share `late` of the time that it has been shut."""

    least: float = FIRST_GAP
    unlikely_until: float = -inf
    late: float = LATE_SHARE

    def needed(self, now: float) -> float:
        """At least so many now."""
        return max(FIRST_GAP, self.least, (self.unlikely_until - now) / 2)

    def usual(self, now: float, shut: float) -> float:
        """So many now, if the door has been shut for so long."""
        if shut < LONG:
            usual = GAP_SHARE * shut if shut > 1.2 else FIRST_GAP
        else:
            usual = max(min(LONG_GAP_SHARE * shut, LONG_GAP), min(self.late * shut, LONGEST_GAP))
        return max(usual, self.needed(now))


class LossWatch:
    """Watches a loss. `read_at` is when its first refusal was read; calls sent before that tell about it for free. One
    that hasn't been refused after `surely` seconds has passed."""

    def __init__(self, sent_at: float, now: float, surely: float = inf) -> None:
        self.read_at = now
        self._surely = surely
        self.shut_at = inf
        self._refused = [sent_at]
        self._accepted: list[float] = []
        self._run = 1
        self._ran = False
        self._hints: tuple[float, ...] = ()
        self._whole: tuple[float, ...] = ()
        self._gaps = Gaps()
        self._probed_at: float | None = None
        self._next_probe = now
        self._kept_until = -inf
        self._held_until = -inf
        self._believed = 0.0
        self._round_trip = 0.0

    @property
    def ready_at(self) -> float:
        """When the next probe, or the first call through the open door, may start."""
        after = self._next_probe if self._probed_at is None else max(self._next_probe, self._probed_at + self._surely)
        return max(after, self._kept_until)

    @property
    def kept(self) -> bool:
        """A wish is kept to the letter."""
        return self._kept_until > -inf

    @property
    def shut(self) -> bool:
        """No call but probes goes."""
        return self.shut_at < inf

    @property
    def seen_open(self) -> bool:
        """A call that left after the first refusal was read has passed."""
        return any(at >= self.read_at for at in self._accepted)

    @property
    def over(self) -> bool:
        """So it was, or, if the door is shut, it is open: one that left after the last refused call has passed."""
        return self.seen_open or (self.shut and any(at > max(self._refused) for at in self._accepted))

    @property
    def passed_probes(self) -> list[float]:
        """When those started that passed a door that had been shut."""
        return [at for at in self._accepted if at >= self.shut_at]

    @property
    def run(self) -> bool:
        """So many refused calls in a row that nothing but waiting helps."""
        return self._run >= RUN and max(self._refused) - min(self._refused) >= RUN_SECONDS

    def close(
        self, now: float, round_trip: float, gaps: Gaps, hints: tuple[float, ...], whole: tuple[float, ...]
    ) -> None:
        """No call but probes, the first when all that is under way has been answered. `hints` are when a window that is
        known may end, `whole` when one may that nobody knows."""
        self.shut_at = now
        self._hints = hints
        self._whole = whole
        self._gaps = gaps
        self._round_trip = round_trip
        self._next_probe = now + 1.25 * round_trip

    def keep(self, now: float, wish: float) -> None:
        """The gateway wishes for no call in so many seconds, and gets none. So nobody sees when the door opens."""
        self._kept_until = max(self._kept_until, now + wish)

    def hold(self, now: float, wish: float, believed: float) -> None:
        """The gateway wishes for no call in so many seconds. As far as it isn't `believed`, probes try it meanwhile,
        but not where it was in vain to wait as long as it wished before. What those are told changes nothing: honest
        wishes end at the same time."""
        if now < self._held_until:
            return
        self._believed = believed if self._held_until == -inf else inf
        self._held_until = now + wish
        self._next_probe = max(self._next_probe, self._next_try(now))

    @property
    def _wish(self) -> float:
        """Seconds from when the loss was noticed until the door is said to open."""
        return self._held_until - self.read_at

    @property
    def _slack(self) -> float:
        """How much earlier it may open."""
        return COARSE + COARSE_SHARE * max(self._wish, 0.0) + self._round_trip

    def _next_try(self, now: float) -> float:
        """The next probe of a door that is held. Where a window is known to end, its end is worth one, always."""
        ahead = [self.read_at + after for after in tries(self._wish, self._believed, self._slack)]
        known = [hint for hint in self._hints if hint < self._held_until - self._slack]
        return min((at for at in (*ahead, *known) if at > now), default=self._held_until)

    def trust(self, believed: float) -> float:
        """For how many seconds a wish is believed, after this loss: for none any more if this one's was a lie, for more
        if the last probe before its end proved it."""
        if self._lied:
            return 0.0
        proved = self._held_until - 1.5 * self._slack < max(self._refused) < self._held_until
        return max(believed, BOLDER * self._wish) if proved and self._believed < self._wish else believed

    @property
    def _lied(self) -> bool:
        """A probe passed long before the door was said to open."""
        return any(self.read_at <= at < self._held_until - self._slack for at in self._accepted)

    def sent(self, now: float) -> None:
        """A call starts, if the door is shut a probe."""
        if self._probed_at is None:
            self._probed_at = now
        if now < self._held_until:
            self._next_probe = self._next_try(now)

    def look(self, now: float) -> None:
        """See whether a call has passed that nobody has answered yet."""
        if self._probed_at is not None and now >= self._probed_at + self._surely - EARLY:
            self.passed(self._probed_at)

    def passed(self, sent_at: float) -> None:
        """A call was accepted: the door isn't held any longer if that one left before anybody knew of the loss."""
        self._accepted.append(sent_at)
        if sent_at > max(self._refused):
            self._run = 0
        if sent_at >= self.read_at:
            self._probed_at = None
        elif max(self._refused) < sent_at < self._held_until:
            self._held_until = -inf
            self._next_probe = self.read_at

    def failed(self, sent_at: float, now: float) -> None:
        """Another call was refused."""
        self._refused.append(sent_at)
        self._run += 1
        self._ran = self._ran or self.run
        self.unanswered(sent_at, now)

    def unanswered(self, sent_at: float, now: float) -> None:
        """If that was the probe, the next one is due some time later."""
        if sent_at < self.read_at or self._probed_at is None:
            return
        self._probed_at = None
        self._next_probe = self._next_try(now) if now < self._held_until else self._after_gap(now)

    def _after_gap(self, now: float) -> float:
        shut = now - min(self._refused)
        gap, needed = self._gaps.usual(now, shut), self._gaps.needed(now)
        soonest = min((hint for hint in self._hints if now < hint < now + 1.2 * gap), default=now + gap)
        return min((whole for whole in self._whole if now + 0.1 * needed < whole < soonest), default=soonest)

    def loss(self, round_trip: float, jitter: float) -> Loss:
        """What it came to."""
        first, last = min(self._refused), max(self._refused)
        if self._wish <= self._believed and not self._lied:
            last = max(last, self._held_until - self._slack)
        accepted = [at for at in self._accepted if at > last]
        among = sum(first + jitter < at < last - jitter for at in self._accepted)
        other = sum(first + jitter < at < last - jitter for at in self._refused)
        thinned = among > 0 and among >= AMONG * (among + other)
        passed = sum(at > first for at in self._accepted) if thinned else len(accepted)
        opened = min(accepted, default=last)
        if self.kept:  # as far as anybody knows at once, else next to nothing would seem to be what a second holds
            opened = min(opened, last + FIRST_GAP)
        return Loss(first, last, opened, passed, len(self._refused), thinned, self._ran, round_trip)
