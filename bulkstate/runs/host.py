"""What surrounds a run: whoever starts one, at a command line or in a program, is its host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from bulkstate.engine.ports import Observer
from bulkstate.errors import NotConfirmed
from bulkstate.model import Attempt, LookAhead, Outcome, PipelineSeen, Plan, Stage
from bulkstate.pairs.chunks import Chunks
from bulkstate.policy.bottleneck import Holding
from bulkstate.policy.presence import NOTHING_LOOKED_AT, Presence
from bulkstate.runs.provenance import Voucher
from bulkstate.runs.stopping import Stopping
from bulkstate.selection import Fingerprint


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody is asked to agree to: the plan, what was seen of its pipelines, how much of it has state, and which
    stages are left out, because the gateway doesn't know them. `target` and `approval` are digests of it, `inputs` what
    it was made of. `ahead` is what somebody saw when the plan was made, where nobody has looked since; `witnesses` have
    state, as far as somebody has looked."""

    plan: Plan
    pipelines: Sequence[PipelineSeen] = ()
    found: Presence = NOTHING_LOOKED_AT
    left_out: Sequence[Stage] = ()
    target: str = ""
    approval: str = ""
    inputs: Sequence[Fingerprint] = ()
    ahead: LookAhead | None = None
    witnesses: int | None = None


Agree: TypeAlias = Callable[[Question], Awaitable[str]]
"""Asks somebody whether the plan may be carried out, and tells how they said yes; NotConfirmed if they didn't."""

Audience: TypeAlias = Callable[[Chunks, Sequence[int]], AbstractContextManager[Observer]]
"""Makes whatever shows people how the chunks with these numbers are being sent."""


async def nobody_agrees(_question: Question) -> str:
    """Law 2, where nobody said who agrees."""
    raise NotConfirmed("nobody is there to agree to the plan")


class Silence:
    """An observer that shows nothing."""

    def attempted(self, attempt: Attempt[bool]) -> None:
        """A delete was sent and answered, or was not."""

    def settled(self, outcome: Outcome, pairs: int) -> None:
        """A chunk of `pairs` pairs has an outcome, and it is on disk."""

    def paused(self, seconds: float, reason: str) -> None:
        """No call will start for so many seconds."""

    def held(self, holding: Holding) -> None:
        """This is what holds the run back now."""


def nobody_watches(_chunks: Chunks, _numbers: Sequence[int]) -> AbstractContextManager[Observer]:
    """For a run that is to show nothing."""
    return nullcontext(Silence())


@dataclass(frozen=True, slots=True)
class Host:
    """What a run is given beside what it is to do.

    `environ` has the values of secrets, `stopping` ends the run from outside, `agree` is asked before the first delete,
    and `audience` shows how it goes on. `state` is the file for what is known of the gateway from other runs, None: the
    usual one; `config` a configuration of the host's own, for a run that others may have made. `reference` is what
    people call the reason for it all, such as the number of a change.
    """

    environ: Mapping[str, str]
    stopping: Stopping = field(default_factory=Stopping)
    agree: Agree = nobody_agrees
    audience: Audience = nobody_watches
    state: Path | None = None
    config: Path | None = None
    reference: str = ""

    @property
    def voucher(self) -> Voucher:
        """What the host brings to vouch for a run directory that others may have made."""
        return Voucher(self.environ, self.config)
