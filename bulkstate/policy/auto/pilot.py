"""The pilot: finds the limits of a gateway that doesn't tell them, and stays just below (`rate: auto`).

Pure: the caller asks `ready_at`, and tells `sent`, `answered` and `lost`, each with the time. What holds a call back is
the slower of the limit felt within a second (`short`) and every longer window (`quota`), and, after a refusal, a watch.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from bulkstate.model import Told
from bulkstate.policy.auto import headers
from bulkstate.policy.auto.evidence import Budget, News
from bulkstate.policy.auto.gateway_clock import GatewayClock
from bulkstate.policy.auto.headers import Headers
from bulkstate.policy.auto.learnt import LONGEST, NOTHING, Learnt, LearntQuota
from bulkstate.policy.auto.loss import BELIEVED, LATE_SHARE, SURPRISED_SHARE, Gaps, Loss, LossWatch
from bulkstate.policy.auto.quota import Edge, Quota
from bulkstate.policy.auto.random_refusals import RandomRefusals
from bulkstate.policy.auto.second import SECOND, SecondLimit
from bulkstate.policy.pacing import Metronome

CATCH_UP: Final = 0.004
"""Seconds that late timers may make up for: event loops wake 1 to 4 ms late, and more would blur what a second
holds."""

LONGER: Final = 1.1 * SECOND
"""Seconds for which a door must have been shut for certain before a window longer than a second is thought of."""

QUARTER: Final = 0.25
BRAKED: Final = 0.7
RELEASED: Final = 1.06
LEAST: Final = 0.05
"""Where so large a share of the calls from one loss to the next was refused it is a limit, whatever it looks like:
some of several machines behind a balancer have none left. Each such loss leaves so much of the rate, each call that
passes gives so much back, and never is less left."""

BRIEF: Final = 10.0
"""Seconds of a window that is spent so soon that its end may be near enough for half of that."""

LOSS: Final = 2.0
"""Refused calls that a look over a long window's quota costs."""

LONGEST_WISH: Final = 86400.0
"""A `Retry-After` of more seconds is a slip, and says nothing."""

KEPT: Final = 2
LONGEST_KEPT: Final = 10.0
"""So many losses' wishes, of so many seconds at most, are kept to the letter. Later it is to be seen what they are
worth."""

ROUNDED: Final = 1.0
"""Later, one of so many seconds says nothing: it is rounded up to whole ones, and a window of a second is half over."""

_NAMES: Final = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day", 604_800.0: "week", 2_592_000.0: "month"}


