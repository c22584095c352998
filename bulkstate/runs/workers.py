"""How many calls may be under way at once: as many as were asked for, or as many as are found, within what this machine
bears."""

from __future__ import annotations

import resource
from typing import Final

from bulkstate.config import AUTO, MOST_CONCURRENCY, Auto
from bulkstate.gateway import wire
from bulkstate.model import Chunk, Plan, Rectangle, StagePlan
from bulkstate.policy.auto.pilot import Pilot
from bulkstate.policy.concurrency import FEW, ConcurrencyPilot, at_first

BODIES: Final = 64 << 20
"""Bytes of request bodies under way at the most."""

DESCRIPTORS: Final = 0.5
"""The share of the descriptors allowed that connections may take."""


def workers(concurrency: int | Auto, plan: Plan, pilot: Pilot | None) -> tuple[int, ConcurrencyPilot | None]:
    """How many calls of the plan may be under way at the most, and who decides about less. `pilot` knows how many were
    taken before."""
    if concurrency != AUTO:
        return concurrency, None
    most = most_at_once(_largest_body(plan), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return most, ConcurrencyPilot(most, FEW if pilot is None else at_first(pilot.rate))


def most_at_once(body_bytes: int, descriptors: int) -> int:
    """With bodies of at most so many bytes, and so many descriptors allowed; infinitely many are a negative number."""
    connections = int(DESCRIPTORS * descriptors) if descriptors > 0 else MOST_CONCURRENCY
    return max(1, min(MOST_CONCURRENCY, BODIES // max(1, body_bytes), connections))


def _largest_body(plan: Plan) -> int:
    """The bytes of the body that names the most IDs, stage by stage."""
    return max((_body(stage.spelt_out(0, largest)) for stage, largest in _largest(plan)), default=0)


def _largest(plan: Plan) -> list[tuple[StagePlan, Rectangle]]:
    stages = (stage for stage in plan.stages if stage.rectangles)
    return [(stage, max(stage.rectangles, key=lambda each: len(each.assets) + len(each.points))) for stage in stages]


def _body(chunk: Chunk) -> int:
    return len(wire.delete_stage_state("", chunk).body)
