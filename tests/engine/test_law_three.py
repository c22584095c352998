"""One outcome: whatever the gateway answers, each chunk ends in exactly one way, and the record says truly which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bulkstate.errors import BulkstateError, CredentialsLost, GatewayRefused, PipelineNotPaused, StatusUnread
from bulkstate.model import Answer, Outcome, PipelineStatus, Verdict
from bulkstate.policy.retry import FAILED

from . import scripts
from .gateway import Call, Say, World
from .session import FOR_EVER, Session, Settings, a_folder, a_plan, all_records, first, virtually

CHUNKS = (5, 3)
PLAN = a_plan(*CHUNKS)

worlds = st.builds(
    World,
    st.just(PLAN),
    scripts.scripts(PLAN.requests, scripts.anything, 6),
    scripts.reads,
    st.lists(st.booleans(), max_size=3),
    scripts.intervals,
    st.booleans(),
)


def lived(world: World, settings: Settings) -> tuple[BulkstateError | None, Session, dict[int, list[Outcome]]]:
    """A first session from its beginning to its end: what ended it, its parts, every chunk's records."""
    with a_folder() as folder:
        directory = Path(folder, "run")
        world.fill()
        ending, session = virtually(first, world, directory, settings)
        return ending, session, all_records(directory)


def of_chunk(calls: Iterable[Call], number: int) -> list[Call]:
    return [call for call in calls if call.chunk == number]


def is_one_story(records: list[Outcome]) -> bool:
    """A chunk has one record, but for one that was deleted and became suspect."""
    return [record.verdict for record in records] in (
        [verdict] if len(records) == 1 else [Verdict.DELETED, Verdict.SUSPECT] for verdict in Verdict
    )


def agrees(last: Outcome, calls: list[Call], settings: Settings) -> bool:
    """Does a last record say what the wire's account of the chunk says?"""
    attempts = [call for call in calls if call.answer is not Answer.THROTTLED]
    unanswered = any(call.answer in (None, Answer.UNANSWERED) for call in attempts)
    used_up = len(attempts) >= settings.retry.attempts
    final = attempts[-1].answer if attempts else None
    refusals = (Answer.REFUSED, Answer.TOO_LARGE, Answer.STAGE_REFUSED)
    match last.verdict:
        case Verdict.DELETED | Verdict.SUSPECT:
            return final is Answer.OK
        case Verdict.REFUSED:
            return final in refusals
        case Verdict.EXHAUSTED:
            return used_up and not unanswered and final not in (Answer.OK, *refusals)
        case Verdict.UNKNOWN:
            return unanswered and final not in (Answer.OK, *refusals)
        case Verdict.NOT_SENT:
            return not unanswered and final not in (Answer.OK, *refusals) and last.message != ""
    return False


@given(worlds, scripts.settings)
def test_each_chunk_ends_in_one_way_and_its_record_says_which(world: World, settings: Settings) -> None:
    ending, session, records = lived(world, settings)
    in_vain = made_in_vain(world)

    for number in range(PLAN.requests):
        story, calls = records.get(number, []), of_chunk(world.calls, number)
        assert is_one_story(story) if story else ending is not None and not calls
        assert not story or agrees(story[-1], calls, settings), (story, calls)
        assert_counted(story, calls, in_vain, settings)
    assert_told_all(session, world, records)
    assert_ended_for_a_reason(ending, world)
    assert_refused_stages_are_left(world)


def assert_counted(story: list[Outcome], calls: list[Call], in_vain: list[Call], settings: Settings) -> None:
    """A 429 is no attempt, nor is what never left or was made while nothing passed; renewed credentials are good for
    one more. Where one attempt is all, nobody else need have failed for it to be made in vain."""
    throttled = sum(call.answer is Answer.THROTTLED for call in calls)
    renewed = any(call.answer is Answer.CREDENTIALS for call in calls)
    spared = sum(call.answer is Answer.UNREACHED or call in in_vain for call in calls)
    assert len(calls) - throttled - spared <= max(2, settings.retry.attempts) + renewed
    assert sum(outcome.attempts for outcome in story) == len(calls) - throttled
    assert sum(outcome.throttled for outcome in story) == throttled


