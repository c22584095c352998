"""Rows of a journal, read back as the values that they were made of. What can't have been one is a ValueError."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bulkstate.disk.journal.facts import Ending, SessionRecord
from bulkstate.model import Circumstances, Grant, LookedAt, Outcome, Pair, Part, RunResult, Span, Stage, Verdict


def part_of(number: int, parent: int, *positions: int) -> Part:
    """A part of a chunk that was split."""
    start, end, first, beyond = positions
    return Part(number, parent, Span(start, end), Span(first, beyond))


def outcome_of(values: list[Any], chunks: int) -> Outcome:
    """An outcome, of one of so many `chunks`."""
    chunk, verdict, *rest = values
    if not 0 <= chunk < chunks:
        raise ValueError(f"it holds an outcome of chunk {chunk}, which isn't in the plan")
    return Outcome(chunk, Verdict(verdict), *rest)


def look_of(read: int, pipeline: str, stage: str, entry: str, asset: str, point: str, state: int | None) -> LookedAt:
    """A pair that was looked at."""
    had = None if state is None else bool(state)
    return LookedAt(read, Stage(pipeline, stage), entry, Pair(asset, point), had)


def circumstances_of(at: float, *values: Any) -> Circumstances:
    """Those of a process that worked on the run. A clock is ahead of the gateway's or behind it."""
    *known, ahead, behind = values
    return replace(Circumstances(*known), at=at, clock_ahead=ahead if behind is None else -behind)


def session_of(row: tuple[int, float, float | None, str, str, int], reasons: Sequence[str]) -> SessionRecord:
    """A session, with its ending if it has one."""
    number, started_at, at, result, reason, exit_code = row
    ending = None if at is None else Ending(at, RunResult(result), reason, exit_code, *reasons)
    return SessionRecord(number, started_at, ending)


def sent_history(grants: Sequence[Grant], now: float) -> list[tuple[float, int]]:
    """When a run's calls were made, at the latest: (UNIX seconds, calls), ascending, never after `now`.

    A call that was granted may have been made at any time until the next grant. Taking it as made then is the careful
    choice: no sliding window that ends after `now` holds fewer of these calls than it really did. Of the last grant
    nobody wrote how many were spent: all its calls count, as made now (law 5).
    """
    spent = [(min(grant.at, now), grant.spent) for grant in grants if grant.spent]
    open_calls = grants[-1].calls if grants else 0
    return sorted([*spent, (now, open_calls)] if open_calls else spent)
