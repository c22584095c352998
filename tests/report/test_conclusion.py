"""Every ending in one sentence, and no sentence says more than was seen."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate import errors
from bulkstate.model import (
    ChunkCounts,
    Ended,
    Failure,
    LookedAt,
    Outcome,
    Pair,
    PipelineSeen,
    Remark,
    RemarkKind,
    Report,
    RunResult,
    Stage,
    StageReport,
    Verdict,
    Verification,
)
from bulkstate.report.conclusion import (
    ReasonCode,
    Safe,
    concluded,
    refused,
    share_at_most,
    start_advice,
)

STAGE = Stage("p1", "LastRecordAppender_01")
WIND = PipelineSeen("p1", "Wind-prod", "PAUSED", "PAUSED", 1_764_368_040.0)
WHOLE = Verification(1_000_000, 0, 0, 0, 8_942, 8_942, 0, 0)
SAMPLED = Verification(30_000, 0, 0, 0, 300, 8_942, 0, 87)


def report(
    chunks: ChunkCounts, deleted: int, verified: Verification | None = None, reason: str = "", *failures: Failure
) -> Report:
    return Report(
        run="r",
        run_dir="runs/a b",
        plan="abcdef01",
        result=RunResult.DELETED,
        reason=reason,
        stages=(StageReport(STAGE, chunks, 1_000_000, deleted, 9_000, 1, 0),),
        chunks=chunks,
        pairs_planned=1_000_000,
        pairs_deleted=deleted,
        attempts=9_000,
        retries=1,
        throttled=0,
        seconds=5.0,
        verified=verified,
        failures=failures,
    )


def failure(verdict: Verdict, code: int | None) -> Failure:
    return Failure(0, STAGE, 2_000, Outcome(0, verdict, 8, 0, 200, code))


ALL = ChunkCounts(8_942, deleted=8_942)
SOME_FAILED = ChunkCounts(8_942, deleted=8_930, exhausted=12)
SOME_REFUSED = ChunkCounts(8_942, deleted=8_930, refused=12)
STOPPED = ChunkCounts(8_942, deleted=3_400, unknown=4, not_sent=5_538)
SUSPECT = ChunkCounts(8_942, deleted=3_400, suspect=12, not_sent=5_530)

RESUME = "bulkstate resume 'runs/a b'"


@pytest.mark.parametrize(
    ("code", "ran", "ended", "sentence", "command"),
    [
        (
            "deleted",
            report(ALL, 1_000_000, WHOLE),
            Ended(pipelines=(WIND,)),
            "Deleted: all 1,000,000 pairs; every request was read back whole, none holds state."
            ' Pipeline "Wind-prod" is paused and safe to start.',
            "",
        ),
        (
            "deleted_sampled",
            report(ALL, 1_000_000, SAMPLED),
            Ended(pipelines=(WIND,)),
            "Deleted: all 1,000,000 pairs; 300 of 8,942 requests were read back whole, none holds state"
            ' (95 %: at most 0.98 % of them do). Pipeline "Wind-prod" is paused and safe to start.',
            "",
        ),
        (
            "deleted_unverified",
            report(ALL, 1_000_000),
            Ended(pipelines=(WIND,)),
            'Answered "deleted" for all 1,000,000 pairs; nothing was read back: this is the gateway\'s word alone.'
            ' Pipeline "Wind-prod" is paused.',
            "bulkstate verify 'runs/a b'",
        ),
        (
            "deleted",
            replace(report(ChunkCounts(), 0), pairs_planned=0, stages=(), attempts=0),
            Ended(),
            "Done: there was nothing to delete, and nothing was sent.",
            "",
        ),
        (
            "not_verified",
            report(ALL, 1_000_000),
            Ended(unread="Get Stage State of p1/S: HTTP 403", pipelines=(WIND,)),
            'Answered "deleted" for all 1,000,000 pairs, but not to be read back: Get Stage State of p1/S: HTTP 403.'
            ' Pipeline "Wind-prod" is paused.',
            "bulkstate verify 'runs/a b'",
        ),
        (
            "partial",
            report(SOME_FAILED, 998_000, None, "", failure(Verdict.EXHAUSTED, 61199)),
            Ended(pipelines=(WIND,)),
            "Partly deleted: 998,000 of 1,000,000 pairs; 2,000 remain (1 request exhausted: 61199)."
            ' Don\'t start pipeline "Wind-prod".',
            f"{RESUME} --retry-failed",
        ),
        (
            "partial",
            report(SOME_REFUSED, 998_000, None, "", failure(Verdict.REFUSED, 61102)),
            Ended(pipelines=(WIND,)),
            "Partly deleted: 998,000 of 1,000,000 pairs; 2,000 remain (1 request refused: 61102)."
            ' Don\'t start pipeline "Wind-prod".',
            "bulkstate report 'runs/a b' --failed failed.csv",
        ),
        (
            "partial",
            report(ChunkCounts(8_942, deleted=8_941, not_sent=1), 998_000, None, "", failure(Verdict.NOT_SENT, 61107)),
            Ended(),
            "Partly deleted: 998,000 of 1,000,000 pairs; 2,000 remain (1 request not sent: 61107).",
            "bulkstate report 'runs/a b' --failed failed.csv",
        ),
        (
            "state_remains",
            report(
                ChunkCounts(8_942, deleted=8_940, suspect=2), 999_000, Verification(30_000, 7, 0, 0, 300, 8_942, 2, 150)
            ),
            Ended(pipelines=(WIND,)),
            'Not clean: every request was answered "deleted", but 7 of 30,000 pairs read back hold state.'
            ' Don\'t start pipeline "Wind-prod".',
            RESUME,
        ),
        (
            "witnesses_lost",
            report(ALL, 1_000_000, replace(WHOLE, witnesses=50, witnesses_lost=3)),
            Ended(pipelines=(WIND,)),
            "Deleted: all 1,000,000 pairs; but 3 of 50 witness pairs have lost their state, and nobody asked for that."
            ' Don\'t start pipeline "Wind-prod".',
            "bulkstate verify 'runs/a b' --sample all",
        ),
        (
            "unpaused",
            report(SUSPECT, 380_000, None, "pipeline p1 is RUNNING"),
            Ended("unpaused", pipelines=(replace(WIND, now="RUNNING"),)),
            "Stopped: pipeline p1 is RUNNING. So far 38 % deleted, 12 requests suspect, 5,530 requests not sent."
            ' Don\'t start pipeline "Wind-prod" (pipeline "Wind-prod" is running: pause it).',
            RESUME,
        ),
        (
            "outage",
            report(STOPPED, 389_999, None, "the gateway answered nothing for 30 min"),
            Ended("outage", pipelines=(WIND,)),
            "Stopped: the gateway answered nothing for 30 min. So far 38 % deleted, 4 requests unknown,"
            ' 5,538 requests not sent. Don\'t start pipeline "Wind-prod".',
            RESUME,
        ),
        (
            "interrupted",
            report(STOPPED, 380_000, None, "SIGTERM received"),
            Ended("interrupted"),
            "Interrupted (SIGTERM received): 38 % deleted, 4 requests unknown, 5,538 requests not sent.",
            RESUME,
        ),
        (
            "interrupted",
            report(ALL, 1_000_000, None, "SIGTERM received"),
            Ended("interrupted"),
            "Interrupted (SIGTERM received): 100 % deleted.",
            "bulkstate verify 'runs/a b'",
        ),
        (
            None,
            report(ALL, 1_000_000, SAMPLED),
            Ended(None, pipelines=(replace(WIND, now="", paused_by="this run"),)),
            'No ending recorded: killed, or no longer able to write. So far 100 % deleted. Pipeline "Wind-prod" is in a'
            " state that nobody could read.",
            RESUME,
        ),
        (
            "not_verified",
            replace(report(ALL, 1_000_000), ended=Ended()),
            Ended("", unread="no answer", pipelines=(replace(WIND, paused_by="this run"),)),
            'Answered "deleted" for all 1,000,000 pairs, but not to be read back: no answer. Pipeline "Wind-prod" is'
            ' paused. Pipeline "Wind-prod" ran before this run and stays paused.',
            RESUME,
        ),
        (
            None,
            report(STOPPED, 380_000),
            Ended(None, 1_764_368_049.0, running=True),
            "Still running, last heard of 2025-11-28 22:14:09 UTC. So far 38 % deleted, 4 requests"
            " unknown, 5,538 requests not sent.",
            "bulkstate ctl 'runs/a b' status",
        ),
        (
            "deadline",
            report(STOPPED, 380_000, None, "2026-11-23 05:00 CET (about 1 h 10 min of work left)"),
            Ended("deadline"),
            "Stopped in time for 2026-11-23 05:00 CET (about 1 h 10 min of work left): 38 % deleted, 4 requests"
            " unknown, 5,538 requests not sent.",
            RESUME,
        ),
        (
            "check_failed",
            replace(report(ChunkCounts(9, not_sent=9), 0, None, "pipeline p1 is RUNNING"), attempts=0),
            Ended("check_failed", pipelines=(replace(WIND, before="RUNNING", now="RUNNING"),)),
            "Refused, nothing deleted: pipeline p1 is RUNNING.",
            RESUME,
        ),
        (
            "not_restarted",
            report(ALL, 1_000_000, SAMPLED, "not started again: no resources"),
            Ended("not_restarted", pipelines=(replace(WIND, before="RUNNING", paused_by="this run"),)),
            "Deleted: all 1,000,000 pairs; 300 of 8,942 requests were read back whole, none holds state (95 %: at most"
            ' 0.98 % of them do). But not started again: no resources. Pipeline "Wind-prod" is paused and safe to'
            ' start. Pipeline "Wind-prod" ran before this run and stays paused.',
            RESUME,
        ),
        (
            "deleted_sampled",
            report(ALL, 1_000_000, SAMPLED),
            Ended("", pipelines=(replace(WIND, now="RUNNING", paused_by="this run", started_again=True),)),
            "Deleted: all 1,000,000 pairs; 300 of 8,942 requests were read back whole, none holds state (95 %: at most"
            ' 0.98 % of them do). Pipeline "Wind-prod" was started again.',
            "",
        ),
        (
            None,
            report(STOPPED, 380_000),
            Ended(None, 1_764_368_049.0),
            "No ending recorded: killed, or no longer able to write, last heard of 2025-11-28 22:14:09 UTC."
            " So far 38 % deleted, 4 requests unknown, 5,538 requests not sent.",
            RESUME,
        ),
    ],
)
def test_each_ending(code: str | None, ran: Report, ended: Ended, sentence: str, command: str) -> None:
    found = concluded(replace(ran, ended=ended))
    assert found.sentence == sentence
    assert found.reason_code == code
    assert found.next == command


STOPS = ["status_unread", "canary", "too_many_failed", "credentials", "gateway_refused", "journal", "damaged"]


@pytest.mark.parametrize("code", STOPS)
def test_what_stops_a_run_is_said_and_can_be_gone_on_with(code: str) -> None:
    found = concluded(replace(report(STOPPED, 380_000, None, "that is why"), ended=Ended(code)))
    assert found.sentence.startswith("Stopped: that is why. So far 38 % deleted")
    assert found.next == ("" if code == "damaged" else RESUME), "nobody goes on with a damaged journal"


def test_every_error_names_its_ending() -> None:
    listed = {code.value for code in ReasonCode}
    tree = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.BulkstateError)]
    assert {each.reason_code for each in tree} <= listed
    codes = [each.reason_code for each in tree]
    assert len(codes) == len(set(codes)), "two endings, one code"


def test_what_is_refused_says_that_nothing_was_deleted() -> None:
    found = refused(errors.PlanStale("the plan is stale"))
    assert found.reason_code == "plan_stale"
    assert found.sentence == "Refused, nothing deleted: the plan is stale."
    nothing = "Nothing was there: none of the 1,000 pairs looked at has state. Nothing was sent."
    assert refused(errors.NothingThere(nothing)).sentence == nothing


@pytest.mark.parametrize(
    ("at_most", "of", "said"),
    [(87, 8_942, "at most 0.98 %"), (0, 5, "none"), (1, 3, "at most 34 %"), (5, 5, "at most 100 %")],
)
def test_a_share_is_never_rounded_down(at_most: int, of: int, said: str) -> None:
    assert share_at_most(Verification(1, 0, 0, 0, 1, of, 0, at_most)) == said


counts = st.builds(
    ChunkCounts,
    planned=st.integers(1, 30),
    deleted=st.integers(0, 5),
    refused=st.integers(0, 2),
    exhausted=st.integers(0, 2),
    unknown=st.integers(0, 2),
    suspect=st.integers(0, 2),
    not_sent=st.integers(0, 2),
)
verifications = st.none() | st.builds(
    Verification,
    sampled=st.integers(0, 9),
    remaining=st.integers(0, 2),
    witnesses=st.integers(2, 3),
    witnesses_lost=st.integers(0, 2),
    requests=st.integers(0, 5),
    of_requests=st.integers(5, 9),
    at_most=st.integers(0, 5),
)
endings = st.builds(
    Ended,
    by=st.sampled_from(["", None, "outage", "interrupted", "unpaused"]),
    unread=st.sampled_from(["", "HTTP 403"]),
    pipelines=st.just(())
    | st.sampled_from(["", "PAUSED", "RUNNING", "STOPPED", "\x1b[2J"]).map(lambda now: (replace(WIND, now=now),)),
)


@given(counts, verifications, endings)
def test_no_sentence_says_more_than_was_seen(chunks: ChunkCounts, verified: Verification | None, ended: Ended) -> None:
    whole = chunks.deleted == chunks.unsplit
    ran = replace(report(chunks, 1_000_000 if whole else 1_000 * chunks.deleted, verified, "why"), ended=ended)
    found, advice = concluded(ran), start_advice(ran)
    looked_at = verified is not None and verified.requests > 0
    clean = verified is None or not (verified.remaining or verified.witnesses_lost)
    if "safe to start" in found.sentence or any(each.safe is Safe.YES for each in advice):
        assert whole and looked_at and clean and ended.by == "" and not ended.unread
        assert all(each.pipeline.now in ("PAUSED", "STOPPED") for each in advice)
    if "Deleted: all" in found.sentence or "Answered" in found.sentence:
        assert whole and ended.by == ""
    if "none holds state" in found.sentence:
        assert looked_at and verified is not None and not verified.remaining
    if "--retry-failed" in found.next:
        assert chunks.exhausted
    if found.next.startswith(RESUME):
        assert not whole
    assert found.sentence.isprintable()


KEEP = "delete[0].keep (c.yaml:7)"


@pytest.mark.parametrize(
    ("rows", "entries", "sentence"),
    [
        (100, 1, "Nothing is kept by delete[0].keep (c.yaml:7): none of its 100 rows is selected."),
        (1, 1, "Nothing is kept by delete[0].keep (c.yaml:7): its only row isn't selected."),
        (7, 3, "Nothing is kept by delete[0].keep (c.yaml:7), and by 2 more: none of its 7 rows is selected."),
    ],
)
@pytest.mark.parametrize(("chunks", "by"), [(ALL, ""), (STOPPED, "outage"), (SOME_REFUSED, "")])
def test_what_keeps_nothing_is_named_however_it_ends(
    rows: int, entries: int, sentence: str, chunks: ChunkCounts, by: str
) -> None:
    other = [Remark(f"delete[{number}].keep", RemarkKind.KEEPS_NOTHING, 5, 5) for number in range(1, entries)]
    stranger = Remark(KEEP, RemarkKind.NO_PAIR, rows, rows, ("A1, P1",))
    remarks = (stranger, Remark(KEEP, RemarkKind.KEEPS_NOTHING, rows, rows), *other)
    ran = replace(report(chunks, 3, WHOLE), remarks=remarks, ended=Ended(by=by, pipelines=(WIND,)))
    assert sentence in concluded(ran).sentence
    assert "kept" not in concluded(replace(ran, remarks=(stranger,))).sentence


def looked_at(*states: tuple[str, bool]) -> tuple[LookedAt, ...]:
    return tuple(LookedAt(0, STAGE, entry, Pair(f"A{n}", "P"), state) for n, (entry, state) in enumerate(states))


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ([("w", False)] * 15, "None of the 15 pairs looked at before had state."),
        ([("w", False), ("w", False), ("v", True)], "None of the 2 pairs looked at before of w had state."),
        (
            [("w", False), ("v", True), ("u", False)],
            "None of the 1 pair looked at before of w had state, nor any of 1 more entry.",
        ),
    ],
)
def test_what_never_had_state_is_not_just_called_deleted(states: list[tuple[str, bool]], sentence: str) -> None:
    ran = replace(report(ALL, 1_000_000, WHOLE), before=looked_at(*states), ended=Ended(by="", pipelines=(WIND,)))
    assert f"none holds state. {sentence} Pipeline" in concluded(ran).sentence
    some = replace(ran, before=looked_at(*((entry, True) for entry, _ in states), *states))
    assert "looked at before" not in concluded(some).sentence
    assert "looked at before" not in concluded(replace(ran, attempts=0)).sentence


def test_witnesses_that_tell_nothing_are_named() -> None:
    ran = replace(report(ALL, 1_000_000, WHOLE), witness_less=True, ended=Ended(by="", pipelines=(WIND,)))
    assert "None of the witnesses had state before: they tell nothing." in concluded(ran).sentence
    assert "witness" not in concluded(replace(ran, witness_less=False)).sentence
