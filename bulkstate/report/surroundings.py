"""Where a run came from, in lines: pipelines, gateway, times, people, digests, files, and how much was asked for."""

from __future__ import annotations

from collections.abc import Iterator

from bulkstate.model import Circumstances, DoneBy, Report
from bulkstate.policy.deadline import parse_deadline, shown_twice
from bulkstate.report.conclusion import StartAdvice, start_advice
from bulkstate.report.document import reference_of
from bulkstate.text import counted, duration, moment, printable

_CLOCK_DIFFERS = 2.0
"""Seconds from which on two clocks are said to differ: a date has whole seconds, and an answer takes its time."""


def pipeline_lines(report: Report) -> Iterator[str]:
    """What each pipeline was and is in, and whether it is safe to start."""
    yield from map(_pipeline, start_advice(report))


def _pipeline(advice: StartAdvice) -> str:
    seen = advice.pipeline
    name = f"“{printable(seen.name)}” ({printable(seen.id)})" if seen.name else printable(seen.id)
    version = f", version {printable(seen.version)}" if seen.version else ""
    when = "" if seen.at is None else f" at {moment(seen.at)}"
    states = f"{printable(seen.before) or 'unread'} before, {printable(seen.now) or 'unread'}{when}"
    paused = f", paused by {printable(seen.paused_by)}" if seen.paused_by else ""
    again = ", started again" if seen.started_again else ""
    return (
        f"{name}{version}: {states}{paused}{again}; safe to start: {advice.safe}, because {printable(advice.because)}"
    )


def surroundings(report: Report) -> Iterator[str]:
    """Where, when, by whom, agreed how, by which digests, of which files."""
    origin = report.origin
    if place := " as ".join(printable(part) for part in (origin.gateway, origin.organisation) if part):
        names = f" (credentials from {', '.join(map(printable, origin.credentials))})" if origin.credentials else ""
        yield f"{place}{names}"
    ended = report.ended.at if report.ended.by is not None else None
    if times := " to ".join(moment(at) for at in (origin.started, ended) if at is not None):
        yield times
    if origin.done_by is not None:
        yield _done_by(origin.done_by, ended)
    if origin.phases:
        yield ", ".join(f"{phase.name.replace('_', ' ')} {moment(phase.at)[11:19]}" for phase in origin.phases)
    for found in origin.circumstances:
        yield _who(found)
    if origin.agreed is not None and origin.agreed.how:
        by = f" by {printable(origin.agreed.by)}" if origin.agreed.by else ""
        yield f"agreed to {printable(origin.agreed.how)}{by} at {moment(origin.agreed.at)}"
    if reference := reference_of(report):
        yield f"reference {printable(reference)}"
    if origin.target:
        yield f"target   {origin.target}"
    yield f"plan     {printable(report.plan)}"
    if origin.approval:
        yield f"approval {origin.approval}"
    for each in origin.inputs:
        rows = "" if each.rows is None else f", {counted(each.rows, 'row')}"
        yield f"from {printable(each.file)}{rows}, SHA-256 {each.sha256}"


def _done_by(asked: DoneBy, ended: float | None) -> str:
    """By when it had to be done, and how much was left of that when it ended."""
    try:
        when = shown_twice(asked.at, parse_deadline(asked.words))
    except ValueError:  # a journal may hold anything
        when = moment(asked.at)
    if ended is None:
        return f"to be done by {when}"
    left = asked.at - ended
    return f"to be done by {when}, ended {duration(abs(left))} {'before' if left >= 0 else 'after'} that"


def _who(found: Circumstances) -> str:
    job = f", {printable(found.ci)} {printable(found.job)}".rstrip() if found.ci else ""
    commit = f", commit {printable(found.commit)}" if found.commit else ""
    clock = found.clock_ahead
    differs = "" if clock is None or abs(clock) < _CLOCK_DIFFERS else f", clock {_ahead(clock)} the gateway's"
    zone = f", zone {printable(found.zone)}" if found.zone else ""
    return f"{printable(found.who)}{job}{commit}{zone}{differs}"


def _ahead(seconds: float) -> str:
    return f"{abs(seconds):,.0f} s {'ahead of' if seconds > 0 else 'behind'}"


def asked_lines(report: Report) -> Iterator[str]:
    """How much was asked for."""
    asked = report.asked
    sides = f": {counted(asked.assets, 'asset')}, {counted(asked.points, 'point')}" if asked.assets else ""
    yield f"{counted(report.pairs_planned, 'pair')}{sides}"
    if asked.kept_pairs:
        yield f"{counted(asked.kept_pairs, 'pair')} kept, though selected"
    if report.unlisted_pairs:
        yield f"{counted(report.unlisted_pairs, 'pair')} that nobody listed may be deleted too"
