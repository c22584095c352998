"""How long after somebody starts a pipeline is the last delete sent?

    python benchmarks/unpause.py [--starts 400]

Runs on virtual time against the scripted gateway of tests/engine: 20 calls a second, 8 under way at the most, a look
every `status_every`, somebody who starts the pipeline at a random moment. A gateway that refuses deletes then (61199,
as the emulator does) is told from one that takes them all the same. Prints one JSON line a row: milliseconds from the
start to the last delete that was sent before the run held or stopped, median and worst.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate
from tests.engine.gateway import World
from tests.engine.session import Settings, a_folder, a_plan, first, virtually

PLAN = a_plan(1500)


@dataclass(frozen=True, slots=True)
class Row:
    """One gateway, one way to look. Milliseconds; `sent` deletes in that time."""

    refuses_deletes: bool
    status_every: float
    starts: int
    median_ms: float
    worst_ms: float
    worst_sent: int


def row(refuses: bool, every: float, starts: int) -> Row:
    """So many runs, each disturbed once."""
    delays, sent = [], []
    for seed in range(starts):
        begin = Random(f"unpause {seed}").uniform(1.0, 35.0)
        found = _after(begin, refuses, every)
        delays.append(1000 * max((at - begin for at in found), default=0.0))
        sent.append(len(found))
    return Row(refuses, every, starts, round(median(delays)), round(max(delays)), max(sent))


def _after(begin: float, refuses: bool, every: float) -> list[float]:
    """When deletes were sent after the start."""
    world = World(PLAN, running=[(begin, 1e9)], strict=refuses)
    world.fill()
    settings = Settings(8, RetryPolicy(8, 0.5, 60.0), (Rate(20, 1.0),), status_every=every)
    with a_folder() as folder:
        virtually(first, world, Path(folder, "run"), settings)
    return [call.at for call in world.deletes() if call.at >= begin]


def rows(starts: int) -> Iterator[Row]:
    """Every combination."""
    for refuses in (True, False):
        for every in (2.0, 30.0):
            yield row(refuses, every, starts)


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=400)
    for each in rows(parser.parse_args().starts):
        print(json.dumps(asdict(each)), flush=True)


if __name__ == "__main__":
    main()
