"""When so much fails that a run stops: by number or share, in chunks of the plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.guards import LEAST_SAMPLE, FailureGuard


@given(st.lists(st.booleans(), max_size=300), st.none() | st.integers(0, 20) | st.sampled_from([0.01, 0.1, 1.0]))
def test_more_than_so_many_or_such_a_share_is_too_much(fails: list[bool], most: float | None) -> None:
    guard = FailureGuard(most)
    for chunk, failed in enumerate(fails):
        guard.settled(chunk, "code 1" if failed else "")
    failed, settled = sum(fails), len(fails)
    if isinstance(most, float):
        assert guard.is_exceeded == (settled >= LEAST_SAMPLE and failed > most * settled)
    else:
        assert guard.is_exceeded == (most is not None and failed > most)


def test_a_chunk_that_was_cut_counts_once() -> None:
    """It fails with the first of its parts that does, and is settled well with the last."""
    guard = FailureGuard(1)
    for chunk in (0, 1):
        guard.was_cut(chunk, 2)
        guard.was_cut(chunk, 2)
        guard.settled(chunk)
        guard.settled(chunk, "code 61199")
        guard.settled(chunk, "code 61199")
    assert guard.is_exceeded
    assert str(guard) == "2 of 2 requests failed (the limit is 1), most with code 61199"


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_a_chunk_is_settled_well_with_the_last_of_its_parts(parts: int) -> None:
    guard = FailureGuard(0.5)
    guard.settled(99, "code 61199")
    guard.was_cut(0, parts)
    for _ in range(parts - 1):
        guard.settled(0)
        assert str(guard).startswith("1 of 1 requests failed")
    guard.settled(0)
    assert str(guard).startswith("1 of 2 requests failed")


@pytest.mark.parametrize(("most", "said"), [(0, "the limit is 0"), (0.1, "the limit is 10%")])
def test_it_says_what_the_limit_is(most: float, said: str) -> None:
    guard = FailureGuard(most)
    guard.settled(0, "HTTP 503")
    assert said in str(guard)
