"""How many calls may be under way, by what the machine bears."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkstate.config import AUTO, MOST_CONCURRENCY
from bulkstate.gateway import wire
from bulkstate.model import Pair, Stage
from bulkstate.pairs.relation import of_pairs
from bulkstate.planner import plan
from bulkstate.runs.workers import BODIES, most_at_once, workers


@given(st.integers(0, 1 << 31), st.integers(-1, 1 << 31))
def test_no_more_bodies_than_fit_nor_more_connections_than_half_of_the_descriptors(body: int, descriptors: int) -> None:
    most = most_at_once(body, descriptors)
    assert 1 <= most <= MOST_CONCURRENCY
    assert most == 1 or most * body <= BODIES
    assert most == 1 or descriptors <= 0 or most <= descriptors / 2


def test_what_is_configured_is_what_there_are() -> None:
    small = plan([of_pairs(Stage("p", "s"), [Pair("a", "b")])], pairs_per_request=1, bytes_per_request=10_000)
    assert workers(7, small, None) == (7, None)
    most, pilot = workers(AUTO, small, None)
    assert pilot is not None
    assert most > pilot.limit


def test_the_largest_body_of_the_plan_counts() -> None:
    pairs = [Pair(f"asset{number:0200d}", "point") for number in range(4_000)]
    large = plan([of_pairs(Stage("p", "s"), pairs)], pairs_per_request=100_000, bytes_per_request=1 << 20)
    bodies = [
        len(wire.delete_stage_state("", large.stages[0].spelt_out(0, r)).body) for r in large.stages[0].rectangles
    ]
    assert max(bodies) > 500_000
    assert workers(AUTO, large, None)[0] * max(bodies) <= BODIES
