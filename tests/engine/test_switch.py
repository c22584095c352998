"""Pausing pipelines and starting them: what they are in afterwards decides, and no answer alone."""

from __future__ import annotations

from random import Random
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.engine.gate import Gate
from bulkstate.engine.reads import Reads
from bulkstate.engine.switch import MEANINGS, NotSwitched, Switch
from bulkstate.gateway.wire import Code
from bulkstate.model import Answer, Attempt, Pipeline, PipelinePage, PipelineStatus, Reply, Start
from bulkstate.policy.pacing import Pacer
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate

from .gateway import ScriptedApi, World
from .session import a_plan, virtually, wall

HOW = Start(0, 1000)
PAUSED, RUNNING = PipelineStatus.PAUSED, PipelineStatus.RUNNING
MOVES = {"pause": (RUNNING, PAUSED, Code.NOT_PAUSABLE), "start": (PAUSED, RUNNING, Code.NOT_STARTABLE)}
DOWN: Reply[bool] = Reply(Answer.UNAVAILABLE, 503)
LOST: Reply[bool] = Reply(Answer.UNANSWERED)
CONTENDED: Reply[bool] = Reply(Answer.UNAVAILABLE, 200, Code.START_CONTENDED)


class Platform(ScriptedApi):
    """One pipeline, which takes `seconds` to change. Each of the answers that are `said` stands for one call; one that
    is lost was heard all the same."""

    def __init__(self, gate: Gate, status: PipelineStatus, said: list[Reply[bool]], seconds: float) -> None:
        super().__init__(World(a_plan(1)), gate)
        self.status, self.said, self.seconds = status, said, seconds
        self.calls: list[str] = []
        self.turns_at = float("inf")
        self.target = status

    async def pause(self, pipeline: str) -> Attempt[bool]:
        return await self._switch("pause")

    async def start(self, pipeline: str, how: Start) -> Attempt[bool]:
        return await self._switch("start")

    async def _switch(self, action: str) -> Attempt[bool]:
        await self._gate.acquire()
        self.calls.append(action)
        said = self.said.pop(0) if self.said else None
        if said is None or said.answer is Answer.UNANSWERED:
            origin, target, code = MOVES[action]
            fits = self._now() is origin
            if fits:
                self.target, self.turns_at = target, anyio.current_time() + self.seconds
            said = said or (Reply(Answer.OK, 200, 0, data=True) if fits else Reply(Answer.REFUSED, 200, code))
        return self._told(Attempt(said, anyio.current_time(), 0.1))

    def _now(self) -> PipelineStatus:
        if anyio.current_time() >= self.turns_at:
            self.status = self.target
        return self.status

    async def pipelines(self, page: int) -> Attempt[PipelinePage]:
        await self._gate.acquire()
        rows = (Pipeline("p", "", self._now()),)
        return self._told(Attempt(Reply(Answer.OK, 200, 0, data=PipelinePage(1, rows)), anyio.current_time(), 0.1))


def switched(action: str, said: list[Reply[bool]], seconds: float = 0.0, attempts: int = 4) -> tuple[Any, Platform]:
    async def main() -> tuple[Any, Platform]:
        gate, retry = Gate(Pacer([Rate(1000, 1.0)]), wall), RetryPolicy(attempts, 1.0, 8.0)
        platform = Platform(gate, MOVES[action][0], list(said), seconds)
        switch = Switch(platform, Reads(platform, gate, retry, Random(1).random), 60.0)
        done = await (switch.pause("p") if action == "pause" else switch.start("p", HOW))
        return done, platform

    found: tuple[Any, Platform] = virtually(main)
    return found


@given(
    st.sampled_from(["pause", "start"]),
    st.lists(st.sampled_from([DOWN, LOST, CONTENDED]), max_size=3),
    st.floats(0.0, 50.0),
)
def test_whatever_is_answered_it_comes_to_the_state_that_was_asked_for(
    action: str, said: list[Reply[bool]], seconds: float
) -> None:
    """Where an answer is lost, the repeat finds it done, or being done, and is refused."""
    if LOST in said and seconds:
        seconds = 0.0
    _, platform = switched(action, said, seconds)
    assert platform.status is MOVES[action][1]
    assert len(platform.calls) == len(said) + 1


def test_one_that_does_not_change_is_waited_for_and_not_for_ever() -> None:
    with pytest.raises(NotSwitched, match="is still RUNNING after 60 s"):
        switched("pause", [], 1e9)


@pytest.mark.parametrize(
    "code", [Code.NOT_PAUSABLE, Code.NOT_STARTABLE, Code.NOT_REQUESTED, Code.BAD_CONFIGURATION, Code.NO_SUCH_PIPELINE]
)
def test_a_refusal_is_explained(code: Code) -> None:
    with pytest.raises(NotSwitched) as caught:
        switched("start", [Reply(Answer.REFUSED, 200, code, "no")])
    assert str(caught.value) == f"pipeline p is PAUSED: {MEANINGS[code]} (HTTP 200, code {code.value}, no)"


def test_somebody_who_starts_jobs_all_the_time_is_named() -> None:
    with pytest.raises(NotSwitched, match="somebody else in the organisation is starting a job"):
        switched("start", [CONTENDED] * 9)
