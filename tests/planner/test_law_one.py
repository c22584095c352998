"""Law 1: exactly what was asked, against a count by sets that knows nothing of the planner."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkstate.errors import InputError
from bulkstate.gateway import wire
from bulkstate.model import Chunk, Pair, Plan, Rectangle, Stage
from bulkstate.pairs.relation import Relation, Unlisted
from bulkstate.planner import plan

T = TypeVar("T")
STAGE = Stage("8a81b5f0", "LastRecordAppender_01")
ASSETS = ["a", "b1", "c22", "d", 'e"', "f\\", "風車", "h" * 30, "i", "j", "k", "l"]
POINTS = ["p", "q.q", "r" * 20, "ß", "t", "u", "v\x7f", "w"]


@dataclass(frozen=True)
class Selection:
    """Blocks, pairs and what is kept, in plain Python."""

    blocks: list[tuple[list[str], list[str]]]
    pairs: list[tuple[str, str]]
    kept: list[tuple[str, str]]

    def selected(self) -> set[tuple[str, str]]:
        crossed = {(asset, point) for assets, points in self.blocks for asset in assets for point in points}
        return crossed | set(self.pairs)

    def target(self) -> set[tuple[str, str]]:
        return self.selected() - set(self.kept)


def sides(ids: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(ids), min_size=1, unique=True)


selections = st.builds(
    Selection,
    blocks=st.lists(st.tuples(sides(ASSETS), sides(POINTS)), max_size=4),
    pairs=st.lists(st.tuples(st.sampled_from(ASSETS), st.sampled_from(POINTS)), max_size=40),
    kept=st.lists(st.tuples(st.sampled_from(ASSETS), st.sampled_from(POINTS)), max_size=20),
).filter(lambda selection: bool(selection.target()))

limits = st.tuples(st.integers(1, 30), st.integers(170, 330))


def relation(selection: Selection, stage: Stage = STAGE, unlisted: Unlisted = Unlisted.KEEP) -> Relation:
    """Written here once more, slowly, so that it shares nothing with the reading of files."""
    selected = selection.selected()
    assets, points = (tuple(sorted({pair[side] for pair in selected})) for side in (0, 1))

    def positions(ids: list[str], dictionary: tuple[str, ...]) -> np.ndarray:
        return np.array(sorted(dictionary.index(id_) for id_ in ids), np.int32)

    def codes(pairs: list[tuple[str, str]]) -> np.ndarray:
        known = {(asset, point) for asset, point in pairs if asset in assets and point in points}
        return np.array(sorted(assets.index(a) * len(points) + points.index(p) for a, p in known), np.int64)

    blocks = tuple(Rectangle(positions(a, assets), positions(p, points)) for a, p in selection.blocks)
    kept = codes(selection.kept)
    return Relation(stage, assets, points, blocks, codes(selection.pairs), kept=kept, unlisted=unlisted)


def shuffled(items: list[T], random: Random) -> list[T]:
    return random.sample(items, len(items))


def covered(made: Plan) -> Counter[tuple[str, str]]:
    return Counter((asset, point) for chunk in made.chunks() for asset in chunk.assets for point in chunk.points)


@given(selections, limits)
def test_every_target_pair_and_nothing_else(selection: Selection, limit: tuple[int, int]) -> None:
    made = plan([relation(selection)], pairs_per_request=limit[0], bytes_per_request=limit[1])
    assert covered(made).keys() == selection.target()
    assert made.pairs == len(selection.target())
    assert made.kept_pairs == len(selection.selected()) - len(selection.target())
    assert made.unlisted_pairs == 0


@given(selections, limits)
def test_where_unlisted_pairs_may_go_no_kept_one_does(selection: Selection, limit: tuple[int, int]) -> None:
    free = relation(selection, unlisted=Unlisted.MAY_DELETE)
    made = plan([free], pairs_per_request=limit[0], bytes_per_request=limit[1])
    sent = covered(made).keys()
    assert selection.target() <= sent
    assert sent.isdisjoint(selection.kept)
    assert made.unlisted_pairs == len(sent - selection.target())


@given(selections)
def test_what_is_kept_as_a_whole_is_refused(selection: Selection) -> None:
    whole = replace(selection, kept=sorted(selection.selected()))
    with pytest.raises(InputError, match=f"{STAGE}: all {len(whole.kept)} selected pairs are kept"):
        plan([relation(whole)], pairs_per_request=5, bytes_per_request=1_000)


@given(selections)
def test_a_relation_holds_its_target(selection: Selection) -> None:
    of, further = relation(selection), [Pair("a", "p"), Pair("j", "w"), Pair("nowhere", "p")]
    for kept, each in ((set(), of), ({(pair.asset, pair.point) for pair in further}, of.keeping(further))):
        held = {(a, p) for a in [*ASSETS, "nowhere"] for p in POINTS if each.holds(Pair(a, p))}
        assert held == selection.target() - kept


@given(selections, limits)
def test_every_request_is_within_both_limits(selection: Selection, limit: tuple[int, int]) -> None:
    made = plan([relation(selection)], pairs_per_request=limit[0], bytes_per_request=limit[1])
    bodies = [wire.stage_state_body(chunk) for chunk in made.chunks()]
    assert max(chunk.pairs for chunk in made.chunks()) <= limit[0]
    assert max(map(len, bodies)) <= limit[1]
    assert sum(map(len, bodies)) == made.body_bytes
    assert made.lower_bound <= made.requests == len(bodies)


@given(selections, limits, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(selection: Selection, limit: tuple[int, int], random: Random) -> None:
    blocks = [(shuffled(assets, random), shuffled(points, random)) for assets, points in selection.blocks]
    other = Selection(shuffled(blocks, random), shuffled(selection.pairs, random) * 2, selection.kept)
    stages = [Stage("p", "a"), Stage("p", "b")]
    one = plan([relation(selection, s) for s in stages], pairs_per_request=limit[0], bytes_per_request=limit[1])
    two = plan([relation(other, s) for s in stages[::-1]], pairs_per_request=limit[0], bytes_per_request=limit[1])
    assert one.digest == two.digest
    assert list(one.chunks()) == list(two.chunks())


@given(selections, limits)
def test_a_stage_is_planned_alike_beside_another_that_has_a_longer_name(
    selection: Selection, limit: tuple[int, int]
) -> None:
    alone = relation(selection)
    beside = [alone, replace(alone, stage=Stage("8a81b5f0", "LatestRecordMerger_02_with_a_suffix"))]
    made = plan(beside, pairs_per_request=limit[0], bytes_per_request=limit[1] + 30)
    for stage in made.stages:
        chunks = [chunk for chunk in made.chunks() if chunk.stage == stage.stage]
        assert {
            (asset, point) for each in chunks for asset in each.assets for point in each.points
        } == selection.target()
        assert max(len(wire.stage_state_body(chunk)) for chunk in chunks) <= limit[1] + 30


@given(selections, limits)
@example(
    Selection(
        [(["b1", "c22", "d", 'e"', "風車", "h" * 30], ["p", "ß", "u"])],
        [("a", "p")],
        [("a", "p"), ("c22", "u"), ('e"', "ß")],
    ),
    (10, 170),
)
def test_blocks_and_the_pairs_they_stand_for_make_the_same_plan(selection: Selection, limit: tuple[int, int]) -> None:
    spelt_out = Selection([], sorted(selection.target()), [])
    one, two = (
        plan([relation(each)], pairs_per_request=limit[0], bytes_per_request=limit[1])
        for each in (selection, spelt_out)
    )
    assert one.digest == two.digest


@given(selections, limits)
def test_an_equal_digest_means_equal_chunks(selection: Selection, limit: tuple[int, int]) -> None:
    one = plan([relation(selection)], pairs_per_request=limit[0], bytes_per_request=limit[1])
    two = plan([relation(selection)], pairs_per_request=limit[0] + 1, bytes_per_request=limit[1] + 10)
    assert (one.digest == two.digest) == (list(one.chunks()) == list(two.chunks()))


@given(selections, st.integers(1, 200))
def test_what_cannot_be_sent_is_refused_and_named(selection: Selection, limit: int) -> None:
    overhead = len(wire.stage_state_body(Chunk(0, STAGE, ("",), ("",))))
    fits = all(overhead + sum(wire.id_sizes(pair)) <= limit for pair in selection.target())
    if fits:
        plan([relation(selection)], pairs_per_request=5, bytes_per_request=limit)
    else:
        with pytest.raises(InputError, match=r"bytes_per_request: .* ID '"):
            plan([relation(selection)], pairs_per_request=5, bytes_per_request=limit)
