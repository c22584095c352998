"""IDs written compactly: `WTG{0001..2000}` stands for 2,000 of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from math import prod
from typing import Final

_RANGE: Final = re.compile(r"\{(\d{1,12})\.\.(\d{1,12})\}")

MOST_IDS: Final = 10_000_000
"""More than that from one pattern is taken for a slip of the pen."""


def expand(patterns: Iterable[str]) -> list[str]:
    """The IDs that `patterns` stand for, ascending, each once. ValueError for one that can't be."""
    return sorted({id_ for pattern in patterns for id_ in _expand(pattern)})


def count(pattern: str) -> int:
    """How many IDs a pattern stands for. ValueError if a range runs backwards, or there are more than `MOST_IDS`."""
    ids = prod(len(_range(low, high)) for low, high in _RANGE.findall(pattern))
    if not 1 <= ids <= MOST_IDS:
        raise ValueError(f"{pattern!r} stands for {ids:,} IDs; expected 1 to {MOST_IDS:,}")
    return ids


def _expand(pattern: str) -> Iterable[str]:
    count(pattern)
    texts = _RANGE.split(pattern)
    numbers = [_numbers(low, high) for low, high in zip(texts[1::3], texts[2::3], strict=True)]
    for chosen in product(*numbers):
        yield texts[0] + "".join(number + text for number, text in zip(chosen, texts[3::3], strict=True))


def _range(low: str, high: str) -> range:
    return range(int(low), int(high) + 1)


def _numbers(low: str, high: str) -> list[str]:
    return [str(number).zfill(len(low)) for number in _range(low, high)]
