"""How near to a gateway's limits a run gets, and how many of its calls are refused, on simulated gateways.

    python benchmarks/pacing_table.py [--quick | --all] [--rows PART]

One JSON line a row and way to pace, then a table. *Reached* is the time of a caller who knows every limit divided by
the time taken (`omniscient.paced`; `of_least` against one who knows every window's edges as well), *refused* the share
of 429s (and 503s, where work is what limits) in all calls: means over the seeds, and how far they lie apart. Without an
option: the program alone, five seeds. `--all`: the other ways to pace beside it. `--quick`: one seed, the other ways on
one row only.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import mean
from typing import Final

from controllers import AimdCaller, BotocoreCaller, FullJitter
from gateway_limits import FixedWindow, Limit, Poisson, Steps, TokenBucket, steady
from gateway_sim import Contestant, Job, Load, Wish, World, simulate
from omniscient import least, paced
from program import DAY, HOUR, MINUTE, Program, per

from bulkstate.rates import Rate


@dataclass(frozen=True, slots=True)
class Row:
    """A job, and what has to come of it: percent reached at least, percent refused at most. `warm`: the job is done
    for the second time."""

    name: str
    job: Job
    reached: float
    refused: float
    warm: bool = False


def told(name: str, *limits: FixedWindow) -> Row:
    """A gateway whose limits are told."""
    windows = tuple(Rate(int(limit.calls.at(0.0)), limit.seconds) for limit in limits)
    return Row(f"told {name}", Job(World(limits), told=windows), 98, 0)


def unknown(name: str, *limits: Limit, calls: int = 10_000, reached: float = 97, refused: float = 0.5) -> Row:
    """A gateway of which nothing is told."""
    return Row(name, Job(World(limits), calls), reached, refused)


def fast(calls: float, warm: bool) -> Row:
    """A fast gateway, and a job that is ten times as long as elsewhere."""
    name = f"{calls:g}/s {'warm' if warm else 'cold'}"
    job = Job(World((per(calls),)), 100_000, workers=512)
    return Row(name, job, 98 if warm else 95, 0.5, warm)


def stepping(name: str, *table: tuple[float, float]) -> Row:
    """A limit that changes: (from when, calls a second)."""
    return unknown(name, FixedWindow(Steps(table), 1.0), reached=95, refused=0.8)


def shared(name: str, limit: Limit, others: Steps) -> Row:
    """A gateway where others call too."""
    return Row(name, Job(World((limit,), (Poisson(others),))), 92, 1.5)


def working(name: str, load: Load, reached: float) -> Row:
    """A gateway whose limit is told, and far above what the work behind it allows."""
    return Row(name, Job(World((per(5000),), load=load), told=(Rate(5000, 1.0),), workers=256), reached, 0.5)


ROWS: Final = (
    told("37/s", per(37)),
    told("150/s", per(150)),
    told("50/s and 1200/min", per(50), per(1200, MINUTE)),
    unknown("37/s", per(37)),
    unknown("12/s", per(12)),
    unknown("90/s", per(90)),
    unknown("150/s", per(150)),
    unknown("token bucket 37/s, burst 10", TokenBucket(steady(37), 10), reached=98),
    unknown("1200/min", per(1200, MINUTE)),
    unknown("50/s and 1200/min", per(50), per(1200, MINUTE)),
    unknown("3000/h", per(3000, HOUR)),
    unknown("20000/d", per(20_000, DAY), calls=30_000),
    unknown("100 in 10 s", per(100, 10.0), reached=95, refused=1),
    unknown("600 in 30 s", per(600, 30.0), reached=95, refused=1),
    unknown("no burst, 50/s", TokenBucket(steady(50)), reached=80, refused=3),
    stepping("37/s, then 18, then 60", (0, 37), (90, 18), (275, 60)),
    stepping("37/s, then 60, then 18", (0, 37), (90, 60), (145, 18)),
    shared("100/s, others 30, 60, 30/s", per(100), Steps(((0, 30), (48, 60), (131, 30)))),
    shared("1200/min, others 5/s", per(1200, MINUTE), steady(5)),
    Row("37/s, one way 165 ± 25 ms", Job(World((per(37),), one_way=(0.140, 0.190))), 96, 1),
    fast(600, warm=False),
    fast(600, warm=True),
    fast(2000, warm=False),
    fast(2000, warm=True),
    working("queue beyond 20 of 50 ms", Load(0.05, 20), 93),
    working("503 beyond 40 of 50 ms", Load(0.05, 1000, 40), 45),
    Row("no limit, 16 of 50 ms", Job(World((), load=Load(0.05, 16))), 65, 0.5),
    Row("37/s, 1 % of replies lost", Job(World((per(37),), lost=0.01, timeout=5.0)), 94, 0.5),
    Row("37/s, Retry-After: 3600", Job(World((per(37),), wish=Wish.ANXIOUS)), 97, 0.6),
    Row("1200/min, Retry-After: 60", Job(World((per(1200, MINUTE),), wish=Wish.LAZY)), 97, 0.7),
    Row("100 in 10 s, honest Retry-After", Job(World((per(100, 10.0),), wish=Wish.HONEST)), 95, 1),
    Row("150/s, 1 % refused for nothing", Job(World((per(150),), stray=0.01)), 60, 2.5),
    Row("150/s, 5 % refused for nothing", Job(World((per(150),), stray=0.05)), 45, 7),
)
"""Steps and the others' changes come after about a third and two thirds of the calls. The last nine rows aren't asked
for: they guard what is reached where work is the limit, where replies are lost, where a `Retry-After` lies or doesn't,
and where calls are refused at random."""

COMPARED_QUICKLY: Final = "37/s"
SEEDS: Final = 5


@dataclass(frozen=True, slots=True)
class Way:
    """One way to pace. It is made anew for each row and seed."""

    name: str
    make: Callable[[], Contestant]


PROGRAM: Final = Way("bulkstate", Program)
OTHERS: Final = (
    Way("fixed workers, full jitter", FullJitter),
    Way("AIMD × 0.9", AimdCaller),
    Way("botocore adaptive", BotocoreCaller),
)


@dataclass(frozen=True, slots=True)
class Task:
    """One job: a row, done one way, with one seed."""

    row: Row
    way: Way
    number: int


@dataclass(frozen=True, slots=True)
class Figure:
    """What one job came to, in percent. No `of_least` where others call."""

    reached: float
    of_least: float | None
    refused: float


def measure(task: Task) -> Figure:
    """Do one job; a warm row's twice, and the second time counts."""
    job, seed = task.row.job, f"{task.row.name} {task.number}"
    contestant = task.way.make()
    if task.row.warm:
        simulate(job, f"{seed} before", contestant)
    taken = simulate(job, seed, contestant)
    soonest = least(job, seed)
    return Figure(
        100 * paced(job) / taken.seconds,
        None if soonest is None else 100 * soonest / taken.seconds,
        100 * (taken.refused + taken.overloaded) / taken.calls,
    )


