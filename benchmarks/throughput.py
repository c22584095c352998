"""How much processor time a call of a whole run takes, beside a bare aiohttp loop's.

    python benchmarks/throughput.py [--chunks 20000] [--rounds 5]

Both send the same bytes, chunks of 100 × 100, to the same sink in another process, with the same concurrency on the
same kind of event loop. The run plans nothing in the measured time, but does everything else: bearer token, a pacer
far above the rate, retries ready, grants and outcomes on disk before they count, the report. Measured are user and
system seconds of all threads, in the slope between a plan and one of a tenth of its chunks, so that starts cancel out.
They take turns, so that whatever else the machine does meets both. Prints one JSON line: microseconds a call of each,
and the ratio of each round, the bare loop's over the run's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
safety: {{require_paused: false, require_state: none}}
verify: {{before: none, sample: none}}
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


async def bare(port: int, plan: Plan) -> None:
    """A loop that does nothing but call: bodies are spelt out as a run does it, answers are read."""
    numbers = iter(range(plan.requests))
    url = f"http://127.0.0.1:{port}{wire.STAGE_STATE}?action=delete&orgId=o1"
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}

    async def work(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            body = wire.stage_state_body(plan.chunk(number))
            async with session.post(url, data=body, headers=headers) as response:
                await response.read()

    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        anyio.create_task_group() as workers,
    ):
        for _ in range(CONCURRENCY):
            workers.start_soon(work, session)


async def whole(prepared: Prepared, directory: Path) -> None:
    """A run, from the making of its directory to its report."""

    async def agree(_plan: Plan) -> str:
        return "a benchmark"

    def audience(_pieces: object, numbers: Sequence[int]) -> LineProgress:
        return LineProgress(len(numbers), prepared.plan.pairs, time.monotonic)

    finished = await operations.start(prepared, directory, Host(os.environ, agree=agree, audience=audience))
    assert finished.exit_code == 0, finished.report


def cost(function: Callable[..., Awaitable[None]], *arguments: object) -> float:
    """CPU seconds of this process, all its threads together: the sink's are in another one."""
    began = time.process_time()
    anyio.run(function, *arguments, backend="asyncio", backend_options={"use_uvloop": True})
    return time.process_time() - began


@dataclass(frozen=True)
class Bench:
    """Plans of two sizes, so that what a start costs cancels out: the slope between them is what a call costs."""

    port: int
    folder: Path
    small: Prepared
    large: Prepared

    def slope(self, of: Callable[[Prepared], float]) -> float:
        """Microseconds of CPU a call."""
        calls = self.large.plan.requests - self.small.plan.requests
        return 1e6 * (of(self.large) - of(self.small)) / calls

    def bare(self) -> float:
        """Of the bare loop."""
        return self.slope(lambda prepared: cost(bare, self.port, prepared.plan))

    def whole(self) -> float:
        """Of a run."""
        return self.slope(lambda prepared: cost(whole, prepared, Path(tempfile.mkdtemp(dir=self.folder), "run")))


def prepared(folder: Path, port: int, chunks: int) -> Prepared:
    file = folder / f"{chunks}.yaml"
    file.write_text(CONFIGURATION.format(port=port, assets=chunks * 10, concurrency=CONCURRENCY), encoding="utf-8")
    return prepare(config.load(file, os.environ))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=20_000, help="of the larger plan, a multiple of 100")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ |= {"BENCHMARK_TOKEN": TOKEN}
    with sink() as port, tempfile.TemporaryDirectory() as folder:
        os.environ |= {"XDG_STATE_HOME": folder}
        small, large = (prepared(Path(folder), port, chunks) for chunks in (options.chunks // 10, options.chunks))
        bench = Bench(port, Path(folder), small, large)
        rounds = [(bench.whole(), bench.bare()) for _ in range(options.rounds)]
    ratios = sorted(of_bare / of_run for of_run, of_bare in rounds)
    print(
        json.dumps(
            {
                "benchmark": "throughput",
                "chunks": [small.plan.requests, large.plan.requests],
                "bytes_per_request": large.plan.body_bytes // large.plan.requests,
                "run_us_per_call": round(median(of_run for of_run, _ in rounds), 1),
                "bare_us_per_call": round(median(of_bare for _, of_bare in rounds), 1),
                "ratio": round(median(ratios), 3),
                "ratios": [round(ratio, 3) for ratio in ratios],
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
