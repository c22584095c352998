"""A limit whose window is longer than a second: learning its length and edge, and spending its quota."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, pow
from typing import Final

from bulkstate.policy.auto.evidence import Tally

ROUND: Final = (
    *(2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 60.0, 90.0, 120.0, 180.0, 240.0),
    *(300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10800.0, 14400.0, 21600.0, 43200.0, 86400.0, 604800.0, 2592000.0),
)
"""Window lengths that people choose, s."""

USUAL: Final = (10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86400.0)
"""Those worth a look of their own before the length is known, s."""

LIKELY: Final = 0.01
"""A length so close (as a share) to the least that is possible would be a coincidence."""

SLIDES: Final = 3
"""Refusals in the middle of a window after which it slides: what isn't used at once can't be caught up with."""

SHORTEST: Final = 1.0
"""Seconds below which no window counts as long."""

GROWTH: Final = 0.01
"""By how much more is spent than believed after one window without a refusal; three times it with every further one."""

ENDING: Final = 1.0
SLOWED: Final = 0.2
AROUND: Final = 0.02
"""While a window's length isn't known, its spending slows down so many seconds before it is believed to run out, since
what is under way then is lost: to this share at the least, and until so much more than believed was spent."""

FINE: Final = 0.06
"""The share of a window to which the time is searched at which its door opens,"""

FINE_UNKNOWN: Final = 0.12
"""and, while its length isn't known, that of the time since it began: hints at usual lengths are finer."""

SLACK_SHARE: Final = 0.02
SLACK_SECONDS: Final = 0.05
"""Two sightings of an edge are of the same one if they are apart by no more than this share of the window and this."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A window's edge lies after `after` and not later than `by`."""

    after: float
    by: float

    @property
    def middle(self) -> float:
        """The best guess."""
        return (self.after + self.by) / 2

    @property
    def width(self) -> float:
        """How much isn't known, s."""
        return self.by - self.after

    def shifted(self, seconds: float) -> Edge:
        """An edge so much later."""
        return Edge(self.after + seconds, self.by + seconds)

    def met(self, other: Edge, slack: float) -> Edge | None:
        """What both say, or None if they contradict each other by more than the slack."""
        after, by = max(self.after, other.after), min(self.by, other.by)
        if after <= by:
            return Edge(after, by)
        return Edge(by, after) if after - by <= slack else None


def length_between(first: Edge, second: Edge, windows: int = 1, above: float = 0.0) -> float:
    """The length of a window with these edges, `windows` apart: the shortest usual one `above` what was refuted
    that fits, or the middle.

    One that is too short is found out by the next refusal; one that is too long would go unnoticed.
    """
    least, most = max((second.after - first.by) / windows, above), (second.by - first.after) / windows
    fitting = [length for length in ROUND if least + LIKELY * most < length <= 1.003 * most]
    return min(fitting, default=(least + most) / 2)


