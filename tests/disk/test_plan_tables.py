"""A plan comes back from its tables as it went in."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from bulkstate.disk import plan_tables
from bulkstate.model import Plan, Rectangle, Stage, StagePlan
from bulkstate.pairs.digest import digest
from tests.disk.runs import grid, plans


def stored(plan: Plan) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in plan_tables.SCHEMA:
        connection.execute(statement)
    plan_tables.write(connection, plan)
    return connection


@given(plans())
def test_round_trip(plan: Plan) -> None:
    with closing(stored(plan)) as connection:
        back = plan_tables.read(connection)
    assert (back.digest, back.body_bytes) == (plan.digest, plan.body_bytes) == (digest(back.stages), back.body_bytes)
    assert list(back.chunks()) == list(plan.chunks())
    for ours, theirs in zip(plan.stages, back.stages, strict=True):
        assert (ours.stage, ours.assets, ours.points) == (theirs.stage, theirs.assets, theirs.points)
        assert (ours.pairs, ours.unlisted_pairs) == (theirs.pairs, theirs.unlisted_pairs)
        assert (ours.kept_pairs, spelt_out(ours)) == (theirs.kept_pairs, spelt_out(theirs))


def spelt_out(plan: StagePlan) -> tuple[object, ...]:
    """What a stage's plan holds besides its chunks."""
    bound = plan.lower_bound
    evidence = [(each.load, each.weights, each.argument, *map(sides, each.blocks)) for each in bound.evidence]
    return bound.requests, bound.proof, evidence, list(map(sides, plan.unlisted))


def sides(rectangle: Rectangle) -> tuple[list[int], list[int]]:
    return rectangle.assets.tolist(), rectangle.points.tolist()


@pytest.mark.slow
def test_a_billion_pairs_take_little_more_room_than_their_ids() -> None:
    plan = grid(1_000_000, 1_000, 1_000, 100)
    with closing(stored(plan)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        back = plan_tables.read(connection)
    ids = sum(len(id_) + 3 for id_ in plan.stages[0].assets)
    assert pages * page_size < 1.05 * ids
    assert back.requests == 10_000
    assert len({id(rectangle.points) for rectangle in back.stages[0].rectangles}) == 10


def test_stages_share_a_dictionary() -> None:
    one = grid(10, 10, 5, 5)
    with closing(stored(Plan(one.stages * 2, "", 0))) as connection:
        assert connection.execute("SELECT count(*) FROM dictionary").fetchone() == (2,)


@pytest.mark.parametrize("run", [(0, 11), (-1, 2), (9, 2), (3, 0)])
def test_positions_beyond_the_dictionary_are_refused(run: tuple[int, int]) -> None:
    with closing(stored(grid(10, 10, 5, 5))) as connection:
        runs = np.array([run, (0, 1)], "<i4").tobytes()
        connection.execute("UPDATE side SET runs = ? WHERE id = 0", (runs,))
        with pytest.raises(ValueError, match="positions"):
            plan_tables.read(connection)


def test_stages_that_delete_the_same_store_it_once() -> None:
    (stage,) = grid(2_000, 50, 100, 50).stages
    stages = tuple(replace(stage, stage=Stage("pipeline", f"Stage_{number}")) for number in range(500))
    with closing(stored(Plan(stages, digest(stages), 0))) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        back = plan_tables.read(connection)
    assert pages * page_size < 300_000
    assert list(back.chunks()) == list(Plan(stages, "", 0).chunks())
    assert len({id(each.rectangles) for each in back.stages}) == 1
