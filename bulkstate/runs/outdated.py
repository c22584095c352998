"""Whether things still are as they were when somebody looked at a plan.

A pipeline that was published anew since computes something else, and an entry that has lost its state was perhaps
carried out already: what was approved isn't what would be deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bulkstate.engine.reads import ReadFailed
from bulkstate.errors import CheckFailed, PlanOutdated
from bulkstate.model import LookAhead, LookedAt, Pipeline
from bulkstate.policy.presence import presence
from bulkstate.runs.session import Session
from bulkstate.text import moment


async def require_as_seen(session: Session, ahead: LookAhead, looked_at: Sequence[LookedAt]) -> None:
    """PlanOutdated if a pipeline's version isn't that of the look ahead any more, or if none of the pairs of an entry
    that had state then has any now. `looked_at` is what a run finds before its question."""
    wanted = {each.id for each in ahead.pipelines}
    try:
        found = await session.connection.reads.pipelines(wanted)
    except ReadFailed as failure:
        raise CheckFailed(f"gateway {failure}", hint="put that right and start again: nothing was deleted") from failure
    if said := [*_other_versions(ahead.pipelines, found), *_gone(ahead.looked_at, looked_at)]:
        when = moment(ahead.at)
        hint = "look at it again, and make the plan anew; or say --even-if-stale: nothing was sent"
        raise PlanOutdated(f"not as it was when it was looked at ({when}): {'; '.join(said)}", hint=hint)


def _other_versions(before: Sequence[Pipeline], found: Mapping[str, Pipeline]) -> Iterator[str]:
    for each in before:
        now = found.get(each.id)
        if now is not None and now.version != each.version:
            yield f"pipeline {each.name or each.id} had version {each.version or '?'}, and has {now.version or '?'}"


def _gone(before: Sequence[LookedAt], now: Sequence[LookedAt]) -> Iterator[str]:
    """Which entries had state, and have none; those that can't be read now are nobody's guess."""
    there = {each.entry: each for each in presence(now).entries}
    for entry in presence(before).entries:
        again = there.get(entry.entry)
        if entry.with_state and again is not None and not again.with_state:
            of = f"{entry.with_state:,} of {entry.looked_at:,} pairs of {entry.entry} had state"
            yield f"{of}, and none has any"
