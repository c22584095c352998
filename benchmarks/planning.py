"""How few requests a plan takes, how long planning takes, and how much memory: one JSON line a case.

    python benchmarks/planning.py [--covers DIR] [--curve] [CASE ...]

Each case is measured in a process of its own, and each plan is checked for law 1 by `checker`, which shares no code
with the planner. `seconds` run from a configuration's entries, or from a relation, to the plan and its digest;
`cpu_seconds` are what the process used for planning, all threads together, reading apart;
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
from relations import Drawn, crown, intervals, lacking, noise, staircase
from relations import fleet as models

if TYPE_CHECKING:
    from bulkstate.model import Plan
    from bulkstate.pairs.relation import Relation
    from bulkstate.selection import Source

SEED = 20_260_101
PAIRS = 1_000_000
BLOCKS = 200
CAP = 100_000
BYTES = 1_048_576
SIDES = ((1_000_000, 1_000), (2_000_000, 1), (10_000_000, 1_000))

SHAPES: dict[str, Callable[[], Drawn]] = {
    "random 100,000 x 20, 50 %": lambda: noise(100_000, 20, 0.5, SEED),
    "random 20,000 x 100, 10 %": lambda: noise(20_000, 100, 0.1, SEED),
    "random 3,000 x 400, 10 %": lambda: noise(3_000, 400, 0.1, SEED),
    "random 1,000 x 30, 50 %": lambda: noise(1_000, 30, 0.5, SEED),
    "intervals 20,000 x 2,000": lambda: intervals(20_000, 2_000, SEED),
    "staircase 1,000 x 1,000": lambda: staircase(1_000),
    "may_delete 10 % of 20,000 x 200, 0.5 % kept": lambda: noise(20_000, 200, 0.1, SEED, 0.005),
    "may_delete 10 % of 20,000 x 200": lambda: noise(20_000, 200, 0.1, SEED),
    "crown 64": lambda: crown(64),
    "crown 300": lambda: crown(300),
    "lacking 400 x 60": lambda: lacking(400, 60, 3, SEED),
    "fleet, 0.1 % holes": lambda: models("holes", 0.001, SEED),
    "fleet, 0.5 % holes": lambda: models("holes", 0.005, SEED),
    "fleet, 2 % holes": lambda: models("holes", 0.02, SEED),
    "fleet, 10 % holes": lambda: models("holes", 0.1, SEED),
    "fleet, exclusions": lambda: models("exclusions", 0.2, SEED),
    "fleet, holes in blocks": lambda: models("blocks", 0.3, SEED),
    "fleet, points over time": lambda: models("growth", 0.0, SEED),
}


def main() -> None:
    """Measure every case, or those that are named, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--covers", type=Path, metavar="DIR", help="files of `row column` pairs, plain or gzip")
    parser.add_argument("--curve", action="store_true", help="the fleet by every effort")
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help="covers, blocks, block, pairs, shapes, caps, sparse, fleet"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = {
            "covers": lambda: covers(asked.covers),
            "blocks": lambda: iter([measured("one_blocks")]),
            "block": lambda: (measured("one_block", *map(str, sides)) for sides in SIDES),
            "pairs": lambda: pairs(Path(folder, "pairs.csv")),
            "shapes": lambda: map(shape_of, SHAPES),
            "caps": lambda: capped(asked.covers),
            "sparse": lambda: sparse(Path(folder, "sparse")),
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


def shape_of(name: str) -> dict[str, object]:
    """What a drawn relation takes."""
    return measured("shape", name)


def capped(folder: Path | None) -> Iterator[dict[str, object]]:
    """Two of the sets with caps that bind, and blocks of which each asset lacks up to three points."""
    for name in ("fire1", "customer") if folder else ():
        for cap in (100, 500, 1_000):
            yield measured("cover", str(folder / f"{name}.txt.gz"), str(cap))
    for cap in (3_000, CAP):
        for effort in ("quick", "normal", "thorough"):
            yield {"effort": effort, **measured("shape", "lacking 400 x 60", str(cap), effort)}


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


def sparse(files: Path) -> Iterator[dict[str, object]]:
    """200,000,000 pairs of 4,000,000 assets, in a folder of Parquet files."""
    files.mkdir()
    measured("written", str(files))
    yield measured("table", str(files), "normal")


def ratio(one: object, other: object) -> float:
    """One figure divided by another."""
    return round(number(one) / number(other), 2)


def number(figure: object) -> float:
    """A figure of a line."""
    return float(str(figure))


# ── in a process of its own ───────────────────────────────────────────────────────────────────────────────────────


def cover(file: str, cap: str = str(CAP)) -> dict[str, object]:
    """A set of pairs, one `row column` a line."""
    content = Path(file).read_bytes()
    text = (gzip.decompress(content) if file.endswith(".gz") else content).decode()
    numbers = np.array([line.split()[:2] for line in text.splitlines() if line.strip() and line[0] != "#"], np.int64)
    relation = relation_of(numbers)
    return {"set": Path(file).name.partition(".")[0], "cap": int(cap), **planned(lambda: relation, "normal", int(cap))}


def shape(name: str, cap: str = str(CAP), effort: str = "normal") -> dict[str, object]:
    """A relation drawn from a seed."""
    from bulkstate.model import Stage
    from bulkstate.pairs.relation import Relation, Unlisted

    drawn = SHAPES[name]()
    unlisted = Unlisted.MAY_DELETE if name.startswith("may_delete") else Unlisted.KEEP
    assets = tuple(f"{number:09d}" for number in range(drawn.assets))
    points = tuple(f"{number:09d}" for number in range(drawn.points))
    stage = Stage("8a81b5f0-2c5e", "LastRecordAppender_01")
    relation = Relation(stage, assets, points, (), drawn.selected, kept=drawn.kept, unlisted=unlisted)
    return {"shape": name, "cap": int(cap), **planned(lambda: relation, effort, int(cap))}


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
    from bulkstate.planner.limits import RequestLimits, Weights
    from bulkstate.planner.tiling import tile

    chance = random.Random(SEED)
    worst, slowest = -1.0, 0.0
    for _ in range(BLOCKS):
        assets, points = (int(math.exp(chance.uniform(0, math.log(most)))) for most in (2_000_000, 5_000))
        rectangle = Rectangle(np.arange(assets, dtype=np.int32), np.arange(points, dtype=np.int32))
        weights = Weights(np.full(assets, 9), np.full(points, 17), 100)
        began = time.perf_counter()
        tiles = tile(rectangle, weights, RequestLimits(CAP, BYTES)).rectangles
        slowest = max(slowest, time.perf_counter() - began)
        worst = max(worst, len(tiles) - -(-assets * points // CAP) * 1.001)
        check_block(((each.assets, each.points) for each in tiles), assets, points, CAP)
    return {"blocks": BLOCKS, "most_beyond_a_thousandth": round(worst, 3), "slowest_seconds": round(slowest, 3)}


def block(assets: str, points: str) -> dict[str, object]:
    """So many assets × so many points, from patterns."""
    from bulkstate.selection import BlockSource, IdList

    def pattern(value: str) -> IdList:
        return IdList((value,), None, "", "")

    source = BlockSource(pattern(f"WTG{{00000001..{assets:0>8}}}"), pattern(f"INV.Point{{0001..{points:0>4}}}"))
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


def planned(select: Callable[[], Relation], effort: str, cap: int = CAP) -> dict[str, object]:
    """Select and plan, with the API's limit and 1 MiB a body; then check the plan."""
    from bulkstate.model import Effort
    from bulkstate.planner import plan

    began, before = time.perf_counter(), time.process_time()
    relation = select()
    selected_at, used = time.perf_counter(), time.process_time()
    made = plan([relation], pairs_per_request=cap, bytes_per_request=BYTES, effort=Effort(effort))
    line = {
        "seconds": round(time.perf_counter() - began, 3),
        "cpu_seconds": round(time.process_time() - used, 2),
        "select_seconds": round(selected_at - began, 3),
        "select_cpu_seconds": round(used - before, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "pairs": made.pairs,
        "requests": made.requests,
        "lower_bound": made.lower_bound,
        "by_lower_bound": ratio(made.requests, made.lower_bound),
        "proof": made.stages[0].lower_bound.proof,
        "body_bytes": made.body_bytes,
        "plan": made.digest,
    }
    equal = check(relation, made, cap)
    return {**line, "equal_rows": equal, "equal_rows_by_requests": ratio(equal, made.requests), "checked": True}


def check(relation: Relation, made: Plan, cap: int) -> int:
    """Check the plan for law 1. Returns how many requests grouping by equal rows takes."""
    from bulkstate.pairs.relation import Unlisted, equal_rows
    from bulkstate.planner.limits import RequestLimits, weigh
    from bulkstate.planner.tiling import tile

    requests = [(each.assets, each.points) for stage in made.stages for each in stage.rectangles]
    if relation.blocks:
        check_block(requests, len(relation.assets), len(relation.points), cap)
    else:
        spared = relation.kept if relation.unlisted is Unlisted.MAY_DELETE else None
        check_pairs(requests, relation.pairs, len(relation.points), cap, spared)
    weights, limits = weigh(relation), RequestLimits(cap, BYTES)
    return sum(len(tile(each, weights, limits).rectangles) for each in equal_rows(relation).rectangles)


def made(file: str) -> dict[str, object]:
    """Write the fleet."""
    from fleet import SEED as FLEET
    from fleet import Shape, make_fleet, write_parquet

    found = make_fleet(Shape(), FLEET)
    write_parquet(found, Path(file), FLEET)
    return {"pairs": len(found.points)}


def written(folder: str) -> dict[str, object]:
    """Write the sparse pairs."""
    from fleet import SEED as FLEET
    from fleet import write_sparse

    return {"pairs": write_sparse(Path(folder), FLEET)}


def read(file: str) -> dict[str, object]:
    """Read the file and encode its pairs as integers, with nothing but Polars."""
    import polars as pl

    began = time.perf_counter()
    frame = pl.read_parquet(file).select(pl.all().cast(pl.Categorical).to_physical().cast(pl.Int64))
    codes = frame.select(pl.col("asset_id") * (pl.col("point_id").max() + 1) + pl.col("point_id")).to_series()
    return {"seconds": round(time.perf_counter() - began, 3), "pairs": len(codes)}


CASES: dict[str, Callable[..., dict[str, object]]] = {
    "cover": cover,
    "shape": shape,
    "one_blocks": blocks,
    "one_block": block,
    "table": table,
    "made": made,
    "written": written,
    "read": read,
}

if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in CASES:
        print(json.dumps(CASES[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
