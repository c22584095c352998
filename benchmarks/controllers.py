"""Other ways to find a limit, for comparison: fixed workers with full jitter, AIMD, and botocore's adaptive mode.

They do the same job by the same engine. Each stands in front of the program's own gate, which is wide open behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random
from typing import Any, Final, Protocol

import anyio
import trio
from botocore.exceptions import CapacityNotAvailableError
from botocore.retries.adaptive import ClientRateLimiter, RateClocker
from botocore.retries.bucket import Clock, TokenBucket
from botocore.retries.standard import ExponentialBackoff, RetryContext, RetryEventAdapter, ThrottlingErrorDetector
from botocore.retries.throttling import CubicCalculator
from gateway_sim import Caller, Job

from bulkstate.gate import Gate
from bulkstate.model import Answer, Attempt, Chunk
from bulkstate.policy.pacing import Pacer, Window
from bulkstate.policy.retry import RetryPolicy
from bulkstate.ports import StageStateApi

WORKERS: Final = 32
"""Calls under way at the most, for all of them."""

TICK: Final = 1e-6
"""Seconds that a wait takes at least: a smaller sum may not move a virtual clock at all."""

WIDE_OPEN: Final = Window(1_000_000_000, 1.0)


class Controller(Protocol):
    """Decides when a call may start, from how earlier ones were answered. Times are loop seconds."""

    def wait(self, now: float) -> float:
        """Take a turn: 0; or the seconds after which to ask again."""
        ...

    def answered(self, now: float, sent_at: float, refused: bool) -> None:
        """A call that started at `sent_at` got a 429, or another answer."""
        ...


class ControlledGate(Gate):
    """The gate, with a controller in front of it. First come, first served."""

    def __init__(self, controller: Controller) -> None:
        super().__init__(Pacer([WIDE_OPEN]), trio.current_time, trio.current_time)
        self._controller = controller
        self._line = anyio.Lock(fast_acquire=True)

    async def acquire(self) -> None:
        """Wait until the controller gives a turn."""
        async with self._line:
            await self._be_given_a_turn()
        await super().acquire()

    async def _be_given_a_turn(self) -> None:
        seconds = self._controller.wait(trio.current_time())
        while seconds > 0:
            await trio.sleep(max(seconds, TICK))
            seconds = self._controller.wait(trio.current_time())

    def answered(self, attempt: Attempt[Any]) -> None:
        """Tell the controller, and pause nobody."""
        refused = attempt.reply.answer is Answer.THROTTLED
        self._controller.answered(trio.current_time(), attempt.sent_at, refused)


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


def insistent(controller: Controller, backoff: Callable[[int], float]) -> Caller:
    """Fixed workers, each with its own retries."""
    gate = ControlledGate(controller)
    return Caller(gate, WORKERS, partial(Insistent, backoff))


class Unpaced:
    """Every call at once."""

    def wait(self, now: float) -> float:
        """Never."""
        return 0.0

    def answered(self, now: float, sent_at: float, refused: bool) -> None:
        """Learn nothing from it."""


class FullJitter:
    """Fixed workers and nothing else; a refused call is repeated after a delay drawn as Brooker (2015) does it."""

    def caller(self, job: Job, random: Random) -> Caller:
        """Workers without a pace."""
        policy = RetryPolicy(first_delay=0.5, max_delay=20.0)
        return insistent(Unpaced(), lambda attempts: policy.delay(attempts, random.random()))


class Aimd:
    """A rate that grows by a call a second every second and shrinks to nine tenths at a refusal.

    Until the first refusal it grows by itself every second. Calls that started before a cut are one refusal with it.
    """

    def __init__(self) -> None:
        self._rate = 10.0
        self._due = 0.0
        self._cut_at: float | None = None

    def wait(self, now: float) -> float:
        """Evenly; nothing is made up for."""
        if self._due > now:
            return self._due - now
        self._due = now + 1.0 / self._rate
        return 0.0

    def answered(self, now: float, sent_at: float, refused: bool) -> None:
        """Grow or cut."""
        if not refused:
            self._rate += 1.0 if self._cut_at is None else 1.0 / self._rate
        elif self._cut_at is None or sent_at > self._cut_at:
            self._rate *= 0.9
            self._cut_at = now


class AimdCaller:
    """AIMD, with refused calls at the head of the queue."""

    def caller(self, job: Job, random: Random) -> Caller:
        """Workers whose calls share one rate."""
        return Caller(ControlledGate(Aimd()), WORKERS)


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


class Botocore:
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

    def wait(self, now: float) -> float:
        """Until the bucket holds a whole token, at its present rate; never before the first refusal."""
        try:
            self._limiter.on_sending_request(request=None)
        except CapacityNotAvailableError:
            return (1.0 - self._bucket.available_capacity) / self._bucket.max_rate
        return 0.0

    def answered(self, now: float, sent_at: float, refused: bool) -> None:
        """Tell the limiter as botocore's `needs-retry` event does."""
        response = THROTTLED if refused else ANSWERED
        context: dict[str, object] = {"context": {}}
        self._limiter.on_receiving_response(
            response=response, operation=None, attempts=1, caught_exception=None, request_dict=context
        )


class BotocoreCaller:
    """botocore's adaptive mode with its own backoff. There the third attempt is the last; here nobody gives up."""

    def caller(self, job: Job, random: Random) -> Caller:
        """Workers as threads of a client would be."""
        controller = Botocore()
        backoff = ExponentialBackoff(random=random.random, throttling_detector=controller.detector)

        def delay(attempts: int) -> float:
            seconds: float = backoff.delay_amount(RetryContext(attempts, parsed_response=THROTTLED[1]))
            return seconds

        return insistent(controller, delay)
