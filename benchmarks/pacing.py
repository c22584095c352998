"""How near the gate comes to a limit, and whether it ever goes over.

    python benchmarks/pacing.py [--loop uvloop|asyncio] [--quick | --all | --everyday | --row NAME]

16 callers go through the real gate as fast as it lets them, with the real journal on disk as its ledger. Prints one
JSON line a limit: the rate from the first call to the last ÷ the limit, and the most calls in any sliding window ÷ the
limit; times are taken when `acquire` returns. Then one line with the cost of a call that nothing holds back, and one
with what the parts of it cost (`pacing_cost`). `--quick` and `--all` go on with simulated gateways (`pacing_table`):
every row once in about two minutes, or five seeds of it beside other ways to pace in about half an hour. `--everyday`
and `--row` measure nothing but the rows of `everyday`, all or those whose name begins so.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.lowlevel
import numpy as np
from everyday import everyday
from machine import machine
from pacing_cost import cost
from pacing_table import OTHERS, ROWS, SEEDS, all_tasks, quick_tasks, table

from bulkstate import __version__, planner
from bulkstate.disk.journal import Journal, RunFacts
from bulkstate.engine.gate import Gate
from bulkstate.model import Pair, Stage
from bulkstate.pairs.relation import of_pairs
from bulkstate.policy.pacing import Pacer
from bulkstate.rates import Rate

CALLERS = 16
LIMITS = ((Rate(50, 1.0), 12.0), (Rate(2000, 1.0), 8.0))
"""Each with the seconds that are measured."""

UNCONTENDED = 100_000


async def paced(window: Rate, seconds: float, journal: Journal) -> list[float]:
    """When each call could start."""
    gate = Gate(Pacer([window]), time.time, time.perf_counter)
    await gate.keep(journal)
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def call() -> None:
        while time.perf_counter() < end:
            await gate.acquire()
            times.append(time.perf_counter())
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        for _ in range(CALLERS):
            tasks.start_soon(call)
    await gate.settle()
    return times


async def uncontended(journal: Journal) -> float:
    """Seconds that a call takes at the gate when it needn't wait."""
    gate = Gate(Pacer([Rate(10**9, 1.0)]), time.time, time.perf_counter)
    await gate.keep(journal)
    start = time.perf_counter()
    for _ in range(UNCONTENDED):
        await gate.acquire()
    return (time.perf_counter() - start) / UNCONTENDED


def most_in_a_window(times: Sequence[float], seconds: float) -> int:
    """Most calls that any stretch of `seconds` seconds holds."""
    starts = np.array(times)
    return int((np.searchsorted(starts, starts + seconds, side="left") - np.arange(len(starts))).max())


async def measure(directory: Path, told: dict[str, object]) -> None:
    """One JSON line for each figure."""
    plan = planner.plan([of_pairs(Stage("p", "s"), [Pair("a", "b")])], pairs_per_request=1, bytes_per_request=10_000)
    facts = RunFacts("pacing", time.time(), "http://127.0.0.1", "o1", "{}", __version__)
    journal = Journal.create(directory, plan, facts)
    for window, seconds in LIMITS:
        times = await paced(window, seconds, journal)
        rate = (len(times) - 1) / (times[-1] - times[0])
        figures = {
            "limit": str(window),
            "calls": len(times),
            "rate_share": round(rate * window.seconds / window.calls, 4),
            "window_share": round(most_in_a_window(times, window.seconds) / window.calls, 4),
        }
        print(json.dumps({"benchmark": "pacing", **figures, **told}), flush=True)
    cost = {"uncontended_us": round(1e6 * await uncontended(journal), 2)}
    print(json.dumps({"benchmark": "pacing", **cost, **told}), flush=True)
    journal.close()


def main() -> None:
    """Measure on the event loop that is asked for."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    extent = arguments.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="simulated gateways too, in about two minutes")
    extent.add_argument("--all", action="store_true", help="the same with five seeds, beside other ways to pace")
    extent.add_argument("--everyday", action="store_true", help="what is lost on gateways as they are every day")
    extent.add_argument("--row", help="the same, only the rows whose name begins so")
    chosen = arguments.parse_args()
    if chosen.everyday or chosen.row:
        everyday(chosen.row or "", SEEDS)
        return
    with tempfile.TemporaryDirectory() as folder:
        options = {"use_uvloop": chosen.loop == "uvloop"}
        anyio.run(measure, Path(folder), {"loop": chosen.loop, **machine()}, backend_options=options)
    print(json.dumps(cost(UNCONTENDED, 5)), flush=True)
    if chosen.quick:
        table(quick_tasks(ROWS))
    elif chosen.all:
        table(all_tasks(ROWS, OTHERS, SEEDS))


if __name__ == "__main__":
    main()