class Pilot:
    """Rate control for a gateway whose limits are unknown. It starts with what was learnt of them, and leaves all but
    `share` of what it believes is there to others."""

    def __init__(self, share: float = 1.0, learnt: Learnt = NOTHING) -> None:
        self._budget = Budget()
        self._share = share
        self._short = SecondLimit(self._budget, learnt.rate, share)
        self._random = RandomRefusals()
        self._quotas = [Quota(q.limit, q.seconds, Edge(q.edge, q.edge), True, q.spent, q.sure) for q in learnt.quotas]
        self._binder: Quota | None = None
        self._room_at = -inf
        self._watch: LossWatch | None = None
        self._news = News()
        self._pace = Metronome(catch_up=CATCH_UP)
        self._settled_at = -inf
        self._passed_since_edge = 0
        self._believed = BELIEVED
        self._kept = 0
        self._headers = Headers()
        self._clock = GatewayClock()
        self._brake = 1.0
        self._until_loss = (0, 0)
        self._heeded: list[Quota] = []
        self._sent_at = -inf
        self._pace.interval = 1.0 / self._short.rate

    def expect(self, calls: int) -> None:
        """So many calls are left to be made."""
        self._budget.remaining = calls

    @property
    def rate(self) -> float:
        """Calls a second at which it sends, while no door is shut."""
        return 1.0 / self._pace.interval

    def learnt(self) -> Learnt:
        """What is known by now, and not by hearsay alone."""
        known = (quota for quota in self._quotas if quota.known and quota.seconds <= LONGEST)
        sure = (quota for quota in known if quota not in self._heeded)
        quotas = tuple(LearntQuota(q.limit, q.seconds, q.edge.by, max(0, q.spent), q.sure) for q in sure)
        return Learnt(self._short.learnt, quotas)

    def ready_at(self, now: float) -> float:
        """The earliest time at which the next call may start: now or later, and later the longer a probe takes."""
        if self._watch is not None and self._watch.shut:
            return max(now, self._watch.ready_at)
        ready = max(now, self._pace.ready_at(), self._room_at)
        if self._heeded and ready > self._sent_at + self._headers.patience:
            return max(now, self._sent_at + self._headers.patience)
        return ready

    def sent(self, now: float) -> None:
        """A call starts now."""
        if self._heeded and now < max(self._pace.ready_at(), self._room_at) - CATCH_UP:
            self._headers.tried()
        self._sent_at = now
        self._budget.calls += 1
        self._random.sent(self.rate)
        self._passed_since_edge += 1
        for quota in self._quotas:
            quota.sent(now)
        if self._watch is not None and not self._goes_on(now, self._watch):
            return
        self._short.sent(now)
        if self._binder is None and now <= self._pace.ready_at() + max(CATCH_UP, 0.5 * self._pace.interval):
            self._short.advance(self._pace.interval, self._news.seconds)
        self._pace.sent(now)
        self._retime(now)

    def answered(
        self,
        now: float,
        sent_at: float,
        throttled: bool,
        retry_after: float | None = None,
        told: Sequence[Told] = (),
        date: float | None = None,
    ) -> None:
        """A call was answered: by a 429, or by anything else. `retry_after` in seconds, `told` what its headers say."""
        if date is not None:
            self._clock.heard(date, sent_at, now)
        if throttled:
            self._refused(now, sent_at)
            self._pause(now, retry_after, told)
        else:
            self._accepted(now, sent_at)
        if told and self._headers.believed:
            self._heed(now, sent_at, throttled, told)

    @property
    def searches(self) -> bool:
        """No limit is known, nor was a call refused."""
        return not self._budget.refused and not self._quotas and self._short.learnt is None

    def binds(self, now: float) -> str:
        """Which of the gateway's windows holds a call back, in words."""
        if self._binder is None and self._room_at <= now:
            return per(SECOND)
        quota = self._binder or max(self._quotas, key=lambda q: q.seconds)
        return per(quota.seconds) if quota.known else "a window of a length that isn't known yet"

    def lost(self, now: float, sent_at: float) -> None:
        """A call will never be answered."""
        if self._watch is not None:
            self._watch.unanswered(sent_at, now)

    def _goes_on(self, now: float, watch: LossWatch) -> bool:
        """A call starts during a loss: whether it is none of its probes, since the loss is over or the door ajar."""
        watch.look(now)
        if watch.over:
            self._conclude(now, watch)
            return True
        watch.sent(now)
        return not watch.shut

    def _accepted(self, now: float, sent_at: float) -> None:
        self._news.passed(now - sent_at)
        if self._brake < 1.0:
            self._brake = min(1.0, RELEASED * self._brake)
        self._random.accepted(sent_at)
        if self._heeded and any(quota.overspent for quota in self._heeded):
            self._headers.refuted()
            self._forget_hearsay(now)
        if self._watch is not None:
            self._watch.passed(sent_at)
            if self._watch.seen_open:
                self._conclude(now, self._watch)

    def _refused(self, now: float, sent_at: float) -> None:
        self._budget.refused += 1
        self._news.refused(now - sent_at)
        self._passed_since_edge -= 1
        for quota in self._quotas:
            quota.refused(sent_at)
        if self._watch is None or sent_at < self._watch.shut_at:
            self._short.refused(sent_at)
        if self._watch is None:
            if sent_at <= self._settled_at or self._random.excuses():
                return
            self._watch = LossWatch(sent_at, now, self._news.surely)
        else:
            self._watch.failed(sent_at, now)
        self._react(now, self._watch)

    def _react(self, now: float, watch: LossWatch) -> None:
        if watch.shut:
            return
        if self._short.blind:
            self._short.loses()
            self._shut(now, watch)
        elif self._binder is not None or watch.run:
            self._shut(now, watch)
        elif watch.read_at == now:
            self._short.loses()
            self._retime(now)

    def _pause(self, now: float, retry_after: float | None, told: Sequence[Told]) -> None:
        """A 429 said for how long. At first that is kept to the letter; but where it goes on, or is for long, only as
        far as it has proved honest, and not at all once it lied."""
        seconds, watch = _wish(retry_after, told), self._watch
        if seconds is None or self._believed <= 0.0 or watch is None:
            return
        to_the_letter = seconds <= LONGEST_KEPT and (watch.kept or self._kept < KEPT)
        if not watch.shut and (to_the_letter or seconds > ROUNDED):
            self._shut(now, watch)
        if to_the_letter:
            self._kept += not watch.kept
            watch.keep(now, seconds)
        elif seconds > ROUNDED:
            watch.hold(now, seconds, self._believed)

    def _heed(self, now: float, sent_at: float, throttled: bool, told: Sequence[Told]) -> None:
        """Headers name windows: keep to them, and look over them as over any other. A limit told too high ends with the
        first loss. One told too low, by a gateway that never refuses, is found out, but no sooner: in a period of some
        seconds where it is felt within a second, else by a few whole windows, since what is told costs no refusal and a
        gateway may have its reasons. Who knows better configures a rate without `auto`."""
        self._headers.heard(now, throttled, told)
        if not self._headers.believed:
            self._forget_hearsay(now)
            return
        if (rate := headers.rate(told)) is not None:
            self._short.told(rate)
        for each in headers.windows(told):
            self._window_told(now, sent_at, each)

    def _window_told(self, now: float, sent_at: float, told: Told) -> None:
        limit, seconds = told.limit or 0.0, told.seconds or 0.0
        quota = next((q for q in self._quotas if abs(q.seconds - seconds) < 0.05 * seconds), None)
        if quota is None:
            quota = _as_told(now, limit, seconds, told.reset_after)
            self._quotas.append(quota)
            self._heeded.append(quota)
            sent_at = now  # whatever it says is of the window that it tells of
        quota.roll(now, LOSS / self._budget.rate)
        if quota in self._heeded and told.reset_after is not None and told.reset_after <= seconds:
            quota.begins(_told_edge(now, seconds, told.reset_after))
        quota.told(limit, told.remaining, sent_at)

    def _forget_hearsay(self, now: float) -> None:
        """What only headers said counts no more."""
        self._quotas = [quota for quota in self._quotas if quota not in self._heeded]
        self._heeded.clear()
        self._short.unlearn_told()
        self._pace.restart(now)
        self._retime(now)

    def _shut(self, now: float, watch: LossWatch) -> None:
        hints = tuple(hint for quota in self._quotas for hint in quota.hints)
        least_gap = max((quota.gap(now) for quota in self._quotas), default=0.0)
        unlikely = max((quota.ends_after for quota in self._quotas), default=-inf)
        late = LATE_SHARE if self._short.blind else SURPRISED_SHARE
        watch.close(now, self._news.seconds, Gaps(least_gap, unlikely, late), hints, self._clock.ends(now))

    def _conclude(self, now: float, watch: LossWatch) -> None:
        self._watch = None
        self._settled_at = now
        self._believed = watch.trust(self._believed)
        self._brake_for_losses()
        if watch.shut:
            self._pace.restart(now)
            for probe in watch.passed_probes:
                self._short.sent(probe)
        loss = watch.loss(self._news.seconds, self._news.jitter)
        self._blame(loss)
        self._retime(now)

    def _brake_for_losses(self) -> None:
        calls, refused = self._until_loss
        self._until_loss = self._budget.calls, self._budget.refused
        if self._budget.refused - refused > QUARTER * (self._budget.calls - calls):
            self._brake = max(LEAST, BRAKED * self._brake)

    def _blame(self, loss: Loss) -> None:
        """Find out which limit was hit, and tell it."""
        innocent = self._random.learns(loss, self._short.lost_at)
        if innocent is not None:
            self._short.search_again(innocent)
            self._quotas = [quota for quota in self._quotas if quota.known]
            return
        opened = Edge(loss.refused_to, loss.accepted_from)
        quota = self._culprit(loss, opened)
        if quota is None and loss.shut_for > LONGER:
            self._suspect(loss, opened)
        elif quota is None:
            self._short.lost(loss)
            self._random.found(self._short.rate)
        elif quota.explains(loss.refused_from, opened, loss.shut_for > LONGER):
            self._heeded = [each for each in self._heeded if each is not quota]
            if quota.ran_out(loss.refused_from, opened, loss.accepted):
                self._budget.moved()
        elif not quota.known and not loss.thinned:
            self._measure(quota, loss, opened)
        elif loss.shut_for > LONGER:
            quota.refuted(loss.shut_for, opened)
        else:
            quota.missed()

    def _suspect(self, loss: Loss, opened: Edge) -> None:
        """A window that nobody knew of may have run out. What was accepted in it, others may have had a part of it, is
        the least that it holds. Longer ones that are known can't have been wrong, but they may be."""
        self._quotas = [q for q in self._quotas if q.known or q.seconds < loss.shut_for]
        for quota in self._quotas:
            if quota.seconds >= loss.shut_for:
                quota.doubt()
        accepted = max(1.0, float(self._passed_since_edge - loss.accepted))
        self._quotas.append(Quota(accepted, loss.shut_for, opened, spent=loss.accepted))
        self._passed_since_edge = loss.accepted

    def _measure(self, quota: Quota, loss: Loss, opened: Edge) -> None:
        """The second edge of a window was seen, or that of a longer one."""
        if quota.measured(loss.refused_from, loss.shut_for, opened, loss.accepted):
            self._quotas = [q for q in self._quotas if q.known or q.seconds > quota.seconds]
        elif loss.shut_for > LONGER:
            self._suspect(loss, opened)

    def _culprit(self, loss: Loss, opened: Edge) -> Quota | None:
        """The longer window that ran out, if it was one of those known or about to be."""
        shut = loss.shut_for > LONGER
        able = [q for q in self._quotas if q.may_end(opened) and (not q.known or loss.shut_for < 1.2 * q.seconds)]
        if self._binder in able:
            return self._binder
        learning = (q for q in able if not q.known and (shut or (loss.shut_for > LONGER / 2 and q.seconds < BRIEF)))
        explained = (q for q in able if q.explains(loss.refused_from, opened, shut))
        return next(explained, None) or next(learning, None)

    def _retime(self, now: float) -> None:
        rate, self._binder, self._room_at = self._short.pace, None, -inf
        remaining = self._budget.remaining if self._budget.remaining is not None else inf
        careful = LOSS / self._news.seconds
        for quota in self._quotas:
            quota.roll(now, LOSS / self._budget.rate)
            bound = quota.rate(now, remaining, self._share, careful)
            if bound < rate:
                rate, self._binder = bound, quota
            self._room_at = max(self._room_at, quota.ready_at(self._share))
        self._pace.interval = 1.0 / (rate * self._brake)


def per(seconds: float) -> str:
    """A window of that length, in words."""
    unit, length = ("days", 86400.0) if seconds >= 86400.0 else ("s", 1.0)
    return f"per {_NAMES.get(seconds) or f'{seconds / length:.3g} {unit}'}"


def _as_told(now: float, limit: float, seconds: float, reset_after: float | None) -> Quota:
    """A window that headers name; one that begins now, if they don't say when it ends, or not before the next one."""
    left = seconds if reset_after is None else min(reset_after, seconds)
    return Quota(limit, seconds, _told_edge(now, seconds, left), known=True)


def _told_edge(now: float, seconds: float, left: float) -> Edge:
    """When the window began that is over in so many whole seconds."""
    edge = now + left - seconds
    return Edge(edge - SECOND, edge)


def _wish(retry_after: float | None, told: Sequence[Told]) -> float | None:
    """Seconds without a call that a 429 with these headers wishes for; None if they say nothing usable. Of several
    limits it is one that has no calls left."""
    resets = (each.reset_after for each in told if each.reset_after is not None and not each.remaining)
    said = retry_after if retry_after is not None else max(resets, default=None)
    return said if said is not None and 0.0 < said <= LONGEST_WISH else None
