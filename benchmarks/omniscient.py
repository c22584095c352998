"""How long a caller needs who knows every limit: what a job's time is measured against.

Two such callers, from the beginning of a job to its last answer. Both send as soon as the limits that they know of let:

`paced` doesn't know when a gateway's windows begin. So it spends the shortest limit evenly (a token bucket's burst
first), and keeps to every longer window wherever that may lie: it is never refused, whatever the phase. Where others
call, it leaves them what they use on average; where a limit steps, it steps along; where more work at once only takes
longer, it keeps below that. For C calls and one window of N in W seconds that is (C - 1) * W / N; for several windows
it is at least the longest of theirs. A table's *reached* is this time divided by the time taken. A caller who finds a
gateway's edges and bursts there may reach over 100 %.

`least` knows the windows' edges as well, and sends at once whatever they hold: nobody can need less. Where others call
there is no such time: it would take theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from random import Random

from gateway_limits import ROUNDING, Counter, Limit, Steps, steady
from gateway_sim import Job, World, counters


def paced(job: Job) -> float:
    """Seconds that the job takes if it is paced by the limits, one mean round trip included."""
    return starts(job)[-1] + sum(job.world.one_way) + job.world.load.seconds


def starts(job: Job) -> list[float]:
    """When each call starts if the job is paced by the limits."""
    others = reduce(Steps.plus, (others.per_second for others in job.world.others), steady(0.0))
    shortest, *longer = sorted(_limits(job.world), key=lambda limit: (limit.seconds, limit.per_second.at(0.0)))
    kept = [shortest.evenly(others), *(limit.anywhere(others) for limit in longer)]
    return _soonest([limit.counter(Random()) for limit in kept], job.calls)


def least(job: Job, seed: str) -> float | None:
    """Seconds that the job takes at least, on the fastest way there and back; None where others call."""
    if job.world.others:
        return None
    fastest = job.world.one_way[0]
    arrivals = _soonest(counters(_limits(job.world), seed), job.calls, fastest)
    return arrivals[-1] + job.world.load.seconds + fastest


def _limits(world: World) -> Sequence[Limit]:
    """The gateway's, and what the work behind it allows."""
    return [*world.limits, world.load.limit] if world.load.limit else world.limits


def _soonest(limits: Sequence[Counter], calls: int, begins: float = 0.0) -> list[float]:
    """When calls may come that come as soon as all limits have room."""
    now, times = begins, []
    for _ in range(calls):
        while (room := max(limit.room_at(now) for limit in limits)) > now:
            now = max(room, now + ROUNDING)
        for limit in limits:
            limit.take(now)
        times.append(now)
    return times
