"""What to do with an answer: the table "What an answer means" of docs/architecture.md, as one pure function.

The decision is here, the loop that carries it out in the engine. Delays have full jitter (Brooker, "Exponential
Backoff And Jitter", AWS Architecture Blog, 2015): uniform between 0 and a bound that doubles with each attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from bulkstate.model import Answer, Reply, Verdict


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a call is repeated. Delays are in seconds; `attempts` include the first."""

    attempts: int = 8
    first_delay: float = 0.5
    max_delay: float = 60.0

    def delay(self, attempts: int, jitter: float) -> float:
        """Seconds to wait after so many attempts (at least 1); `jitter` is uniform in [0, 1)."""
        doublings = min(attempts - 1, 64)
        return jitter * min(self.max_delay, self.first_delay * 2.0**doublings)


@dataclass(frozen=True, slots=True)
class Tries:
    """What a call has been through, the latest attempt included.

    `attempts` leaves out the throttled ones. `unanswered`: some attempt may have arrived and was never answered.
    `renewed`: it was the credentials that the attempt before was refused for, and they have been renewed since.
    """

    attempts: int = 0
    unanswered: bool = False
    renewed: bool = False

    def after(self, answer: Answer) -> Tries:
        """The same with one more attempt. Whatever shows that the credentials were accepted makes them new again."""
        if answer is Answer.THROTTLED:
            return self
        unanswered = self.unanswered or answer is Answer.UNANSWERED
        return Tries(self.attempts + 1, unanswered, self.renewed and answer is Answer.CREDENTIALS)


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
class StopStage:
    """The API refuses the pipeline or the stage itself: no other chunk of the stage will fare better."""


@dataclass(frozen=True, slots=True)
class StopRun:
    """The gateway refuses the caller itself: no other call will fare better."""


Decision: TypeAlias = Settle | Again | Yield | Renew | StopStage | StopRun


def decide(policy: RetryPolicy, tries: Tries, reply: Reply[object], jitter: float) -> Decision:
    """What to do after `reply`, the answer to the latest of `tries`; `jitter` is uniform in [0, 1)."""
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
        case Answer.REFUSED | Answer.TOO_LARGE:
            return Settle(Verdict.REFUSED)
        case Answer.UNANSWERED | Answer.UNREACHED | Answer.UNAVAILABLE | Answer.UNDECIDED:
            return _again(policy, tries, jitter)


def _again(policy: RetryPolicy, tries: Tries, jitter: float) -> Decision:
    if tries.attempts < policy.attempts:
        return Again(policy.delay(tries.attempts, jitter))
    return Settle(Verdict.UNKNOWN if tries.unanswered else Verdict.EXHAUSTED)
