"""The program as a contestant of the simulated gateway, and the units in which limits are told."""

from __future__ import annotations

from random import Random
from typing import Final

import trio
from gateway_limits import FixedWindow, steady
from gateway_sim import Caller, Job

from bulkstate.engine.gate import Gate
from bulkstate.policy.auto.pilot import NOTHING, Pilot
from bulkstate.policy.concurrency import FEW, ConcurrencyPilot, at_first
from bulkstate.policy.pacing import Pacer

MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0


def per(calls: float, seconds: float = 1.0) -> FixedWindow:
    """So many calls in a fixed window."""
    return FixedWindow(steady(calls), seconds)


class Program:
    """The program: paced by the limits that it is told, or with `rate: auto` where it is told none. What it learnt in
    one job it starts the next with."""

    def __init__(self) -> None:
        self._learnt = NOTHING

    def caller(self, job: Job, random: Random) -> Caller:
        """Engine, gate, pacer and pilot as a run has them."""
        pilot = None if job.told else Pilot(learnt=self._learnt)
        gate = Gate(Pacer(job.told), trio.current_time, trio.current_time, pilot)
        crew = ConcurrencyPilot(job.workers, FEW if pilot is None else at_first(pilot.rate))
        return Caller(gate, job.workers, done=lambda: self._keep(pilot), crew=crew)

    def _keep(self, pilot: Pilot | None) -> None:
        """A new job begins at 0 on a new clock; nobody knows how much later that is."""
        if pilot is not None:
            self._learnt = pilot.learnt().shifted(-trio.current_time())
