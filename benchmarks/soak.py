"""Does a run of a million chunks end as it began? Memory, descriptors and CPU per chunk, from first tenth to last.

    python benchmarks/soak.py [--chunks 1000000]

The installed command, a process of its own, against a sink in another one. It says how far it is in its progress
lines, and is measured from outside at each of them. Prints one JSON line: memory over that of planning, memory at 90 %
over that at 10 %, descriptors, CPU per chunk of the last tenth over that of the second (the first warms up). Exit code
1 where it isn't within 10 %, or more than 100 MB over planning, or a descriptor is left behind.
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
from dataclasses import dataclass
from pathlib import Path

from machine import machine
from throughput import sink

COMMAND = str(Path(sys.executable).with_name("bulkstate"))
CONFIGURATION = """\
version: 1
gateway: {{url: "http://127.0.0.1:{port}", org_id: o1, auth: {{bearer: "${{BENCHMARK_TOKEN}}"}}}}
delete:
  - pipeline: benchmark
    stages: [LastRecordAppender_01]
    where: [{{assets: "a{{0000001..{assets:07}}}", points: "POINT.{{0001..1000}}"}}]
limits: {{pairs_per_request: 10, rate: 100000/s, concurrency: 16}}
safety: {{require_paused: false, require_state: none, max_pairs: 1_000_000_000}}
verify: {{before: 0, sample: none}}
"""
POINTS_A_CHUNK = 10
LARGEST_GROWTH = 0.10
LARGEST_OVER_PLANNING = 100_000_000


@dataclass(frozen=True)
class Sample:
    """The process once `settled` chunks had their outcome: bytes of memory, open descriptors, CPU seconds so far."""

    settled: int
    memory: int
    descriptors: int
    cpu: float


def measured(pid: int, settled: int) -> Sample:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return Sample(
        settled,
        int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        (int(fields[11]) + int(fields[12])) / ticks,
    )


def watched(process: subprocess.Popen[str]) -> Iterator[Sample]:
    """A sample at each progress line."""
    assert process.stderr is not None
    for line in process.stderr:
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("event") == "progress" and process.poll() is None:
            try:
                yield measured(process.pid, int(said["settled"]))
            except OSError:  # it has just ended
                return


def near(samples: Sequence[Sample], settled: float) -> Sample:
    return min(samples, key=lambda sample: abs(sample.settled - settled))


def cpu_per_chunk(samples: Sequence[Sample], begin: float, end: float) -> float:
    first, last = near(samples, begin), near(samples, end)
    return (last.cpu - first.cpu) / max(1, last.settled - first.settled)


def planning_memory(folder: Path, environment: dict[str, str]) -> int:
    """The most that making the same plan takes, in bytes."""
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
    command = [sys.executable, "-c", script, COMMAND, "plan", "config.yaml", "--json"]
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return int(done.stdout)


def soak(chunks: int, port: int, folder: Path) -> dict[str, object]:
    text = CONFIGURATION.format(port=port, assets=chunks * POINTS_A_CHUNK // 1000)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    environment = {**os.environ, "BENCHMARK_TOKEN": "benchmark", "XDG_STATE_HOME": str(folder / "state"), "CI": "1"}
    planning = planning_memory(folder, environment)
    began = time.monotonic()
    command = [COMMAND, "run", "config.yaml", "--yes", "--run-dir", "r", "--json"]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    samples = list(watched(process))
    out, _ = process.communicate()
    report = json.loads(out)
    assert report["chunks"]["deleted"] == chunks, report
    if not samples or near(samples, 0.9 * chunks).settled < 0.8 * chunks:
        raise SystemExit("too short a run to be measured: take more chunks")
    early, late = near(samples, 0.1 * chunks), near(samples, 0.9 * chunks)
    return {
        "chunks": chunks,
        "seconds": round(time.monotonic() - began, 1),
        "memory_planning": planning,
        "memory_at_10%": early.memory,
        "memory_at_90%": late.memory,
        "memory_growth": round(late.memory / early.memory - 1, 4),
        "memory_over_planning": late.memory - planning,
        "descriptors": [early.descriptors, late.descriptors],
        "cpu_us_per_chunk": [
            round(1e6 * cpu_per_chunk(samples, begin * chunks, (begin + 0.1) * chunks), 1) for begin in (0.1, 0.9)
        ],
        "samples": len(samples),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=1_000_000, help="a multiple of 100")
    chosen = parser.parse_args()
    with sink() as port, tempfile.TemporaryDirectory() as folder:
        found = soak(chosen.chunks, port, Path(folder))
    print(json.dumps({**found, **machine()}))
    well = (
        abs(float(str(found["memory_growth"]))) <= LARGEST_GROWTH
        and int(str(found["memory_over_planning"])) <= LARGEST_OVER_PLANNING
    )
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
