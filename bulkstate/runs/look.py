"""The look before the question: does the gateway know the stages, and is there anything to delete?

The same pairs are read again when all is over. What is found goes into the journal, and is shown to whoever agrees.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from typing import Final

import structlog

from bulkstate.config import Settings, Share, UnknownStage
from bulkstate.engine.readback import read_all
from bulkstate.engine.reads import ReadFailed, Reads
from bulkstate.errors import CheckFailed, NothingThere, StageUnknown
from bulkstate.gateway.wire import Code
from bulkstate.model import Chunk, LookAhead, LookedAt, Outcome, Pair, Plan, Stage, Verdict, describe
from bulkstate.policy.presence import NOTHING_LOOKED_AT, Presence, nothing_there, presence
from bulkstate.policy.spot_checks import SpotCheck, to_look_closer
from bulkstate.runs.connection import Connection
from bulkstate.runs.outdated import require_as_seen
from bulkstate.runs.session import Session

_NEAR: Final = 0.75
"""How like a name has to be, of 1."""

log = structlog.get_logger()

MEANINGS: Final[Mapping[int | None, str]] = {
    Code.WRONG_PIPELINE: "the pipeline is wrong, or not this organisation's",
    Code.UNSUPPORTED_STAGE: "the stage is unknown, or of a type whose state can't be deleted",
}


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found before the question: how much has state, and which stages the gateway doesn't know, and why."""

    found: Presence = NOTHING_LOOKED_AT
    unknown: dict[Stage, ReadFailed] = field(default_factory=dict)
    readable: frozenset[Stage] = frozenset()
    """Stages of which a read was answered."""


async def look(session: Session, checks: Sequence[SpotCheck], ahead: LookAhead | None = None) -> Looked:
    """Read what is to be looked at, and hold it against what is required, and against what was seen of it `ahead`, when
    the plan was made. Raises what `judged` does; PlanOutdated."""
    looked_at, failures = await read_checks(session.connection.reads, checks, session.journal.plan)
    session.journal.keep_look(time.time(), looked_at)
    if ahead is not None:
        await require_as_seen(session, ahead, looked_at)
    names = await stage_names(session.connection, failures)
    return judged(looked_at, failures, checks, session.settings, names)


def judged(
    looked_at: Sequence[LookedAt],
    failures: Mapping[SpotCheck, ReadFailed],
    checks: Sequence[SpotCheck],
    settings: Settings,
    names: Mapping[str, frozenset[str]],
) -> Looked:
    """What was found, as far as it is as required. `names` are those that may be meant by a stage that is unknown.

    StageUnknown, unless such stages are to be left out; NothingThere; CheckFailed where a share is asked for, and the
    gateway doesn't say. Any other read that fails is said, and refuses nothing.
    """
    looked = Looked(presence(looked_at), _unknown(failures), _readable(checks, failures))
    _say(looked, failures)
    _refuse_unknown_stages(looked, {check.stage for check in checks}, settings, names)
    _refuse_too_little(looked.found, settings)
    return looked


async def ask_stages(session: Session, numbers: Sequence[int]) -> Looked:
    """Ask about one pair of each stage that has chunks among `numbers`: is it still known? StageUnknown."""
    first: dict[Stage, Chunk] = {}
    chunks = session.journal.chunks()
    for number in numbers:
        stage, _ = chunks.place(number)
        if stage.stage not in first:
            first[stage.stage] = chunks.chunk(number)
    checks = [SpotCheck(stage, chunk.assets[:1], chunk.points[:1], ()) for stage, chunk in sorted(first.items())]
    _, failures = await _read(list(enumerate(checks)), session.connection.reads)
    looked = Looked(unknown=_unknown(failures), readable=_readable(checks, failures))
    _refuse_unknown_stages(looked, set(first), session.settings, await stage_names(session.connection, failures))
    return looked


async def leave_out(session: Session, unknown: dict[Stage, ReadFailed], numbers: Sequence[int]) -> Sequence[int]:
    """Put on record that chunks of unknown stages aren't sent, and return the others."""
    if not unknown:
        return numbers
    chunks = session.journal.chunks()
    stages = {number: chunks.place(number)[0].stage for number in numbers}
    skipped = [_skipped(number, unknown[stage]) for number, stage in stages.items() if stage in unknown]
    await session.journal.record(skipped)
    return [number for number, stage in stages.items() if stage not in unknown]


def _skipped(number: int, failure: ReadFailed) -> Outcome:
    reply = failure.reply
    return Outcome(
        number,
        Verdict.NOT_SENT,
        status=reply.status,
        code=reply.code,
        message=f"left out: {reply.message}",
        request_id=reply.request_id,
    )


