"""The evidence behind a lower bound, checked by a script that knows neither planner nor plan."""

from __future__ import annotations

from itertools import combinations, count, permutations
from math import comb
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import Effort, Plan
from bulkstate.pairs.relation import Unlisted
from bulkstate.planner import plan
from bulkstate.report.explained import explanation_to_json
from tests.planner.test_law_one import Selection, relation, selections

Pairs = set[tuple[str, str]]


# ── the script ────────────────────────────────────────────────────────────────────────────────────────────────────


def at_least(stage: dict[str, Any], target: Pairs, allowed: Pairs, pairs_per_request: int) -> int:
    """How many requests the evidence proves are needed. AssertionError where it proves nothing."""
    evidence = stage["evidence"]
    weights = [
        {
            (a, p): b["weight"]
            for b in part["blocks"]
            for a, p in target
            if a in (b["assets"] or [a]) and p in (b["points"] or [p])
        }
        for part in evidence
    ]
    for one, other in combinations(weights, 2):
        assert not any({(a, q), (b, p)} <= allowed for a, p in one for b, q in other), "one request could hold both"
    return sum(
        needed(part, weighed, allowed, pairs_per_request) for part, weighed in zip(evidence, weights, strict=True)
    )


def needed(part: dict[str, Any], weighed: dict[tuple[str, str], int], allowed: Pairs, pairs_per_request: int) -> int:
    """How many requests one part needs."""
    if part["by"].startswith("different"):
        return makers([pair if part["by"] == "different_assets" else pair[::-1] for pair in weighed])
    by_pairs = set(weighed.values()) == {1} and part["load"] >= pairs_per_request
    assert by_pairs or heaviest(weighed, allowed) <= part["load"], "a request could hold more"
    return -(-sum(weighed.values()) // part["load"])


def makers(pairs: list[tuple[str, ...]]) -> int:
    """How many requests make so many different lines: each is the union of what its requests hold of it."""
    lines = [{place for other, place in pairs if other == line} for line in {line for line, _ in pairs}]
    assert all(one != other for one, other in combinations(lines, 2)), "two are the same"
    if any(one < other for one, other in permutations(lines, 2)):
        return next(k for k in count() if 2**k - 1 >= len(lines))
    return next(k for k in count(1) if comb(k, k // 2) >= len(lines))


def heaviest(weighed: dict[tuple[str, str], int], allowed: Pairs) -> int:
    """The most weight in a request: of all sets of points that some assets have in common, with all those assets."""
    rows = {a: frozenset(q for _, q in weighed if (a, q) in allowed) for a, _ in weighed}
    common: set[frozenset[str]] = set()
    for row in rows.values():
        common |= {row & other for other in common} | {row}
    return max(sum(w for (a, p), w in weighed.items() if p in points <= rows[a]) for points in common)


# ── what it says ──────────────────────────────────────────────────────────────────────────────────────────────────


def explained(made: Plan) -> dict[str, Any]:
    document = orjson.loads(explanation_to_json(made))
    assert document["plan"] == made.digest
    (stage,) = document["stages"]
    return dict(stage)


@given(selections, st.integers(1, 40), st.sampled_from(Unlisted))
def test_the_evidence_proves_the_bound(selection: Selection, cap: int, unlisted: Unlisted) -> None:
    target = selection.target()
    free = {(a, p) for a, _ in selection.selected() for _, p in selection.selected()} - set(selection.kept)
    allowed = target if unlisted is Unlisted.KEEP else free
    of = relation(selection, unlisted=unlisted)
    made = plan([of], pairs_per_request=cap, bytes_per_request=10_000, effort=Effort.QUICK)
    stage = explained(made)
    assert at_least(stage, target, allowed, cap) == stage["lower_bound"] == made.lower_bound <= made.requests


def test_some_relations_are_proven_by_weights_alone() -> None:
    rows = ["1111..1", "1.1.11.", "111.1.1", "1......", "...1.11", ".1..111"]
    uneven = Selection(
        [], [(f"a{a}", f"p{p}") for a, row in enumerate(rows) for p, mark in enumerate(row) if mark == "1"], []
    )
    stage = explained(plan([relation(uneven)], pairs_per_request=100, bytes_per_request=10_000))
    assert (stage["requests"], stage["lower_bound"]) == (6, 6)
    assert stage["evidence"][-1]["by"] == "weights"
    assert at_least(stage, uneven.target(), uneven.target(), 100) == 6


@pytest.mark.parametrize(("side", "proven"), [(20, 6), (21, 7)])
def test_a_larger_crown_is_proven_by_its_different_rows(side: int, proven: int) -> None:
    crown = Selection([], [(f"a{a:02}", f"p{p:02}") for a in range(side) for p in range(side) if a != p], [])
    stage = explained(plan([relation(crown)], pairs_per_request=100_000, bytes_per_request=10_000))
    assert stage["evidence"][0]["by"] in {"different_assets", "different_points"}
    assert at_least(stage, crown.target(), crown.target(), 100_000) == stage["lower_bound"] == proven


def test_false_evidence_is_found_out() -> None:
    whole = Selection([(["a", "b1"], ["p", "q.q"])], [], [])
    both = [
        {"by": "pairs_per_request", "load": 9, "blocks": [{"assets": [a], "points": [p], "weight": 1}]}
        for a, p in (("a", "p"), ("b1", "q.q"))
    ]
    heavy = [{"by": "weights", "load": 1, "blocks": [{"assets": None, "points": None, "weight": 1}]}]
    for evidence in (both, heavy):
        with pytest.raises(AssertionError, match="could hold"):
            at_least({"evidence": evidence}, whole.target(), whole.target(), 9)
    same = {"by": "different_assets", "load": 1, "blocks": heavy[0]["blocks"]}
    with pytest.raises(AssertionError, match="the same"):
        at_least({"evidence": [same]}, whole.target(), whole.target(), 9)
