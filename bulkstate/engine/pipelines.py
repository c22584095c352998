"""Are the pipelines of a run paused: before its first delete, while it sends, and after the last answer?

What was deleted since they were last seen paused is unconfirmed: had one of them run, the state may have come back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

import anyio
import anyio.lowlevel

from bulkstate.engine.gate import GateClosed
from bulkstate.engine.reads import ReadFailed, Reads
from bulkstate.errors import CheckFailed, PipelineNotPaused, StatusUnread, Stopped
from bulkstate.model import Outcome, Pipeline, PipelineStatus, Reply, Verdict, describe

BLIND_LOOKS: Final = 3
LONGEST_BLIND: Final = 120.0
"""After the time of so many looks, or so many seconds if that is less, in which none succeeded, deletes are held."""

BLIND: Final = "nobody can say whether the pipelines are paused"

MOST_UPDATES: Final = 3

SOON: Final = 5.0
"""Where a pipeline runs that should be paused it is looked at so often, in seconds: nothing else is going on."""


def is_paused(pipeline: Pipeline | None) -> bool:
    """Whether a pipeline, as it is listed, is paused; one that isn't listed is not."""
    return pipeline is not None and pipeline.status == PipelineStatus.PAUSED


# ── before ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `passed` is whether a run may start, None where nobody could say whether all is as
    it should be, which forbids nothing; `detail` says what was found, and `hint` what to do about it."""

    subject: str
    passed: bool | None
    detail: str
    hint: str = ""


async def first_look(reads: Reads, pipelines: Collection[str], require_paused: bool) -> tuple[Finding, ...]:
    """Does the gateway let us in, and is every pipeline paused? Never raises for what it answers: that is a finding."""
    try:
        found = await reads.pipelines(pipelines)
    except ReadFailed as failure:
        return (Finding("gateway", False, str(failure)),)
    entry = Finding("gateway", True, "it answers, and accepts the credentials")
    return (entry, *findings(found, pipelines, require_paused))


def findings(
    found: Mapping[str, Pipeline],
    wanted: Collection[str],
    require_paused: bool,
    pauses: bool = False,
    names: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Whether each of the wanted pipelines is as a run needs it, given those that the gateway lists. One that runs may
    do so until the run `pauses` it; of some it is said by which `names` they have to go."""
    known = {} if names is None else names
    return tuple(
        _named(name, found.get(name), known[name])
        if name in known and (name not in found or found[name].name != known[name])
        else _finding(name, found.get(name), require_paused, pauses)
        for name in sorted(set(wanted))
    )


def _named(id_: str, found: Pipeline | None, name: str) -> Finding:
    """One that isn't what somebody takes it for."""
    called = "is not in the organisation's list of pipelines" if found is None else f"is called “{found.name}”"
    return Finding(
        f"pipeline {id_}", False, f"{called}, and has to be “{name}”", "look at its ID, and at gateway.org_id"
    )


def _finding(name: str, found: Pipeline | None, require_paused: bool, pauses: bool) -> Finding:
    detail = "is not in the organisation's list of pipelines" if found is None else f"is {found.status}"
    will_be = pauses and found is not None and found.status == PipelineStatus.RUNNING
    hint = "the run pauses it" if will_be else ""
    return Finding(f"pipeline {name}", is_paused(found) or will_be or not require_paused, detail, hint)


def require(found: Collection[Finding]) -> None:
    """CheckFailed, naming everything that isn't as a run needs it."""
    failed = [f"{finding.subject} {finding.detail}" for finding in found if not finding.passed]
    if failed:
        raise CheckFailed("; ".join(failed), hint="put that right and start again: nothing was deleted")


# ── while it sends, and after ─────────────────────────────────────────────────────────────────────────────────────


