"""What a run loses on gateways as they are every day: rows that a run of `rate: auto` in its default configuration does
beside a caller who knows every edge and bursts there.

    python benchmarks/everyday.py [--row NAME] [--seeds 5]

One JSON line a row, means over the seeds: the seconds of whoever knows everything (`greedy`), ours, and what was
refused. `--row` takes the rows whose name begins so. The seeds are drawn from the content of `policy/`: whoever changes
a constant there meets other gateways.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import inf
from pathlib import Path
from statistics import mean
from typing import Final

from gateway_limits import (
    Bursts,
    FixedWindow,
    Limit,
    Nodes,
    Others,
    SlidingWindow,
    TokenBucket,
    WeightedWindow,
    steady,
)
from gateway_sim import Headers, Job, Load, Taken, Words, World, simulate, together
from omniscient import least, paced
from program import DAY, HOUR, MINUTE, Program, per

import bulkstate.policy
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate

SEEDS: Final = 5
MOST: Final = 1_000
"""Calls under way at the most, as in a run with `concurrency: auto` and bodies of this size."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to come of a row: at most so many seconds over greedy, or in all, or so many times the time of who knows
    everything; at most so large a share of the calls refused, or so many; and so large a share of chunks split."""

    over: float = inf
    within: float = inf
    times: float = inf
    refused: float = 1.0
    refusals: float = inf
    split: float = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """A job and what is wanted of it. `greedy` are the seconds of whoever knows everything, where that isn't what
    `omniscient` says of the limits."""

    name: str
    job: Job
    wanted: Wanted
    greedy: Callable[[Job, str], float]

    def figures(self, seed: str) -> Figures:
        """Do it once."""
        return Figures(self.greedy(self.job, seed), simulate(self.job, f"{self.name} {seed}", Program()))


@dataclass(frozen=True, slots=True)
class Figures:
    """What one job came to."""

    greedy: float
    taken: Taken

    def meet(self, wanted: Wanted) -> bool:
        """They are what was wanted."""
        taken = self.taken
        return (
            taken.seconds <= min(self.greedy + wanted.over, wanted.within, self.greedy * wanted.times)
            and taken.refused <= min(wanted.refused * taken.calls, wanted.refusals)
            and taken.exhausted == 0
            and taken.split <= wanted.split * taken.deleted
        )


def _knows_edges(row: str) -> Callable[[Job, str], float]:
    return lambda job, seed: least(job, f"{row} {seed}") or inf


def _knows_pace(job: Job, seed: str) -> float:
    return paced(job)


def _said(seconds: float) -> Callable[[Job, str], float]:
    return lambda job, seed: seconds


def clock(calls: float, seconds: float, used: float = 0.0) -> FixedWindow:
    """A window whose edges are at whole units."""
    return FixedWindow(steady(calls), seconds, on_the_clock=True, used=used)


def anywhere(calls: float, seconds: float, used: float = 0.0) -> FixedWindow:
    """A window whose edges are anywhere."""
    return FixedWindow(steady(calls), seconds, used=used)


def edges(name: str, limit: Limit, calls: int, over: float) -> Row:
    """A window that ends in mid-job or was used up, beside somebody who knows when."""
    return Row(name, _job(World((limit,)), calls), Wanted(over=over), _knows_edges(name))


def _job(world: World, calls: int) -> Job:
    return Job(world, calls, workers=MOST)


def slow(seconds: float, within: float, ideal: float) -> Row:
    """Deletes that take long, at 50/s."""
    world = World((per(50),), load=Load(seconds, 1_000_000))
    return Row(f"50/s, deletes of {seconds:g} s, 3000", _job(world, 3_000), Wanted(within=within), _said(ideal))


def bursting(name: str, limit: float, calls: int, others: Others, within: float) -> Row:
    """Somebody's cron job beside us."""
    job = _job(World((per(limit),), (others,)), calls)
    return Row(name, job, Wanted(within=within), _said(calls / (limit - others.per_second.at(0.0))))


def paced_row(name: str, world: World, calls: int, wanted: Wanted) -> Row:
    """Beside somebody who paces evenly by the limits."""
    return Row(name, _job(world, calls), wanted, _knows_pace)


def disguised(name: str, limit: FixedWindow, calls: int, words: Words) -> Row:
    """Throttling in other words, beside the same limit told as 429."""

    def as_throttling(job: Job, seed: str) -> float:
        told = replace(job, world=replace(job.world, words=Words.THROTTLED))
        return simulate(told, f"{name} {seed}", Program()).seconds

    job = replace(_job(World((limit,), words=words), calls), pairs=16, retry=RetryPolicy())
    return Row(name, job, Wanted(times=1.15, split=0.02), as_throttling)


def at_once(most: int, seconds: float, calls: int) -> Row:
    """So many in flight at the most, told as 429."""
    world = World((), load=Load(seconds, 1_000_000, most, throttles=True))
    wanted = Wanted(times=1 / 0.85)
    return Row(f"in flight {most}, told as 429", _job(world, calls), wanted, _said(calls / most * (seconds + 0.077)))


