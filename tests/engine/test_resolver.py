"""What was never answered is read back: then it is deleted, or sent again, and nobody has to guess."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bulkstate.engine.resolver import MOST_TIMES, REMAINS, RESOLVED
from bulkstate.model import Answer, Verdict
from bulkstate.policy.retry import RetryPolicy

from .gateway import Say, World
from .session import Settings, a_folder, a_plan, first, last_records, virtually

PLAN = a_plan(6)
LONGER = a_plan(99)
"""Others are answered meanwhile: it is no outage."""

SLOW = Say(Answer.OK, 1.0, 0, True)
RETRY = RetryPolicy(attempts=2, first_delay=0.5, resolve=True, resolve_after=12.0)
LOST = Say(Answer.UNANSWERED, 3.0)
APPLIED = replace(LOST, applied=True)
DOWN = Say(Answer.UNAVAILABLE, 0.05)


def lived(world: World, retry: RetryPolicy = RETRY) -> dict[int, tuple[Verdict, str]]:
    world.fill()
    with a_folder() as folder:
        assert virtually(first, world, Path(folder, "run"), Settings(2, retry))[0] is None
        return {n: (each.verdict, each.message) for n, each in last_records(Path(folder, "run")).items()}


scripts = st.dictionaries(st.integers(0, 5), st.lists(st.sampled_from([LOST, APPLIED]), min_size=1, max_size=4))


@hypothesis_settings(max_examples=40)
@given(scripts, st.integers(1, 3))
def test_nothing_stays_unknown_that_can_be_read(script: dict[int, list[Say]], attempts: int) -> None:
    world = World(PLAN, script)
    records = lived(world, replace(RETRY, attempts=attempts))
    given_up = {number for number, record in records.items() if record == (Verdict.EXHAUSTED, REMAINS)}
    assert {verdict for number, (verdict, _) in records.items() if number not in given_up} <= {Verdict.DELETED}
    assert all(len(script[number]) > MOST_TIMES for number in given_up), "never answered, however often it was sent"
    assert world.planned_left == bool(given_up)
    assert world.bystanders_left


def test_what_was_deleted_by_an_attempt_without_an_answer_is_sent_no_more_and_says_so() -> None:
    world = World(LONGER, {3: [APPLIED, LOST]}, say=SLOW)
    assert lived(world)[3] == (Verdict.DELETED, RESOLVED)
    calls = [call for call in world.calls if call.chunk == 3]
    assert [call.kind for call in calls] == ["delete", "delete", "get"]
    assert calls[2].at >= calls[1].answered_at + 12.0


def test_what_is_never_answered_and_always_there_is_given_up_at_last() -> None:
    world = World(LONGER, {3: [LOST] * 99}, say=SLOW)
    assert lived(world)[3] == (Verdict.EXHAUSTED, REMAINS)
    assert sum(call.chunk == 3 and call.kind == "get" for call in world.calls) == MOST_TIMES + 1


@pytest.mark.parametrize("resolve", [True, False])
def test_where_the_read_fails_too_or_is_not_wanted_it_stays_unknown(resolve: bool) -> None:
    world = World(LONGER, {3: [APPLIED, LOST]}, reads=[DOWN] * 9, say=SLOW)
    records = lived(world, replace(RETRY, resolve=resolve))
    assert records[3][0] is Verdict.UNKNOWN
    assert any(call.kind == "get" for call in world.calls) == resolve
