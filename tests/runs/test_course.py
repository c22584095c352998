"""A run's course, written down on virtual time: what held it back, in points that are never too many."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.disk import control
from bulkstate.disk.journal import Record
from bulkstate.engine.engine import Engine, Equipment, Pace
from bulkstate.engine.gate import Gate
from bulkstate.engine.pipelines import StatusWatch
from bulkstate.engine.reads import Reads
from bulkstate.model import Answer, Point
from bulkstate.policy.bottleneck import By, Holding
from bulkstate.policy.pacing import Pacer
from bulkstate.rates import Rate
from bulkstate.report import fold, to_text
from bulkstate.runs.course import Course, Latencies, spacing

from ..engine.gateway import Say, ScriptedApi, World, pipelines_of
from ..engine.session import Settings, Witness, a_folder, a_plan, create, virtually, wall


class Audience(Witness):
    """Also keeps what it is told of what holds the run back."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[Holding] = set()

    def held(self, holding: Holding) -> None:
        self.seen.add(holding)


async def followed(world: World, settings: Settings, directory: Path, audience: Audience) -> None:
    """A run whose course is looked at four times a second."""
    gate = Gate(Pacer(settings.windows), wall)
    api = ScriptedApi(world, gate)
    with create(directory, world.plan) as journal:
        course = Course(audience, journal, partial(control.tell, directory), gate, wall, anyio.current_time)
        status = StatusWatch(Reads(api, gate, settings.retry, lambda: 0.5), pipelines_of(world.plan))
        equipment = Equipment(api, gate, status, journal, course, lambda: 0.5, wall)
        pace = Pace(settings.workers, settings.retry)
        engine = Engine(equipment, pace, journal.chunks(), range(world.plan.requests))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look, course, engine)
            assert await engine.run() is None
            tasks.cancel_scope.cancel()
        await course.close(engine)


async def look(course: Course, engine: Engine) -> None:
    while True:
        await anyio.sleep(0.25)
        await course.look(engine)


def course(world: World, settings: Settings) -> tuple[tuple[Point, ...], str, control.Status, Audience]:
    """The points that a run leaves, its page, what it last said of itself, and who watched."""
    audience = Audience()
    with a_folder() as folder:
        virtually(followed, world, settings, Path(folder, "run"), audience)
        status = control.told(Path(folder, "run"))
        with Record.open(Path(folder, "run")) as record:
            assert status is not None
            return record.points(), to_text(fold(record)), status, audience


def test_a_configured_rate_holds_and_is_named() -> None:
    points, page, status, audience = course(World(a_plan(200)), Settings(windows=(Rate(20, 1.0),)))
    assert {(point.held_by, point.which) for point in points} == {(By.YOUR_LIMIT, "20/s")}
    assert all(later.at - earlier.at >= 1.0 for earlier, later in pairwise(points))
    assert len(points) == 10
    assert all(point.rate == pytest.approx(20, rel=0.1) for point in points)
    assert all(point.p50 == pytest.approx(0.05, rel=0.06) for point in points)
    assert "held back by your limit, 20/s: 100% of the time" in page
    assert (status.settled, status.calls, status.held_by) == (200, 200, "your limit, 20/s")
    assert Holding(By.YOUR_LIMIT, "20/s") in audience.seen


def test_where_your_concurrency_binds_it_is_named() -> None:
    points, *_ = course(World(a_plan(60), say=Say(Answer.OK, 2.0, 0, True)), Settings(workers=4))
    assert {(each.held_by, each.which) for each in points[:-4]} == {(By.YOUR_LIMIT, "concurrency 4")}
    assert points[-1].held_by is By.GATEWAY_SLOW, "nothing else was left to be sent"
    assert max(point.in_flight for point in points) == 4
    assert max(point.p99 for point in points) == pytest.approx(2.0, rel=0.06)


def test_refusals_hold() -> None:
    refusals = [Say(Answer.THROTTLED, 0.05, retry_after=9.0)]
    points, *_ = course(World(a_plan(20), script={0: refusals * 3}), Settings(windows=(Rate(5, 1.0),)))
    seconds = sum(point.seconds for point in points if point.held_by == By.GATEWAY_LIMIT)
    assert seconds == pytest.approx(27, abs=3)
    assert sum(point.refused for point in points) >= 3


def test_a_run_that_is_over_at_once_has_one_point() -> None:
    points, *_ = course(World(a_plan(2)), Settings())
    assert len(points) == 1


def test_the_last_word_tells_no_pace_of_a_moment() -> None:
    """What is answered in the last fraction of a second says nothing of calls a second."""
    quick = World(a_plan(61), say=Say(Answer.OK, 0.001, 0, True))
    *_, status, _ = course(quick, Settings(workers=1, windows=(Rate(5, 1.0),)))
    assert (status.settled, status.calls) == (61, 61)
    assert status.rate == pytest.approx(5, rel=0.05)
    assert status.p50 == pytest.approx(0.001, rel=0.2)
    *_, status, _ = course(World(a_plan(3)), Settings(windows=(Rate(5, 1.0),)))
    assert (status.settled, status.calls) == (3, 3)
    assert status.rate > 0, "there was no second before"


@pytest.mark.slow
def test_a_long_run_has_few_points() -> None:
    slow = replace(Say(Answer.OK, 1.0, 0, True), seconds=60.0)
    points, *_ = course(World(a_plan(100), say=slow), Settings(workers=1))
    assert len(points) < 2_000
    assert sum(point.seconds for point in points) == pytest.approx(6_000, rel=0.01)


def points_in(seconds: float) -> int:
    age, points = 0.0, 0
    while age < seconds:
        age, points = age + spacing(age), points + 1
    return points


def test_a_long_run_has_no_more_points_than_anybody_can_look_at() -> None:
    assert points_in(600) == 600
    assert points_in(7 * 86_400) < 5_000
    assert points_in(365 * 86_400) < 8_000


@given(st.lists(st.floats(0.001, 100.0), min_size=1, max_size=200))
def test_percentiles_are_right_within_five_percent(seconds: list[float]) -> None:
    latencies = Latencies()
    for each in seconds:
        latencies.add(each)
    ordered = sorted(seconds)
    for share in (0.5, 0.99):
        exact = ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
        assert exact * 0.999 <= latencies.percentile(share) <= exact * 1.051


def test_without_calls_there_is_no_latency() -> None:
    assert Latencies().percentile(0.5) == 0.0
