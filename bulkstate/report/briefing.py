"""What somebody has to know who agrees to a plan: where it goes, as whom, what it deletes, and under which guards.

Staging and production look alike but for these lines; so they come first, what is turned off
before what is on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rich.console import Console
from rich.text import Text

from bulkstate.model import Guard, IndexArray, InputFile, PipelineSeen, Plan, Stage, StagePlan
from bulkstate.policy.presence import NOTHING_LOOKED_AT, Presence
from bulkstate.report.paragraph import paragraph
from bulkstate.text import counted, moment, printable

STAGES_SHOWN: Final = 20
_FILES_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Briefing:
    """What surrounds a plan. `credentials` are names of environment variables; `read_back` says what is looked at and
    read back, in words. `pipelines`, `found` and `left_out` are known once somebody looked, at `seen_at` UNIX seconds
    if that isn't now. `target` is the digest of what is deleted there, whatever the cover, `approval` that of all that
    is agreed to."""

    gateway: str
    organisation: str
    credentials: tuple[str, ...]
    guards: tuple[Guard, ...]
    read_back: str
    files: tuple[InputFile, ...] = ()
    seen_at: float | None = None
    pipelines: Sequence[PipelineSeen] = ()
    found: Presence = NOTHING_LOOKED_AT
    left_out: Sequence[Stage] = ()
    target: str = ""
    approval: str = ""
    done_by: str = ""
    """Which instant the deadline is, and how much is left of the time until then."""

    @property
    def place(self) -> str:
        """Gateway and organisation in one line."""
        organisation = f", organisation {printable(self.organisation)}" if self.organisation else ""
        return f"{printable(self.gateway)}{organisation}"


NOTHING_KNOWN: Final = Briefing("", "", (), (), "")


def show_briefing(plan: Plan, briefing: Briefing, console: Console) -> None:
    """Print it on `console`, in colour where it has some."""
    console.print(paragraph(_lines(plan, briefing)), highlight=False)


def _lines(plan: Plan, briefing: Briefing) -> Iterator[Text]:
    yield Text(f"At {briefing.place}", "bold")
    if briefing.credentials:
        yield Text(f"  credentials from {', '.join(map(printable, briefing.credentials))}")
    if off := [guard for guard in briefing.guards if not guard.on]:
        yield Text(f"  turned off: {_named(off)}", "bold yellow")
    yield from _pipelines(plan, briefing)
    yield from _stages(plan)
    yield from _files(briefing.files)
    if on := [guard for guard in briefing.guards if guard.on]:
        yield Text(f"  guards: {_named(on)}")
    if briefing.done_by:
        yield Text(f"  to be done by {briefing.done_by}", "bold")
    yield Text(f"  {briefing.read_back}")
    if briefing.target:
        yield Text(f"  target    {briefing.target}")
        yield Text(f"  approval  {briefing.approval}")
    if briefing.seen_at is not None:
        yield Text(f"  looked at {moment(briefing.seen_at)}:")
    if briefing.found.looked_at or briefing.found.unread:
        yield Text(f"  {printable(briefing.found.words)}", "bold yellow" if briefing.found.assets_without else "bold")
    for stage in briefing.found.empty_stages:
        yield Text(f"  no pair looked at has state in {printable(str(stage))}", "bold yellow")
    for stage in briefing.left_out:
        yield Text(f"  left out, because the gateway doesn't know it: {printable(str(stage))}", "bold yellow")


def _named(guards: Sequence[Guard]) -> str:
    return ", ".join(f"{guard.key} {guard.value}" for guard in guards)


def _pipelines(plan: Plan, briefing: Briefing) -> Iterator[Text]:
    seen = {each.id: each for each in briefing.pipelines}
    for pipeline in sorted({stage.stage.pipeline for stage in plan.stages}):
        found = seen.get(pipeline)
        version = f", version {printable(found.version)}" if found and found.version else ""
        name = f" “{printable(found.name)}”{version}, {printable(found.now)}" if found else ""
        yield Text(f"  pipeline {printable(pipeline)}{name}")


def _stages(plan: Plan) -> Iterator[Text]:
    for stage in plan.stages[:STAGES_SHOWN]:
        assets = _range(stage.assets, [each.assets for each in stage.rectangles], "asset")
        points = _range(stage.points, [each.points for each in stage.rectangles], "point")
        yield Text(f"  stage {printable(stage.stage.name)}: {_counts(stage)}")
        yield Text(f"    {assets}; {points}")
    if len(plan.stages) > STAGES_SHOWN:
        yield Text(f"  … and {len(plan.stages) - STAGES_SHOWN:,} more stages")


def _counts(stage: StagePlan) -> str:
    kept = f", {stage.kept_pairs:,} more are kept" if stage.kept_pairs else ""
    return f"{counted(stage.pairs, 'pair')} in {counted(len(stage.rectangles), 'request')}{kept}"


def _range(ids: tuple[str, ...], sides: Sequence[IndexArray], noun: str) -> str:
    """How many IDs the requests name, and the first and the last of them. Tiles of a grid share their sides."""
    named = np.zeros(len(ids), np.bool_)
    for side in {id(each): each for each in sides}.values():
        named[side] = True
    positions = np.flatnonzero(named)
    first, last = (printable(ids[positions[place]]) for place in (0, -1))
    said = first if len(positions) == 1 else f"{first} … {last}"
    return f"{counted(len(positions), noun)}: {said}"


def _files(files: Sequence[InputFile]) -> Iterator[Text]:
    for each in files[:_FILES_SHOWN]:
        rows = "" if each.rows is None else f", {counted(each.rows, 'row')}"
        yield Text(f"  from {printable(each.file)}{rows}")
    if len(files) > _FILES_SHOWN:
        yield Text(f"  … and from {len(files) - _FILES_SHOWN:,} more files")
