"""Reports as runs leave them behind."""

from __future__ import annotations

from dataclasses import replace

from bulkstate.model import (
    Agreed,
    Asked,
    Chain,
    ChunkCounts,
    Circumstances,
    Ended,
    Failure,
    Guard,
    InputFile,
    Latency,
    LookedAt,
    Origin,
    Outcome,
    Pair,
    Phase,
    PipelineSeen,
    Report,
    RunResult,
    Stage,
    StageReport,
    Verdict,
    Verification,
)

FIRST = Stage("8a81b5f0-2c5e", "LastRecordAppender_01")
SECOND = Stage("8a81b5f0-2c5e", "LatestRecordMerger_02")

ENTRY = "delete[0].where[0] (config.yaml:9)"
PIPELINE = PipelineSeen("8a81b5f0-2c5e", "Wind-prod", "PAUSED", "PAUSED", 1_763_778_605.0, "3")

WHOLE = Report(
    run="2026-11-22T02:30:00Z-abcdef01",
    run_dir="bulkstate-runs/tonight",
    plan="abcdef0123456789",
    result=RunResult.DELETED,
    reason="",
    stages=(
        StageReport(FIRST, ChunkCounts(100, deleted=100), 1_000_000, 1_000_000, 102, 2, 3),
        StageReport(SECOND, ChunkCounts(20, deleted=20), 200_000, 200_000, 20, 0, 0),
    ),
    chunks=ChunkCounts(120, deleted=120),
    pairs_planned=1_200_000,
    pairs_deleted=1_200_000,
    attempts=122,
    retries=2,
    throttled=3,
    seconds=5.0,
    verified=Verification(200_000, 0, 50, 0, 20, 120, 0, 15),
    failures=(),
    ended=Ended("", 1_763_778_605.0, "", (PIPELINE,)),
    origin=Origin(
        "https://apim.example.com",
        "o1",
        ("ENOS_APP_KEY", "ENOS_APP_SECRET"),
        1_763_778_600.0,
        "0.1.0",
        Chain(3, 321, "0f" * 32),
        "ab" * 32,
        "cd" * 32,
        (InputFile("points.txt", "12" * 32, 60),),
        Agreed("at the terminal", "ada@ops-7", 1_763_778_599.0),
        "ef" * 32,
        (
            Circumstances(
                "ada", "ops-7", "gitlab", "https://ci/1", "c0ffee", "CHG123", "+0000 UTC", 3.2, 1_763_778_599.0
            ),
        ),
        "ada@ops-7",
        (
            Phase("looked", 1_763_778_598.0),
            Phase("agreed", 1_763_778_599.0),
            Phase("first_delete", 1_763_778_600.0),
            Phase("last_answer", 1_763_778_604.0),
            Phase("read_back", 1_763_778_604.5),
            Phase("ended", 1_763_778_605.0),
        ),
    ),
    before=tuple(LookedAt(0, FIRST, ENTRY, Pair(f"A{number}", "P"), number != 3) for number in range(20)),
    after=tuple(LookedAt(0, FIRST, ENTRY, Pair(f"A{number}", "P"), False) for number in range(20) if number != 3),
    asked=Asked(20_000, 60, 500),
    latency=Latency(0.05, 0.2),
    guards=(Guard("safety.require_paused", "true", True), Guard("safety.max_pairs", "none", False)),
)


def failed(number: int, verdict: Verdict, message: str = "", request_id: str | None = None) -> Failure:
    outcome = Outcome(number, verdict, 8, 0, 200, 61199, message, request_id)
    return Failure(number, SECOND, 10_000, outcome)


PARTIAL = replace(
    WHOLE,
    result=RunResult.PARTIAL,
    reason="some chunks are not deleted",
    stages=(
        WHOLE.stages[0],
        StageReport(SECOND, ChunkCounts(20, 10, 1, 4, 1, 0, 4), 200_000, 100_000, 60, 30, 0),
    ),
    chunks=ChunkCounts(120, 110, 1, 4, 1, 0, 4),
    pairs_deleted=1_100_000,
    verified=Verification(200_000, 3, 50, 1, 20, 110, 2, 32),
    after=(),
    failures=(
        failed(101, Verdict.REFUSED, "no such asset", "r-101"),
        *(failed(number, Verdict.EXHAUSTED, "busy", f"r-{number}") for number in range(102, 106)),
        failed(106, Verdict.UNKNOWN),
        failed(107, Verdict.NOT_SENT, "the stage is not supported"),
    ),
)
