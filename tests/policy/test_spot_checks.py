"""What is looked at before the first delete, against sets of pairs that are counted one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkstate.model import KEPT, Pair, Rectangle, Stage
from bulkstate.pairs.relation import Relation, Selected
from bulkstate.policy.spot_checks import (
    Room,
    SpotCheck,
    affordable_again,
    closer_checks,
    kept_checks,
    overlooked,
    spot_checks,
    to_look_closer,
)

WIDE = Room(100_000, 1 << 20)


@dataclass(frozen=True)
class World:
    """Relations, and beside them what each entry of each stage selects, pair by pair."""

    relations: tuple[Relation, ...]
    targets: dict[tuple[Stage, str], set[Pair]]


def _relation(
    stage: Stage,
    entries: dict[str, set[tuple[int, int]] | tuple[set[int], set[int]]],
    kept: set[tuple[int, int]],
    shape: tuple[int, int],
) -> Relation:
    assets = tuple(f"A{number:03}" for number in range(shape[0]))
    points = tuple(f"P{number:03}" for number in range(shape[1]))
    selected = []
    for name, of in entries.items():
        if isinstance(of, tuple):
            block = Rectangle(*(np.array(sorted(side), np.int32) for side in of))
            selected.append(Selected(name, block))
        else:
            codes = np.array(sorted(asset * shape[1] + point for asset, point in of), np.int64)
            selected.append(Selected(name, codes=codes))
    return Relation(
        stage,
        assets,
        points,
        tuple(each.block for each in selected if each.block is not None),
        np.unique(np.concatenate([np.empty(0, np.int64), *(each.codes for each in selected)])),
        kept=np.array(sorted(asset * shape[1] + point for asset, point in kept), np.int64),
        entries=tuple(selected),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    relations, targets = [], {}
    for number in range(draw(st.integers(1, 4))):
        stage = Stage("p", f"S{number}")
        shape = draw(st.integers(1, 12)), draw(st.integers(1, 8))
        cells = st.tuples(st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1))
        sides = st.tuples(
            st.sets(st.integers(0, shape[0] - 1), min_size=1), st.sets(st.integers(0, shape[1] - 1), min_size=1)
        )
        entries = {
            f"entry {index}": draw(st.one_of(st.sets(cells, min_size=1), sides))
            for index in range(draw(st.integers(1, 6)))
        }
        kept = draw(st.sets(cells, max_size=6))
        relation = _relation(stage, entries, kept, shape)
        relations.append(relation)
        for name, of in entries.items():
            pairs = {(a, p) for a in of[0] for p in of[1]} if isinstance(of, tuple) else of
            targets[stage, name] = {Pair(relation.assets[a], relation.points[p]) for a, p in pairs - kept}
    return World(tuple(relations), targets)


def _looked_at(checks: tuple[SpotCheck, ...]) -> dict[tuple[Stage, str], set[Pair]]:
    found: dict[tuple[Stage, str], set[Pair]] = {}
    for check in checks:
        for spot in check.spots:
            found.setdefault((check.stage, spot.entry), set()).add(spot.pair)
    return found


@settings(max_examples=40, deadline=None)
@given(worlds(), st.integers(1, 400), st.integers(1, 60), st.integers(0, 99))
def test_only_the_target_all_entries_and_no_more_reads_than_allowed(
    world: World, requests: int, pairs: int, seed: int
) -> None:
    checks = spot_checks(world.relations, requests, pairs, WIDE, np.random.default_rng(seed))
    looked_at = _looked_at(checks)
    for key, spots in looked_at.items():
        assert spots <= world.targets[key]
    for check in checks:
        asked = {Pair(asset, point) for asset in check.assets for point in check.points}
        assert {spot.pair for spot in check.spots} <= asked
    # A pair or two may be kept where a corner of few is drawn; an entry with none kept is always seen.
    kept_free = {
        (relation.stage, entry.entry)
        for relation in world.relations
        for entry in relation.entries
        if not len(relation.kept)
    }
    assert kept_free <= looked_at.keys()
    reads = Counter((check.stage, entry) for check in checks for entry in {spot.entry for spot in check.spots})
    assert max(reads.values(), default=0) <= 3
    stages = len(world.relations)
    assert len(checks) <= stages + requests // 20
    again = affordable_again(len(checks), stages, requests)
    assert 0 <= again <= len(checks)
    assert len(checks) + again <= stages + requests // 10
    for key, target in world.targets.items():
        if len(target) and not any(len(relation.kept) for relation in world.relations):
            assert looked_at[key]


@settings(max_examples=40, deadline=None)
@given(worlds(), st.integers(1, 400), st.integers(1, 30), st.integers(0, 99))
def test_no_read_is_too_large(world: World, requests: int, most: int, seed: int) -> None:
    checks = spot_checks(world.relations, requests, 1_000, Room(most, 1 << 20), np.random.default_rng(seed))
    for check in checks:
        assert 1 <= len(check.assets) * len(check.points) <= most
        assert check.spots


def test_the_bytes_of_a_read_count() -> None:
    block = {"entry": (set(range(300)), set(range(300)))}
    relation = _relation(Stage("p", "S"), block, set(), (300, 300))
    (check,) = spot_checks([relation], 1, 10_000, Room(100_000, 700), np.random.default_rng(1))
    size = sum(len(id_) + 1 for id_ in (*check.assets, *check.points))
    assert 300 < size < 700


def test_one_bad_entry_of_twelve_is_seen_in_a_plan_of_one_request() -> None:
    entries = {f"entry {number}": ({*range(number * 50, number * 50 + 50)}, {*range(40)}) for number in range(12)}
    relation = _relation(Stage("p", "S"), entries, set(), (600, 40))
    checks = spot_checks([relation], 1, 1_000, WIDE, np.random.default_rng(1))
    assert len(checks) == 1
    seen = Counter(spot.entry for spot in checks[0].spots)
    assert seen.keys() == entries.keys()
    assert min(seen.values()) >= 60
    assert sum(seen.values()) <= 1_000


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(0, 99), st.sampled_from(["assets", "points"]))
def test_entries_share_what_they_can_where_there_is_room_for_one_pair_each(count: int, seed: int, shared: str) -> None:
    """Each entry has IDs of its own on one side, and all of them have one in common on the other."""
    own = {f"entry {number}": {*range(number * 10, number * 10 + 10)} for number in range(count)}
    of = {
        name: (ids, {3, 4 + at}) if shared == "points" else ({3, 4 + at}, ids)
        for at, (name, ids) in enumerate(own.items())
    }
    relation = _relation(Stage("p", "S"), of, set(), (130, 130))
    (check,) = spot_checks([relation], 1, 1_000, Room(count, 1 << 20), np.random.default_rng(seed))
    assert {spot.entry for spot in check.spots} == own.keys()
    assert not list(overlooked([relation], [check]))


def test_where_not_all_entries_can_be_looked_at_the_large_ones_are_and_the_others_are_named() -> None:
    entries = {f"entry {number}": ({number}, {number}) for number in range(11)}
    entries["the large one"] = ({*range(20, 50)}, {*range(20, 30)})
    relation = _relation(Stage("p", "S"), entries, set(), (50, 50))
    checks = spot_checks([relation], 20, 1_000, Room(20, 1 << 20), np.random.default_rng(1))
    seen = {spot.entry for check in checks for spot in check.spots}
    assert "the large one" in seen
    left = {remark.entry for remark in overlooked([relation], checks)}
    assert left == entries.keys() - seen
    assert left


def test_a_large_plan_reads_each_entry_three_times() -> None:
    entries = {f"entry {number}": ({*range(number * 50, number * 50 + 50)}, {*range(40)}) for number in range(12)}
    relation = _relation(Stage("p", "S"), entries, set(), (600, 40))
    checks = spot_checks([relation], 10_000, 1_000, WIDE, np.random.default_rng(1))
    reads = Counter(entry for check in checks for entry in {spot.entry for spot in check.spots})
    assert set(reads.values()) == {3}
    assert 800 <= sum(len(check.spots) for check in checks) <= 1_000
    assert len({spot.pair.asset for check in checks for spot in check.spots}) > 100


def test_pairs_come_from_all_over_the_plan() -> None:
    relation = _relation(Stage("p", "S"), {"entry": ({*range(40)}, {*range(25)})}, set(), (40, 25))
    seen = Counter(
        spot.pair
        for seed in range(200)
        for check in spot_checks([relation], 1, 100, WIDE, np.random.default_rng(seed))
        for spot in check.spots
    )
    assert len(seen) == 1_000
    assert max(seen.values()) <= 4 * ceil(200 * 100 / 1_000)


def test_a_small_selection_is_read_once_and_whole() -> None:
    relation = _relation(Stage("p", "S"), {"entry": ({*range(20)}, {*range(5)})}, set(), (20, 5))
    (check,) = spot_checks([relation], 500, 1_000, WIDE, np.random.default_rng(1))
    assert len(check.spots) == 100


def test_every_stage_is_read_though_there_are_many() -> None:
    relations = [
        _relation(Stage("p", f"S{number:03}"), {"entry": ({*range(4)}, {*range(4)})}, set(), (4, 4))
        for number in range(500)
    ]
    checks = spot_checks(relations, 500, 1_000, WIDE, np.random.default_rng(1))
    assert len({check.stage for check in checks}) == 500
    assert len(checks) <= 525


def test_what_is_kept_is_never_asked_about_as_if_it_went() -> None:
    kept = {(asset, point) for asset in range(20) for point in range(5) if (asset, point) != (7, 3)}
    relation = _relation(Stage("p", "S"), {"entry": ({*range(20)}, {*range(5)})}, kept, (20, 5))
    (check,) = spot_checks([relation], 1, 1_000, WIDE, np.random.default_rng(1))
    assert [spot.pair for spot in check.spots] == [Pair("A007", "P003")]


@given(worlds(), st.integers(0, 300), st.integers(1, 200), st.integers(0, 5))
def test_kept_pairs_are_looked_at_as_far_as_it_can_be_afforded_twice(
    world: World, requests: int, room: int, seed: int
) -> None:
    small = Room(room, 1 << 20)
    checks = spot_checks(world.relations, requests, 50, WIDE, np.random.default_rng(seed))
    kept = kept_checks(world.relations, len(checks), requests, small, np.random.default_rng(seed))
    assert len(checks) + 2 * len(kept) <= max(len(checks), len(world.relations) + requests // 10)
    of = {relation.stage: relation for relation in world.relations}
    assert len({check.stage for check in kept}) == len(kept)
    for check in kept:
        relation = of[check.stage]
        pairs = {spot.pair for spot in check.spots}
        codes = {divmod(code, len(relation.points)) for code in relation.kept.tolist()}
        assert pairs
        assert pairs <= {Pair(relation.assets[asset], relation.points[point]) for asset, point in codes}
        assert {spot.entry for spot in check.spots} == {KEPT}
        assert len(check.assets) * len(check.points) <= max(room, 1)


def test_entries_of_which_few_pairs_are_looked_at_can_be_looked_at_more_closely() -> None:
    entries = {f"entry {number}": ({number}, {*range(10)}) for number in range(40)}
    relation = _relation(Stage("p", "S"), entries, set(), (40, 10))
    chance = np.random.default_rng(1)
    checks = spot_checks([relation], 20, 1_000, Room(20, 1 << 20), chance)
    closer = closer_checks([relation], checks, Room(20, 1 << 20), chance)
    assert all(check.closer and len(check.spots) == 10 for check in closer)
    assert {check.spots[0].entry for check in closer} == {spot.entry for check in checks for spot in check.spots}
    every = (*checks, *closer)
    wanted, unsaid = to_look_closer(every, {"entry 3": 1, "entry 7": 1, "entry 9": 10}, 1, 20)
    assert {check.spots[0].entry for check in wanted} | unsaid == {"entry 3", "entry 7"}
    assert len(wanted) == max(1, affordable_again(len(checks), 1, 20))
    assert to_look_closer(every, {}, 1, 20) == ([], frozenset())


def test_what_was_looked_at_whole_needs_no_closer_look() -> None:
    relation = _relation(Stage("p", "S"), {"entry": ({1}, {2, 3})}, set(), (5, 5))
    checks = spot_checks([relation], 20, 1_000, WIDE, np.random.default_rng(1))
    assert closer_checks([relation], checks, WIDE, np.random.default_rng(1)) == ()
