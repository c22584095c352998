"""A limit whose window is longer than a second: learning its length and edge, and spending its quota."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf
from typing import Final

from bulkstate.policy.auto.evidence import Tally

ROUND: Final = (
    *(2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 60.0, 90.0, 120.0, 180.0, 240.0),
    *(300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10800.0, 14400.0, 21600.0, 43200.0, 86400.0, 604800.0, 2592000.0),
)
"""Window lengths that people choose, s."""

USUAL: Final = (10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86400.0)
"""Those worth a look of their own before the length is known, s, and likelier than the others."""

LIKELY: Final = 0.01
"""A length so close (as a share) to the least that is possible would be a coincidence."""

SLIDES: Final = 3
"""Refusals in the middle of a window after which it slides: what isn't used at once can't be caught up with."""

SHORTEST: Final = 1.0
"""Seconds below which no window counts as long."""

GROWTH: Final = 0.01
"""By how much more is spent than believed after one window without a refusal; three times it with every further one."""

ENDING: Final = 1.0
AROUND: Final = 0.02
"""Until two windows have held the same, one is spent as fast as a second's limit allows: what it held may have been
what others left of it, and what isn't tried costs time. So many seconds before it would run out no more calls are under
way than may be lost, until so much more was spent, or for as long again."""

AGREE: Final = 0.1
"""Two windows hold the same if they differ by no more than this share, and a call."""

OTHERS_PART: Final = 0.5
"""One that holds less than before may be a smaller one, or others had a part of it. The second such one says: their
greater is the limit. With so little of what was there nothing is sure."""

LONGER: Final = 4.0
"""A door that was shut for so many times as long as another may be another."""

MISSED_WINDOWS: Final = 3
"""Between two edges that were seen there may have been so many windows, if they held so many times as much."""

FINE: Final = 0.06
"""The share of a window to which the time is searched at which its door opens,"""

FINE_UNKNOWN: Final = 0.12
"""and, while its length isn't known, that of the time since it began: hints at usual lengths are finer."""