def short(calls: int, rate: float) -> Row:
    """A job that is over soon."""
    name = f"short, {calls} at {rate:g}/s"
    return Row(name, _job(World((per(rate),)), calls), Wanted(over=5, refusals=15), _knows_edges(name))


def told(name: str, calls: int, *limits: FixedWindow) -> Row:
    """Limits that are configured."""
    windows = tuple(Rate(int(limit.calls.at(0.0)), limit.seconds) for limit in limits)
    job = replace(_job(World(limits), calls), told=windows)
    return Row(f"told {name}", job, Wanted(times=1.02, refusals=0), _knows_pace)


ROWS: Final = (
    edges("used up, clock, 60/min, 100", clock(60, MINUTE, 1.0), 100, 20),
    edges("used up, clock, 600/min, 500", clock(600, MINUTE, 1.0), 500, 30),
    edges("used up, clock, 1000/h, 500", clock(1000, HOUR, 1.0), 500, 60),
    edges("used up, clock, 1000/h, 2500", clock(1000, HOUR, 1.0), 2_500, 120),
    edges("used up, clock, 10000/d, 5000", clock(10_000, DAY, 1.0), 5_000, 300),
    edges("mid-job, clock, 1000/h, 1500", clock(1000, HOUR), 1_500, 30),
    edges("mid-job, clock, 1000/h, 2000", clock(1000, HOUR), 2_000, 30),
    edges("mid-job, clock, 10000/d, 15000", clock(10_000, DAY), 15_000, 60),
    edges("mid-job, clock, 600/min, 1000", clock(600, MINUTE), 1_000, 10),
    edges("used up, anywhere, 1000/h, 500", anywhere(1000, HOUR, 1.0), 500, 600),
    edges("used up, anywhere, 1000/h, 2500", anywhere(1000, HOUR, 1.0), 2_500, 600),
    edges("used up, anywhere, 10000/d, 5000", anywhere(10_000, DAY, 1.0), 5_000, 900),
    edges("mid-job, anywhere, 1000/h, 1500", anywhere(1000, HOUR), 1_500, 600),
    edges("mid-job, anywhere, 1000/h, 2000", anywhere(1000, HOUR), 2_000, 600),
    edges("mid-job, anywhere, 10000/d, 15000", anywhere(10_000, DAY), 15_000, 900),
    slow(0.5, 66, 60),
    slow(5.0, 165, 65),
    slow(25.0, 400, 85),
    Row(
        "200/s, 1 % of calls take 29 s, 6000",
        _job(World((per(200),), load=Load(0.05, 1_000_000, slow=0.01, slow_seconds=29.0)), 6_000),
        Wanted(within=75),
        _said(59.0),
    ),
    bursting("100/s, others 300 each minute, 12000", 100, 12_000, Bursts(300, 60.0), 145),
    bursting("50/s, others 100 each 30 s, 6000", 50, 6_000, Bursts(100, 30.0), 150),
    paced_row("2 nodes of 25/s, 6000", World((Nodes(per(25), 2),)), 6_000, Wanted(times=1 / 0.8, refused=0.05)),
    paced_row(
        "3 nodes of 400/min, 6000", World((Nodes(per(400, MINUTE), 3),)), 6_000, Wanted(times=1.25, refused=0.05)
    ),
    Row(
        "429 outage of 600 s, 37/s, 10000",
        _job(World((per(37),), outage=(100.0, 700.0)), 10_000),
        Wanted(within=960),
        _said(870.0),
    ),
    disguised("61199, 37/s, 1500", per(37), 1_500, Words.OTHER),
    disguised("61199, 600/min, 1500", per(600, MINUTE), 1_500, Words.OTHER),
    disguised("61199, 1000/h, 1500", per(1000, HOUR), 1_500, Words.OTHER),
    disguised("503, 37/s, 1500", per(37), 1_500, Words.UNAVAILABLE),
    disguised("503, 600/min, 1500", per(600, MINUTE), 1_500, Words.UNAVAILABLE),
    disguised("503 and Retry-After, 600/min, 1500", per(600, MINUTE), 1_500, Words.UNAVAILABLE_FOR),
    disguised("430, 600/min, 1500", per(600, MINUTE), 1_500, Words.REAL),
    Row(
        "Kong's headers, 600/min, 3000",
        _job(World((clock(600, MINUTE),), headers=Headers.KONG), 3_000),
        Wanted(within=270),
        _said(240.0),
    ),
    at_once(2, 0.2, 500),
    at_once(10, 0.2, 2_000),
    at_once(50, 0.2, 10_000),
    paced_row(
        "sliding log 600/min, 3000",
        World((SlidingWindow(steady(600), MINUTE),)),
        3_000,
        Wanted(times=1 / 0.9, refused=0.015),
    ),
    paced_row(
        "Cloudflare's counter 600/min, 3000",
        World((WeightedWindow(steady(600), MINUTE),)),
        3_000,
        Wanted(times=1 / 0.9, refused=0.015),
    ),
    paced_row(
        "20/s and 600/min, 3000", World((per(20), per(600, MINUTE))), 3_000, Wanted(times=1 / 0.9, refused=0.015)
    ),
    *(short(calls, rate) for calls, rate in ((100, 2), (100, 5), (300, 10), (1000, 10), (1000, 37), (2000, 100))),
    told("7/13s", 300, per(7, 13.0)),
    told("1/5s", 100, per(1, 5.0)),
    told("100000/d", 2_000, per(100_000, DAY)),
    told("20/s and 1000/min", 3_000, per(20), per(1000, MINUTE)),
    told("1000/h", 3_000, per(1000, HOUR)),
)

