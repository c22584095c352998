"""Somebody starts a pipeline while its state is being deleted: nothing is sent once a look has found that, and what was
deleted since the last look that found it paused is sent again, or left suspect."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bulkstate.errors import BulkstateError, PipelineNotPaused
from bulkstate.gateway.wire import Code
from bulkstate.model import Answer, Verdict
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate

from .gateway import Call, Say, World
from .session import Session, Settings, a_folder, a_plan, all_records, first, last_records, reopen, virtually

PLAN = a_plan(250)
OUTAGE = 60.0
WAITS = Settings(8, RetryPolicy(3, 0.5, 2.0, outage=OUTAGE), (Rate(20, 1.0),), status_every=2.0, waits=True)
STOPS = replace(WAITS, waits=False)


def lived(world: World, settings: Settings) -> tuple[BulkstateError | None, Session, dict[int, Verdict]]:
    world.fill()
    with a_folder() as folder:
        ending, session = virtually(first, world, Path(folder, "run"), settings)
        return ending, session, {n: each.verdict for n, each in last_records(Path(folder, "run")).items()}


def looks(world: World, found: str) -> list[Call]:
    return [call for call in world.calls if call.kind == "pipelines" and call.found == found]


def is_safe(world: World, delete: Call, start: float, end: float) -> bool:
    """Its pairs have no state from before: it was confirmed before the pipeline ran, or arrived after that."""
    confirmed = any(delete.answered_at <= look.at < start for look in looks(world, "PAUSED"))
    return confirmed or delete.at >= end


begins = st.floats(0.3, 12.0)


@hypothesis_settings(max_examples=14)
@given(begins, st.floats(0.1, 40.0), st.booleans(), st.sampled_from([0.7, 2.0, 6.0]))
def test_who_waits_sends_again_whatever_may_have_come_back(
    begin: float, lasts: float, strict: bool, every: float
) -> None:
    end = begin + lasts
    world = World(PLAN, running=[(begin, end)], strict=strict)
    ending, session, verdicts = lived(world, replace(WAITS, status_every=every))
    assert ending is None
    assert set(verdicts.values()) == {Verdict.DELETED}
    found = looks(world, "RUNNING")
    if not found:
        return  # it ran between two looks, and nobody told
    for look in found:
        withheld = [call for call in world.deletes() if look.answered_at < call.at < end]
        assert not withheld
    last = {call.chunk: call for call in world.deletes() if call.answer is Answer.OK}
    assert all(is_safe(world, call, begin, end) for call in last.values())
    assert any("held until it is paused again" in text for text in session.witness.said)


@hypothesis_settings(max_examples=7)
@given(begins, st.booleans())
def test_who_waits_does_not_wait_for_ever(begin: float, strict: bool) -> None:
    world = World(PLAN, running=[(begin, 1e9)], strict=strict)
    ending, _, verdicts = lived(world, WAITS)
    assert isinstance(ending, PipelineNotPaused)
    assert "nobody paused it again" in ending.message
    assert world.calls[-1].at <= begin + OUTAGE + 20.0
    for call in world.deletes():
        if call.answer is Answer.OK and not is_safe(world, call, begin, 1e9):
            assert verdicts[call.chunk or 0] is not Verdict.DELETED


@hypothesis_settings(max_examples=7)
@given(begins, st.floats(1.0, 40.0), st.booleans())
def test_who_stops_leaves_it_suspect_and_resume_sends_it(begin: float, lasts: float, strict: bool) -> None:
    end = begin + lasts
    world = World(PLAN, running=[(begin, end)], strict=strict)
    world.fill()

    async def main(folder: Path) -> BulkstateError | None:
        ending, _ = await first(world, folder, STOPS)
        if ending is not None:
            journal, session = reopen(world, folder, STOPS)
            world.running = ()
            assert await session.run() is None
            journal.close()
        return ending

    with a_folder() as folder:
        ending = virtually(main, Path(folder, "run"))
        verdicts = {n: each.verdict for n, each in last_records(Path(folder, "run")).items()}
    assert set(verdicts.values()) == {Verdict.DELETED}
    if ending is None:
        return
    assert isinstance(ending, PipelineNotPaused)
    last = {call.chunk: call for call in world.deletes() if call.answer is Answer.OK}
    stopped = min(look.answered_at for look in looks(world, "RUNNING"))
    for call in last.values():
        confirmed = any(call.answered_at <= look.at < begin for look in looks(world, "PAUSED"))
        assert confirmed or call.at > stopped


@hypothesis_settings(max_examples=8)
@given(begins, st.sampled_from([None, 5]))
def test_a_gateway_that_refuses_deletes_then_tells_at_once(begin: float, poison: int | None) -> None:
    """However rarely the status is read; somewhat later where chunks are refused for reasons of their own."""
    bad = range(0, 250, poison) if poison else ()
    doubt = {number: [Say(Answer.UNDECIDED, code=Code.OTHER)] * 3 for number in bad}
    world = World(PLAN, doubt, running=[(begin, 1e9)])
    ending, _, _ = lived(world, replace(STOPS, status_every=300.0, retry=RetryPolicy(9, 0.5, 2.0)))
    assert isinstance(ending, PipelineNotPaused)
    last = max(call.at for call in world.deletes())
    assert last <= begin + (1.0 if poison is None else 25.0)
    assert poison or not looks(world, "PAUSED")


def test_two_starts_in_one_run() -> None:
    world = World(PLAN, running=[(3.0, 9.0), (15.0, 21.0)], strict=False)
    ending, session, verdicts = lived(world, WAITS)
    assert ending is None
    assert set(verdicts.values()) == {Verdict.DELETED}
    assert sum("deletes go on" in text for text in session.witness.said) == 2


def test_what_is_sent_again_was_called_suspect_at_once() -> None:
    """So that a kill while it is waited loses nothing."""
    world = World(PLAN, running=[(5.0, 30.0)], strict=False)
    world.fill()
    with a_folder() as folder:
        virtually(first, world, Path(folder, "run"), WAITS)
        records = all_records(Path(folder, "run"))
    again = [each for each in records.values() if len(each) > 1]
    assert again
    for verdicts in ([outcome.verdict for outcome in each] for each in again):
        assert verdicts == [Verdict.DELETED, Verdict.SUSPECT, Verdict.DELETED]
    for each in again:
        for before, after in pairwise(each):
            assert before.verdict is not after.verdict
