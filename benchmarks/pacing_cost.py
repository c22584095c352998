"""What pacing costs a call in processor time when nothing has to wait: one JSON line, microseconds.

    python benchmarks/pacing_cost.py [--calls 100000] [--rounds 5]

`pacer`: the arithmetic of one turn, without a loop. `policies`: the same with the pilot, and with what is decided about
the answer. `gate`: a whole turn on the event loop. `aiolimiter`: a turn of that library, in the same run. Each is the
best of some rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiolimiter import AsyncLimiter
from machine import machine

from bulkstate.engine.gate import Gate
from bulkstate.model import Answer, Reply
from bulkstate.policy.auto.learnt import Learnt, LearntQuota
from bulkstate.policy.auto.pilot import Pilot
from bulkstate.policy.pacing import Pacer
from bulkstate.policy.retry import RetryPolicy, Tries, decide
from bulkstate.rates import Rate

WINDOWS: Final = (Rate(1_000_000, 1.0), Rate(50_000_000, 60.0))
"""Far above what any machine calls: nothing waits, and both windows are counted."""

STEP: Final = 2e-6
"""Seconds from one turn to the next where the clock is an argument: the pacer is always ready."""

LEARNT: Final = Learnt(1_000_000.0, (LearntQuota(50_000_000.0, 60.0, 0.0),))
"""What the pilot starts with: the same limits, learnt."""

ANSWERED: Final = Reply(Answer.OK, 200, 0, data=True)


def pacer(calls: int) -> None:
    """Turns of the pacer alone."""
    paced = Pacer(WINDOWS)
    now = 0.0
    for _ in range(calls):
        paced.ready_at(now)
        paced.sent(now)
        now += STEP


def policies(calls: int) -> None:
    """Turns of the pacer and the pilot, each with an answer and what to do about it."""
    paced, pilot, retry, tries = Pacer(WINDOWS), Pilot(learnt=LEARNT), RetryPolicy(), Tries(1)
    pilot.expect(calls)
    now = 0.0
    for _ in range(calls):
        paced.ready_at(now)
        pilot.ready_at(now)
        paced.sent(now)
        pilot.sent(now)
        pilot.answered(now, now, False, None, ())
        decide(retry, tries, ANSWERED, 0.5)
        now += STEP


def gate(calls: int) -> None:
    """Turns at the gate, on an event loop."""
    asyncio.run(_turns(Gate(Pacer(WINDOWS), time.time).acquire, calls))


def aiolimiter(calls: int) -> None:
    """Turns of aiolimiter's bucket, on the same loop."""
    asyncio.run(_turns(AsyncLimiter(WINDOWS[0].calls, WINDOWS[0].seconds).acquire, calls))


async def _turns(acquire: Callable[[], Awaitable[None]], calls: int) -> None:
    for _ in range(calls):
        await acquire()


def microseconds(turns: Callable[[int], None], calls: int, rounds: int) -> float:
    """Processor time of one turn, in the best of so many rounds."""
    return round(min(_seconds(turns, calls) for _ in range(rounds)) / calls * 1e6, 2)


def _seconds(turns: Callable[[int], None], calls: int) -> float:
    began = time.process_time()
    turns(calls)
    return time.process_time() - began


def cost(calls: int, rounds: int) -> dict[str, object]:
    """Every cost, with the machine it was measured on."""
    costs = {turns.__name__: microseconds(turns, calls, rounds) for turns in (pacer, policies, gate, aiolimiter)}
    return {"benchmark": "pacing cost", "microseconds": costs, "machine": machine()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(json.dumps(cost(options.calls, options.rounds)))


if __name__ == "__main__":
    main()