TWO_RUNS: Final = (
    ("two runs, 50/s", per(50)),
    ("two runs, token bucket 50/s, burst 50", TokenBucket(steady(50), 50)),
)
LATER: Final = 20.0
"""Seconds after the first that the second run begins."""

LOOKED_AT: Final = 30.0
"""Seconds over which their parts are counted, from a minute and from five minutes on."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The latecomer's part of what both have, after one minute and after five; what both have of the limit; and the
    greater share of calls that either had refused. In percent."""

    after_one: float
    after_five: float
    both: float
    refused: float

    @property
    def met(self) -> bool:
        """As wanted."""
        return self.after_one >= 20 and 40 <= self.after_five <= 60 and self.both >= 92 and self.refused <= 2


def shares(limit: Limit, seed: str) -> Shares:
    """Let two runs meet at one limit."""
    job = _job(World((limit,)), 200_000)
    end = LATER + 300.0 + LOOKED_AT
    first, second = together(job, seed, Program, (0.0, LATER), end)

    def part(begin: float) -> tuple[int, int]:
        counts = [
            sum(LATER + begin <= at < LATER + begin + LOOKED_AT for at in run.accepted_at) for run in (first, second)
        ]
        return counts[1], sum(counts)

    one, of_one = part(60.0)
    five, of_five = part(300.0)
    every = sum(at >= LATER for run in (first, second) for at in run.accepted_at)
    refused = max(run.refused / run.calls for run in (first, second))
    rate = limit.per_second.at(0.0)
    return Shares(100 * one / of_one, 100 * five / of_five, 100 * every / rate / (end - LATER), 100 * refused)


def seeds(count: int) -> list[str]:
    """Drawn from what could be tuned to them."""
    room = Path(bulkstate.policy.__file__).parent
    content = b"".join(path.read_bytes() for path in sorted(room.rglob("*.py")))
    return [sha256(content + bytes([number])).hexdigest()[:16] for number in range(count)]


def lines(name: str, count: int) -> Iterator[dict[str, object]]:
    """A row's figures for each row whose name begins so."""
    for row in ROWS:
        if row.name.startswith(name):
            yield _line(row, [row.figures(seed) for seed in seeds(count)])
    for pair, limit in TWO_RUNS:
        if pair.startswith(name):
            each = [shares(limit, f"{pair} {seed}") for seed in seeds(count)]
            yield {
                "row": pair,
                "latecomer after 60 s, 300 s": [_mean(s.after_one for s in each), _mean(s.after_five for s in each)],
                "both": _mean(s.both for s in each),
                "refused": _mean(s.refused for s in each),
                "met": Shares(*(mean(values) for values in zip(*map(_values, each), strict=True))).met,
            }


def _values(each: Shares) -> tuple[float, float, float, float]:
    return each.after_one, each.after_five, each.both, each.refused


def _mean(values: Iterator[float]) -> float:
    return round(mean(values), 2)


def _line(row: Row, each: Sequence[Figures]) -> dict[str, object]:
    taken = [figures.taken for figures in each]
    middle = Figures(mean(figures.greedy for figures in each), _middle(taken))
    found: dict[str, object] = {
        "row": row.name,
        "greedy": round(middle.greedy, 1),
        "ours": round(middle.taken.seconds, 1),
        "each": [round(figures.taken.seconds - figures.greedy, 1) for figures in each],
        "refused %": round(100 * (middle.taken.refused + middle.taken.overloaded) / middle.taken.calls, 2),
        "refusals": round(middle.taken.refused + middle.taken.overloaded, 1),
        "met": middle.meet(row.wanted),
    }
    if row.wanted.split < 1.0:
        found |= {"split": middle.taken.split, "exhausted": middle.taken.exhausted, "calls": middle.taken.calls}
    return found


def _middle(taken: Sequence[Taken]) -> Taken:
    """The mean of each figure."""
    return Taken(*(mean(values) for values in zip(*map(_figures, taken), strict=True)))  # type: ignore[arg-type]


def _figures(taken: Taken) -> tuple[float, ...]:
    return (
        taken.seconds,
        taken.calls,
        taken.accepted,
        taken.refused,
        taken.overloaded,
        taken.lost,
        taken.deleted,
        taken.exhausted,
        taken.split,
    )


def everyday(name: str, count: int) -> None:
    """Print a JSON line for each of the rows whose name begins so."""
    for line in lines(name, count):
        print(json.dumps({"benchmark": "pacing", **line}, ensure_ascii=False), flush=True)


def main() -> None:
    """Print what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", default="", help="only the rows whose name begins so")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    everyday(options.row, options.seeds)


if __name__ == "__main__":
    main()
