"""How long planning takes and how much memory: one JSON line a case, each measured in a process of its own.

    python benchmarks/planning.py

`seconds` run from a configuration's entries to the plan and its digest; `peak_mib` is the most memory that the process
ever had resident, interpreter included.
"""

from __future__ import annotations

import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulkstate.selection import Source

SEED = 20_260_101
PAIRS = 1_000_000


def main() -> None:
    """Measure every case and print what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "pairs.csv")
        write_pairs(table)
        for case, *arguments in (["block"], ["pairs", str(table)]):
            done = subprocess.run(
                [sys.executable, __file__, case, *arguments], check=True, stdout=subprocess.PIPE, text=True
            )
            print(json.dumps({"benchmark": "planning", "case": case, **json.loads(done.stdout), **machine()}))


def write_pairs(table: Path) -> None:
    """A million pairs in random order: 20,000 assets, of which one in a hundred has points that no other has."""
    chance = random.Random(SEED)
    models = [chance.sample(range(1_000), 50) for _ in range(200)]
    rows = [
        (asset, point)
        for asset in range(PAIRS // 50)
        for point in (chance.sample(range(1_000), 50) if asset % 100 == 0 else models[asset % 200])
    ]
    chance.shuffle(rows)
    with table.open("w", encoding="utf-8") as file:
        file.write("asset_id,point_id\n")
        file.writelines(f"WTG{asset:05d},INV.Point{point:04d}\n" for asset, point in rows)


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}


def block() -> dict[str, object]:
    """1,000,000 assets × 1,000 points, from patterns."""
    from bulkstate.selection import BlockSource, IdList

    def pattern(value: str) -> IdList:
        return IdList((value,), None, "", "")

    return measure(BlockSource(pattern("WTG{0000001..1000000}"), pattern("INV.Point{0001..1000}")))


def pairs(table: str) -> dict[str, object]:
    """The sparse pairs of a CSV file."""
    from bulkstate.selection import PairSource

    return measure(PairSource(Path(table), "", ""))


def measure(source: Source) -> dict[str, object]:
    """Select and plan one source in one stage, with the API's limit and 1 MiB a body."""
    from bulkstate.planner import plan
    from bulkstate.selection import Entry, select

    began = time.perf_counter()
    relations = select([Entry("8a81b5f0-2c5e", ("LastRecordAppender_01",), (source,))])
    selected = time.perf_counter()
    made = plan(relations, pairs_per_request=100_000, bytes_per_request=1_048_576)
    return {
        "seconds": round(time.perf_counter() - began, 3),
        "select_seconds": round(selected - began, 3),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "pairs": made.pairs,
        "requests": made.requests,
        "lower_bound": made.lower_bound,
        "plan": made.digest,
    }


CASES: dict[str, Callable[..., dict[str, object]]] = {"block": block, "pairs": pairs}

if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(CASES[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
