"""What a sample says must hold: here against counts of every way to draw it, and against drawing it."""

from __future__ import annotations

from functools import reduce
from math import comb, inf, log
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulkstate.forms.values import Share
from bulkstate.policy.sampling import Sample, Stratum, _Binomial, at_most, drawn

NOMINAL = 0.95

sizes_of_stages = st.lists(st.integers(1, 2_000), min_size=1, max_size=8)
samples = st.one_of(st.integers(0, 3_000), st.sampled_from(["auto", "all"]), st.integers(1, 100).map(Share))


@settings(max_examples=50)
@given(samples, sizes_of_stages)
def test_every_stage_gives_its_share(wanted: Sample, sizes: list[int]) -> None:
    parts, total = drawn(wanted, sizes), sum(sizes)
    if wanted == 0:
        assert not any(parts)
        return
    assert all(1 <= part <= size for part, size in zip(parts, sizes, strict=True))
    expected = {"auto": max(20, -(-total // 10)), "all": total}.get(str(wanted))
    if expected is None:
        expected = -(-wanted.percent * total // 100) if isinstance(wanted, Share) else int(str(wanted))
    expected = min(expected, total)
    assert sum(parts) == max(expected, len(sizes))
    for part, size in zip(parts, sizes, strict=True):
        assert part < expected * size / total + 2


def test_a_tenth_and_at_least_twenty() -> None:
    assert drawn("auto", [8_942]) == (895,)
    assert drawn("auto", [100]) == (20,)
    assert drawn("auto", [12]) == (12,)
    assert drawn("auto", [6_000, 2_000, 10]) == (599, 200, 2)
    assert drawn(Share(5), [1_000]) == (50,)
    assert drawn("all", [7, 8]) == (7, 8)
    assert drawn(0, [7, 8]) == (0, 0)


def test_the_statement_of_the_manual() -> None:
    assert at_most([Stratum(8_942, 300)], 0) == 87  # 1.0 %
    assert at_most([Stratum(300, 300)], 0) == 0
    assert at_most([Stratum(300, 300)], 7) == 7


@st.composite
def populations(draw: st.DrawFn) -> list[tuple[Stratum, int]]:
    """Strata, and how many requests of each hold state."""
    number = draw(st.integers(1, 3))
    found = []
    for _ in range(number):
        size = draw(st.integers(1, 25))
        found.append((Stratum(size, draw(st.integers(1, size))), draw(st.integers(0, size))))
    return found


def _chances(stratum: Stratum, there: int) -> list[float]:
    """The chance of each number of hits, by counting."""
    ways = comb(stratum.size, stratum.drawn)
    return [
        comb(there, hits) * comb(stratum.size - there, stratum.drawn - hits) / ways for hits in range(stratum.drawn + 1)
    ]


def _together(first: list[float], second: list[float]) -> list[float]:
    both = [0.0] * (len(first) + len(second) - 1)
    for hits, chance in enumerate(first):
        for more, other in enumerate(second):
            both[hits + more] += chance * other
    return both


@given(populations())
@example([(Stratum(20, 2), 0), (Stratum(20, 2), 12)])
@example([(Stratum(25, 1), 25), (Stratum(5, 5), 0)])
def test_the_statement_holds_as_often_as_it_says(population: list[tuple[Stratum, int]]) -> None:
    strata = [stratum for stratum, _ in population]
    there = sum(number for _, number in population)
    chances = reduce(_together, [_chances(*each) for each in population])
    holds = sum(chance for found, chance in enumerate(chances) if at_most(strata, found) >= there)
    assert holds >= NOMINAL - 1e-9


@given(st.integers(1, 60).flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size))), st.data())
def test_one_stage_is_exact(shape: tuple[int, int], data: st.DataObject) -> None:
    stratum = Stratum(*shape)
    found = data.draw(st.integers(0, stratum.drawn))
    likely = [
        there
        for there in range(found, found + stratum.size - stratum.drawn + 1)
        if sum(_chances(stratum, there)[: found + 1]) > (1 - NOMINAL) * (1 - 1e-6)
    ]
    assert at_most([stratum], found) == max(likely, default=found)


def test_by_simulation() -> None:
    """Runs as they are: stages of unlike size, some of whose requests still hold state, drawn as a run draws."""
    random = Random(20_261_128)
    rounds = 2_000
    for sizes, holding in (([400], 9), ([300, 40, 7], 12), ([50, 50, 50, 50], 5), ([2_000, 1], 60)):
        parts = drawn("auto", sizes)
        strata = [Stratum(size, part) for size, part in zip(sizes, parts, strict=True)]
        stages = [[(stage, number) for number in range(size)] for stage, size in enumerate(sizes)]
        everything = [request for stage in stages for request in stage]
        bound = [at_most(strata, found) for found in range(holding + 1)]
        holds = 0
        for _ in range(rounds):
            state = set(random.sample(everything, holding))
            sample = [each for stage, part in zip(stages, parts, strict=True) for each in random.sample(stage, part)]
            holds += bound[len(state.intersection(sample))] >= holding
        assert holds / rounds >= NOMINAL - 0.01


def test_nothing_is_said_of_a_stage_that_was_not_drawn_from() -> None:
    assert at_most([Stratum(100, 50), Stratum(30, 0)], 0) >= 30
    assert at_most([Stratum(100, 50), Stratum(30, 0)], 2) >= 32


def test_a_million_requests() -> None:
    assert at_most([Stratum(1_000_000, 100_000)], 0) == 28
    assert 100 < at_most([Stratum(1_000_000, 20)], 0) < 150_000
    assert at_most([Stratum(500_000, 50_000), Stratum(500_000, 50_000)], 10) >= 10


@given(st.integers(1, 60), st.integers(0, 20), st.floats(0.01, 0.99))
def test_independent_draws_are_binomial_where_that_bounds_them(there: int, found: int, share: float) -> None:
    """Within one of the mean, and above it, nothing is claimed: then the chance may be one."""
    chance = _Binomial(share, found).log_at_most(there)
    if found > there * share - 1:
        assert chance == 0.0
    else:
        terms = (comb(there, hits) * share**hits * (1 - share) ** (there - hits) for hits in range(found + 1))
        assert chance == pytest.approx(log(sum(terms)), abs=1e-6)


def test_where_all_are_drawn_all_that_is_there_is_found() -> None:
    assert _Binomial(1.0, 3).log_at_most(3) == 0.0
    assert _Binomial(1.0, 3).log_at_most(4) == -inf