class Quota:
    """So many calls a window.

    Until its second edge was seen its length is unknown, and `seconds` the least it can be.
    """

    def __init__(self, limit: float, seconds: float, edge: Edge, known: bool = False, spent: int = 0) -> None:
        self.limit = limit
        self.seconds = seconds
        self.edge = edge
        self.known = known
        self.spent = spent
        self._growth = 0.0
        self._passed = 0
        self._sighted, self._rolled = edge, 0
        self._refuted, self._confirmed = 0.0, known
        self._told: float | None = None
        self._missed = 0
        self._tally = Tally(seconds / 200)

    @property
    def plan(self) -> float:
        """Calls to make in this window."""
        return self.limit * (1.0 + self._growth)

    @property
    def running_out(self) -> bool:
        """Most of it is spent, as far as that is known."""
        return self.spent > (0.8 if self.known else 0.4) * self.limit

    @property
    def next_edge(self) -> float:
        """When the window that runs has ended for certain."""
        return self.edge.by + self.seconds

    @property
    def hints(self) -> tuple[float, ...]:
        """When to look whether a new window has begun."""
        if not self.known:
            return tuple(self.edge.by + length + 0.02 for length in USUAL)
        middle = () if self.edge.width < 0.05 else (self.edge.middle + self.seconds,)
        longer = (self._sighted.by + length + 0.02 for length in USUAL if length > self.seconds and self._rolled <= 1)
        return (*middle, self.next_edge + 0.005, *longer)

    def accepted(self, sent_at: float) -> None:
        """A call passed."""
        self._tally.add(sent_at)

    def roll(self, now: float, patience: float) -> None:
        """Windows that are over by now are over; after `patience` calls without a refusal more is tried."""
        if not self.known or now < self.next_edge:
            return
        windows = max(1, int((now - self.edge.by) // self.seconds))
        self._passed += self.spent
        if windows == 1 and self.spent >= 0.97 * self.plan:
            self.limit = max(self.limit, float(self.spent))
            self._growth = min(max(GROWTH, 3 * self._growth), 1.0) if self._curious(patience) else 0.0
        self._rolled += windows
        self._begin(self.edge.shifted(windows * self.seconds))

    def _curious(self, patience: float) -> bool:
        """Long not refused, found too low already, or measured twice with different results."""
        return self._growth > 0 or self._passed >= patience or not self._confirmed

    def rate(self, now: float, remaining: float, share: float) -> float:
        """Calls a second that use what is left by the edge, evenly; no bound at all if the rest of the job fits."""
        if not self.known:
            return self._unknown_rate(share)
        left = self.plan * share - self.spent
        if self._missed >= SLIDES:
            return self.plan * share / self.seconds
        if remaining <= left:
            return inf
        return max(left, 0.5) / max(self.next_edge - now, 0.02 * self.seconds)

    def _unknown_rate(self, share: float) -> float:
        """What is believed to be there, in the time that the door was shut; slower where it is about to run out. Where
        it does not, four times as much for each time over that it was spent: there is more, or no such window."""
        usual = max(1.05 * self.limit * share, 1.0) / self.seconds
        left = self.limit - self.spent
        if left < -AROUND * self.limit:
            return usual * pow(4.0, min(self.spent / self.limit - 1.0, 15.0))
        return min(usual, max(left / ENDING, SLOWED * usual))

    def gap(self, now: float) -> float:
        """Seconds between two looks whether a new window has begun, if most of this one is spent."""
        if not self.running_out:
            return 0.0
        return FINE * self.seconds if self.known else max(FINE * self.seconds, FINE_UNKNOWN * (now - self.edge.by))

    def ready_at(self, share: float) -> float:
        """When it next has room: the edge, once all is spent."""
        if not self.known or self.spent < max(1.0, self.plan * share):
            return -inf
        return self.next_edge

    def explains(self, lost_at: float, opened: Edge) -> bool:
        """It was spent, and its edge lies where the door opened."""
        return self.known and self.spent > 0.5 * self.limit and self._meets(lost_at, opened) is not None

    def ran_out(self, lost_at: float, opened: Edge) -> bool:
        """It was used up, and the door opened at an edge of it; whether it held much more or less than believed."""
        believed, self._confirmed = self.limit, True
        edge = self._meets(lost_at, opened) or opened
        self.limit = max(1.0, float(self._tally.between(edge.middle - self.seconds, lost_at)))
        self._growth, self._passed = 0.0, 0
        self._sight(opened, edge)
        return abs(self.limit - believed) > 0.1 * believed

    def measured(self, lost_at: float, opened: Edge) -> None:
        """The second edge was seen: now the length is known."""
        accepted = max(1.0, float(self._tally.between(self.edge.after, lost_at)))
        windows = max(1, round(accepted / self.limit))
        self.seconds = max(SHORTEST, length_between(self.edge, opened, windows, self._refuted))
        self._confirmed = abs(accepted - self.limit) <= 0.05 * accepted
        self.limit = min(self.limit, accepted)
        self.known = True
        self._sight(opened, self._meets(lost_at, opened) or opened)

    def refuted(self, shut_for: float, opened: Edge) -> None:
        """The door was still shut at what was taken for an edge: the window is longer than that."""
        self._refuted = max(self._refuted, self.seconds)
        self._growth, self._passed, self._confirmed = 0.0, 0, False
        if self._rolled <= 1:
            self.seconds = max(SHORTEST, length_between(self._sighted, opened, 1, self._refuted))
        else:
            self.seconds, self.known = max(shut_for, SHORTEST), False
        self._sight(opened, opened)

    def _sight(self, opened: Edge, edge: Edge) -> None:
        """An edge was seen, and it is known where it lay."""
        self._sighted, self._rolled = opened, 0
        self._begin(edge)

    def told(self, limit: float, remaining: float | None) -> None:
        """The gateway says so itself, once; and what others have spent with it. Refusals know better."""
        if limit != self._told:
            self.limit = self._told = limit
        if remaining is not None:
            self.spent = max(self.spent, int(limit - remaining))

    @property
    def overspent(self) -> bool:
        """More calls went than it is believed to hold, beyond any growth of it that was to be tried."""
        return self.spent >= self.plan + 1

    def missed(self) -> None:
        """A call was refused in the middle of the window: it slides, or others call too."""
        self._growth, self._passed = 0.0, 0
        self._missed += 1
        self.limit = max(1.0, 0.99 * self.limit)

    def _meets(self, lost_at: float, opened: Edge) -> Edge | None:
        """What is known of the first edge after a loss and this sighting together, if they agree."""
        slack = SLACK_SHARE * self.seconds + SLACK_SECONDS
        windows = max(1, ceil((lost_at - slack - self.edge.by) / self.seconds))
        edge = self.edge.shifted(windows * self.seconds)
        met = edge.met(opened, slack)
        return edge.shifted(self.seconds).met(opened, slack) if met is None and edge.by < lost_at else met

    def _begin(self, edge: Edge) -> None:
        self.edge = edge
        self.spent = self._tally.between(edge.middle, inf)
        self._tally.forget(edge.after - 0.1 * self.seconds)
