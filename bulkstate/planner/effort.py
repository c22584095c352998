"""How hard the planner tries."""

from __future__ import annotations

from enum import StrEnum

from bulkstate.planner.cover.effort import NORMAL, QUICK, THOROUGH, Steps


class Effort(StrEnum):
    """Bounds of the search, in steps: the same effort makes the same plan on every machine."""

    QUICK = "quick"
    NORMAL = "normal"
    THOROUGH = "thorough"

    @property
    def steps(self) -> Steps:
        """How many of each kind."""
        match self:
            case Effort.QUICK:
                return QUICK
            case Effort.NORMAL:
                return NORMAL
            case Effort.THOROUGH:
                return THOROUGH
