"""Whether a run on real sockets, in real time, does as well as the simulator says.

    python benchmarks/loopback.py [--calls 3000] [--rounds 6]

A whole run, with its client, its journal on disk and `rate: auto`, against the emulator in another process, whose own
flow control allows 150 calls in each whole second; the same job in the simulator, with delays as on loopback. Cold:
nothing is known of the gateway; warm: what the cold run left in its state file. What a run meets depends on where
within a second it begins: rounds begin evenly spread over one, as the simulator's seeds do at random. Prints one JSON
line: mean seconds of each, and the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

import anyio
from gateway_limits import FixedWindow, steady
from gateway_sim import Job, World, simulate
from machine import machine
from pacing_table import Program

from bulkstate import config
from bulkstate.model import Plan, Report
from bulkstate.report.progress import LineProgress
from bulkstate.runs import operations
from bulkstate.runs.host import Host
from bulkstate.runs.prepare import Prepared, prepare

LIMIT: Final = 150
ONE_WAY: Final = (0.0005, 0.0015)
"""Seconds that half a call takes here: the emulator works on it as well."""

SEEDS: Final = 20

GATEWAY: Final = """
organisation: o1
app_key: benchmark
app_secret: none
pipelines: [{id: p1, status: PAUSED, stages: [LastRecordAppender_01]}]
limits: {windows: [%d/s]}
"""

CONFIGURATION: Final = """
version: 1
gateway: {url: "%s", org_id: o1, auth: {app_key: "${BENCHMARK_KEY}", app_secret: "${BENCHMARK_SECRET}"}}
delete:
  - pipeline: p1
    stages: [LastRecordAppender_01]
    where: [{assets: "a{0001..%d}", points: [p]}]
limits: {pairs_per_request: 1, rate: auto, concurrency: auto}
safety: {require_paused: false}
"""

ENVIRONMENT: Final = {"BENCHMARK_KEY": "benchmark", "BENCHMARK_SECRET": "none"}


@contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """Its address."""
    world = folder / "gateway.yaml"
    world.write_text(GATEWAY % LIMIT)
    command = [str(Path(sys.executable).with_name("bulkstate")), "emulator", "--port", "0", "--world", str(world)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of a job: how long it took, and how many of its calls were refused."""

    seconds: float
    refused: int


async def sent(prepared: Prepared, directory: Path, state: Path, phase: float) -> Report:
    """A run that begins about `phase` seconds after a whole second."""

    async def agree(_plan: Plan) -> None:
        return

    def audience(_pieces: object, numbers: Sequence[int]) -> LineProgress:
        return LineProgress(len(numbers), prepared.plan.pairs, time.monotonic, every=3600.0)

    await anyio.sleep((phase - time.time()) % 1.0)
    host = Host(ENVIRONMENT, agree=agree, audience=audience, state=state)
    finished = await operations.start(prepared, directory, host)
    assert finished.exit_code == 0, finished.report
    return finished.report


def real(prepared: Prepared, folder: Path, round_: int, rounds: int) -> tuple[Told, Told]:
    """A cold run, and a warm one after it."""

    def one(kind: str) -> Told:
        arguments = prepared, folder / f"{kind}{round_}", folder / f"state{round_}.json", round_ / rounds
        report = anyio.run(sent, *arguments, backend="asyncio", backend_options={"use_uvloop": True})
        return Told(report.seconds, report.throttled)

    return one("cold"), one("warm")


def simulated(calls: int, seed: int) -> tuple[Told, Told]:
    """The same in the simulator."""
    job = Job(World((FixedWindow(steady(LIMIT), 1.0),), one_way=ONE_WAY), calls)
    program = Program()
    cold, warm = (simulate(job, f"loopback {seed} {kind}", program) for kind in ("cold", "warm"))
    return Told(cold.seconds, cold.refused), Told(warm.seconds, warm.refused)


def compared(real_ones: Sequence[Told], simulated_ones: Sequence[Told]) -> dict[str, object]:
    """Means, and the ratio of the times."""
    here, there = mean(told.seconds for told in real_ones), mean(told.seconds for told in simulated_ones)
    return {
        "real_seconds": round(here, 3),
        "simulated_seconds": round(there, 3),
        "ratio": round(here / there, 4),
        "real_refused": round(mean(told.refused for told in real_ones), 1),
        "simulated_refused": round(mean(told.refused for told in simulated_ones), 1),
        "real": [round(told.seconds, 2) for told in real_ones],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with emulator(folder) as url:
            file = folder / "config.yaml"
            file.write_text(CONFIGURATION % (url, options.calls))
            prepared = prepare(config.load(file, {**os.environ, **ENVIRONMENT}))
            here = [real(prepared, folder, number, options.rounds) for number in range(options.rounds)]
    there = [simulated(options.calls, seed) for seed in range(SEEDS)]
    kinds = zip(("cold", "warm"), zip(*here, strict=True), zip(*there, strict=True), strict=True)
    figures = {kind: compared(real_ones, simulated_ones) for kind, real_ones, simulated_ones in kinds}
    print(json.dumps({"benchmark": "loopback", "calls": options.calls, **figures, "machine": machine()}))


if __name__ == "__main__":
    main()
