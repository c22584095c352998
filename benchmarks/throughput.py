"""How much of a bare aiohttp loop's speed a whole run keeps.

    python benchmarks/throughput.py [--chunks 20000] [--rounds 5]

Both send the same bytes, chunks of 100 × 100, to the same sink in another process, with the same concurrency on the
same kind of event loop. The run plans nothing in the measured time, but does everything else: bearer token, a pacer
far above the rate, retries ready, grants and outcomes on disk before they count, the report. They take turns, so that
whatever else the machine does meets both. Prints one JSON line: calls a second of each, and the ratio of each round.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import aiohttp
import anyio
from machine import machine

from bulkstate import config
from bulkstate.gateway import wire
from bulkstate.model import Plan
from bulkstate.report.progress import LineProgress
from bulkstate.runs import operations
from bulkstate.runs.host import Host
from bulkstate.runs.prepare import Prepared, prepare

CONCURRENCY = 16
TOKEN = "benchmark"

CONFIGURATION = """
version: 1
gateway: {{url: "http://127.0.0.1:{port}", org_id: o1, auth: {{bearer: "${{BENCHMARK_TOKEN}}"}}}}
delete:
  - pipeline: benchmark
    stages: [LastRecordAppender_01]
    where: [{{assets: "a{{000001..{assets:06}}}", points: "POINT.{{0001..1000}}"}}]
limits: {{pairs_per_request: 10000, rate: 100000/s, concurrency: {concurrency}}}
safety: {{require_paused: false}}
"""


@contextmanager
def sink() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("sink.py"))], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


async def bare(port: int, plan: Plan) -> float:
    """Calls a second of a loop that does nothing but call: bodies are spelt out as a run does it, answers are read."""
    numbers = iter(range(plan.requests))
    url = f"http://127.0.0.1:{port}{wire.STAGE_STATE}?action=delete&orgId=o1"
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            body = wire.stage_state_body(plan.chunk(number))
            async with session.post(url, data=body, headers=headers) as response:
                await response.read()

    began = time.perf_counter()
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        anyio.create_task_group() as workers,
    ):
        for _ in range(CONCURRENCY):
            workers.start_soon(work, session)
    return plan.requests / (time.perf_counter() - began)


async def whole(prepared: Prepared, directory: Path) -> float:
    """Calls a second of a run, from the making of its directory to its report."""

    async def agree(_plan: Plan) -> None:
        return

    def audience(_pieces: object, numbers: Sequence[int]) -> LineProgress:
        return LineProgress(len(numbers), prepared.plan.pairs, time.monotonic)

    began = time.perf_counter()
    finished = await operations.start(prepared, directory, Host(os.environ, agree=agree, audience=audience))
    seconds = time.perf_counter() - began
    assert finished.exit_code == 0, finished.report
    return prepared.plan.requests / seconds


def on_uvloop(function, *arguments):  # type: ignore[no-untyped-def]
    return anyio.run(function, *arguments, backend="asyncio", backend_options={"use_uvloop": True})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=20_000, help="a multiple of 10")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ["BENCHMARK_TOKEN"] = TOKEN
    with sink() as port, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(CONFIGURATION.format(port=port, assets=options.chunks * 10, concurrency=CONCURRENCY))
        prepared = prepare(config.load(file, os.environ))
        directories = (Path(folder, f"run{number}") for number in itertools.count())
        rounds = [
            (on_uvloop(whole, prepared, next(directories)), on_uvloop(bare, port, prepared.plan))
            for _ in range(options.rounds)
        ]
    ratios = sorted(run_rate / bare_rate for run_rate, bare_rate in rounds)
    print(
        json.dumps(
            {
                "benchmark": "throughput",
                "chunks": prepared.plan.requests,
                "bytes_per_request": prepared.plan.body_bytes // prepared.plan.requests,
                "run_per_second": round(median(rate for rate, _ in rounds)),
                "bare_per_second": round(median(rate for _, rate in rounds)),
                "ratio": round(median(ratios), 3),
                "ratios": [round(ratio, 3) for ratio in ratios],
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
