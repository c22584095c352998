"""Random plans and outcomes, and journals of them on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import numpy as np
from hypothesis import strategies as st

from bulkstate.disk.journal import Journal, RunFacts, inline
from bulkstate.model import Evidence, LowerBound, Outcome, Plan, Rectangle, Stage, StagePlan, Verdict
from bulkstate.pairs.digest import digest

FACTS = RunFacts("night", 1_700_000_000.0, "https://apim.example.com", "o1", '{"version": 1}', "0.1.0")

ids = st.text("aZ09_.'\"\\é漢🜁", min_size=1, max_size=6)
dictionaries = st.lists(ids, min_size=1, max_size=12, unique=True).map(sorted).map(tuple)
times = st.sampled_from([None, 1e9, 1_500_000_000.25, 2e9])
counts = st.integers(0, 9)


def positions(size: int) -> st.SearchStrategy[np.ndarray]:
    chosen = st.sets(st.integers(0, size - 1), min_size=1)
    return chosen.map(lambda found: np.array(sorted(found), np.int32))


@st.composite
def stage_plans(draw: st.DrawFn, name: str) -> StagePlan:
    assets, points = draw(dictionaries), draw(dictionaries)
    rectangle = st.builds(Rectangle, positions(len(assets)), positions(len(points)))
    rectangles = tuple(draw(st.lists(rectangle, min_size=1, max_size=6)))
    unlisted = rectangles[: draw(st.integers(0, 1))]
    evidence = st.lists(st.builds(Evidence, st.lists(rectangle, max_size=2).map(tuple), counts), max_size=2).map(tuple)
    bound = draw(st.builds(LowerBound, counts, st.text(max_size=9), evidence))
    pairs = len(pair_set(rectangles) - pair_set(unlisted))
    return StagePlan(Stage(draw(ids), name), assets, points, rectangles, pairs, bound, unlisted, draw(counts))


def pair_set(rectangles: Iterable[Rectangle]) -> set[tuple[int, int]]:
    """The pairs that rectangles hold, as positions."""
    return {pair for each in rectangles for pair in product(each.assets.tolist(), each.points.tolist())}


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    stages = tuple(draw(stage_plans(f"stage_{number}")) for number in range(draw(st.integers(1, 3))))
    return Plan(stages, digest(stages), draw(counts))


def outcomes(requests: int) -> st.SearchStrategy[Outcome]:
    return st.builds(
        Outcome,
        chunk=st.integers(0, requests - 1),
        verdict=st.sampled_from(Verdict),
        attempts=counts,
        throttled=counts,
        status=st.sampled_from([None, 200, 500]),
        code=st.sampled_from([None, 0, 61199]),
        message=st.sampled_from(["", "ok", "“é'漢”"]),
        request_id=st.sampled_from([None, "r-1"]),
        body_bytes=counts,
        first_sent_at=times,
        last_answered_at=times,
    )


@st.composite
def stories(draw: st.DrawFn) -> tuple[Plan, list[list[list[Outcome]]]]:
    """A plan, and what was recorded of it: sessions of batches of outcomes."""
    plan = draw(plans())
    batches = st.lists(outcomes(plan.requests), min_size=1, max_size=5)
    return plan, draw(st.lists(st.lists(batches, max_size=3), max_size=3))


def grid(assets: int, points: int, wide: int, high: int, stage: Stage | None = None) -> Plan:
    """A block cut into tiles of `wide` × `high`."""
    columns = [np.arange(at, min(points, at + high), dtype=np.int32) for at in range(0, points, high)]
    rows = [np.arange(at, min(assets, at + wide), dtype=np.int32) for at in range(0, assets, wide)]
    rectangles = tuple(Rectangle(row, column) for row in rows for column in columns)
    names = tuple(f"WTG{number:07}" for number in range(assets)), tuple(f"p{number:04}" for number in range(points))
    bound = LowerBound(len(rectangles), "so many pairs")
    stages = (StagePlan(stage or Stage("pipeline", "Stage_01"), *names, rectangles, assets * points, bound),)
    return Plan(stages, digest(stages), 0)


def fast_folder() -> TemporaryDirectory[str]:
    """A folder for one example of many: in memory where the system has such, for a commit waits for the disk."""
    shared_memory = Path("/dev/shm")
    return TemporaryDirectory(dir=shared_memory if os.access(shared_memory, os.W_OK) else None)


@contextmanager
def new_journal(plan: Plan) -> Iterator[Journal]:
    with fast_folder() as folder, Journal.create(Path(folder), plan, FACTS, hop=inline) as journal:
        yield journal


def record(journal: Journal, outcomes: Sequence[Outcome]) -> None:
    anyio.run(journal.record, outcomes)


def tell(plan: Plan, sessions: list[list[list[Outcome]]], folder: Path) -> None:
    """Write the story into `folder`, each session by a journal that was opened anew."""

    async def work() -> None:
        Journal.create(folder, plan, FACTS, hop=inline).close()
        for number, batches in enumerate(sessions):
            with Journal.resume(folder, hop=inline) as journal:
                journal.begin(float(number))
                for batch in batches:
                    await journal.record(batch)

    anyio.run(work)
