"""How hard the planner tries, and how hard it is worth trying."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from bulkstate.model import Effort
from bulkstate.planner.cover.effort import NORMAL, QUICK, THOROUGH, Steps, Work

STEPS: Final[dict[Effort, Steps]] = {Effort.QUICK: QUICK, Effort.NORMAL: NORMAL, Effort.THOROUGH: THOROUGH}
"""How many steps of each kind."""

Pace: TypeAlias = Callable[[int], float]
"""How many seconds sending so many requests takes."""

_SPARED: Final = {Effort.QUICK: 0.0, Effort.NORMAL: 0.07, Effort.THOROUGH: 0.095}
"""The share of a quick plan's requests that an effort spares where the bound allows: measured on fleets with holes."""


def worthwhile(requests: int, bound: int, work: Work, pace: Pace) -> Effort:
    """The effort that saves most time in all, planning and sending together, where a quick plan takes so many requests.

    What a search costs and spares is an estimate, but a fixed one: everybody comes to the same effort.
    """

    beyond_bound = (requests - bound) / max(requests, 1)

    def gained(effort: Effort) -> float:
        return pace(requests) * min(_SPARED[effort], beyond_bound) - work.seconds(STEPS[effort])

    return max(STEPS, key=gained)
