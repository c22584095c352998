"""Draws the screens of docs/screens.md: what a person sees, 80 and 60 columns wide, without colour.

python docs/screens.py > docs/screens.md
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import structlog
from rich.console import Console

from bulkstate import errors
from bulkstate.cli.terminal import last_words, words_of
from bulkstate.model import (
    Agreed,
    Asked,
    Blamed,
    Chain,
    ChunkCounts,
    Circumstances,
    DoneBy,
    Effort,
    Ended,
    Failure,
    Guard,
    InputFile,
    Latency,
    LookedAt,
    LowerBound,
    Origin,
    Outcome,
    Pair,
    Phase,
    PipelineSeen,
    Plan,
    Rectangle,
    Report,
    RunResult,
    Stage,
    StagePlan,
    StageReport,
    Verdict,
    Verification,
)
from bulkstate.policy.pacing import forecast
from bulkstate.policy.presence import presence
from bulkstate.rates import parse_rate
from bulkstate.report import to_text
from bulkstate.report.beginning import beginning
from bulkstate.report.briefing import Briefing, show_briefing
from bulkstate.report.conclusion import ReasonCode, concluded
from bulkstate.report.planned import show_plan

WIDTHS = (80, 60)
NIGHT = 1_795_831_200.0
"""2026-11-28 02:00 UTC."""

STAGE = Stage("8a81b5f0-2c5e", "LastRecordAppender_01")
WIND = PipelineSeen("8a81b5f0-2c5e", "Wind-prod", "PAUSED", "PAUSED", NIGHT + 900, "7")
ENTRY = "delete[0].where[0] (config.yaml:9)"
GATEWAY, ORGANISATION = "https://apim.example.com", "o15504722874071"
LOOKED_AT = tuple(
    LookedAt(number // 50, STAGE, ENTRY, Pair(f"WTG{number // 25:04}", f"WTG.P{number % 25:02}"), number >= 36)
    for number in range(1_000)
)
GUARDS = (
    Guard("safety.max_pairs", "2,000,000", True),
    Guard("safety.require_paused", "true", True),
    Guard("safety.deadline", "05:00 Europe/Berlin", True),
    Guard("verify.sample", "auto", True),
    Guard("safety.max_requests", "none", False),
)
DONE_BY = "2026-11-28 05:00 CET (2026-11-28 04:00 UTC), 2 h 00 min from now"
FILES = (InputFile("points.txt", "5f" * 32, 50),)


# ── before ────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_plan() -> Plan:
    """20,000 assets by 50 points, in ten requests."""
    assets = tuple(f"WTG{number:05}" for number in range(1, 20_001))
    points = tuple(f"WTG.P{number:02}" for number in range(1, 51))
    whole = np.arange(50, dtype=np.int32)
    rectangles = tuple(Rectangle(np.arange(at, at + 2_000, dtype=np.int32), whole) for at in range(0, 20_000, 2_000))
    bound = LowerBound(10, "no request holds more than 100,000 pairs")
    stage = StagePlan(STAGE, assets, points, rectangles, 1_000_000, bound, kept_pairs=120)
    return Plan((stage,), "3f9c" * 16, 4_200_000, effort=Effort.NORMAL)


def a_briefing(seen: bool) -> Briefing:
    """What surrounds the plan, before and after somebody looked."""
    known = Briefing(
        GATEWAY,
        ORGANISATION,
        ("ENOS_APP_KEY", "ENOS_APP_SECRET"),
        GUARDS,
        "afterwards a tenth of the requests is read back whole, at least 20",
        FILES,
        target="ab12" * 16,
        approval="cd34" * 16,
        done_by=DONE_BY,
    )
    return replace(known, pipelines=(WIND,), found=presence(LOOKED_AT)) if seen else known


def shown(width: int, seen: bool, question: bool) -> str:
    """The plan, or the question."""
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    with console.capture() as page:
        show_briefing(a_plan(), a_briefing(seen), console)
        show_plan(a_plan(), forecast((parse_rate("20/s"),), 10), console)
    if not question:
        return page.get()
    asked = f"Delete the state of these 1,000,000 pairs at {a_briefing(True).place}? It can't be brought back. [yes/no]"
    return page.get() + textwrap.fill(asked, width, break_long_words=False)


def started(width: int) -> str:
    """What stderr has of the start, for people."""
    render = structlog.dev.ConsoleRenderer(colors=False, sort_keys=False)
    place = (GATEWAY, ORGANISATION)
    lines = beginning("bulkstate-runs/tonight", place, "3f9c" * 16, 10, (WIND,), (), presence(LOOKED_AT), DONE_BY)
    said = [
        ("the journal's chain", {"links": 5, "head": "e0c3" * 16}),
        *lines,
        ("waiting for the gateway", {"reason": "no answer, connection refused", "trying_until": "02:01:04 UTC"}),
    ]
    text = [render(None, "info", {"event": event, "level": "info", **figures}) for event, figures in said]
    return "\n".join(line for each in text for line in textwrap.wrap(each, width, break_on_hyphens=False))


# ── endings ───────────────────────────────────────────────────────────────────────────────────────────────────────


def a_report() -> Report:
    """A run of ten requests that went well, and was read back as a sample."""
    counts = ChunkCounts(10, deleted=10)
    return Report(
        run="20261128T020000Z-3f9c3f9c",
        run_dir="bulkstate-runs/tonight",
        plan="3f9c" * 16,
        result=RunResult.DELETED,
        reason="",
        stages=(StageReport(STAGE, counts, 1_000_000, 1_000_000, 11, 1, 2),),
        chunks=counts,
        pairs_planned=1_000_000,
        pairs_deleted=1_000_000,
        attempts=11,
        retries=1,
        throttled=2,
        seconds=14.2,
        verified=Verification(300_000, 0, 12, 0, 3, 10, 0, 5),
        failures=(),
        ended=Ended("", NIGHT + 900, "", (WIND,)),
        origin=Origin(
            GATEWAY,
            ORGANISATION,
            ("ENOS_APP_KEY", "ENOS_APP_SECRET"),
            NIGHT,
            "0.1.0",
            Chain(3, 57, "e0c3" * 16),
            "ab12" * 16,
            "cd34" * 16,
            FILES,
            Agreed("with --yes", "ci@runner-3", NIGHT - 2),
            "ef56" * 16,
            (Circumstances("ci", "runner-3", "gitlab", "https://ci/-/jobs/71", "c0ffee1", "CHG123", "+0000 UTC", 0.4),),
            "ci@runner-3",
            (Phase("looked", NIGHT - 5), Phase("agreed", NIGHT - 2), Phase("ended", NIGHT + 900)),
            DoneBy(NIGHT + 7_200, "05:00 Europe/Berlin"),
        ),
        before=LOOKED_AT,
        after=tuple(replace(each, state=False) for each in LOOKED_AT if each.state),
        asked=Asked(20_000, 50, 120),
        latency=Latency(0.09, 0.31),
        guards=GUARDS,
    )


def failing(report: Report, verdict: Verdict, code: int, requests: int = 1, **counts: int) -> Report:
    """The same where so many requests ended so."""
    chunks = replace(report.chunks, deleted=10 - requests, **{verdict.value: requests}, **counts)
    left = 100_000 * requests
    failure = Failure(9, STAGE, 100_000, Outcome(9, verdict, 3, 0, 200, code, "said the gateway", "r-71"))
    stage = replace(report.stages[0], chunks=chunks, pairs_deleted=1_000_000 - left)
    totals = replace(report, chunks=chunks, stages=(stage,), pairs_deleted=1_000_000 - left)
    return replace(totals, result=RunResult.PARTIAL, failures=(failure,) * requests)


def stopped(report: Report, error: errors.BulkstateError, now: str = "PAUSED") -> Report:
    """The same where something ended it after six requests."""
    chunks = ChunkCounts(10, deleted=6, unknown=1, not_sent=3)
    stage = replace(report.stages[0], chunks=chunks, pairs_deleted=600_000)
    ended = Ended(error.reason_code, NIGHT + 400, "", (replace(WIND, now=now),))
    result = RunResult.INTERRUPTED if isinstance(error, errors.Interrupted) else RunResult.STOPPED
    half = replace(report, chunks=chunks, stages=(stage,), pairs_deleted=600_000, verified=None, after=())
    return replace(half, ended=ended, result=result, reason=error.message)


def reports() -> Iterator[Report]:
    """A run for each ending that has a report."""
    good = a_report()
    sample = good.verified or Verification()
    yield replace(good, verified=replace(sample, requests=10, at_most=0))
    yield good
    yield replace(good, verified=None, after=())
    partial = failing(good, Verdict.REFUSED, 61102)
    yield replace(partial, blamed=(Blamed(STAGE, "WTG00042", None, 61102, 50),))
    yield failing(good, Verdict.EXHAUSTED, 61199, 2)
    remains = failing(good, Verdict.SUSPECT, 0)
    yield replace(remains, verified=Verification(300_000, 7, 12, 0, 3, 10, 1, 8))
    yield replace(good, result=RunResult.PARTIAL, verified=replace(sample, witnesses_lost=2))
    yield replace(good, result=RunResult.PARTIAL, verified=None, after=(), ended=replace(good.ended, unread="HTTP 403"))
    started_again = replace(WIND, paused_by="ci@runner-3")
    yield replace(
        good,
        reason="pipeline Wind-prod couldn't be started again: HTTP 200, code 61165",
        ended=replace(good.ended, by="not_restarted", pipelines=(started_again,)),
    )
    yield stopped(good, errors.PipelineNotPaused("pipeline Wind-prod is RUNNING"), "RUNNING")
    for error in (
        errors.StatusUnread("for 1,800 s nobody can say whether the pipelines are paused: HTTP 503"),
        errors.CanaryFailed("the canary of stage LastRecordAppender_01 still holds state"),
        errors.DeadlineReached("05:00 Europe/Berlin"),
        errors.TooManyFailed("113 of 1,000 requests failed, most with code 61199: the limit is 10%"),
        errors.GatewayDown("every delete has failed for 1,800 s: HTTP 503"),
        errors.CredentialsLost("the gateway refuses the credentials: HTTP 401"),
        errors.GatewayRefused("the gateway refuses: HTTP 403"),
        errors.JournalNotWritable("journal.sqlite can't be written: database or disk is full"),
        errors.JournalDamaged("the journal is damaged: link 7 isn't what its rows make it"),
        errors.StoppedByHand("stopped by hand"),
        errors.Interrupted("SIGTERM received", signal_number=15),
    ):
        yield stopped(good, error)
    gone_on = stopped(good, errors.StoppedByHand("still running"))
    yield replace(gone_on, ended=Ended(None, NIGHT + 400, "", (WIND,), running=True))
    yield replace(gone_on, ended=Ended(None, NIGHT + 400, "", (WIND,)))


REFUSALS = (
    errors.NothingThere(
        "Nothing was there: none of the 1,000 pairs looked at has state (first: TWG0001, WTG.P01). Nothing was sent.",
        hint="correct what is selected; if it is right, say safety.require_state: none",
    ),
    errors.StageUnknown(
        "stage LastRecord_02 isn't known to pipeline Wind-prod", hint="correct it, or safety.unknown_stage: skip"
    ),
    errors.CheckFailed("pipeline Wind-prod is RUNNING", hint="put that right and start again: nothing was deleted"),
    errors.GuardExceeded("the plan has 3,000,000 pairs, and safety.max_pairs allows 2,000,000"),
    errors.KeepUnmatched("keep.csv names no asset and no point that is selected"),
    errors.DeadlineTooSoon("it takes about 3 h 10 min, and the deadline, 05:00 Europe/Berlin, is in 2 h 00 min"),
    errors.NotConfirmed("nobody is there to agree to the plan", hint="say --yes to delete without a question"),
    errors.NotAllowed("https://apim.example.com isn't among the gateways that allow.gateways allows"),
    errors.DigestDiffers("the plan p.plan has another digest", hint="ask whoever approved it which plan they meant"),
    errors.PlanAltered("p.plan isn't as it was saved", hint="make the plan anew"),
    errors.PlanStale("the plan is stale: points.txt changed since it was made", hint="make the plan anew"),
    errors.PlanOutdated("not as it was when it was looked at: pipeline Wind-prod had version 7, and has 8"),
    errors.RunExists("r exists already", hint="To go on with it: bulkstate resume r."),
    errors.RunInUse("the run in r is in use by process 4711", hint="Wait until it is done, or stop it."),
    errors.CertificateDiffers("certificate.json isn't what the journal says"),
    errors.InputError(errors.Problem("no such key; the nearest is stages", "config.yaml:7", "delete[0].stage")),
)


def ended(report: Report, width: int) -> str:
    """The first paragraph of a report, and the last lines of the log."""
    first = to_text(report, width).split("\n\n")[0]
    return f"{first}\n\n{wrapped([f'bulkstate: {line}' for line in last_words(report)], width)}"


def wrapped(lines: list[str], width: int) -> str:
    """As a terminal breaks lines that aren't broken for it."""
    return "\n".join(part for line in lines for part in textwrap.wrap(line, width, break_on_hyphens=False))


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────


