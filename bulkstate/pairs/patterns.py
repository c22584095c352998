"""Patterns: `WTG{0001..2000}` stands for two thousand IDs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, product, zip_longest
from math import prod
from typing import Final

MOST_IDS: Final = 10_000_000
"""Most IDs that one pattern may stand for: more is rather a slip of the finger than a fleet."""

_RANGE = re.compile(r"\{([0-9]{1,18})\.\.([0-9]{1,18})\}")


def unfold(value: str) -> list[str]:
    """The IDs that a value stands for: itself, or, with ranges in braces, every combination, the last range fastest.

    Numbers keep the zeros of the range's start, and both ends appear as they are written. ValueError, with a message
    for people, if a brace isn't part of a range, a range descends, or there are over `MOST_IDS` IDs.
    """
    form, ranges = _parsed(value)
    numbers: Iterable[object] = ranges[0] if len(ranges) == 1 else product(*ranges)
    return list(map(form.__mod__, numbers))


def first_of(value: str) -> str:
    """The first of the IDs that a value stands for, which differ in digits only. ValueError as `unfold`."""
    form, ranges = _parsed(value)
    return form % tuple(each[0] for each in ranges)


def _parsed(value: str) -> tuple[str, list[range]]:
    """A form to put numbers into, with the zeros they are written with, and the ranges that they are from."""
    texts = _RANGE.split(value)[::3]
    if any("{" in text or "}" in text for text in texts):
        raise ValueError("has a brace that is not part of a range such as {0001..2000}")
    ends = _RANGE.findall(value)
    ranges = [_range(start, end) for start, end in ends]
    if prod(map(len, ranges)) > MOST_IDS:
        raise ValueError(f"stands for more than {MOST_IDS:,} IDs")
    spelt = [f"%0{len(start)}d" for start, _ in ends]
    plain = [text.replace("%", "%%") for text in texts]
    return "".join(chain.from_iterable(zip_longest(plain, spelt, fillvalue=""))), ranges


def unfold_all(values: Iterable[str]) -> list[str]:
    """The IDs that several values stand for, ascending, each once. ValueError as `unfold`."""
    return sorted({id_ for value in values for id_ in unfold(value)})


def _range(start: str, end: str) -> range:
    """`{start..end}`, both ends included."""
    if int(start) > int(end):
        raise ValueError(f"counts down from {start} to {end}")
    if len(end) < len(start) or (len(end) > len(start) and end.startswith("0")):
        raise ValueError(f"pads {start} and {end} with zeros to different lengths")
    return range(int(start), int(end) + 1)
