"""How often pipelines are looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.lease import look_every
from bulkstate.rates import Rate

limits = st.builds(Rate, st.integers(1, 10**6), st.sampled_from([1.0, 60.0, 3600.0, 86400.0]))


@given(st.lists(limits, max_size=4), st.integers(1, 20))
def test_looks_take_two_in_a_hundred_of_every_quota_unless_that_were_too_seldom(found: list[Rate], calls: int) -> None:
    every = look_every(found, calls)
    assert 30.0 <= every <= 300.0
    for limit in found:
        assert every == 300.0 or calls / every <= 0.02 * limit.calls / limit.seconds * 1.000001


def test_some() -> None:
    assert look_every([], 1) == 30.0
    assert look_every([Rate(20, 1.0)], 3) == 30.0
    assert look_every([Rate(3000, 3600.0), Rate(20, 1.0)], 1) == 60.0
    assert look_every([Rate(300, 3600.0)], 1) == 300.0
