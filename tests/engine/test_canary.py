"""One request of a stage goes first, and the rest follows once its state is seen to be gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bulkstate.errors import BulkstateError, CanaryFailed, GatewayDown, TooManyFailed
from bulkstate.gateway.wire import Code
from bulkstate.model import Answer, Stage, Verdict
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate

from . import scripts
from .gateway import OK, Call, Say, World, pairs_of
from .session import CANARY_PATIENCE, Settings, a_folder, a_plan, first, last_records, reopen, virtually

PLAN = a_plan(30, 20, 3)
STAGES = [stage.stage for stage in PLAN.stages]
CANARIES = {STAGES[0]: [7, 0, 20], STAGES[1]: [31, 40]}
SETTINGS = Settings(6, RetryPolicy(2, 0.5, 2.0, split=True), (Rate(50, 1.0),), canaries=CANARIES)
SILENT = Say(Answer.OK, code=Code.OK)
"""A delete that is answered well, and does nothing."""
BAD = Say(Answer.REFUSED, code=Code.MISSING_PARAMETER)


def lived(world: World, settings: Settings = SETTINGS) -> tuple[BulkstateError | None, dict[int, Verdict]]:
    world.fill()
    with a_folder() as folder:
        ending, _ = virtually(first, world, Path(folder, "run"), settings)
        return ending, {n: each.verdict for n, each in last_records(Path(folder, "run")).items()}


def stage_of(call: Call) -> Stage:
    return PLAN.place(call.chunk or 0)[0].stage


@hypothesis_settings(max_examples=40)
@given(
    scripts.scripts(PLAN.requests, scripts.ends_well, 2),
    st.floats(0.0, CANARY_PATIENCE - 3.0),
    st.sampled_from([None, 0.7]),
)
def test_the_rest_of_a_stage_follows_a_canary_that_was_seen_to_be_gone(
    script: dict[int, list[Say]], lag: float, every: float | None
) -> None:
    world = World(PLAN, script, lag=lag)
    ending, verdicts = lived(world, replace(SETTINGS, retry=RetryPolicy(9, 0.5, 2.0), status_every=every))
    assert ending is None
    assert set(verdicts.values()) == {Verdict.DELETED}
    for stage in CANARIES:
        mine = [call for call in world.deletes() if stage_of(call) == stage]
        rest = [call for call in mine if call.chunk not in CANARIES[stage]]  # others may go for one that isn't answered
        assert mine[0].chunk == CANARIES[stage][0]
        gone = [call for call in world.calls if call.kind == "get" and call.chunk in CANARIES[stage]]
        assert max(call.answered_at for call in gone) <= rest[0].at
        assert gone[-1].answered_at >= mine[0].at + lag
    small = [call for call in world.deletes() if stage_of(call) == STAGES[2]]
    assert small


def test_where_nothing_is_deleted_one_request_of_a_stage_is_the_damage() -> None:
    world = World(PLAN, say=SILENT)
    ending, verdicts = lived(world)
    assert isinstance(ending, CanaryFailed)
    assert "4 of its 4 pairs still hold state (first: asset" in ending.message
    assert {stage: [call.chunk for call in world.deletes() if stage_of(call) == stage] for stage in CANARIES} == {
        STAGES[0]: [7],
        STAGES[1]: [31],
    }
    assert (verdicts[7], verdicts[31]) == (Verdict.SUSPECT, Verdict.SUSPECT)
    assert world.calls[-1].at == pytest.approx(CANARY_PATIENCE, abs=3.0)


def test_resume_sends_a_canary_again() -> None:
    world = World(PLAN, say=SILENT)
    world.fill()

    async def main(folder: Path) -> None:
        await first(world, folder, SETTINGS)
        world.say = OK
        journal, session = reopen(world, folder, SETTINGS)
        assert await session.run() is None
        journal.close()

    with a_folder() as folder:
        virtually(main, Path(folder, "run"))
        verdicts = {each.verdict for each in last_records(Path(folder, "run")).values()}
    assert verdicts == {Verdict.DELETED}
    assert not any(world.state[chunk.stage] & pairs_of(chunk) for chunk in PLAN.chunks() if chunk.stage in CANARIES)


def test_one_that_is_refused_is_replaced_and_not_for_ever() -> None:
    world = World(PLAN, {7: [BAD], 31: [BAD]})
    ending, verdicts = lived(world)
    assert ending is None
    assert [number for number, verdict in sorted(verdicts.items()) if verdict is not Verdict.DELETED] == [7, 31]
    assert [call.chunk for call in world.deletes() if stage_of(call) == STAGES[0]][:2] == [7, 0]
    ending, verdicts = lived(World(PLAN, {number: [BAD] for number in (7, 0, 20)}))
    assert isinstance(ending, CanaryFailed)
    assert "no canary of stage" in ending.message
    assert [number for number in range(30) if number in verdicts] == [0, 7, 20]


def test_one_that_always_fails_is_no_outage() -> None:
    world = World(PLAN, {7: [Say(Answer.UNAVAILABLE)] * 99})
    ending, verdicts = lived(world)
    assert ending is None
    assert [number for number, verdict in sorted(verdicts.items()) if verdict is not Verdict.DELETED] == [7]
    assert world.calls[-1].at < 60.0


def test_a_stage_that_is_refused_needs_none() -> None:
    refused = Say(Answer.STAGE_REFUSED, code=Code.UNSUPPORTED_STAGE)
    ending, verdicts = lived(World(PLAN, {7: [refused]}))
    assert ending is None
    assert sum(verdict is Verdict.DELETED for verdict in verdicts.values()) == 23


def test_one_that_is_cut_is_read_in_parts() -> None:
    world = World(PLAN, {7: [Say(Answer.TOO_LARGE, code=Code.TOO_MANY_POINTS)]})
    ending, verdicts = lived(world)
    assert ending is None
    assert verdicts[7] is Verdict.SPLIT
    reads = [call.chunk for call in world.calls if call.kind == "get"]
    assert set(reads) == {31, 53, 54}


def test_a_read_that_fails_stops_it_too() -> None:
    world = World(PLAN, reads=[Say(Answer.REFUSED, code=Code.OTHER)] * 9)
    ending, _ = lived(world)
    assert isinstance(ending, CanaryFailed)
    assert "can't be read back" in ending.message


def test_an_outage_is_one_though_a_single_request_is_under_way() -> None:
    world = World(a_plan(40), down=[(0.0, 1e9)])
    settings = Settings(6, RetryPolicy(3, 0.5, 2.0, outage=60.0), (Rate(50, 1.0),))
    ending, _ = lived(world, replace(settings, canaries={world.plan.stages[0].stage: [5, 6, 7]}))
    assert isinstance(ending, GatewayDown | TooManyFailed)