ROUNDED: Final = 1.0
"""Seconds by which what a gateway says of an edge is rounded."""

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
    that fits, or the middle."""
    least, most = max((second.after - first.by) / windows, above), (second.by - first.after) / windows
    fitting = [length for length in ROUND if least + LIKELY * most < length <= 1.003 * most]
    usual = [length for length in fitting if length in USUAL]
    return min(usual or fitting, default=(least + most) / 2)


def is_shortest(length: float, first: Edge, second: Edge) -> bool:
    """No shorter one that people choose fits: one that is too short is found out by the next refusal, one that is too
    long would go unnoticed."""
    least, most = second.after - first.by, second.by - first.after
    return not any(least + LIKELY * most < shorter < length for shorter in ROUND)


class Quota:
    """So many calls a window.

    Until its second edge was seen its length is unknown, and `seconds` the least it can be. Until two windows held the
    same it isn't `sure` how many: others may have had their part of them.
    """

    def __init__(
        self, limit: float, seconds: float, edge: Edge, known: bool = False, spent: int = 0, sure: bool = True
    ) -> None:
        self.limit = limit
        self.seconds = seconds
        self.edge = edge
        self.known = known
        self.sure = known and sure
        self.spent = spent
        self._growth = 0.0
        self._passed = 0
        self._sighted, self._rolled = edge, 0
        self._refuted = 0.0
        self._told: float | None = None
        self._missed = 0
        self._less = 0.0
        self._tally = Tally(seconds / 200)
        for _ in range(spent):
            self._tally.add(edge.by)

    @property
    def plan(self) -> float:
        """Calls to make in this window."""
        return self.limit * (1.0 + self._growth)

    @property
    def running_out(self) -> bool:
        """Most of it is spent, as far as that is known."""
        return self.spent > (0.8 if self.sure else 0.4) * self.limit

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

    def sent(self, now: float) -> None:
        """A call starts."""
        self.spent += 1
        self._tally.add(now)

    def refused(self, sent_at: float) -> None:
        """One that started then didn't pass."""
        self.spent -= 1
        self._tally.remove(sent_at)

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
        """Long not refused, or found too low already."""
        return self.sure and (self._growth > 0 or self._passed >= patience)

    def rate(self, now: float, remaining: float, share: float, careful: float) -> float:
        """Calls a second that use what is left by the edge, evenly; no bound at all if the rest of the job fits. At
        `careful` calls a second few are under way."""
        if not self.sure:
            return self._to_its_end(share, careful)
        left = self.plan * share - self.spent
        if self._missed >= SLIDES:
            return self.plan * share / self.seconds
        if remaining <= left:
            return inf
        return max(left, 0.5) / max(self.next_edge - now, 0.02 * self.seconds)

    def _to_its_end(self, share: float, careful: float) -> float:
        """No bound but around its end, as far as that is known."""
        left = self.limit * share - self.spent
        return max(left / ENDING, careful) if left >= -min(AROUND * self.limit, ENDING * careful) else inf

    def gap(self, now: float) -> float:
        """Seconds between two looks whether a new window has begun, if most of this one is spent."""
        if not self.running_out:
            return 0.0
        return FINE * self.seconds if self.known else max(FINE * self.seconds, FINE_UNKNOWN * (now - self.edge.by))

    @property
    def ends_after(self) -> float:
        """If most of it is spent, no new one is likely to begin before."""
        return self.edge.after + self.seconds if self.running_out else -inf

    def ready_at(self, share: float) -> float:
        """When it next has room: the edge, once all is spent."""
        if not self.sure or self.spent < max(1.0, self.plan * share):
            return -inf
        return self.next_edge

    def may_end(self, opened: Edge) -> bool:
        """An edge of it may be where the door opened: its window is at least so long."""
        return self.known or opened.by >= self.edge.after + 0.97 * self.seconds

    def explains(self, lost_at: float, opened: Edge, shut: bool) -> bool:
        """It was spent, by others where the door was `shut` for long, and its edge lies where that opened."""
        spent = shut or self.spent > 0.5 * self.limit
        return self.known and spent and self._meets(lost_at, opened) is not None

    def ran_out(self, lost_at: float, opened: Edge, since: int) -> bool:
        """It was used up, and the door opened at an edge of it, `since` when so many calls passed; whether it held much
        more or less than believed."""
        edge = self._meets(lost_at, opened) or opened
        accepted = max(1.0, float(self._tally.since(edge.middle - self.seconds) - since))
        moved, less = not self._agrees(accepted), self._less
        self.sure = not moved if not self.sure else accepted > OTHERS_PART * self.limit
        self._less = accepted if moved and accepted < self.limit and not less else 0.0
        if not self._less:
            self.limit = max(accepted, less)
        self._growth, self._passed = 0.0, 0
        self._sight(opened, edge)
        return moved

    def measured(self, lost_at: float, shut_for: float, opened: Edge, since: int) -> bool:
        """The second edge was seen, and so many calls passed `since`: now the length is known. Not if it held less than
        it once did, and the door was shut for far longer than then: what was used up may be a longer window."""
        accepted = max(1.0, float(self._tally.since(self.edge.after) - since))
        windows = self._windows_of(accepted, opened)
        each = accepted / windows
        if each < self.limit and not self._agrees(each) and shut_for > LONGER * self.seconds:
            self._begin(opened)
            return False
        self.seconds = max(SHORTEST, length_between(self.edge, opened, windows, self._refuted))
        self.known, self.sure = True, self._agrees(each) and is_shortest(self.seconds, self.edge, opened)
        self.limit = min(self.limit, each) if self.sure else each
        self._sight(opened, self._meets(lost_at, opened) or opened)
        return True

    def _windows_of(self, accepted: float, opened: Edge) -> int:
        """How many windows held so many calls until the door opened: one, unless all speaks for more."""
        windows = round(accepted / self.limit)
        fits = 1 < windows <= MISSED_WINDOWS and opened.by - self.edge.after >= windows * self.seconds
        return windows if fits and self._agrees(accepted / windows) else 1

    def _agrees(self, calls: float) -> bool:
        return abs(calls - self.limit) <= AGREE * self.limit + 1.0

    def doubt(self) -> None:
        """Calls were refused for long, and it isn't the reason: it may be wrong."""
        self.sure = False

    def refuted(self, shut_for: float, opened: Edge) -> None:
        """The door was still shut at what was taken for an edge: the window is longer than that. Or it opened before
        that: then it is shorter."""
        if opened.after >= self.edge.after + self.seconds:
            self._refuted = max(self._refuted, self.seconds)
        self._growth, self._passed, self.sure = 0.0, 0, False
        if self._rolled <= 1:
            self.seconds = max(SHORTEST, length_between(self._sighted, opened, 1, self._refuted))
        else:
            self.seconds, self.known = max(shut_for, SHORTEST), False
        self._sight(opened, opened)

    def _sight(self, opened: Edge, edge: Edge) -> None:
        """An edge was seen, and it is known where it lay."""
        self._sighted, self._rolled = opened, 0
        self._begin(edge)

    def told(self, limit: float, remaining: float | None, sent_at: float) -> None:
        """The gateway says so itself, once; and, to a call that started then, what others have spent with it in the
        window that ran at the time. Refusals know better."""
        if limit != self._told:
            self.limit = self._told = limit
        if remaining is not None and sent_at >= self.edge.by:
            self.spent = max(self.spent, int(limit - remaining))

    def begins(self, edge: Edge) -> None:
        """The gateway says so itself, in whole seconds."""
        slack = SLACK_SHARE * self.seconds + ROUNDED
        if abs(edge.by - self.edge.by) > slack:
            self._begin(edge)

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
        self.spent = self._tally.since(edge.middle)
        self._tally.forget(edge.after - 0.1 * self.seconds)