@dataclass(frozen=True, slots=True)
class Line:
    """The means of a row's figures for one way to pace; spreads are the greatest less the least."""

    row: str
    way: str
    calls: int
    seeds: int
    reached: float
    reached_spread: float
    of_least: float | None
    refused: float
    refused_spread: float
    wanted_reached: float
    wanted_refused: float

    @property
    def met(self) -> bool:
        """It is what the row asks for."""
        return self.reached >= self.wanted_reached and self.refused <= self.wanted_refused

    def __str__(self) -> str:
        of_least = "" if self.of_least is None else f"{self.of_least:.1f}"
        return (
            f"{'' if self.met else '!':2}{self.row:32} {self.way:27}"
            f"{self.reached:6.1f} ± {self.reached_spread / 2:<5.1f}{of_least:>6}   ≥ {self.wanted_reached:<4g}"
            f"{self.refused:8.2f} ± {self.refused_spread / 2:<5.2f}  ≤ {self.wanted_refused:g}"
        )


HEADING: Final = (
    f"  {'gateway':32} {'way':27}{'reached %':^14}{'least':>6}   {'wanted':8}{'refused %':>9}{'':6}{'wanted'}"
)


def line(task: Task, figures: Sequence[Figure]) -> Line:
    """Fold the figures of one row and way."""
    reached = [figure.reached for figure in figures]
    refused = [figure.refused for figure in figures]
    of_least = [figure.of_least for figure in figures if figure.of_least is not None]
    return Line(
        task.row.name,
        task.way.name,
        task.row.job.calls,
        len(figures),
        round(mean(reached), 2),
        round(max(reached) - min(reached), 2),
        round(mean(of_least), 2) if of_least else None,
        round(mean(refused), 3),
        round(max(refused) - min(refused), 3),
        task.row.reached,
        task.row.refused,
    )


def lines(tasks: Sequence[Task]) -> Iterator[Line]:
    """Do all jobs, as many at once as there are processors; lines come in the order of the tasks."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        done = zip(tasks, pool.map(measure, tasks), strict=True)
        for _, group in groupby(done, key=lambda pair: (pair[0].row.name, pair[0].way.name)):
            tasks_of_line, figures = zip(*group, strict=True)
            yield line(tasks_of_line[0], figures)


def quick_tasks(rows: Sequence[Row]) -> list[Task]:
    """Every row once; the other ways on one row only."""
    ours = [Task(row, PROGRAM, 0) for row in rows]
    return ours + [Task(row, way, 0) for row in rows if row.name == COMPARED_QUICKLY for way in OTHERS]


def all_tasks(rows: Sequence[Row], others: Sequence[Way], seeds: int) -> list[Task]:
    """Every row, way and seed; the other ways remember nothing, so that they can't be warm."""
    pairs = [(row, way) for row in rows for way in (PROGRAM, *others) if way is PROGRAM or not row.warm]
    return [Task(row, way, number) for row, way in pairs for number in range(seeds)]


def table(tasks: Sequence[Task]) -> None:
    """Print a JSON line for each row and way as it comes, then all of them for people."""
    told_of = []
    for one in lines(tasks):
        print(json.dumps({"benchmark": "pacing", **asdict(one), "met": one.met}, ensure_ascii=False), flush=True)
        told_of.append(one)
    print("\n".join([HEADING, *map(str, told_of)]))


def main() -> None:
    """Print what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="about two minutes")
    extent.add_argument("--all", action="store_true", help="about half an hour")
    parser.add_argument("--rows", default="", help="only the rows whose name holds this")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    rows = [row for row in ROWS if options.rows in row.name]
    others = OTHERS if options.all else ()
    table(quick_tasks(rows) if options.quick else all_tasks(rows, others, options.seeds))


if __name__ == "__main__":
    main()