def screen(title: str, draw: Callable[[int], str]) -> Iterator[str]:
    """A screen at both widths."""
    yield f"### {title}\n"
    for width in WIDTHS:
        drawn = "\n".join(line.rstrip() for line in draw(width).rstrip().splitlines())
        yield f"{width} columns:\n\n```text\n{drawn}\n```\n"


def page() -> Iterator[str]:
    """The whole of docs/screens.md."""
    yield "# Screens\n"
    yield "What a person sees, 80 and 60 columns wide, without colour: drawn by `python docs/screens.py`, from values"
    yield "that are made up. Of an ending's report the first paragraph stands here, and the last lines of its log;"
    yield "two reports are shown as they are.\n"
    yield "## Before\n"
    yield from screen("`bulkstate plan`", lambda width: shown(width, seen=False, question=False))
    yield from screen("The question", lambda width: shown(width, seen=True, question=True))
    yield from screen("The start, on stderr", started)
    yield "## Reports\n"
    whole, *_ = (each for each in reports() if concluded(each).reason_code is ReasonCode.DELETED_SAMPLED)
    partly, *_ = (each for each in reports() if concluded(each).reason_code is ReasonCode.PARTIAL)
    yield from screen("All deleted", lambda width: to_text(whole, width))
    yield from screen("Partly deleted", lambda width: to_text(partly, width))
    yield "## Endings\n"
    for report in reports():
        code = concluded(report).reason_code
        yield from screen(f"`{code}`" if code else "No ending", lambda width, report=report: ended(report, width))
    yield "## Refusals and mistakes\n"
    for error in REFUSALS:
        words = f"bulkstate: {words_of(error)}".splitlines()
        yield from screen(f"`{error.reason_code}`", lambda width, words=words: wrapped(words, width))


if __name__ == "__main__":
    print("\n".join(page()), end="")
