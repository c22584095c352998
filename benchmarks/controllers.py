"""Other ways to find a limit, for comparison: fixed workers with full jitter, AIMD, and botocore's adaptive mode.

They do the same job by the same engine and gate; what follows the gateway's answers is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from math import inf
from random import Random
from typing import Final

import trio
from botocore.exceptions import CapacityNotAvailableError
from botocore.retries.adaptive import ClientRateLimiter, RateClocker
from botocore.retries.bucket import Clock, TokenBucket
from botocore.retries.standard import ExponentialBackoff, RetryContext, RetryEventAdapter, ThrottlingErrorDetector
from botocore.retries.throttling import CubicCalculator
from gateway_sim import Caller, Job

from bulkstate.engine.gate import Gate
from bulkstate.gateway.api import StageStateApi
from bulkstate.model import Answer, Attempt, Chunk, Told
from bulkstate.policy.pacing import CATCH_UP, Pacer
from bulkstate.policy.retry import RetryPolicy
from bulkstate.policy.turns import Follower

WORKERS: Final = 32
"""Calls under way at the most, for all of them."""


class Heedless:
    """A gate's `Follower` that lets every call start at once, and learns nothing."""

    rate = inf

    def ready_at(self, now: float) -> float:
        """At any time."""
        return now

    def sent(self, now: float) -> None:
        """A call starts now."""

    def answered(
        self, now: float, sent_at: float, throttled: bool, retry_after: float | None, told: Sequence[Told]
    ) -> None:
        """A call was answered."""

    def lost(self, now: float, sent_at: float) -> None:
        """A call will never be answered."""

    def expect(self, calls: int) -> None:
        """So many calls are left to be made."""

    def binds(self, now: float) -> str:
        """Nobody knows."""
        return ""


def gate_with(follower: Follower) -> Gate:
    """The program's own gate, with somebody else to follow the answers."""
    return Gate(Pacer(()), trio.current_time, trio.current_time, follower)


class Insistent:
    """`ports.StageStateApi` whose workers see to their refused calls themselves: each sleeps, and calls again."""

    def __init__(self, backoff: Callable[[int], float], api: StageStateApi) -> None:
        self._backoff = backoff
        self._api = api
        self.get, self.pipelines, self.renew = api.get, api.pipelines, api.renew

    async def delete(self, chunk: Chunk) -> Attempt[bool]:
        """Call until the answer isn't a 429, with growing pauses."""
        for attempts in count(1):
            attempt = await self._api.delete(chunk)
            if attempt.reply.answer is not Answer.THROTTLED:
                break
            await trio.sleep(self._backoff(attempts))
        return attempt


class FullJitter:
    """Fixed workers and nothing else; a refused call is repeated after a delay drawn as Brooker (2015) does it."""

    def caller(self, job: Job, random: Random) -> Caller:
        """Workers without a pace."""
        policy = RetryPolicy(first_delay=0.5, max_delay=20.0)
        between = partial(Insistent, lambda attempts: policy.delay(attempts, random.random()))
        return Caller(gate_with(Heedless()), WORKERS, between)


class Aimd(Heedless):
    """A rate that grows by a call a second every second and shrinks to nine tenths at a refusal.

    Until the first refusal it grows by itself every second. Calls that started before a cut are one refusal with it.
    """

    def __init__(self) -> None:
        self.rate = 10.0
        self._due = 0.0
        self._cut_at: float | None = None

    def ready_at(self, now: float) -> float:
        """Evenly."""
        return self._due

    def sent(self, now: float) -> None:
        """A late call is made up for by a few milliseconds, as the pacer does it."""
        self._due = max(self._due, now - CATCH_UP) + 1.0 / self.rate

    def answered(
        self, now: float, sent_at: float, throttled: bool, retry_after: float | None, told: Sequence[Told]
    ) -> None:
        """Grow or cut."""
        if not throttled:
            self.rate += 1.0 if self._cut_at is None else 1.0 / self.rate
        elif self._cut_at is None or sent_at > self._cut_at:
            self.rate *= 0.9
            self._cut_at = now


class AimdCaller:
    """AIMD, with refused calls at the head of the queue."""

    def caller(self, job: Job, random: Random) -> Caller:
        """Workers whose calls share one rate."""
        return Caller(gate_with(Aimd()), WORKERS)


class VirtualClock(Clock):
    """botocore's clock, showing trio's time."""

    def current_time(self) -> float:
        """Seconds on the loop's clock."""
        return trio.current_time()


class Impatient(TokenBucket):
    """botocore's bucket, which raises where it would block the thread that the loop runs on."""

    def acquire(self, amount: int = 1, block: bool = True) -> bool:
        """Take tokens. CapacityNotAvailableError if there are too few."""
        return super().acquire(amount, block=False)


THROTTLED: Final = (None, {"Error": {"Code": "TooManyRequestsException"}})
ANSWERED: Final[tuple[None, dict[str, object]]] = (None, {})
"""What botocore makes of an answer: the HTTP response, which it can do without, and the parsed document."""


class Botocore(Heedless):
    """`retry_mode="adaptive"`: botocore's own limiter, put together as its `register_retry_handler` does it."""

    def __init__(self) -> None:
        clock = VirtualClock()
        self.detector: Final = ThrottlingErrorDetector(retry_event_adapter=RetryEventAdapter())
        self._bucket = Impatient(max_rate=1, clock=clock)
        self._limiter = ClientRateLimiter(
            rate_adjustor=CubicCalculator(starting_max_rate=0, start_time=clock.current_time()),
            rate_clocker=RateClocker(clock),
            token_bucket=self._bucket,
            throttling_detector=self.detector,
            clock=clock,
        )
        self._has_token = False

    def ready_at(self, now: float) -> float:
        """As soon as the bucket gave a token, which is kept for the next call; never later before the first refusal."""
        if not self._has_token:
            try:
                self._limiter.on_sending_request(request=None)
            except CapacityNotAvailableError:
                return now + (1.0 - float(self._bucket.available_capacity)) / float(self._bucket.max_rate)
            self._has_token = True
        return now

    def sent(self, now: float) -> None:
        """Spend the token."""
        self._has_token = False

    def answered(
        self, now: float, sent_at: float, throttled: bool, retry_after: float | None, told: Sequence[Told]
    ) -> None:
        """Tell the limiter as botocore's `needs-retry` event does."""
        response = THROTTLED if throttled else ANSWERED
        context: dict[str, object] = {"context": {}}
        self._limiter.on_receiving_response(
            response=response, operation=None, attempts=1, caught_exception=None, request_dict=context
        )


class BotocoreCaller:
    """botocore's adaptive mode with its own backoff. There the third attempt is the last; here nobody gives up."""

    def caller(self, job: Job, random: Random) -> Caller:
        """Workers as threads of a client would be."""
        follower = Botocore()
        backoff = ExponentialBackoff(random=random.random, throttling_detector=follower.detector)

        def delay(attempts: int) -> float:
            return float(backoff.delay_amount(RetryContext(attempts, parsed_response=THROTTLED[1])))

        return Caller(gate_with(follower), WORKERS, partial(Insistent, delay))
