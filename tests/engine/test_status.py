"""The guard over the pipelines' status doesn't sleep: where nobody can say any more whether they are paused, nothing is
deleted, and what may have come back is suspect."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bulkstate.engine.pipelines import BLIND, BLIND_LOOKS, LONGEST_BLIND, MOST_UPDATES
from bulkstate.errors import BulkstateError, StatusUnread
from bulkstate.model import Answer, Verdict
from bulkstate.policy.bottleneck import By, holding
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate

from .gateway import World
from .session import Session, Settings, a_folder, a_plan, assemble, create, first, last_records, virtually

PLAN = a_plan(400)
OUTAGE = 100.0
SETTINGS = Settings(8, RetryPolicy(2, 0.5, 2.0, outage=OUTAGE), (Rate(10, 1.0),), status_every=1.0)
FOR_EVER = 1e6


def lived(world: World, settings: Settings = SETTINGS) -> tuple[BulkstateError | None, Session, dict[int, Verdict]]:
    world.fill()
    with a_folder() as folder:
        ending, session = virtually(first, world, Path(folder, "run"), settings)
        return ending, session, {n: each.verdict for n, each in last_records(Path(folder, "run")).items()}


@hypothesis_settings(max_examples=12)
@given(st.floats(1.0, 10.0), st.sampled_from([1.0, 10.0, 60.0]), st.sampled_from([0.5, 1.0, 3.0]))
def test_while_looks_fail_deletes_are_held_and_reads_go_on(begins: float, lasts: float, every: float) -> None:
    world = World(PLAN, blind=[(begins, begins + lasts)])
    settings = Settings(8, SETTINGS.retry, SETTINGS.windows, every)
    ending, session, verdicts = lived(world, settings)
    assert ending is None
    assert set(verdicts.values()) == {Verdict.DELETED}
    patience = min(BLIND_LOOKS * every, LONGEST_BLIND)
    looks = [call for call in world.calls if call.kind == "pipelines"]
    seen = [0.0, *(look.at for look in looks if look.answer is Answer.OK)]
    for delete in world.deletes():
        last = max(at for at in seen if at <= delete.at)
        failed = [look for look in looks if last < look.at and look.answered_at < delete.at]
        assert not failed or delete.at <= last + 2 * patience + 0.2
    if any(look.answer is not Answer.OK for look in looks):
        assert any("can't be read" in text or BLIND in text for text in session.witness.said) or lasts < 2 * every


def test_what_holds_the_run_back_is_said() -> None:
    world = World(PLAN, blind=[(5.0, 60.0)])
    seen: list[tuple[float, By, str]] = []

    async def main() -> None:
        with a_folder() as folder, create(Path(folder, "run"), PLAN) as journal:
            session = assemble(world, journal, SETTINGS)

            async def look() -> None:
                while True:
                    await anyio.sleep(0.5)
                    found = holding(session.engine.moment)
                    seen.append((anyio.current_time(), found.by, found.which))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(look)
                assert await session.run() is None
                tasks.cancel_scope.cancel()

    virtually(main)
    assert {(by, which) for at, by, which in seen if 12.0 <= at < 60.0} == {(By.STATUS, BLIND)}
    assert By.STATUS not in {by for at, by, _ in seen if at < 5.0 or at > 70.0}


def test_a_run_that_nobody_can_vouch_for_ends_and_its_latest_deletes_are_suspect() -> None:
    world = World(PLAN, blind=[(5.0, FOR_EVER)])
    ending, session, verdicts = lived(world)
    assert isinstance(ending, StatusUnread)
    assert BLIND in ending.message
    assert max(call.at for call in world.deletes()) <= 5.0 + 2 * BLIND_LOOKS + 1.0
    assert max(call.at for call in world.calls) == pytest.approx(4.0 + OUTAGE, abs=10.0)
    assert any("can't be read" in text for text in session.witness.said)
    confirmed = [call for call in world.calls if call.kind == "pipelines" and call.answer is Answer.OK][-1]
    for call in world.deletes():
        if call.answer is Answer.OK and call.answered_at > confirmed.at:
            assert verdicts[call.chunk or 0] is Verdict.SUSPECT
        elif call.answer is Answer.OK and call.answered_at < confirmed.asked_at:
            assert verdicts[call.chunk or 0] is Verdict.DELETED


def test_a_start_between_two_looks_makes_suspect_what_was_deleted_since_the_one_before() -> None:
    world = World(PLAN, updated=lambda now: "1" if now < 10.5 else "2")
    ending, session, verdicts = lived(world)
    assert ending is None
    assert any("was changed and may have run" in text for text in session.witness.said)
    looks = [call for call in world.calls if call.kind == "pipelines"]
    after = next(look for look in looks if look.at >= 10.5)
    before = looks[looks.index(after) - 1]
    for call in world.deletes():
        if call.answered_at < before.asked_at or call.at > after.at:
            assert verdicts[call.chunk or 0] is Verdict.DELETED
        elif before.at < call.answered_at < after.asked_at:
            assert verdicts[call.chunk or 0] is Verdict.SUSPECT


def test_what_changes_at_every_look_is_believed_no_more() -> None:
    world = World(PLAN, updated=str)
    ending, session, verdicts = lived(world)
    assert ending is None
    assert set(verdicts.values()) == {Verdict.DELETED}
    assert sum("was changed" in text for text in session.witness.said) == MOST_UPDATES
    assert sum("isn't believed" in text for text in session.witness.said) == 1


def test_the_first_failed_look_is_said_before_it_is_repeated() -> None:
    """Repeating it takes longer than the guard's patience."""
    world = World(PLAN, blind=[(5.0, 90.0)])
    settings = Settings(8, RetryPolicy(8, 10.0, 60.0, outage=OUTAGE), (Rate(10, 1.0),), status_every=1.0)
    _, session, _ = lived(world, settings)
    first_said, then, *_ = session.witness.said
    assert "can't be read: List Pipelines" in first_said
    assert "deletes are held" in then
