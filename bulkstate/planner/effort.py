"""How hard the planner tries."""

from __future__ import annotations

from typing import Final

from bulkstate.model import Effort
from bulkstate.planner.cover.effort import NORMAL, QUICK, THOROUGH, Steps

STEPS: Final[dict[Effort, Steps]] = {Effort.QUICK: QUICK, Effort.NORMAL: NORMAL, Effort.THOROUGH: THOROUGH}
"""How many steps of each kind."""
