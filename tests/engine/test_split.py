"""Chunks that a gateway takes only in parts: whatever its caps, every pair that can be deleted is, and no other."""

from __future__ import annotations

from collections.abc import Callable
from csv import DictReader
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.disk.journal import Journal, Record
from bulkstate.engine.engine import Engine, Equipment, Pace
from bulkstate.engine.gate import Gate
from bulkstate.engine.pipelines import StatusWatch
from bulkstate.engine.reads import Reads
from bulkstate.errors import Interrupted
from bulkstate.gateway import wire
from bulkstate.model import Answer, Attempt, Blamed, Chunk, Outcome, Pair, PipelinePage, Plan, Reply, Verdict
from bulkstate.policy.pacing import Pacer
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate
from bulkstate.report import fold, write_failures
from tests.disk.runs import grid

from .gateway import pairs_of
from .session import Witness, a_folder, create, virtually, wall

POLICY = RetryPolicy(attempts=3, first_delay=0.1, max_delay=1.0, split=True)


@dataclass
class Capped:
    """A gateway that takes at most so many pairs and bytes a request, and none that holds one of the `bad` pairs."""

    pairs: int = 100_000
    bytes: int = 1 << 20
    bad: frozenset[Pair] = frozenset()
    latency: float = 0.05
    calls: list[tuple[Chunk, Answer]] = field(default_factory=list)

    def answer(self, chunk: Chunk) -> Reply[bool]:
        if chunk.pairs > self.pairs:
            return Reply(Answer.TOO_LARGE, 200, wire.Code.TOO_MANY_POINTS)
        if len(wire.stage_state_body(chunk)) > self.bytes:
            return Reply(Answer.TOO_LARGE, 413)
        if pairs_of(chunk) & self.bad:
            return Reply(Answer.UNDECIDED, 200, wire.Code.OK)
        return Reply(Answer.OK, 200, 0, data=True)

    def deleted(self) -> list[Pair]:
        return [pair for chunk, answer in self.calls if answer is Answer.OK for pair in pairs_of(chunk)]


class Api:
    """One session's way to it."""

    def __init__(self, gateway: Capped, gate: Gate) -> None:
        self._gateway = gateway
        self._gate = gate

    async def delete(self, chunk: Chunk) -> Attempt[bool]:
        await self._gate.acquire()
        sent_at = anyio.current_time()
        reply = self._gateway.answer(chunk)
        self._gateway.calls.append((chunk, reply.answer))
        await anyio.sleep(self._gateway.latency)
        attempt = Attempt(reply, sent_at, self._gateway.latency, len(wire.stage_state_body(chunk)))
        self._gate.answered(attempt)
        return attempt

    async def get(self, chunk: Chunk) -> Attempt[frozenset[Pair]]:
        raise NotImplementedError

    async def pipelines(self, page: int) -> Attempt[PipelinePage]:
        raise NotImplementedError

    async def renew(self, refused_at: float) -> bool:
        raise NotImplementedError


def an_engine(gateway: Capped, journal: Journal, workers: int, policy: RetryPolicy) -> Engine:
    gate = Gate(Pacer([Rate(1000, 1.0)]), wall)
    api = Api(gateway, gate)
    status = StatusWatch(Reads(api, gate, policy, lambda: 0.5), ())
    equipment = Equipment(api, gate, status, journal, Witness(), lambda: 0.5, wall)
    chunks = journal.chunks()
    return Engine(equipment, Pace(workers, policy), chunks, journal.pending(), journal.sizing(chunks))


async def whole_run(
    gateway: Capped, plan: Plan, directory: Path, stops: list[float], workers: int = 3, policy: RetryPolicy = POLICY
) -> None:
    """A run that is stopped after so many seconds each time, and at last goes on to its end."""
    create(directory, plan).close()
    for stop in [*stops, 1e6]:
        with Journal.resume(directory, hop=_inline) as journal:
            journal.begin(wall())
            engine = an_engine(gateway, journal, workers, policy)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_stop, engine, stop)
                await engine.run()
                tasks.cancel_scope.cancel()


