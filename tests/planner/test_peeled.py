"""Cells that are taken off one by one, and the rest by its pairs: no request holds pairs of two parts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.planner.cover.bound import Group, Sizes
from bulkstate.planner.cover.incidence import ClassRelation, of_dense, partition_of
from bulkstate.planner.cover.peeled import by_peeling

Shape = tuple[int, int]


def never() -> bool:
    return False


@given(
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    st.sampled_from([0.1, 0.4, 0.8]),
    st.sampled_from([0.0, 0.3]),
    st.integers(0, 1 << 32),
    st.sampled_from([1, 3, 10, 40]),
)
def test_no_two_parts_fit_into_one_request(shape: Shape, share: float, free: float, seed: int, cap: int) -> None:
    chance = np.random.default_rng(seed)
    target = chance.random(shape) < share
    allowed = target | (chance.random(shape) < free)
    rows, columns = (partition_of(np.sort(chance.integers(0, n, 2 * n)).astype(np.uint64)[:, None]) for n in shape)
    target, allowed = target[: rows.count, : columns.count], allowed[: rows.count, : columns.count]
    forbidden = of_dense(~allowed) if free else None
    sizes = Sizes(rows.sizes(), columns.sizes(), cap)
    bound = by_peeling(ClassRelation(of_dense(target), forbidden, rows, columns), sizes, never)
    groups = [part for part in bound.parts if isinstance(part, Group)]
    assert len(groups) == len(bound.parts)
    for number, group in enumerate(groups):
        assert group.needed == -(-sum(rows.sizes()[r] * columns.sizes()[c] for r, c in group.cells) // cap)
        for r, c in group.cells:
            assert target[r, c]
            assert not any(allowed[r, d] and allowed[s, c] for other in groups[:number] for s, d in other.cells)


def test_pairs_and_cells_prove_more_together_than_either() -> None:
    """A wide block, and beside it a diagonal: 4 requests by pairs, and 20 by cells of which no two fit."""
    target = np.zeros((60, 60), np.bool_)
    target[:20, :20] = True
    target[np.arange(40, 60), np.arange(40, 60)] = True
    one = partition_of(np.arange(60, dtype=np.uint64)[:, None])
    sizes = Sizes(one.sizes(), one.sizes(), 100)
    assert by_peeling(ClassRelation(of_dense(target), None, one, one), sizes, never).requests == 24
