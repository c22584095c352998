"""How few requests a plan takes, how long planning takes, and how much memory: one JSON line a case.

    python benchmarks/planning.py [--covers DIR] [--curve] [CASE ...]

Each case is measured in a process of its own, and each plan is checked for law 1 by `checker`, which shares no code
with the planner. `seconds` run from a configuration's entries, or from a relation, to the plan and its digest;
`peak_mib` is the most memory that the process ever had resident up to there, interpreter included. The fleet's are
compared with `read_seconds`: what Polars takes to read and encode the same file.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from checker import check_block, check_pairs
from machine import machine
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bulkstate.model import Effort, Plan
    from bulkstate.pairs.relation import Relation
    from bulkstate.selection import Source

SEED = 20_260_101
PAIRS = 1_000_000
BLOCKS = 200
CAP = 100_000
BYTES = 1_048_576


def main() -> None:
    """Measure every case, or those that are named, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--covers", type=Path, metavar="DIR", help="files of `row column` pairs, plain or gzip")
    parser.add_argument("--curve", action="store_true", help="the fleet by every effort")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="covers, blocks, block, pairs, fleet; all of them")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = {
            "covers": lambda: covers(asked.covers),
            "blocks": lambda: iter([measured("one_blocks")]),
            "block": lambda: iter([measured("one_block")]),
            "pairs": lambda: pairs(Path(folder, "pairs.csv")),
            "fleet": lambda: fleet(Path(folder, "fleet.parquet"), asked.curve),
        }
        for case in asked.cases or cases:
            for line in cases[case]():
                print(json.dumps({"benchmark": "planning", "case": case, **line, **machine()}), flush=True)


def measured(case: str, *arguments: str) -> dict[str, object]:
    """What a case says of itself, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, case, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def covers(folder: Path | None) -> Iterator[dict[str, object]]:
    """Every set in a folder, and all of them together."""
    files = sorted(folder.glob("*.txt*")) if folder else []
    if not files:
        yield {"note": f"no sets of pairs in {folder}" if folder else "no folder of sets: name one with --covers DIR"}
        return
    lines = [measured("cover", str(file)) for file in files]
    yield from lines
    yield {"set": "all", "seconds": round(sum(number(line["seconds"]) for line in lines), 3)}


def pairs(table: Path) -> Iterator[dict[str, object]]:
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
    yield measured("table", str(table), "normal")


def fleet(file: Path, curve: bool) -> Iterator[dict[str, object]]:
    """The fleet, against the time that Polars takes to read and encode it."""
    measured("made", str(file))
    for effort in ("quick", "normal", "thorough") if curve else ("normal",):
        reading = measured("read", str(file))["seconds"]
        line = measured("table", str(file), effort)
        yield {"effort": effort, **line, "read_seconds": reading, "by_read": ratio(line["seconds"], reading)}


def ratio(one: object, other: object) -> float:
    """One figure divided by another."""
    return round(number(one) / number(other), 2)


def number(figure: object) -> float:
    """A figure of a line."""
    return float(str(figure))


# ── in a process of its own ───────────────────────────────────────────────────────────────────────────────────────


def cover(file: str) -> dict[str, object]:
    """A set of pairs, one `row column` a line."""
    content = Path(file).read_bytes()
    text = (gzip.decompress(content) if file.endswith(".gz") else content).decode()
    numbers = np.array([line.split()[:2] for line in text.splitlines() if line.strip() and line[0] != "#"], np.int64)
    relation = relation_of(numbers)
    return {"set": Path(file).name.partition(".")[0], **planned(lambda: relation, "normal")}


def relation_of(numbers: NDArray[np.int64]) -> Relation:
    """The relation of pairs of numbers."""
    from bulkstate.model import Stage
    from bulkstate.pairs.relation import Relation

    rows, columns = (np.unique(numbers[:, side], return_inverse=True) for side in (0, 1))
    codes = np.unique(rows[1] * len(columns[0]) + columns[1]).astype(np.int64)
    assets, points = (tuple(f"{number:09d}" for number in ids.tolist()) for ids in (rows[0], columns[0]))
    return Relation(Stage("8a81b5f0-2c5e", "LastRecordAppender_01"), assets, points, (), codes)


def blocks() -> dict[str, object]:
    """Blocks of random size: the most requests beyond ceil(A · P / cap) and a thousandth, and the slowest."""
    from bulkstate.model import Rectangle
    from bulkstate.planner.limits import Limits, Weights
    from bulkstate.planner.tiling import tile

    chance = random.Random(SEED)
    worst, slowest = -1.0, 0.0
    for _ in range(BLOCKS):
        assets, points = (int(math.exp(chance.uniform(0, math.log(most)))) for most in (2_000_000, 5_000))
        rectangle = Rectangle(np.arange(assets, dtype=np.int32), np.arange(points, dtype=np.int32))
        weights = Weights(np.full(assets, 9), np.full(points, 17), 100)
        began = time.perf_counter()
        tiles = tile(rectangle, weights, Limits(CAP, BYTES)).rectangles
        slowest = max(slowest, time.perf_counter() - began)
        worst = max(worst, len(tiles) - -(-assets * points // CAP) * 1.001)
        check_block(((each.assets, each.points) for each in tiles), assets, points, CAP)
    return {"blocks": BLOCKS, "most_beyond_a_thousandth": round(worst, 3), "slowest_seconds": round(slowest, 3)}


def block() -> dict[str, object]:
    """1,000,000 assets × 1,000 points, from patterns."""
    from bulkstate.selection import BlockSource, IdList

    def pattern(value: str) -> IdList:
        return IdList((value,), None, "", "")

    source = BlockSource(pattern("WTG{0000001..1000000}"), pattern("INV.Point{0001..1000}"))
    return planned(lambda: selected(source), "normal")


def table(file: str, effort: str) -> dict[str, object]:
    """The pairs of a file."""
    from bulkstate.selection import PairSource

    return planned(lambda: selected(PairSource(Path(file), "", "")), effort)


def selected(source: Source) -> Relation:
    """What a source selects, in one stage."""
    from bulkstate.selection import Entry, select

    (relation,) = select([Entry("8a81b5f0-2c5e", ("LastRecordAppender_01",), (source,))])
    return relation


def planned(select: Callable[[], Relation], effort: str) -> dict[str, object]:
    """Select and plan, with the API's limit and 1 MiB a body; then check the plan."""
    from bulkstate.planner import plan

    began = time.perf_counter()
    relation = select()
    selected_at = time.perf_counter()
    made = plan([relation], pairs_per_request=CAP, bytes_per_request=BYTES, effort=Effort(effort))
    line = {
        "seconds": round(time.perf_counter() - began, 3),
        "select_seconds": round(selected_at - began, 3),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "pairs": made.pairs,
        "requests": made.requests,
        "lower_bound": made.lower_bound,
        "by_lower_bound": ratio(made.requests, made.lower_bound),
        "proof": made.stages[0].lower_bound.proof,
        "body_bytes": made.body_bytes,
        "plan": made.digest,
    }
    equal = check(relation, made)
    return {**line, "equal_rows": equal, "equal_rows_by_requests": ratio(equal, made.requests), "checked": True}