async def read_checks(
    reads: Reads, checks: Sequence[SpotCheck], plan: Plan
) -> tuple[list[LookedAt], dict[SpotCheck, ReadFailed]]:
    """What the checks of a plan find, and which of them the gateway doesn't answer well.

    Entries of which few pairs were looked at, and none has state, are looked at more closely. Those for which there are
    no reads left are named, and count as unread.
    """
    looked_at, failures = await _read([(place, each) for place, each in enumerate(checks) if not each.closer], reads)
    empty = {each.entry: each.looked_at for each in presence(looked_at).entries if not each.with_state}
    closer, unsaid = to_look_closer(checks, empty, len(plan.stages), plan.requests)
    more, failed = await _read([(place, each) for place, each in enumerate(checks) if each in closer], reads)
    if unsaid:
        log.warning("too little was looked at to tell whether these have state", entries=sorted(unsaid))
    told = [replace(each, state=None) if each.entry in unsaid else each for each in looked_at]
    return [*told, *more], failures | failed


async def _read(
    checks: Sequence[tuple[int, SpotCheck]], reads: Reads
) -> tuple[list[LookedAt], dict[SpotCheck, ReadFailed]]:
    """What some of the checks find, by their places among all."""
    answers: dict[int, frozenset[Pair] | ReadFailed] = {}
    chunks = (Chunk(place, check.stage, check.assets, check.points) for place, check in checks)
    await read_all(reads, chunks, answers.__setitem__)
    answered = list(zip(checks, (answers[number] for number in range(len(checks))), strict=True))
    looked_at = [each for (place, check), answer in answered for each in _looked_at(place, check, answer)]
    return looked_at, {check: answer for (_, check), answer in answered if isinstance(answer, ReadFailed)}


def _looked_at(place: int, check: SpotCheck, answer: frozenset[Pair] | ReadFailed) -> list[LookedAt]:
    return [
        LookedAt(
            place,
            check.stage,
            spot.entry,
            spot.pair,
            None if isinstance(answer, ReadFailed) else spot.pair in answer,
        )
        for spot in check.spots
    ]


def _unknown(failures: Mapping[SpotCheck, ReadFailed]) -> dict[Stage, ReadFailed]:
    return {check.stage: failure for check, failure in failures.items() if failure.reply.code in MEANINGS}


def _readable(checks: Sequence[SpotCheck], failures: Mapping[SpotCheck, ReadFailed]) -> frozenset[Stage]:
    return frozenset(check.stage for check in checks if not check.closer and check not in failures)


def _say(looked: Looked, failures: Mapping[SpotCheck, ReadFailed]) -> None:
    unexplained = [failure for failure in failures.values() if failure.reply.code not in MEANINGS]
    if unexplained:
        log.warning("not everything could be looked at", reads=len(unexplained), first=str(unexplained[0]))
    if looked.found.looked_at:
        log.info(looked.found.words)
    for stage in looked.found.empty_stages:
        log.warning("no pair looked at has state", stage=str(stage))


async def stage_names(connection: Connection, failures: Mapping[SpotCheck, ReadFailed]) -> dict[str, frozenset[str]]:
    """Where a stage is unknown, what its pipeline's description names, by the pipeline's ID, if that can be read."""
    names: dict[str, frozenset[str]] = {}
    for pipeline in sorted({stage.pipeline for stage in _unknown(failures)}):
        reply = await connection.reads.ask(partial(connection.client.details, pipeline))
        names[pipeline] = reply.data or frozenset()
    return names


def _refuse_unknown_stages(
    looked: Looked, stages: set[Stage], settings: Settings, names: Mapping[str, frozenset[str]]
) -> None:
    if not looked.unknown:
        return
    skip = settings.safety.unknown_stage is UnknownStage.SKIP
    if skip and stages > looked.unknown.keys():
        log.warning("stages are left out", stages=sorted(map(str, looked.unknown)))
        return
    said = "; ".join(
        _why(stage, failure) + meant(stage, names.get(stage.pipeline, frozenset()))
        for stage, failure in sorted(looked.unknown.items())
    )
    hint = "no stage is left" if skip else "correct it, or leave it out: safety.unknown_stage: skip"
    raise StageUnknown(said, hint=f"{hint}; nothing was sent")


def _why(stage: Stage, failure: ReadFailed) -> str:
    code = Code(failure.reply.code or 0)
    return f"stage {stage.name} of pipeline {stage.pipeline}: {MEANINGS[code]} ({describe(failure.reply)})"


def meant(stage: Stage, names: frozenset[str]) -> str:
    """A question that names what is nearest to a stage; empty if nothing is, or it is there."""
    found = [] if stage.name in names else get_close_matches(stage.name, names, n=1, cutoff=_NEAR)
    return f"; did you mean {found[0]}?" if found else ""


def _refuse_too_little(found: Presence, settings: Settings) -> None:
    required = settings.safety.require_state
    if required == "none":
        return
    share = required if isinstance(required, Share) else None
    if share is not None and found.unread:
        message = f"{found.unread:,} pairs could not be looked at, and safety.require_state asks for {share}"
        raise CheckFailed(message, hint="nothing was sent")
    if why := nothing_there(found, share):
        hint = "correct what is selected; if it is right, say safety.require_state: none"
        raise NothingThere(f"{why} Nothing was sent.", hint=hint)
