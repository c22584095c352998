"""What to do with an answer: the table "What an answer means" of docs/architecture.md, as one pure function.

The decision is here, the loop that carries it out in the engine. Delays have full jitter (Brooker, "Exponential
Backoff And Jitter", AWS Architecture Blog, 2015): uniform between 0 and a bound that doubles with each attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from bulkstate.model import Absence, Answer, Cut, Reply, Verdict


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a call is repeated. Delays are in seconds; `attempts` include the first.

    `split`: what is too large, or in doubt again and again, is sent in parts. `budget`: repeats that fail again may be
    this share of all calls. `outage`: the run ends when every call has failed for so many seconds. `resolve`: what
    would be unknown is read back, `resolve_after` so many seconds; None: as long as a call may take.
    """

    attempts: int = 8
    first_delay: float = 0.5
    max_delay: float = 60.0
    split: bool = False
    budget: float = 0.2
    outage: float = 1800.0
    resolve: bool = False
    resolve_after: float | None = None

    def delay(self, attempts: int, jitter: float) -> float:
        """Seconds to wait after so many attempts (at least 1); `jitter` is uniform in [0, 1)."""
        doublings = min(attempts - 1, 64)
        return jitter * min(self.max_delay, self.first_delay * 2.0**doublings)

    def patience(self, attempts: int) -> float:
        """Seconds that the repeats after so many attempts wait at the most, all together."""
        return sum(self.delay(made, 1.0) for made in range(max(1, attempts), self.attempts))

    def granted(self, reply: Reply[object]) -> float:
        """Seconds that an answer wishes not to be asked again (`Retry-After`), no more than any delay may be."""
        return min(max(reply.retry_after or 0.0, 0.0), self.max_delay)

    @property
    def longest_delay(self) -> float:
        """Seconds that the last repeat waits at the most."""
        return self.delay(max(1, self.attempts - 1), 1.0)


@dataclass(frozen=True, slots=True)
class Tries:
    """What a call has been through, the latest attempt included.

    `attempts` leaves out the throttled ones, those that never left, and those that were made while every call failed.
    `unanswered`: some attempt may have arrived and was never answered. `renewed`: it was the credentials that the
    attempt before was refused for, and they have been renewed since. `doubts`: so many of the latest answers in a row
    were undecided, all with the same `doubt`, a status and a code. `level`: so many of the chunks that this one is a
    part of, of a part of, were cut because they were in doubt. `silences`: so many of the latest attempts in a row
    ended with a connection that was closed before a byte came back.
    """

    attempts: int = 0
    unanswered: bool = False
    renewed: bool = False
    doubts: int = 0
    doubt: tuple[int | None, int | None] | None = None
    level: int = 0
    silences: int = 0

    def after(self, reply: Reply[object], counts: bool = True) -> Tries:
        """The same with one more attempt, which `counts` or doesn't. Whatever shows that the credentials were accepted
        makes them new again."""
        unanswered = self.unanswered or reply.answer is Answer.UNANSWERED or reply.resent
        if reply.answer is Answer.THROTTLED:
            return replace(self, unanswered=unanswered) if unanswered else self
        renewed = self.renewed and reply.answer is Answer.CREDENTIALS
        doubt = (reply.status, reply.code) if reply.answer is Answer.UNDECIDED else None
        doubts = 0 if doubt is None else self.doubts + 1 if doubt == self.doubt else 1
        silences = self.silences + 1 if reply.absence is Absence.SILENT else 0
        return Tries(self.attempts + counts, unanswered, renewed, doubts, doubt, self.level, silences)

    @property
    def given_up(self) -> Verdict:
        """How it ends if it is tried no more."""
        return Verdict.UNKNOWN if self.unanswered else Verdict.EXHAUSTED


@dataclass(frozen=True, slots=True)
class Settle:
    """Nothing more to try: this is how it ended, and why, where the answer alone doesn't say that."""

    verdict: Verdict
    why: str = ""


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
    """Send it in parts, each of which is retried on its own: these, once somebody has said where to cut; and why, where
    the answer alone doesn't say that. `doubted`: something in it can't be deleted."""

    cuts: tuple[Cut, ...] = ()
    why: str = ""
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class StopStage:
    """The API refuses the pipeline or the stage itself: no other chunk of the stage will fare better."""


@dataclass(frozen=True, slots=True)
class StopRun:
    """The gateway refuses the caller itself: no other call will fare better."""


DOUBTS: Final = 2
"""After so many identical undecided answers in a row a chunk is split, to find the pairs that they are about; a part of
one that was, after the first."""

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
        case Answer.UNDECIDED if divisible and tries.doubts >= (1 if tries.level else DOUBTS):
            return Split()
        case Answer.UNANSWERED | Answer.UNREACHED | Answer.UNAVAILABLE | Answer.UNDECIDED:
            return again(policy, tries, reply, jitter)


def again(policy: RetryPolicy, tries: Tries, reply: Reply[object], jitter: float) -> Again | Settle:
    """Repeat the call, if it has attempts left: one less for each level of doubt about what it is a part of."""
    if tries.attempts < max(1, policy.attempts - tries.level):
        return Again(max(policy.delay(max(1, tries.attempts), jitter), policy.granted(reply)))
    return Settle(tries.given_up)


DOWN: Final = frozenset({Answer.UNANSWERED, Answer.UNREACHED, Answer.UNAVAILABLE})
"""How calls end where a gateway, or what is behind it, is down."""

FAILED: Final = DOWN | {Answer.UNDECIDED}
"""The answers after which the same call is repeated as it is."""

RESERVE: Final = 100.0
"""Repeats that a budget holds at first and at the most: what was under way when a server restarted goes at once."""

ANYWAY: Final = 5.0
"""So many repeats in the time of the first delay go where the budget is empty: that is how it becomes fuller."""


class RetryBudget:
    """How many repeats a run can afford: where most of them fail again they only keep a gateway down.

    Each call that doesn't fail adds its share, each repeat takes one, and one that doesn't fail gives it back: repeats
    that work are free (the retry quota of the AWS SDKs, with the trickle of Finagle's `RetryBudget`). It delays
    repeats, and fresh calls go on; no call is ever given up for it. Times are seconds of the caller's clock.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self._share = policy.budget
        self._interval = policy.first_delay / ANYWAY
        self._left = RESERVE
        self._next = float("-inf")

    def ready_at(self) -> float:
        """When the next repeat may start: in the past, unless the budget is empty."""
        return self._next if self._left < 1.0 else float("-inf")

    def repeats(self, now: float) -> None:
        """A call is about to be repeated."""
        if self._left >= 1.0:
            self._left -= 1.0
        else:
            self._next = now + self._interval

    def answered(self, tries: Tries, reply: Reply[object]) -> None:
        """The latest of `tries` was answered."""
        if self._left >= RESERVE:
            return
        if reply.answer not in FAILED and reply.answer is not Answer.THROTTLED:
            again = 1.0 if tries.attempts > 1 else 0.0
            self._left = min(RESERVE, self._left + self._share + again)
