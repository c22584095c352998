"""How few requests: as few as an exhaustive search finds, on relations small enough for one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import Effort, Plan, Stage
from bulkstate.pairs.relation import Relation, Unlisted
from bulkstate.planner import plan

TARGET, KEPT, FREE = "#", "x", "."

Cells = frozenset[tuple[int, int]]


def relation(rows: list[str], unlisted: Unlisted = Unlisted.KEEP) -> Relation:
    """A row of marks an asset."""
    marks = np.array([list(row) for row in rows])
    assets, points = (
        tuple(f"{kind}{number:03}" for number in range(size)) for kind, size in zip("ap", marks.shape, strict=True)
    )
    codes = [np.flatnonzero(marks.ravel() == mark).astype(np.int64) for mark in (TARGET, KEPT)]
    return Relation(Stage("p", "s"), assets, points, (), codes[0], kept=codes[1], unlisted=unlisted)


def planned(
    rows: list[str], cap: int = 100_000, unlisted: Unlisted = Unlisted.KEEP, effort: Effort = Effort.NORMAL
) -> Plan:
    return plan([relation(rows, unlisted)], pairs_per_request=cap, bytes_per_request=1 << 20, effort=effort)


def fewest(rows: list[str], cap: int, unlisted: Unlisted) -> int:
    """By trying all sets of assets with all sets of points, and every combination of these, the largest first."""
    allowed = TARGET if unlisted is Unlisted.KEEP else TARGET + FREE
    shapes: set[Cells] = set()
    for chosen in range(1, 1 << len(rows)):
        assets = [a for a in range(len(rows)) if chosen >> a & 1]
        common = [p for p in range(len(rows[0])) if all(rows[a][p] in allowed for a in assets)]
        for count in range(1, min(len(common), cap // len(assets)) + 1):
            for points in combinations(common, count):
                shapes.add(frozenset((a, p) for a in assets for p in points if rows[a][p] == TARGET))
    target = frozenset((a, p) for a, row in enumerate(rows) for p, mark in enumerate(row) if mark == TARGET)
    return next(count for count in range(len(target) + 1) if covers(target, shapes, count))


def covers(left: Cells, shapes: set[Cells], count: int) -> bool:
    if not left:
        return True
    if not count:
        return False
    options = {shape & left for shape in shapes if min(left) in shape}
    best = [one for one in options if not any(one < other for other in options)]
    return any(covers(left - one, shapes, count - 1) for one in best)


def marked(marks: str, side: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.text(marks, min_size=side, max_size=side), min_size=1, max_size=side).filter(
        lambda rows: any(TARGET in row for row in rows)
    )


@given(marked("#.", 5))
def test_the_fewest_where_nothing_else_may_go(rows: list[str]) -> None:
    made = planned(rows)
    assert made.lower_bound <= made.requests == fewest(rows, 25, Unlisted.KEEP)


@given(marked("#x.", 4))
def test_the_fewest_where_unlisted_pairs_may_go(rows: list[str]) -> None:
    made = planned(rows, unlisted=Unlisted.MAY_DELETE)
    assert made.lower_bound <= made.requests == fewest(rows, 16, Unlisted.MAY_DELETE)


@given(marked("##x.", 4), st.integers(1, 8), st.sampled_from(Unlisted))
def test_at_most_one_more_under_a_cap_that_binds(rows: list[str], cap: int, unlisted: Unlisted) -> None:
    made = planned(rows, cap, unlisted)
    best = fewest(rows, cap, unlisted)
    assert made.lower_bound <= best <= made.requests <= best + 1


@pytest.mark.slow
def test_a_crown_needs_a_logarithm() -> None:
    crown = [f"{'#' * row}.{'#' * (19 - row)}" for row in range(20)]
    assert planned(crown).requests == 6  # 6 over 3 is 20 (de Caen, Gregory and Pullman, 1981)


@pytest.mark.parametrize("count", [5, 40])
def test_what_was_made_of_rectangles_is_found_again(count: int) -> None:
    chance = np.random.default_rng(count)
    marks = np.zeros((200, 150), np.bool_)
    for _ in range(count):
        assets, points = (chance.choice(size, chance.integers(3, size // 8), replace=False) for size in marks.shape)
        marks[np.ix_(assets, points)] = True
    made = planned(["".join(np.where(row, TARGET, FREE)) for row in marks])
    assert made.lower_bound == made.requests <= count


def test_blocks_that_overlap_are_sent_as_few_rectangles_as_they_are() -> None:
    rows = ["####....", "####....", "########", "########", "....####"]
    assert planned(rows).requests == 2


@pytest.mark.slow
@pytest.mark.parametrize("effort", [Effort.QUICK, Effort.NORMAL])
def test_the_same_effort_makes_the_same_plan(effort: Effort) -> None:
    chance = np.random.default_rng(3)
    rows = ["".join(np.where(row, TARGET, FREE)) for row in chance.random((25, 25)) < 0.5]
    one, two = (planned(rows, 20, effort=effort) for _ in range(2))
    assert (one.digest, one.reproducible) == (two.digest, True)


@pytest.mark.slow
def test_a_search_that_runs_out_of_time_is_whole_and_says_so() -> None:
    chance = np.random.default_rng(4)
    of = relation(["".join(np.where(row, TARGET, FREE)) for row in chance.random((40, 40)) < 0.7])
    made = plan([of], pairs_per_request=30, bytes_per_request=1 << 20, effort=Effort.THOROUGH, expired=lambda: True)
    sent = {
        a * 40 + p for each in made.stages[0].rectangles for a in each.assets.tolist() for p in each.points.tolist()
    }
    assert sent == set(of.pairs.tolist())
    assert not made.reproducible
