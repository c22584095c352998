"""What the report of a long run costs, and going on with it: CPU seconds and peak memory.

    python benchmarks/report.py [--chunks 1000000] [--rounds 3]

The run directory is written by the journal itself, as a run of so many chunks would leave it: all of them deleted, in
batches of 256. `report` is the installed command; `resume` is what it does until its first call: the journal opened,
its plan and the chain's last links checked, what is pending found. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import anyio
from machine import machine

from bulkstate import config
from bulkstate.disk.journal import Ending, Journal, RunFacts
from bulkstate.model import Outcome, RunResult, Verdict
from bulkstate.runs.prepare import prepare

COMMAND = str(Path(sys.executable).with_name("bulkstate"))
CONFIGURATION = """\
version: 1
gateway: {{url: "http://127.0.0.1:9", org_id: o1, auth: {{bearer: "${{BENCHMARK_TOKEN}}"}}}}
delete:
  - pipeline: benchmark
    stages: [LastRecordAppender_01]
    where: [{{assets: "a{{0000001..{assets:07}}}", points: "POINT.{{0001..1000}}"}}]
limits: {{pairs_per_request: 1000}}
"""
POINTS_A_CHUNK = 1000
BATCH = 256
RESUME = """
import sys
from pathlib import Path
from bulkstate.disk.journal import Journal
with Journal.resume(Path(sys.argv[1])) as journal:
    journal.pending()
"""


async def write_run(chunks: int, folder: Path) -> Path:
    file = folder / "config.yaml"
    file.write_text(CONFIGURATION.format(assets=chunks * POINTS_A_CHUNK // 1000), encoding="utf-8")
    plan = prepare(config.load(file, {"BENCHMARK_TOKEN": "benchmark"})).plan
    directory = folder / "run"
    directory.mkdir()
    facts = RunFacts("run", 1.7e9, "http://127.0.0.1:9", "o1", "{}", "0")
    with Journal.create(directory, plan, facts) as journal:
        journal.agree(1.7e9)
        journal.begin(1.7e9)
        for begin in range(0, plan.requests, BATCH):
            numbers = range(begin, min(begin + BATCH, plan.requests))
            at = 1.7e9 + begin / 1000
            await journal.record([deleted(number, at) for number in numbers])
        journal.finish(Ending(1.7e9 + plan.requests / 1000, RunResult.DELETED, "", 0))
    return directory


def deleted(number: int, at: float) -> Outcome:
    return Outcome(number, Verdict.DELETED, 1, 0, 200, 0, "OK", f"request-{number}", 12_345, at, at + 0.1)


def cost(*command: str) -> tuple[float, int]:
    """CPU seconds and bytes at the most of one command."""
    script = "import json, resource, subprocess, sys\n"
    script += "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
    script += "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    script += "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]))"
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout)
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    found: dict[str, object] = {"benchmark": "report", "chunks": chosen.chunks}
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"XDG_STATE_HOME": folder, "BENCHMARK_TOKEN": "benchmark"}
        directory = str(anyio.run(write_run, chosen.chunks, Path(folder)))
        for title, command in (
            ("report", (COMMAND, "report", directory)),
            ("resume", (sys.executable, "-c", RESUME, directory)),
        ):
            costs = [cost(*command) for _ in range(chosen.rounds)]
            found[f"{title}_cpu_seconds"] = round(median(seconds for seconds, _ in costs), 2)
            found[f"{title}_peak_bytes"] = max(peak for _, peak in costs)
    print(json.dumps({**found, **machine()}))


if __name__ == "__main__":
    main()