class StatusWatch:
    """Looks at the pipelines' status, at most once at a time, and knows which deletes are unconfirmed.

    There is a look every so many seconds, and one after the last answer; none but those that are asked for without
    `every`. `say` is told what people should know at once. Times are loop seconds.

    A pipeline that runs ends the run; or, if it `waits`, deletes are held until all are paused again, and what was
    deleted since the last look that found them so is suspect.
    """

    def __init__(
        self,
        reads: Reads,
        pipelines: Collection[str],
        every: Callable[[], float] | None = None,
        say: Callable[[str], None] = lambda text: None,
        waits: bool = False,
    ) -> None:
        self._reads = reads
        self._pipelines = frozenset(pipelines)
        self._every = every
        self._say = say
        self._waits = waits and every is not None
        self._wanted_at = float("inf")
        self._doubt_again_at = float("-inf")
        self._doubt_gap = SOON
        self._ran_since = float("inf")
        self._permitted_at = float("-inf")
        self._suspect: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint
        self._updates = Updates(reads.listed)
        self._suspects: list[Outcome] = []
        self._confirmed_at = float("-inf")
        self._confirmed = anyio.Event()
        self._turn = anyio.Lock()
        self._asked = anyio.Event()
        self._looked_at = float("-inf")
        self._running = ""
        self._unread = ""
        self._ended_unread = False
        self._unconfirmed: list[tuple[float, Outcome]] = []
        self.seen: Mapping[str, Pipeline] = {}
        """What the last look found, nothing if that failed."""

    async def watch(self, stop: Callable[[Stopped], None], suspect: Callable[[], Awaitable[None]]) -> None:
        """Look again and again, until a look ends the run, or looks have failed for too long: `stop` is told why.
        Whoever is to put on record what `sent_again` has is called at once."""
        if self._every is None:
            return
        self._suspect = suspect
        self._confirmed_at = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._withhold_when_blind, min(BLIND_LOOKS * self._every(), LONGEST_BLIND), stop)
            stop(await self._look_again_and_again(self._every))
            tasks.cancel_scope.cancel()

    async def _look_again_and_again(self, every: Callable[[], float]) -> Stopped:
        while True:
            await self._until_due(anyio.current_time() + (min(SOON, every()) if self.waiting else every()))
            if self._wanted_at <= (now := anyio.current_time()):
                self._doubt_again_at = now + self._doubt_gap
                self._doubt_gap = max(self._doubt_gap, min(2 * self._doubt_gap, every()))
            self._wanted_at = float("inf")
            if ending := await self._look_around():
                return ending

    async def _until_due(self, due: float) -> None:
        """Wait until then, or until a look is wanted before."""
        while (left := min(due, self._wanted_at) - anyio.current_time()) > 0:
            with anyio.move_on_after(left):
                await self._asked.wait()
            self._asked = anyio.Event()

    async def _withhold_when_blind(self, patience: float, stop: Callable[[Stopped], None]) -> None:
        """Withhold deletes while nobody can say whether the pipelines are paused, and end the run if that lasts."""
        while True:
            await anyio.sleep(max(self._confirmed_at + patience - anyio.current_time(), patience / BLIND_LOOKS))
            if not self._reads.trouble or anyio.current_time() < self._confirmed_at + patience:
                continue
            self._say(f"deletes are held: {BLIND} ({self._reads.trouble})")
            self._reads.gate.withhold(BLIND)
            with anyio.move_on_after(self._confirmed_at + self._reads.retry.outage - anyio.current_time()):
                await self._confirmed.wait()
                self._say("deletes go on: the pipelines are paused")
                self._reads.gate.permit()
                continue
            if self.waiting:
                continue
            self._ended_unread = True
            seconds = anyio.current_time() - self._confirmed_at
            stop(StatusUnread(f"for {seconds:,.0f} s {BLIND}: {self._reads.trouble}"))
            return

    def doubted(self) -> None:
        """A delete was refused for no reason that is known, as one may be where a pipeline runs: look at once, and the
        more rarely the more often that was in vain."""
        self._want(max(anyio.current_time(), self._doubt_again_at))

    def look_soon(self) -> None:
        """Look as soon as a read gets its turn: in a long pause much may have happened."""
        self._want(anyio.current_time())

    def _want(self, at: float) -> None:
        if at < self._wanted_at:
            self._wanted_at = at
            self._asked.set()

    async def last_look(self) -> Stopped | None:
        """After the last answer: why the run isn't over well, if so."""
        if self._every is None:
            return None
        ending = await self._look_around()
        while ending is None and self.waiting:
            await anyio.sleep(min(SOON, self._every()))
            ending = await self._look_around()
        if ending is None and self._unread and self._unconfirmed:
            self._ended_unread = True
            return StatusUnread(f"nobody knows whether the pipelines are still paused: {self._unread}")
        return ending

    async def _look_around(self) -> Stopped | None:
        try:
            return await self.look(anyio.current_time())
        except GateClosed:
            return None
        except Stopped as reason:
            return reason

    async def look(self, asked_at: float) -> PipelineNotPaused | None:
        """Why the run must stop: a pipeline isn't paused. None if all are, or if the gateway doesn't say.

        A look that began at `asked_at` or later is as good as a new one, one that failed included: else all who ask
        would wait for retries of their own, one after the other. GateClosed, JournalNotWritable.
        """
        async with self._turn:
            if self._looked_at < asked_at:
                await self._look()
        if not self._running:
            return None
        patience = self._reads.retry.outage if self._waits else 0.0
        ran = anyio.current_time() - self._ran_since
        waited = f", and nobody paused it again for {ran:,.0f} s" if self._waits else ""
        if ran < patience:
            return None
        return PipelineNotPaused(f"{self._running}, while its state was being deleted{waited}")

    @property
    def waiting(self) -> bool:
        """A pipeline runs, and deletes are held until it is paused again."""
        return self._waits and bool(self._running)

    async def _look(self) -> None:
        began = anyio.current_time()
        try:
            found = await self._reads.pipelines(self._pipelines, self._fails)
        except ReadFailed as failure:
            self._fails(failure.reply)
            self._unread, self.seen = str(failure), {}
        else:
            self.seen = found
            ran, self._running = self._running, self._not_paused(found)
            self._unread = ""
            if self._running:
                self._hold(began)
            else:
                self._go_on(bool(ran))
                self._confirm(began, found, bool(ran))
        self._looked_at = began
        if self._suspects:
            await self._suspect()

    def _fails(self, reply: Reply[object]) -> None:
        """Say the first failure at once: repeating the call may take longer than anybody should wait for the word."""
        if not self._unread:
            self._unread = f"List Pipelines: {describe(reply)}"
            self._say(f"the status of the pipelines can't be read: {self._unread}")

    def _hold(self, now: float) -> None:
        """A pipeline runs: nothing is deleted any more."""
        self._ran_since = min(self._ran_since, now)
        if self._waits:
            self._suspect_unconfirmed()
        if self._waits and self._ran_since == now:
            self._say(f"deletes are held until it is paused again: {self._running}")
            self._reads.gate.withhold(self._running)

    def _go_on(self, ran: bool) -> None:
        """All are paused. What was deleted since they were before, or is being deleted yet, may have come back if one
        `ran`."""
        self._ran_since = float("inf")
        if ran and self._waits:
            self._suspect_unconfirmed()
            self._permitted_at = anyio.current_time()
            self._say("deletes go on: the pipelines are paused again; what was deleted since they were is sent again")
            self._reads.gate.permit()

    def _suspect_unconfirmed(self) -> None:
        self._suspects += [outcome for _, outcome in self._unconfirmed]
        self._unconfirmed.clear()

    def _confirm(self, began: float, found: Mapping[str, Pipeline], ran: bool) -> None:
        """All pipelines are paused; but one that was changed since may have run in between."""
        earlier = [outcome for at, outcome in self._unconfirmed if at <= began]
        self._unconfirmed = [(at, outcome) for at, outcome in self._unconfirmed if at > began]
        changed = self._updates.seen(found)
        if changed and not ran:
            self._say(
                f"pipeline {changed} was changed and may have run: what was deleted since the last look is suspect"
            )
            self._suspects += earlier
        if self._updates.is_news:
            self._say("the pipelines' updateTime changes at every look though they are paused: it isn't believed now")
            self._suspects.clear()
        self._confirmed_at = began
        confirmed, self._confirmed = self._confirmed, anyio.Event()
        confirmed.set()

    def _not_paused(self, found: dict[str, Pipeline]) -> str:
        """Which of the pipelines aren't, in words; empty if all are."""
        running = [name for name in sorted(self._pipelines) if not is_paused(found.get(name))]
        return "; ".join(
            f"pipeline {name} is {found[name].status if name in found else 'not listed'}" for name in running
        )

    # ── what is unconfirmed ───────────────────────────────────────────────────────────────────────────────────────

    def deleted(self, now: float, sent_at: float, outcome: Outcome) -> None:
        """A chunk was deleted, by an answer that came now to a call that was sent then."""
        if sent_at < self._permitted_at:
            self._suspects.append(outcome)
        elif self._every is not None:
            self._unconfirmed.append((now, outcome))

    def sent_again(self) -> list[Outcome]:
        """What has become suspect since this was asked last and is to be sent again: records for it. None but where it
        `waits`."""
        if not self._waits:
            return []
        found, self._suspects = self._suspects, []
        return list(map(_suspect, found))

    def suspects(self) -> list[Outcome]:
        """What was deleted since the pipelines were last known to be paused and may have come back: records for it.

        To be asked when no call is under way any more, so that those which were at that time are among it.
        """
        found = list(self._suspects)
        if self._running or self._ended_unread:
            found += [outcome for _, outcome in self._unconfirmed]
        return list(map(_suspect, found))


def _suspect(outcome: Outcome) -> Outcome:
    return replace(outcome, verdict=Verdict.SUSPECT, attempts=0, throttled=0)


class Updates:
    """When pipelines were changed, as far as `updateTime` says so. One that changes at so many looks in a row, though
    the pipeline is paused, isn't believed any more."""

    def __init__(self, seen: Mapping[str, Pipeline]) -> None:
        self._known = {name: pipeline.updated for name, pipeline in seen.items() if pipeline.updated}
        self._in_a_row = 0
        self.is_news = False
        """The latest look is the one after which it isn't believed."""

    def seen(self, found: Mapping[str, Pipeline]) -> str:
        """Which pipeline was changed since the look before; empty if none was, or nobody can tell."""
        self.is_news = False
        if self._in_a_row >= MOST_UPDATES:
            return ""
        told = {name: pipeline.updated for name, pipeline in found.items() if pipeline.updated}
        changed = [name for name, updated in sorted(told.items()) if self._known.get(name, updated) != updated]
        self._known |= told
        self._in_a_row = self._in_a_row + 1 if changed else 0
        self.is_news = self._in_a_row >= MOST_UPDATES
        return changed[0] if changed else ""