async def _inline(work: Callable[[], None]) -> None:
    work()


async def _stop(engine: Engine, seconds: float) -> None:
    await anyio.sleep(seconds)
    engine.stop(Interrupted("", signal_number=2), grace=0.02)


@dataclass(frozen=True)
class Told:
    """What is left of a run: each chunk's last record, and its pairs."""

    last: dict[int, tuple[Outcome, frozenset[Pair]]]
    planned: frozenset[Pair]
    failures: frozenset[Pair]
    blamed: tuple[Blamed, ...]

    def pairs(self, verdict: Verdict) -> list[Pair]:
        return [pair for outcome, pairs in self.last.values() if outcome.verdict is verdict for pair in pairs]


def told(directory: Path) -> Told:
    with Record.open(directory) as record:
        chunks = record.chunks()
        last = {outcome.chunk: (outcome, pairs_of(chunks.chunk(outcome.chunk))) for _, outcome in record.records()}
        planned = frozenset(pair for chunk in record.plan.chunks() for pair in pairs_of(chunk))
        report = fold(record)
        assert report.pairs_deleted == len([p for o, ps in last.values() if o.verdict is Verdict.DELETED for p in ps])
        write_failures(record, directory / "failed.csv")
    failures = DictReader((directory / "failed.csv").read_text().splitlines())
    left = frozenset(Pair(row["asset_id"], row["point_id"]) for row in failures)
    return Told(last, planned, left, report.blamed)


def lived(gateway: Capped, plan: Plan, stops: list[float], policy: RetryPolicy = POLICY) -> Told:
    with a_folder() as folder:
        virtually(whole_run, gateway, plan, Path(folder, "run"), stops, 3, policy)
        return told(Path(folder, "run"))


plans = st.builds(grid, st.integers(1, 9), st.integers(1, 9), st.integers(1, 6), st.integers(1, 6))
stops = st.lists(st.sampled_from([0.03, 0.07, 0.16, 0.4, 2.0]), max_size=3)


@given(plans, stops, st.integers(1, 40), st.integers(90, 400), st.data())
def test_every_pair_that_can_be_deleted_is_in_one_deleted_leaf_and_no_other(
    plan: Plan, stops: list[float], pairs: int, size: int, data: st.DataObject
) -> None:
    planned = sorted({pair for chunk in plan.chunks() for pair in pairs_of(chunk)})
    bad = data.draw(st.frozensets(st.sampled_from(planned), max_size=3))
    gateway = Capped(pairs, max(size, smallest(plan)), bad)

    found = lived(gateway, plan, stops)

    assert sorted(found.pairs(Verdict.DELETED)) == sorted(found.planned - bad)
    assert sorted(found.pairs(Verdict.EXHAUSTED)) == sorted(bad)
    assert {pair for chunk, _ in gateway.calls for pair in pairs_of(chunk)} == found.planned
    assert_parts_answer(found)
    assert found.failures == bad


def smallest(plan: Plan) -> int:
    chunk = plan.chunk(0)
    return len(wire.stage_state_body(replace(chunk, assets=chunk.assets[:1], points=chunk.points[:1])))


def assert_parts_answer(found: Told) -> None:
    """A split chunk's parts are exactly the chunk, and it was settled by nothing else."""
    for outcome, pairs in found.last.values():
        parts = [found.last[part.number][1] for part in outcome.parts]
        assert (outcome.verdict is Verdict.SPLIT) == bool(parts)
        if parts:
            assert frozenset().union(*parts) == pairs
            assert sum(map(len, parts)) == len(pairs)


