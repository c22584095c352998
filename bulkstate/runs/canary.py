"""Which chunks go first, one of a stage, to be read back before the rest of their stage follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bulkstate.config import AUTO
from bulkstate.engine.canary import Canary
from bulkstate.errors import CheckFailed
from bulkstate.model import Stage
from bulkstate.pairs.chunks import by_stage, holders
from bulkstate.runs.look import Looked, ask_stages
from bulkstate.runs.session import Session

MANY: Final = 10
"""A stage of more chunks has a canary of its own accord."""

MOST_TRIES: Final = 3
"""So many chunks of a stage are tried, until one is deleted."""


async def require_readable(session: Session, numbers: Sequence[int], looked: Looked) -> Looked:
    """What was looked at, and, where every stage is to have a canary, that each can be read. CheckFailed."""
    if session.settings.safety.canary is not True:
        return looked
    stages = {stage for stage, own in by_stage(session.journal.chunks(), numbers) if own} - looked.unknown.keys()
    if not looked.readable and not looked.unknown:
        looked = await ask_stages(session, numbers)
    unread = sorted(stages - looked.readable - looked.unknown.keys())
    if unread:
        message = f"safety.canary: true, and the state of stage {unread[0]} can't be read"
        raise CheckFailed(message, hint="safety.canary: auto goes without where that is so; nothing was sent")
    return looked


def canary_of(session: Session, numbers: Sequence[int], looked: Looked) -> Canary | None:
    """The canaries of those stages that are to have one; chunks in which state was seen before all others."""
    wanted = session.settings.safety.canary
    if wanted is False:
        return None
    chunks = session.journal.chunks()
    own: dict[Stage, Sequence[int]] = {}
    for stage, some in by_stage(chunks, numbers):
        whole = stage not in own and len(some) > (MANY if wanted == AUTO else 0)
        if whole and some[0] < chunks.plan.requests and stage in looked.readable:
            own[stage] = some
    if not own:
        return None
    seen = ((each.stage, each.pair) for each in session.journal.looked_at() if each.state and each.stage in own)
    with_state: dict[Stage, list[int]] = {}
    for (stage, _), number in holders(chunks, (number for some in own.values() for number in some), seen).items():
        with_state.setdefault(stage, []).append(number)
    candidates = {stage: _some(some, with_state.get(stage, ())) for stage, some in own.items()}
    retry, timeout = session.settings.retry, session.settings.gateway.timeout
    patience = timeout if retry.resolve_after is None else retry.resolve_after
    return Canary(session.connection.reads, candidates, patience)


def _some(numbers: Sequence[int], with_state: Sequence[int]) -> list[int]:
    """A few: first those in which state was seen, then others from all over the stage."""
    spread = numbers[:: max(1, len(numbers) // MOST_TRIES)]
    return list(dict.fromkeys((*with_state, *spread)))[:MOST_TRIES]


def reads_of_canaries(session: Session) -> int:
    """How many reads canaries take, of those that all looks share."""
    wanted, chunks = session.settings.safety.canary, session.journal.chunks()
    if wanted is False:
        return 0
    least = MANY if wanted == AUTO else 0
    return sum(len(stage.rectangles) > least for stage in chunks.plan.stages)
