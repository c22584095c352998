"""How many requests are read back, and what they say of those that aren't.

Pairs of one request share its fate, so that what is drawn is the request, read back whole: without replacement, and
from every stage a share that is like its own. Nothing is drawn here: whoever draws brings the chance.

The statement is hypergeometric: of N requests n were drawn and x of them hold state, so that, with a confidence of
95 %, at most U of the N do. U is the largest number under which x or fewer hits were still likelier than 5 %,
wherever among the stages they lie.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from math import inf, lgamma, log, log1p
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bulkstate.forms.values import AUTO, Auto, Share, parse_share

CONFIDENCE: Final = 0.95

LEAST_DRAWN: Final = 20
"""Requests that `auto` reads back at the least, if there are so many."""

AUTO_SHARE: Final = Share(10)

_ROUNDING: Final = 1e-6
"""What sums of logarithms may be off by, relatively: a probability so little below the limit counts as above it."""

Sample: TypeAlias = int | Share | Auto | Literal["all"]
"""How many deleted requests are read back: a number, a share, as many as are worth it, or all. 0 is none."""


def parse_sample(text: str) -> Sample:
    """`auto`, `all`, `none`, `5%` or a number. ValueError, with what was expected, for anything else."""
    match text:
        case "auto" | "all":
            return text
        case "none":
            return 0
    if text.endswith("%"):
        return parse_share(text)
    if not re.fullmatch(r"[0-9][0-9_]{0,11}", text):
        raise ValueError("auto, a number, a share such as 5%, all or none")
    return int(text)


@dataclass(frozen=True, slots=True)
class Stratum:
    """The requests of one stage, of which some were drawn."""

    size: int
    drawn: int


def drawn(wanted: Sample, sizes: Sequence[int]) -> tuple[int, ...]:
    """How many requests to draw from each stage, given how many it has: each its share, and at least one.

    They add up to what is wanted, unless there are more stages than that.
    """
    total = sum(sizes)
    number = min(_number(wanted, total), total)
    if not number:
        return (0,) * len(sizes)
    return tuple(1 + more for more in _apportioned(max(0, number - len(sizes)), [size - 1 for size in sizes]))


def _apportioned(number: int, sizes: Sequence[int]) -> list[int]:
    """So many, shared out by size: whole numbers, the largest remainders rounded up."""
    shares = [number * size / max(1, sum(sizes)) for size in sizes]
    parts = [int(share) for share in shares]
    by_remainder = sorted(range(len(sizes)), key=lambda index: parts[index] - shares[index])
    for index in by_remainder[: number - sum(parts)]:
        parts[index] += 1
    return parts


def _number(wanted: Sample, total: int) -> int:
    if wanted == "all":
        return total
    if wanted == AUTO:
        return max(LEAST_DRAWN, _part(AUTO_SHARE, total))
    return _part(wanted, total) if isinstance(wanted, Share) else int(wanted)


def _part(share: Share, total: int) -> int:
    return -(-share.percent * total // 100)


def at_most(strata: Sequence[Stratum], found: int, confidence: float = CONFIDENCE) -> int:
    """The most requests of all strata that may hold state, if `found` of those drawn do, at this confidence.

    Exact for one stratum, and for any number of them where nothing was found; else careful: never too low.
    """
    unseen = sum(stratum.size - stratum.drawn for stratum in strata)
    limit = log1p(-confidence) + log1p(-_ROUNDING)
    if not found:
        return min(unseen, _most_missed(strata, limit))
    if len(strata) == 1:
        likely = _Hypergeometric(strata[0], found).log_at_most
    else:
        likely = _Binomial(min(stratum.drawn / stratum.size for stratum in strata), found).log_at_most
    low, high = found, found + unseen
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if likely(middle) > limit else (low, middle - 1)
    return low


def _most_missed(strata: Sequence[Stratum], limit: float) -> int:
    """How many requests there can be that hold state, all of them missed, before that is too unlikely.

    Each goes where it is missed most easily. What one more costs a stratum only grows with those that are there, so
    that taking the cheapest, one after the other, is the worst case.
    """
    costs = [(-_log_missed(stratum, 0), index, 0) for index, stratum in enumerate(strata)]
    heapify(costs)
    likelihood, missed = 0.0, 0
    while costs:
        cost, index, there = costs[0]
        likelihood -= cost
        if likelihood <= limit:
            return missed
        missed += 1
        heapreplace(costs, (-_log_missed(strata[index], there + 1), index, there + 1))
    return missed


def _log_missed(stratum: Stratum, there: int) -> float:
    """The logarithm of the chance that the next one is missed, when `there` others were."""
    unseen, left = stratum.size - stratum.drawn - there, stratum.size - there
    return log(unseen / left) if unseen > 0 else -inf


class _Hypergeometric:
    """Chances of at most `found` hits among those drawn from one stratum."""

    def __init__(self, stratum: Stratum, found: int) -> None:
        self._stratum = stratum
        self._found = found

    def log_at_most(self, there: int) -> float:
        """The logarithm of the chance, if so many of the stratum hold state."""
        size, number = self._stratum.size, self._stratum.drawn
        hits = np.arange(max(0, number - (size - there)), min(self._found, there, number) + 1)
        if not len(hits):
            return -inf
        others = _log_choose(size - there, number - hits)
        return _log_sum(_log_choose(there, hits) + others) - float(_log_choose(size, np.array([number]))[0])


class _Binomial:
    """Chances of at most `found` hits where each request was drawn by itself with a chance of `share` at the least.

    Hits of a hypergeometric draw are a sum of independent trials, and so are those of several strata. Far enough below
    the mean such a sum is met less often than trials that are all alike (Hoeffding 1956, theorem 5); nearer to it
    nothing is claimed.
    """

    def __init__(self, share: float, found: int) -> None:
        self._share = share
        self._found = found

    def log_at_most(self, there: int) -> float:
        """The logarithm of the chance, or of one that is larger, if so many requests hold state."""
        if self._found > there * self._share - 1 or self._share >= 1:
            return 0.0 if self._share < 1 or there <= self._found else -inf
        hits = np.arange(self._found + 1)
        return _log_sum(_log_choose(there, hits) + hits * log(self._share) + (there - hits) * log1p(-self._share))


_log_gamma = np.vectorize(lgamma, otypes=[np.float64])


def _log_choose(among: int, taken: NDArray[np.int64]) -> NDArray[np.float64]:
    chosen: NDArray[np.float64] = lgamma(among + 1) - _log_gamma(taken + 1.0) - _log_gamma(among - taken + 1.0)
    return chosen


def _log_sum(logarithms: NDArray[np.float64]) -> float:
    """The logarithm of the sum of what has these logarithms."""
    highest = float(logarithms.max())
    return highest + log(float(np.exp(logarithms - highest).sum()))
