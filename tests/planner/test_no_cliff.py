"""No plan has more requests than the simplest ways take, on any relation, with any cap, whatever may be deleted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bulkstate.model import Effort, Plan, Stage
from bulkstate.pairs.relation import Relation, Unlisted
from bulkstate.planner import plan

Flags = NDArray[np.bool_]


# ── the simple ways, written down without the planner ─────────────────────────────────────────────────────────────


def simplest(target: Flags, allowed: Flags, cap: int) -> int:
    """The fewest requests of: equal rows together; equal columns together; everything allowed, by rows or columns that
    are allowed the same."""
    ways = [lines(one, one, cap) for one in (target, target.T)]
    ways += [lines(one, may, cap) for one, may in ((target, allowed), (target.T, allowed.T))]
    return min(ways)


def lines(target: Flags, alike: Flags, cap: int) -> int:
    """A rectangle for all lines that are `alike`, with what some of them needs."""
    groups: dict[bytes, list[int]] = {}
    for number, line in enumerate(alike):
        if target[number].any():
            groups.setdefault(line.tobytes(), []).append(number)
    return sum(strips(len(group), int(target[group].any(axis=0).sum()), cap) for group in groups.values())


def strips(rows: int, columns: int, cap: int) -> int:
    """A rectangle cut into strips of equal width, across or along, each cut into tiles."""
    return min(
        -(-columns // width) * -(-rows // (cap // width))
        for rows, columns in ((rows, columns), (columns, rows))
        for width in range(1, min(columns, cap) + 1)
    )


# ── and the plan ──────────────────────────────────────────────────────────────────────────────────────────────────


def planned(target: Flags, kept: Flags, cap: int, unlisted: Unlisted, effort: Effort = Effort.QUICK) -> Plan:
    ids = (tuple(f"{kind}{number:06}" for number in range(size)) for kind, size in zip("ap", target.shape, strict=True))
    codes = np.flatnonzero(target), np.flatnonzero(kept & ~target)
    relation = Relation(Stage("p", "s"), *ids, (), codes[0], kept=codes[1], unlisted=unlisted)
    return plan([relation], pairs_per_request=cap, bytes_per_request=1 << 24, effort=effort)


def selections() -> Iterator[st.SearchStrategy[tuple[Flags, Flags]]]:
    """Pairs at random, by rows, by columns, and blocks with holes, some of them beside each other."""
    shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))
    shares = st.sampled_from([0.02, 0.1, 0.5, 0.9, 0.98])

    def noise(shape: tuple[int, int], share: float, held: float, seed: int) -> tuple[Flags, Flags]:
        chance = np.random.default_rng(seed)
        return chance.random(shape) < share, chance.random(shape) < held

    def repeated(shape: tuple[int, int], share: float, held: float, seed: int) -> tuple[Flags, Flags]:
        target, kept = noise(shape, share, held, seed)
        rows = np.random.default_rng(seed).integers(0, 1 + len(target) // 4, len(target))
        return target[rows], kept[rows]

    def beside(one: tuple[Flags, Flags], other: tuple[Flags, Flags]) -> tuple[Flags, Flags]:
        def diagonal(a: Flags, b: Flags) -> Flags:
            whole = np.zeros((a.shape[0] + b.shape[0], a.shape[1] + b.shape[1]), np.bool_)
            whole[: a.shape[0], : a.shape[1]], whole[a.shape[0] :, a.shape[1] :] = a, b
            return whole

        return diagonal(one[0], other[0]), diagonal(one[1], other[1])

    held = st.sampled_from([0.0, 0.02, 0.3])
    simple = st.builds(noise, shapes, shares, held, st.integers(0, 1 << 32))
    like = st.builds(repeated, shapes, shares, held, st.integers(0, 1 << 32))
    turned = like.map(lambda drawn: (drawn[0].T, drawn[1].T))
    yield from (simple, like, turned, st.builds(beside, simple, turned))


@pytest.mark.slow
@given(st.one_of(*selections()), st.sampled_from([1, 7, 30, 200, 100_000]), st.sampled_from(Unlisted))
@settings(max_examples=25)
def test_never_more_requests_than_the_simplest_way(drawn: tuple[Flags, Flags], cap: int, unlisted: Unlisted) -> None:
    target, kept = drawn
    if target.any():
        allowed = target if unlisted is Unlisted.KEEP else ~(kept & ~target)
        made = planned(target, kept, cap, unlisted)
        assert made.lower_bound <= made.requests <= simplest(target, allowed, cap)


def noise(assets: int, points: int, share: float) -> Flags:
    return np.random.default_rng(assets).random((assets, points), np.float32) < share


def intervals(assets: int, points: int) -> Flags:
    ends = np.sort(np.random.default_rng(2).integers(0, points, (assets, 2)), axis=1)
    return (ends[:, :1] <= np.arange(points)) & (np.arange(points) <= ends[:, 1:])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("target", "most"),
    [
        (noise(20_000, 20, 0.5), 20),
        (noise(4_000, 100, 0.1), 100),
        (noise(600, 200, 0.1), 200),
        (intervals(2_000, 200), 200),
        (np.tri(300, dtype=np.bool_), 300),
    ],
    ids=["noise", "sparse", "wide", "intervals", "staircase"],
)
def test_where_rows_are_all_different_columns_do(target: Flags, most: int, turned: bool) -> None:
    flags = target.T if turned else target
    made = planned(flags, np.zeros_like(flags), 100_000, Unlisted.KEEP)
    assert made.lower_bound <= made.requests <= most
    assert made.lower_bound >= 0.8 * most
