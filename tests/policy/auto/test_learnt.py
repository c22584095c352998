"""What is kept of a gateway's limits: whatever stands in the file, it is read right or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.auto.learnt import NOTHING, Learnt, LearntQuota
from bulkstate.rates import Rate

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400)
rows = st.fixed_dictionaries({"limit": numbers, "seconds": numbers, "edge": numbers, "spent": numbers}) | json_values
documents = st.fixed_dictionaries(
    {"version": st.just(1) | json_values, "rate": numbers | json_values, "quotas": st.lists(rows, max_size=2) | rows}
)
quotas = st.builds(LearntQuota, st.floats(1, 1e6), st.floats(1, 2e6), st.floats(-1e9, 1e9), st.integers(0, 10**6))
learnt = st.builds(Learnt, st.none() | st.floats(0.1, 1e6), st.lists(quotas, max_size=3).map(tuple))


@given(learnt)
def test_what_is_kept_is_what_was_known(known: Learnt) -> None:
    assert Learnt.from_dict(json.loads(json.dumps(known.as_dict()))) == known


@given(documents | json_values)
def test_anything_else_is_refused_or_within_bounds(document: object) -> None:
    try:
        known = Learnt.from_dict(document)
    except ValueError:
        return
    assert known.rate is None or 0 < known.rate <= 1e12
    assert all(quota.limit >= 1 and 1 <= quota.seconds <= 32 * 86_400 for quota in known.quotas)


@given(learnt, st.floats(-1e9, 1e9))
def test_no_edge_lies_in_the_future(known: Learnt, now: float) -> None:
    for before, after in zip(known.quotas, known.not_after(now).quotas, strict=True):
        windows = (before.edge - after.edge) / before.seconds
        assert after.edge <= now + 1e-3
        assert windows == pytest.approx(round(windows), abs=1e-3)
        assert before.edge > now or after == before


def test_as_windows_it_is_what_a_share_leaves() -> None:
    known = Learnt(37.4, (LearntQuota(1200.0, 60.0, 0.0), LearntQuota(1.0, 60.0, 0.0)))
    assert known.windows(1.0) == (Rate(37, 1.0), Rate(1200, 60.0), Rate(1, 60.0))
    assert known.windows(0.5) == (Rate(18, 1.0), Rate(600, 60.0), Rate(1, 120.0))
    assert NOTHING.windows(1.0) == ()
