"""The limit that is felt within a second: a window of about one, a token bucket, or no burst at all."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

from bulkstate.policy.auto.climb import LOOK, PATIENCE, START, Climb, Cruise
from bulkstate.policy.auto.evidence import Budget, Passed
from bulkstate.policy.auto.loss import Loss

SECOND: Final = 1.0
"""The window that is taken for granted, s, until a door stays shut for longer."""

CUT: Final = 0.012
"""What a loss takes off the rate at which it happened, before anything is known of its depth."""

BELOW: Final = 0.99
"""The share of what a second was seen to hold that is used from then on."""

LEAST_RATE: Final = 0.5
"""Calls a second below which nothing is cut: slower limits are windows of more than a second."""

SHORTEST_PERIOD: Final = 4.0
LONGEST_PERIOD: Final = 60.0
"""Seconds between two looks over the limit."""

LOOKS_SHARE: Final = 1 / 3
"""Where a share is left to others, looks are so much of the rest at most."""

SHARED_PERIOD: Final = 8.0
"""Then a period has at least so many seconds, so that a look in it is longer than one."""

EARLY: Final = 0.35
"""A loss within this part of a period comes too early for a sharp limit."""

NOISY: Final = 0.010
"""The share of calls that may be refused, beside the budget, where the limit is all noise: less costs more calls."""

TRUST: Final = 4
"""The trust in a single loss is (1 - noise) to this power."""

WIDEST: Final = 1.6
"""A first loss whose window isn't known leaves a doubt about the limit up to so many times what it showed."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """The limit lies between these, calls a second."""

    low: float
    high: float

    @property
    def wide(self) -> bool:
        """Too wide to take the middle."""
        return self.high - self.low > 2 + 0.04 * self.low

    @property
    def safe(self) -> float:
        """A rate that it will bear."""
        return BELOW * (max(self.low, self.high / 4) if self.wide else (self.low + self.high) / 2)

    def contradicts(self, other: Bracket) -> bool:
        """They lie apart by more than a call and a percent."""
        return max(self.low, other.low) - min(self.high, other.high) > 1 + 0.01 * self.low

    def above(self, proven: float) -> Bracket:
        """So much was borne, unless the limit has fallen since."""
        return Bracket(max(self.low, proven), self.high) if proven <= self.high else self

    def meets(self, other: Bracket) -> bool:
        """Both may be right."""
        return max(self.low, other.low) <= min(self.high, other.high)

    def narrowed(self, other: Bracket) -> Bracket:
        """What both say; only the other, newer one where they contradict each other: the limit has moved."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Bracket(low, high) if low <= high else other


class Noise:
    """Whether losses agree about the limit (0) or contradict each other (1), and how deep they are.

    Noise is what other callers make of a limit, and delays that vary. A sharp limit refuses at the end of a period,
    always at the same rate.
    """

    def __init__(self) -> None:
        self.value = 0.0
        self.depth = 0.02
        self._deep_at = -inf
        self._before = 0.0

    def add(self, odd: bool | None, missed: float) -> None:
        """A loss fits in with those before or doesn't; None if it could be either. It left this share of a second's
        calls unserved."""
        if odd is not None:
            self.value += (1.0 - self.value) / 3 if odd else -self.value / 8
        self.depth += (min(max(missed, 0.0), 0.3) - self.depth) / 6

    def explained(self) -> None:
        """The limit has moved: what looked odd was that."""
        self.value = min(self.value, self._before)

    def calm(self) -> None:
        """There was no loss for long."""
        self.value -= self.value / 8

    def outdone(self, missed: float, lost_at: float) -> bool:
        """Deeper than noise goes, or deep twice in a row: the limit has fallen."""
        again = lost_at - self._deep_at < 2.3 * SECOND
        deep = missed > 1.3 * self.depth + 0.03
        if not again:
            self._before = self.value
        if deep:
            self._deep_at = lost_at
        return missed > 2.5 * self.depth + 0.06 or (deep and again)


class SecondLimit:
    """Searches, cruises, and learns from losses. Given a `rate` learnt before, it starts with cruising. Of what it
    finds it leaves all but `share` to others."""

    def __init__(self, budget: Budget, rate: float | None = None, share: float = 1.0) -> None:
        self._share = share
        self._look = min(LOOK, LOOKS_SHARE * share)
        self._budget = budget
        self._noise = Noise()
        self._passed = Passed()
        self._since_loss, self._opened_at = 0, 0.0
        self._refused_a_loss = 1.2
        self._bracket = Bracket(0.0, inf)
        self._told: float | None = None
        self._climb: Climb | Cruise = Cruise(rate, SHORTEST_PERIOD) if rate else Climb()
        self._losing = self._climb

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self._climb.rate

    @property
    def blind(self) -> bool:
        """This rate may be far above the limit."""
        return self._climb.blind

    @property
    def learnt(self) -> float | None:
        """The limit as far as it is known, calls a second."""
        return self._climb.floor if isinstance(self._climb, Cruise) else None

    @property
    def pace(self) -> float:
        """Calls a second, of which others have their share on the average: all of them in a look over the limit at the
        end of a period, and so many fewer before."""
        cruise = self._climb
        if self._share >= 1.0 or isinstance(cruise, Climb) or cruise.looking:
            return cruise.rate
        return (self._share - self._look) / (1.0 - self._look) * cruise.rate

    def advance(self, seconds: float, round_trip: float) -> None:
        """The rate bound for so long. Where looks would take more than their part, time goes by more slowly before."""
        cruise = self._climb
        if self._share < 1.0 and isinstance(cruise, Cruise) and not cruise.looking:
            seconds *= (1.0 - LOOK) / LOOK * self._look / (1.0 - self._look)
        cruise.advance(seconds, round_trip, self._budget.at_risk)

    def sent(self, now: float) -> None:
        """A call starts that isn't a probe."""
        self._passed.sent(now)
        self._since_loss += 1

    def refused(self, sent_at: float) -> None:
        """One that started then didn't pass."""
        self._passed.refused(sent_at)
        self._since_loss -= 1

    def told(self, rate: float) -> None:
        """The gateway says so itself: believed until a loss says something else."""
        if rate != self._told:
            self._told = rate
            self._bracket = Bracket(rate, rate)
            self._climb = self._cruise(rate, 1.0)

    def unlearn_told(self) -> None:
        """What the gateway said itself was a lie, if no loss has said so yet."""
        if self._told is not None and self._bracket == Bracket(self._told, self._told):
            self.search_again(START)

    def loses(self) -> None:
        """A loss has begun: a little slower until it is known how deep it is."""
        self._losing = self._climb
        if not self._climb.blind:
            self._climb = Cruise((1.0 - CUT) * self.rate, LONGEST_PERIOD)

    @property
    def lost_at(self) -> float:
        """The rate at which the latest loss began, calls a second."""
        return self._losing.rate

    def search_again(self, rate: float) -> None:
        """What was learnt from losses was wrong."""
        self._noise = Noise()
        self._bracket = Bracket(0.0, inf)
        self._climb = Climb(rate)

    def lost(self, loss: Loss) -> None:
        """A loss is over, and it was this limit's."""
        was = self._losing
        held = self._held(loss)
        moved = was.blind or self._noise.outdone(1.0 - held.low / was.rate, loss.refused_from)
        if isinstance(was, Cruise):
            self._judge(was, held, loss, moved)
        self._since_loss, self._opened_at = 0, loss.accepted_from
        renewed = moved and not held.low <= self._bracket.low <= held.high
        self._bracket = held if renewed else self._bracket.narrowed(held)
        if isinstance(was, Cruise) and not moved:
            self._bracket = self._bracket.above(was.proven(loss.round_trip))
        self._climb = self._cruise(was.rate, 1.0 if moved else (1.0 - self._noise.value) ** TRUST)

    def _judge(self, was: Cruise, held: Bracket, loss: Loss, moved: bool) -> None:
        """What the loss says about the noise and about the limit's moves."""
        if moved and held.contradicts(self._bracket) and not self._bracket.wide:
            self._budget.moved()
        if was.blind:
            self._noise.calm()
            return
        self._noise.add(self._odd(was, held), 1.0 - held.low / was.rate)
        if moved:
            self._noise.explained()
        elif not self._bracket.wide:
            self._refused_a_loss += (loss.refused - self._refused_a_loss) / 4

    def _odd(self, was: Cruise, held: Bracket) -> bool | None:
        """Whether a loss contradicts those before, or comes early at a rate that they would have borne; None if it
        comes early and agrees with them: a rate that is a little too much is refused at any time."""
        if held.contradicts(self._bracket):
            return True
        if self._bracket.wide or was.clock >= EARLY * was.period:
            return False
        agrees = held.meets(self._bracket) and was.rate > BELOW * self._bracket.low
        return None if agrees else True

    def _held(self, loss: Loss) -> Bracket:
        """What the loss says about the limit."""
        was = self._losing
        held = self._thinned(loss) if loss.thinned else self._second_before(loss)
        if isinstance(was, Climb) and not loss.thinned:
            return Bracket(held.low, max(held.high, min(self._through(loss), WIDEST * held.low + 2)))
        if isinstance(was, Cruise) and was.blind and self._noise.value < 0.3:
            sustained = self._sustained(loss)
            return Bracket(max(held.low, sustained), max(held.high, sustained))
        return held

    def _thinned(self, loss: Loss) -> Bracket:
        """Of the calls under way some were accepted; with so few, a call more or less is no news."""
        share = self._losing.rate / (loss.accepted + loss.refused)
        return Bracket(share * max(loss.accepted - 1, 0.5), share * (loss.accepted + 1))

    def _second_before(self, loss: Loss) -> Bracket:
        """At least and at most so many calls were accepted in the second that ended when the door opened."""
        latest = loss.refused_from + SECOND
        low = self._passed.between(min(loss.accepted_from, latest) - SECOND, loss.refused_from)
        high = self._passed.between(min(loss.refused_to, latest) - SECOND, loss.refused_from)
        return Bracket(max(float(low), LEAST_RATE), max(float(high), LEAST_RATE))

    def _through(self, loss: Loss) -> float:
        """The rate that went through before a first loss: the limit itself, if what ran out was a bucket's burst."""
        elapsed = max(loss.refused_from - self._passed.first, loss.round_trip)
        return self._passed.between(loss.refused_from - SECOND, inf) / min(SECOND, elapsed)

    def _sustained(self, loss: Loss) -> float:
        """What was accepted on the average since the loss before: no more than the limit, whatever its window."""
        seconds = loss.refused_to - self._opened_at
        return self._since_loss / seconds if seconds > 2 * SECOND else 0.0

    def _cruise(self, rate: float, trust: float) -> Cruise:
        """From what the bracket says, as far as it is to be trusted, and from the rate that was too much."""
        bracket, noise = self._bracket, self._noise.value
        floor = trust * min(bracket.safe, rate) + (1.0 - trust) * (1.0 - CUT) * rate
        floor = max(floor, LEAST_RATE)
        period = self._refused_a_loss / ((self._budget.rate + NOISY * noise) * floor)
        if trust == 1.0 and bracket.wide:
            period = SHORTEST_PERIOD
        shortest = SHORTEST_PERIOD if self._share >= 1.0 else SHARED_PERIOD
        period = min(max(period, shortest), LONGEST_PERIOD)
        # a sharp limit is only felt a whole call above it; a doubt is swept
        doubt = bracket.high - bracket.low if trust == 1.0 else 0.0
        return Cruise(floor, period, 1.0 - noise + doubt, PATIENCE + noise * period)