def check(relation: Relation, made: Plan) -> int:
    """Check the plan for law 1. Returns how many requests grouping by equal rows takes."""
    from bulkstate.pairs.relation import equal_rows
    from bulkstate.planner.limits import Limits, weigh
    from bulkstate.planner.tiling import tile

    requests = [(each.assets, each.points) for stage in made.stages for each in stage.rectangles]
    if relation.blocks:
        check_block(requests, len(relation.assets), len(relation.points), CAP)
    else:
        check_pairs(requests, relation.pairs, len(relation.points), CAP)
    weights, limits = weigh(relation), Limits(CAP, BYTES)
    return sum(len(tile(each, weights, limits).rectangles) for each in equal_rows(relation).rectangles)


def made(file: str) -> dict[str, object]:
    """Write the fleet."""
    from fleet import SEED as FLEET
    from fleet import Shape, make_fleet, write_parquet

    found = make_fleet(Shape(), FLEET)
    write_parquet(found, Path(file), FLEET)
    return {"pairs": len(found.points)}


def read(file: str) -> dict[str, object]:
    """Read the file and encode its pairs as integers, with nothing but Polars."""
    import polars as pl

    began = time.perf_counter()
    frame = pl.read_parquet(file).select(pl.all().cast(pl.Categorical).to_physical().cast(pl.Int64))
    codes = frame.select(pl.col("asset_id") * (pl.col("point_id").max() + 1) + pl.col("point_id")).to_series()
    return {"seconds": round(time.perf_counter() - began, 3), "pairs": len(codes)}


CASES: dict[str, Callable[..., dict[str, object]]] = {
    "cover": cover,
    "one_blocks": blocks,
    "one_block": block,
    "table": table,
    "made": made,
    "read": read,
}

if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in CASES:
        print(json.dumps(CASES[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
