"""A run that has to be done in time: it is refused where that can't be, and stops early enough to be read back."""

from __future__ import annotations

import shlex
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import Final

import structlog

from bulkstate.disk.journal import Deadline, Record
from bulkstate.engine.engine import GRACE_SECONDS, Engine
from bulkstate.engine.readback import READERS
from bulkstate.errors import DeadlineReached, DeadlineTooSoon
from bulkstate.pairs.chunks import by_stage
from bulkstate.policy import deadline as policy
from bulkstate.policy.deadline import TimeOfDay, parse_deadline, reserve, shown, shown_twice
from bulkstate.policy.pacing import forecast
from bulkstate.policy.sampling import drawn
from bulkstate.runs.memory import known_limits
from bulkstate.runs.session import Session, again_and_again
from bulkstate.text import duration

log = structlog.get_logger()

DEADLINE_SECONDS: Final = 0.25
"""How often a run looks whether it has to stop."""


def deadline_of(record: Record, wanted: policy.Deadline | None, named: policy.Deadline | None) -> Deadline | None:
    """By when a session has to be done that begins now: as somebody has just `named` it; at the instant that an earlier
    session began with; or as is `wanted` by the configuration."""
    if named is not None:
        return Deadline(named.instant(time.time()), str(named))
    earlier = [each for each in record.deadlines() if isinstance(parse_deadline(each.words), TimeOfDay)]
    if earlier and not isinstance(wanted, policy.TimeToSpend):
        return earlier[-1]
    return None if wanted is None else Deadline(wanted.instant(time.time()), str(wanted))


def require_in_time(session: Session, numbers: Sequence[int], deadline: Deadline | None) -> None:
    """DeadlineTooSoon if it has passed, or can't be met though nothing goes wrong; unknown is said."""
    if deadline is None:
        return
    words, now = parse_deadline(deadline.words), time.time()
    if deadline.at <= now:
        message = f"the deadline, {shown(deadline.at, words)}, has passed"
        raise DeadlineTooSoon(message, hint=f"{_another(session)}; nothing was sent")
    known = known_limits(session.settings, session.host.state)
    if not known:
        log.warning("nobody knows whether it can be done in time: no rate is known", until=shown(deadline.at, words))
        return
    sizes = [len(own) for _, own in by_stage(session.journal.chunks(), numbers) if own]
    calls = len(numbers) + sum(drawn(session.settings.verify.sample, sizes))
    needed = forecast(known, calls)
    if now + needed.seconds > deadline.at:
        raise DeadlineTooSoon(
            f"{len(numbers):,} requests and what is read back take {duration(needed.seconds)} at least at"
            f" {needed.binding}, and the deadline, {shown(deadline.at, words)}, is in {duration(deadline.at - now)}",
            hint=f"one of {shown(now + 1.1 * needed.seconds, words)} would do, or a smaller plan; nothing was sent",
        )


def _another(session: Session) -> str:
    """How to name another deadline. Of a run that nobody agreed to nothing is left that could be gone on with."""
    if session.journal.agreed_at is None:
        return "name a later safety.deadline"
    return f"name another: bulkstate resume {shlex.quote(str(session.journal.directory))} --deadline 1h"


def done_by(deadline: Deadline) -> str:
    """Which instant a deadline is, in its zone and in UTC, and how long is left."""
    return f"{shown_twice(deadline.at, parse_deadline(deadline.words))}, {duration(deadline.at - time.time())} from now"


class InTime:
    """Stops an engine early enough for its `deadline`. Asked again and again, by the wall's clock: one that was put
    right, or a machine that slept, is seen."""

    def __init__(self, session: Session, deadline: Deadline, chunks: int) -> None:
        self._session = session
        self._deadline = deadline
        self._chunks = chunks
        journal = session.journal
        self._earlier = len(journal.deleted())
        again = {each.read for each in journal.looked_at()}
        self._other_reads = len(again) + len({stage for stage, _ in journal.witnesses()}) + 1
        self._began = time.time()

    async def look(self, engine: Engine) -> None:
        """Stop it if what is left of the time is needed for reading back."""
        now, done = time.time(), self._chunks - engine.total_left
        if not engine.total_left or now < self._deadline.at - reserve(
            self._reads(done), self._reads_a_second(), GRACE_SECONDS
        ):
            return
        took = now - self._began
        left = took * engine.total_left / done if done > 0 else 0.0
        engine.stop(reached(self._deadline, left))

    def _reads(self, done: int) -> int:
        """How much would be read back."""
        sample = self._session.settings.verify.sample
        return sum(drawn(sample, [self._earlier + max(0, done)])) + self._other_reads

    def _reads_a_second(self) -> float:
        connection = self._session.connection
        latency = connection.reads.latency
        return min(connection.gate.admission.rate, READERS / latency if latency else inf)


def reached(deadline: Deadline, left: float = 0.0) -> DeadlineReached:
    """What ends a run at its deadline; the work that is left takes so many seconds, if that is known."""
    more = f" (about {duration(left)} of work left)" if left else ""
    words = parse_deadline(deadline.words)
    return DeadlineReached(
        f"{shown(deadline.at, words)}{more}", hint="`bulkstate resume` goes on, with another --deadline"
    )


@asynccontextmanager
async def in_time(session: Session, deadline: Deadline | None, chunks: int, engine: Engine) -> AsyncIterator[None]:
    """Within this block the engine, which sends so many chunks, is stopped early enough for the deadline, if there is
    one."""
    if deadline is None:
        yield
        return
    look = partial(InTime(session, deadline, chunks).look, engine)
    async with again_and_again(look, DEADLINE_SECONDS, session.host.stopping):
        yield
