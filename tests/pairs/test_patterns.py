"""Patterns in braces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.pairs.patterns import first_of, unfold


@pytest.mark.parametrize(
    ("value", "first", "last", "count"),
    [
        ("WTG{0001..2000}", "WTG0001", "WTG2000", 2000),
        ("{1..12}", "1", "12", 12),
        ("{01..100}x", "01x", "100x", 100),
        ("{7..7}", "7", "7", 1),
        ("{0..1}%s{08..11}%", "0%s08%", "1%s11%", 8),
        ("plain", "plain", "plain", 1),
        ("風{1..2}", "風1", "風2", 2),
        ("", "", "", 1),
    ],
)
def test_what_a_pattern_stands_for(value: str, first: str, last: str, count: int) -> None:
    unfolded = unfold(value)
    assert (unfolded[0], unfolded[-1], len(unfolded)) == (first, last, count)
    assert first_of(value) == first


def test_several_ranges_are_a_product() -> None:
    assert unfold("{1..2}-{3..4}") == ["1-3", "1-4", "2-3", "2-4"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("WTG{0100..0001}", "counts down from 0100 to 0001"),
        ("WTG{1..010}", "pads 1 and 010 with zeros to different lengths"),
        ("WTG{0010..11}", "pads 0010 and 11"),
        ("WTG{a..b}", "a brace that is not part of a range"),
        ("WTG{1...3}", "a brace"),
        ("WTG{1..}", "a brace"),
        ("WTG{{1..3}}", "a brace"),
        ("WTG{-1..3}", "a brace"),
        ("WTG{\u0661..\u0663}", "a brace"),
        ("WTG}", "a brace"),
        ("{1..10000001}", "more than 10,000,000 IDs"),
        ("{0..999999999999999999}{0..999999999999999999}", "more than 10,000,000 IDs"),
        ("{0..9999999999999999999}", "a brace"),
        ("{1..4000}{1..4000}", "more than 10,000,000 IDs"),
    ],
)
def test_what_is_no_pattern(value: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("..", r"\.\.")):
        unfold(value)


@given(st.integers(0, 10**9), st.integers(0, 300), st.integers(0, 12))
def test_ends_appear_as_written_and_all_are_different(start: int, more: int, width: int) -> None:
    first, last = f"{start:0{width}}", f"{start + more:0{width}}"
    unfolded = unfold(f"a{{{first}..{last}}}")
    assert unfolded[0] == f"a{first}"
    assert unfolded[-1] == f"a{last}"
    assert [int(id_[1:]) for id_ in unfolded] == list(range(start, start + more + 1))
