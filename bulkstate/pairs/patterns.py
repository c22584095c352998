"""Patterns: `WTG{0001..2000}` stands for two thousand IDs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
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
    return [form % numbers for numbers in product(*(each.numbers() for each in ranges))]


def first_of(value: str) -> str:
    """The first of the IDs that a value stands for, which differ in digits only. ValueError as `unfold`."""
    form, ranges = _parsed(value)
    return form % tuple(each.first for each in ranges)


def _parsed(value: str) -> tuple[str, list[_Range]]:
    """A form to put numbers into, and the ranges that they are from."""
    texts = _RANGE.split(value)[::3]
    if any("{" in text or "}" in text for text in texts):
        raise ValueError("has a brace that is not part of a range such as {0001..2000}")
    ranges = [_Range(start, end) for start, end in _RANGE.findall(value)]
    if prod(map(len, ranges)) > MOST_IDS:
        raise ValueError(f"stands for more than {MOST_IDS:,} IDs")
    return "%s".join(text.replace("%", "%%") for text in texts), ranges


def unfold_all(values: Iterable[str]) -> list[str]:
    """The IDs that several values stand for, ascending, each once. ValueError as `unfold`."""
    return sorted({id_ for value in values for id_ in unfold(value)})


class _Range:
    """`{start..end}`, both ends included."""

    def __init__(self, start: str, end: str) -> None:
        if int(start) > int(end):
            raise ValueError(f"counts down from {start} to {end}")
        if len(end) < len(start) or (len(end) > len(start) and end.startswith("0")):
            raise ValueError(f"pads {start} and {end} with zeros to different lengths")
        self.first = start
        self._width = len(start)
        self._range = range(int(start), int(end) + 1)

    def __len__(self) -> int:
        return len(self._range)

    def numbers(self) -> list[str]:
        return [f"{number:0{self._width}d}" for number in self._range]