def made_in_vain(world: World) -> list[Call]:
    """Deletes that failed when others had, and none had been answered well since."""
    found, failed = [], 0
    for call in sorted(world.deletes(), key=lambda call: call.answered_at):
        if call.answer not in FAILED:
            failed = failed if call.answer in (Answer.THROTTLED, Answer.GATEWAY_REFUSED) else 0
            continue
        failed += 1
        if failed > 1:
            found.append(call)
    return found


def assert_told_all(session: Session, world: World, records: dict[int, list[Outcome]]) -> None:
    told = session.witness.settled_
    assert sorted(told, key=str) == sorted((outcome for story in records.values() for outcome in story), key=str)
    assert session.witness.attempts == sum(call.answer is not None for call in world.deletes())


def assert_ended_for_a_reason(ending: BulkstateError | None, world: World) -> None:
    answers = {call.answer for call in world.deletes()}
    found_running = not all(look.paused for look in looks_of(world))
    match ending:
        case None:
            welcome_at = min((call.answered_at for call in world.deletes() if call.answer is Answer.OK), default=inf)
            refused = [call for call in world.deletes() if call.answer is Answer.GATEWAY_REFUSED]
            assert all(call.answered_at >= welcome_at for call in refused)
            assert not found_running
        case CredentialsLost():
            assert Answer.CREDENTIALS in answers
        case GatewayRefused():
            assert Answer.GATEWAY_REFUSED in answers
        case PipelineNotPaused():
            assert found_running
        case StatusUnread():
            assert any(call.kind == "pipelines" and call.answer is not Answer.OK for call in world.calls)
        case _:
            raise AssertionError(ending)


def assert_refused_stages_are_left(world: World) -> None:
    for numbers in (range(CHUNKS[0]), range(CHUNKS[0], PLAN.requests)):
        calls = [call for call in world.deletes() if call.chunk in numbers]
        refused_at = min((c.answered_at for c in calls if c.answer is Answer.STAGE_REFUSED), default=inf)
        assert all(call.asked_at <= refused_at for call in calls)


@given(
    st.builds(
        World,
        st.just(PLAN),
        scripts.scripts(PLAN.requests, scripts.transient | scripts.deleted, 3),
        running=st.tuples(scripts.times).map(lambda start: [(start[0], FOR_EVER)]),
        strict=st.booleans(),
        say=st.builds(replace, st.just(Say(Answer.OK, code=0, applied=True)), seconds=scripts.LATENCIES),
    ),
    scripts.settings.map(lambda s: replace(s, status_every=s.status_every or 0.9)),
)
def test_suspect_is_what_was_deleted_since_the_pipelines_were_last_found_paused(
    world: World, settings: Settings
) -> None:
    _, _, records = lived(world, settings)

    looks = looks_of(world)
    confirmed = [look for look in looks if look.paused]
    for number, story in records.items():
        done_at = [c.answered_at for c in of_chunk(world.calls, number) if c.answer is Answer.OK]
        if not done_at:
            continue
        if confirmed == looks:
            assert story[-1].verdict is Verdict.DELETED
        elif done_at[0] > max((look.at for look in confirmed), default=-inf):
            assert story[-1].verdict is Verdict.SUSPECT
        elif done_at[0] < max(look.asked_at for look in confirmed):
            assert story[-1].verdict is Verdict.DELETED


@dataclass(frozen=True, slots=True)
class Look:
    """Both pages of List Pipelines, told one after the other."""

    asked_at: float
    at: float
    paused: bool


def looks_of(world: World) -> list[Look]:
    told = [call for call in world.calls if call.found is not None]
    return [
        Look(one.asked_at, one.at, one.found == other.found == PipelineStatus.PAUSED)
        for one, other in pairwise(told)
        if (one.page, other.page) == (1, 2)
    ]
