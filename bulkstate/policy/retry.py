"""What to do with an answer: the table "What an answer means" of docs/architecture.md, as one pure function.

The decision is here, the loop that carries it out in the engine. Delays have full jitter (Brooker, "Exponential
Backoff And Jitter", AWS Architecture Blog, 2015): uniform between 0 and a bound that doubles with each attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from bulkstate.model import Answer, Reply, Verdict


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a call is repeated. Delays are in seconds; `attempts` include the first.

    `split`: what is too large, or in doubt again and again, is sent in parts.
    """

    attempts: int = 8
    first_delay: float = 0.5
    max_delay: float = 60.0
    split: bool = False

    def delay(self, attempts: int, jitter: float) -> float:
        """Seconds to wait after so many attempts (at least 1); `jitter` is uniform in [0, 1)."""
        doublings = min(attempts - 1, 64)
        return jitter * min(self.max_delay, self.first_delay * 2.0**doublings)


@dataclass(frozen=True, slots=True)
class Tries:
    """What a call has been through, the latest attempt included.

    `attempts` leaves out the throttled ones. `unanswered`: some attempt may have arrived and was never answered.
    `renewed`: it was the credentials that the attempt before was refused for, and they have been renewed since.
    `doubts`: so many of the latest answers in a row were undecided, all with the same `doubt`, a status and a code.
    """

    attempts: int = 0
    unanswered: bool = False
    renewed: bool = False
    doubts: int = 0
    doubt: tuple[int | None, int | None] | None = None

    def after(self, reply: Reply[object]) -> Tries:
        """The same with one more attempt. Whatever shows that the credentials were accepted makes them new again."""
        if reply.answer is Answer.THROTTLED:
            return self
        unanswered = self.unanswered or reply.answer is Answer.UNANSWERED
        renewed = self.renewed and reply.answer is Answer.CREDENTIALS
        doubt = (reply.status, reply.code) if reply.answer is Answer.UNDECIDED else None
        doubts = 0 if doubt is None else self.doubts + 1 if doubt == self.doubt else 1
        return Tries(self.attempts + 1, unanswered, renewed, doubts, doubt)


@dataclass(frozen=True, slots=True)
class Settle:
    """Nothing more to try: this is how it ended."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Again:
    """Try again, `delay` seconds from now."""

    delay: float


@dataclass(frozen=True, slots=True)
class Yield:
    """The gateway's limit was hit: everybody pauses, this call goes first afterwards, and it was no attempt."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Renew the credentials, once for all who wait, and repeat the call once."""


@dataclass(frozen=True, slots=True)
class Split:
    """Send it in parts, each of which is retried on its own."""


@dataclass(frozen=True, slots=True)
class StopStage:
    """The API refuses the pipeline or the stage itself: no other chunk of the stage will fare better."""


@dataclass(frozen=True, slots=True)
class StopRun:
    """The gateway refuses the caller itself: no other call will fare better."""


DOUBTS: Final = 2
"""After so many identical undecided answers in a row a chunk is split, to find the pairs that they are about."""

Decision: TypeAlias = Settle | Again | Yield | Renew | Split | StopStage | StopRun


def decide(policy: RetryPolicy, tries: Tries, reply: Reply[object], jitter: float, pairs: int = 1) -> Decision:
    """What to do after `reply`, the answer to the latest of `tries`; `jitter` is uniform in [0, 1).

    The call can be made in parts if it names more than one pair.
    """
    divisible = policy.split and pairs > 1
    match reply.answer:
        case Answer.OK:
            return Settle(Verdict.DELETED)
        case Answer.THROTTLED:
            return Yield()
        case Answer.CREDENTIALS:
            return StopRun() if tries.renewed else Renew()
        case Answer.GATEWAY_REFUSED:
            return StopRun()
        case Answer.STAGE_REFUSED:
            return StopStage()
        case Answer.REFUSED:
            return Settle(Verdict.REFUSED)
        case Answer.TOO_LARGE:
            return Split() if divisible else Settle(Verdict.REFUSED)
        case Answer.UNDECIDED if divisible and tries.doubts >= DOUBTS:
            return Split()
        case Answer.UNANSWERED | Answer.UNREACHED | Answer.UNAVAILABLE | Answer.UNDECIDED:
            return _again(policy, tries, jitter)


def _again(policy: RetryPolicy, tries: Tries, jitter: float) -> Decision:
    if tries.attempts < policy.attempts:
        return Again(policy.delay(tries.attempts, jitter))
    return Settle(Verdict.UNKNOWN if tries.unanswered else Verdict.EXHAUSTED)