def test_later_chunks_are_cut_before_they_are_sent_also_after_resume() -> None:
    for stops in ([], [0.3]):
        gateway = Capped(pairs=60)
        found = lived(gateway, grid(100, 10, 10, 10), stops)
        assert len(found.pairs(Verdict.DELETED)) == 1000
        refused = [chunk for chunk, answer in gateway.calls if answer is Answer.TOO_LARGE]
        assert len(refused) <= 3
        assert len(gateway.calls) <= 20 + len(refused) + 3 * len(stops)


@pytest.mark.slow
def test_a_gateway_that_finds_everything_too_large_is_not_asked_pair_by_pair() -> None:
    gateway = Capped(pairs=0)
    found = lived(gateway, grid(400, 100, 100, 100), [])
    assert len(found.pairs(Verdict.REFUSED)) == 40_000
    assert len(gateway.calls) < 300


def test_with_splitting_off_a_chunk_that_is_too_large_is_refused() -> None:
    found = lived(Capped(pairs=60), grid(10, 10, 10, 10), [], replace(POLICY, split=False))
    assert len(found.pairs(Verdict.REFUSED)) == 100


def of_assets(plan: Plan, *assets: str) -> frozenset[Pair]:
    return frozenset(pair for chunk in plan.chunks() for pair in pairs_of(chunk) if pair.asset in assets)


@pytest.mark.parametrize("chunk_assets", [100, 400])
def test_a_poisoned_asset_costs_few_requests_and_no_healthy_pair(chunk_assets: int) -> None:
    plan = grid(400, 60, chunk_assets, 60)
    asset = plan.chunk(0).assets[37]
    gateway = Capped(bad=of_assets(plan, asset))
    found = lived(gateway, plan, [])
    assert sorted(found.pairs(Verdict.EXHAUSTED)) == sorted(gateway.bad)
    assert sorted(found.pairs(Verdict.DELETED)) == sorted(found.planned - gateway.bad)
    assert len(gateway.calls) - plan.requests <= 60
    assert [(each.asset, each.point, each.pairs) for each in found.blamed] == [(asset, None, 60)]


def test_one_in_every_chunk_of_a_fleet_is_no_outage_and_costs_as_little_each() -> None:
    """Though at first no chunk passes."""
    plan = grid(1000, 20, 50, 20)
    assets = [plan.chunk(number).assets[number] for number in range(20)]
    gateway = Capped(bad=of_assets(plan, *assets))
    found = lived(gateway, plan, [], replace(POLICY, attempts=8))
    assert sorted(found.pairs(Verdict.EXHAUSTED)) == sorted(gateway.bad)
    assert sorted(found.pairs(Verdict.DELETED)) == sorted(found.planned - gateway.bad)
    assert len(gateway.calls) - plan.requests <= 60 * 20


def test_what_is_to_blame_is_set_apart_in_later_chunks() -> None:
    plan = grid(60, 200, 60, 20)
    asset = plan.chunk(0).assets[20]
    gateway = Capped(bad=of_assets(plan, asset))
    found = lived(gateway, plan, [])
    assert sorted(found.pairs(Verdict.EXHAUSTED)) == sorted(gateway.bad)
    assert len(gateway.calls) - plan.requests <= 60 + 10 * (plan.requests - 1)


@given(stops, st.integers(1, 4), st.data())
def test_a_search_that_is_stopped_goes_on(stops: list[float], workers: int, data: st.DataObject) -> None:
    plan = grid(40, 12, 20, 12)
    planned = sorted({pair for chunk in plan.chunks() for pair in pairs_of(chunk)})
    bad = data.draw(st.frozensets(st.sampled_from(planned), max_size=2))
    gateway = Capped(bad=bad | of_assets(plan, plan.chunk(0).assets[data.draw(st.integers(0, 19))]))
    found = lived(gateway, plan, stops)
    assert sorted(found.pairs(Verdict.EXHAUSTED)) == sorted(gateway.bad)
    assert sorted(found.pairs(Verdict.DELETED)) == sorted(found.planned - gateway.bad)
    assert_parts_answer(found)
