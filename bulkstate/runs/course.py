"""Follows a run from second to second: what holds it back, the points of its course, and what it says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from math import ceil, exp, log
from typing import Final, Protocol

from bulkstate.disk.control import Status
from bulkstate.engine.engine import Engine
from bulkstate.engine.gate import Gate
from bulkstate.engine.ports import Observer
from bulkstate.model import Answer, Attempt, Outcome, Point, Verdict
from bulkstate.policy.bottleneck import Holding, Moment, holding

STATUS_EVERY: Final = 1.0
"""Seconds between two times that a run says how it stands."""

SHORTEST_SPACING: Final = 1.0
SHARE_OF_AGE: Final = 1 / 600
"""Two points are a second apart, and later this share of the run's age: 600 in ten minutes, under 5,000 in a week."""

_LATENCY_STEP: Final = log(1.05)
_LEAST_LATENCY: Final = 1e-4


def spacing(age: float) -> float:
    """Seconds between two points of a session that began `age` seconds ago."""
    return max(SHORTEST_SPACING, age * SHARE_OF_AGE)


class PointLog(Protocol):
    """Keeps the points."""

    def plot(self, point: Point) -> Awaitable[None]:
        """Put it on disk. JournalNotWritable if that fails."""
        ...


class Latencies:
    """How long calls took, in seconds, to within five percent, whatever their number."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._calls = 0

    def add(self, seconds: float) -> None:
        """A call took so long."""
        self._counts[ceil(log(max(seconds, _LEAST_LATENCY)) / _LATENCY_STEP)] += 1
        self._calls += 1

    def percentile(self, share: float) -> float:
        """So many of the calls, as a share of 1, took at most so long; 0 if there were none."""
        left = share * self._calls
        for step in sorted(self._counts):
            left -= self._counts[step]
            if left <= 0:
                return exp(step * _LATENCY_STEP) if self._calls else 0.0
        return 0.0


class _Stretch:
    """What happened since a moment."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.calls = 0
        self.refused = 0
        self.latencies = Latencies()
        self.held: Counter[Holding] = Counter()

    def add(self, attempt: Attempt[bool]) -> None:
        self.calls += 1
        self.refused += attempt.reply.answer is Answer.THROTTLED
        if attempt.reply.answer not in (Answer.UNANSWERED, Answer.UNREACHED):
            self.latencies.add(attempt.seconds)

    def point(self, now: float, at: float, limit: float, in_flight: int) -> Point:
        """It as a point: it ends `now`, which is `at` in UNIX seconds."""
        seconds = now - self.begun
        rate = self.calls / max(seconds, STATUS_EVERY)  # one call in a millisecond is no rate
        latencies = self.latencies.percentile(0.5), self.latencies.percentile(0.99)
        held = self.held.most_common(1)[0][0]
        return Point(at, seconds, rate, limit, in_flight, self.refused, *latencies, held.by, held.which)


class Course:
    """An observer that stands before another, and is asked now and then to write something down.

    `tell` is given what the run says of itself, once a second; `wall` gives UNIX seconds, `clock` the event loop's.
    """

    def __init__(
        self,
        observer: Observer,
        journal: PointLog,
        tell: Callable[[Status], None],
        gate: Gate,
        wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._observer = observer
        self._journal = journal
        self._say = tell
        self._gate = gate
        self._wall = wall
        self._clock = clock
        self._begun = clock()
        self._plotted = False
        self._latest: Holding | None = None
        self._pace: Point | None = None
        self._since_point = _Stretch(self._begun)
        self._since_status = _Stretch(self._begun)
        self._settled = self._not_deleted = 0
        self._calls = self._refused = 0

    def attempted(self, attempt: Attempt[bool]) -> None:
        """A delete was sent and answered, or was not."""
        self._since_point.add(attempt)
        self._since_status.add(attempt)
        self._observer.attempted(attempt)

    def settled(self, outcome: Outcome, pairs: int) -> None:
        """A chunk of `pairs` pairs has an outcome, and it is on disk."""
        self._settled += not outcome.takes_back
        self._not_deleted += outcome.verdict not in (Verdict.DELETED, Verdict.SPLIT)
        self._observer.settled(outcome, pairs)

    def paused(self, seconds: float, reason: str) -> None:
        """No call will start for so many seconds."""
        self._observer.paused(seconds, reason)

    def held(self, holding: Holding) -> None:
        """This holds the run back now."""
        self._latest = holding
        self._since_point.held[holding] += 1
        self._since_status.held[holding] += 1
        self._observer.held(holding)

    async def look(self, engine: Engine) -> None:
        """See how the run stands, and write down what is due. JournalNotWritable."""
        now, moment = self._clock(), engine.moment
        self.held(holding(moment))
        if now - self._since_status.begun >= STATUS_EVERY:
            self._tell(moment, now)
        if now - self._since_point.begun >= spacing(now - self._begun):
            await self._plot(moment, now)

    async def close(self, engine: Engine) -> None:
        """The last look. A run that was over within a second has one point all the same. JournalNotWritable."""
        now, moment = self._clock(), engine.moment
        self.held(self._latest or holding(moment))
        self._tell(moment, now)
        if not self._plotted:
            await self._plot(moment, now)

    async def _plot(self, moment: Moment, now: float) -> None:
        stretch, self._since_point = self._since_point, _Stretch(now)
        self._plotted = True
        await self._journal.plot(stretch.point(now, self._wall(), self._gate.admission.rate, moment.in_flight))

    def _tell(self, moment: Moment, now: float) -> None:
        stretch, self._since_status = self._since_status, _Stretch(now)
        self._calls += stretch.calls
        self._refused += stretch.refused
        point = stretch.point(now, self._wall(), self._gate.admission.rate, moment.in_flight)
        if self._pace is None or point.seconds >= STATUS_EVERY:  # the last fraction of a second has no pace
            self._pace = point
        self._say(self._status(moment, point, self._pace))

    def _status(self, moment: Moment, point: Point, pace: Point) -> Status:
        return Status(
            at=point.at,
            paused=moment.paused,
            settled=self._settled,
            not_deleted=self._not_deleted,
            calls=self._calls,
            refused=self._refused,
            rate=pace.rate,
            limit=point.limit,
            concurrency=moment.most,
            in_flight=moment.in_flight,
            p50=pace.p50,
            p99=pace.p99,
            held_by=str(self._latest),
        )
