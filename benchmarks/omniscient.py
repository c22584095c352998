"""How long a caller needs who knows every limit: what a job's time is measured against.

Two such callers, from the beginning of a job to its last answer:

`paced` knows the limits, and not when a gateway's windows begin. So it sends evenly at what the shortest limit allows
(a token bucket's burst first), and counts every longer window as if it slid: it is never refused, whatever the phase.
Where others call, it leaves them what they use on average; where a limit steps, it steps along. For C calls and one
window of N per W that is (C - 1) * W / N; for several windows it is at least the longest of theirs. A table's *reached*
is this time divided by the time taken. A caller who finds a gateway's edges and bursts there may reach over 100 %.

`least` also knows when the windows begin, and sends at once whatever they hold: nobody can need less. It is how soon
someone is through who knocks all the time and whose refused calls cost nothing. Where others call there is no such
time: he would take theirs.
"""

from __future__ import annotations

from gateway_limits import ROUNDING, Limit
from gateway_sim import Job, World, counters


def paced(job: Job) -> float:
    """Seconds that the job takes if it is paced by the limits, one mean round trip included."""
    world, calls = job.world, job.calls
    shortest, *longer = sorted(world.limits, key=lambda limit: (limit.seconds, limit.rate(0.0)))
    starts = [0.0] * min(calls, shortest.at_once)
    while len(starts) < calls:
        due = starts[-1] + 1.0 / _left(world, shortest, starts[-1])
        for limit in longer:
            due = max(due, _reopens(world, limit, starts))
        starts.append(due)
    return starts[-1] + sum(world.one_way) + world.load.seconds


def _left(world: World, limit: Limit, now: float) -> float:
    """Calls a second of the limit that others leave on average."""
    return limit.rate(now) - sum(others.rate(now) for others in world.others)


def _reopens(world: World, limit: Limit, starts: list[float]) -> float:
    """When a window that slides has room for one more call than has been started."""
    room = round(_left(world, limit, starts[-1]) * limit.seconds)
    return starts[-room] + limit.seconds if len(starts) >= room else 0.0


def least(job: Job, seed: str) -> float | None:
    """Seconds that the job takes at least, on the fastest way there and back; None where others call."""
    world = job.world
    if world.others:
        return None
    limits = counters(world, seed)
    now = world.one_way[0]
    for _ in range(job.calls):
        while (room := max(limit.room_at(now) for limit in limits)) > now:
            now = max(room, now + ROUNDING)
        for limit in limits:
            limit.take(now)
    return now + world.load.seconds + world.one_way[0]
