"""A budget is asked for by every part that can take long: who asks is counted, not seconds."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pytest

from bulkstate.model import Effort
from bulkstate.pairs.relation import Relation
from bulkstate.planner import plan
from tests.planner.test_fewest import FREE, TARGET, relation


class Watch:
    """Says that time is up after so many questions, and keeps who asked: names of modules."""

    def __init__(self, patience: int) -> None:
        self.asked: Counter[str] = Counter()
        self.afterwards: Counter[str] = Counter()
        self._patience = patience

    def __call__(self) -> bool:
        caller = sys._getframe(1).f_globals["__name__"].rpartition(".")[2]
        self.asked[caller] += 1
        if self.asked.total() > self._patience:
            self.afterwards[caller] += 1
        return self.asked.total() > self._patience


def noise(assets: int, points: int, share: float) -> Relation:
    chance = np.random.default_rng(assets)
    return relation(["".join(np.where(row, TARGET, FREE)) for row in chance.random((assets, points)) < share])


HARD = {
    "a kernel": (
        noise(14, 14, 0.5),
        100_000,
        {"fooling", "vertex_greedy", "reduction", "greedy", "improve", "setcover"},
    ),
    "a cap": (noise(30, 20, 0.5), 12, {"merging", "bound", "trimming"}),
    "blocks": (noise(150, 60, 0.95), 100_000, {"apart", "large", "holes", "clusters"}),
}


def searched(of: Relation, cap: int, watch: Watch) -> set[int]:
    made = plan([of], pairs_per_request=cap, bytes_per_request=1 << 20, effort=Effort.NORMAL, expired=watch)
    assert not made.reproducible
    (stage,) = made.stages
    return {
        asset * len(of.points) + point
        for each in stage.rectangles
        for asset in each.assets.tolist()
        for point in each.points.tolist()
    }


@pytest.mark.parametrize("hard", HARD)
def test_everything_that_takes_long_asks(hard: str) -> None:
    of, cap, parts = HARD[hard]
    watch = Watch(10**9)
    searched(of, cap, watch)
    assert parts <= watch.asked.keys()


@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize("patience", [0, 1, 10, 100, 1_000])
def test_whatever_is_cut_short_is_exact_and_over_soon(hard: str, patience: int) -> None:
    of, cap, _ = HARD[hard]
    watch = Watch(patience)
    assert searched(of, cap, watch) == set(of.pairs.tolist())
    assert watch.afterwards.total() < 300
