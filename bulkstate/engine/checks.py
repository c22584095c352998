"""Looks before the first delete: does the gateway let us in, and is every pipeline paused?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bulkstate.engine.reads import ReadFailed, Reads
from bulkstate.errors import CheckFailed
from bulkstate.model import Pipeline, PipelineStatus


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `passed` is whether a run may start, `detail` says what was found."""

    subject: str
    passed: bool
    detail: str


async def look(reads: Reads, pipelines: Collection[str], require_paused: bool) -> tuple[Finding, ...]:
    """Ask the gateway about the pipelines of a run. Never raises for what the gateway answers: that is a finding."""
    try:
        found = await reads.pipelines(pipelines)
    except ReadFailed as failure:
        return (Finding("gateway", False, str(failure)),)
    entry = Finding("gateway", True, "it answers, and accepts the credentials")
    return (entry, *of_pipelines(found, pipelines, require_paused))


def of_pipelines(found: Mapping[str, Pipeline], wanted: Collection[str], require_paused: bool) -> tuple[Finding, ...]:
    """Whether each of the wanted pipelines is as a run needs it, given what the gateway lists."""
    return tuple(_of_pipeline(name, found.get(name), require_paused) for name in sorted(set(wanted)))


def _of_pipeline(name: str, found: Pipeline | None, require_paused: bool) -> Finding:
    if found is None:
        return Finding(f"pipeline {name}", not require_paused, "is not in the organisation's list of pipelines")
    passed = found.status == PipelineStatus.PAUSED or not require_paused
    return Finding(f"pipeline {name}", passed, f"is {found.status}")


def require(findings: Collection[Finding]) -> None:
    """CheckFailed, naming everything that isn't as a run needs it."""
    failed = [f"{finding.subject} {finding.detail}" for finding in findings if not finding.passed]
    if failed:
        raise CheckFailed(
            "; ".join(failed),
            hint="put that right and start again: nothing was deleted",
        )
