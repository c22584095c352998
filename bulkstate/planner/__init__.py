"""From relations to a plan: exactly the selected pairs, in the fewest requests."""

from bulkstate.pairs.digest import digest
from bulkstate.planner.planner import plan

__all__ = ["digest", "plan"]
