"""Which assets and points are to blame for what can't be deleted: named, so that people know what to ask about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from itertools import compress, product
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import Blamed, Failure, Pair, Rectangle, Stage, StagePlan, Verdict
from bulkstate.pairs.chunks import Chunks

MOST_PAIRS: Final = 1_000_000
"""Pairs that are looked at: where more can't be deleted, names are no help."""

_Bad: TypeAlias = dict[tuple[Stage, int | None], list[Pair]]


@dataclass(frozen=True, slots=True)
class _Good:
    """The IDs of a stage of which something could be deleted in parts of what failed: flags, in the plan's order."""

    plan: StagePlan
    assets: NDArray[np.bool_]
    points: NDArray[np.bool_]

    def add(self, rectangle: Rectangle) -> None:
        self.assets[rectangle.assets] = True
        self.points[rectangle.points] = True

    def ids(self) -> tuple[set[str], set[str]]:
        """Assets and points."""
        return set(compress(self.plan.assets, self.assets)), set(compress(self.plan.points, self.points))


def blamed(chunks: Chunks, failures: Iterable[Failure], deleted_parts: Iterable[int] = ()) -> tuple[Blamed, ...]:
    """Whom the exhausted chunks speak against, the most pairs first.

    Those of one asset or one point count: larger ones were cut no further, and say nothing of any ID. A pair speaks
    against the one of its two IDs of which nothing could be deleted, by the `deleted_parts`. Where that is so of both,
    or of neither, it speaks against the one that more pairs speak against; against both, if it is the only one of each.
    """
    bad = _bad_pairs(chunks, failures)
    good = _good_ids(chunks, deleted_parts, {stage for stage, _ in bad})
    found = (each for (stage, code), pairs in bad.items() for each in _of(stage, code, pairs, good[stage]))
    return tuple(sorted(found, key=lambda each: (-each.pairs, str(each.stage), each.asset or "", each.point or "")))


def _good_ids(chunks: Chunks, deleted: Iterable[int], stages: Set[Stage]) -> dict[Stage, _Good]:
    good: dict[Stage, _Good] = {}
    for plan in chunks.plan.stages:
        if plan.stage in stages:
            good[plan.stage] = _Good(plan, np.zeros(len(plan.assets), np.bool_), np.zeros(len(plan.points), np.bool_))
    for number in deleted if stages else ():
        plan, rectangle = chunks.place(number)
        if plan.stage in stages:
            good[plan.stage].add(rectangle)
    return good


def _bad_pairs(chunks: Chunks, failures: Iterable[Failure]) -> _Bad:
    bad: _Bad = {}
    left = MOST_PAIRS
    for failure in failures:
        stage, rectangle = chunks.place(failure.chunk)
        is_line = 1 in (len(rectangle.assets), len(rectangle.points))
        if failure.outcome.verdict is not Verdict.EXHAUSTED or not is_line or failure.pairs > left:
            continue
        left -= failure.pairs
        assets = (stage.assets[place] for place in rectangle.assets.tolist())
        points = (stage.points[place] for place in rectangle.points.tolist())
        bad.setdefault((stage.stage, failure.outcome.code), []).extend(Pair(*ids) for ids in product(assets, points))
    return bad


def _of(stage: Stage, code: int | None, pairs: list[Pair], good: _Good) -> Iterator[Blamed]:
    of_asset, of_point = Counter(pair.asset for pair in pairs), Counter(pair.point for pair in pairs)
    assets: Counter[str] = Counter()
    points: Counter[str] = Counter()
    good_assets, good_points = good.ids()
    for pair in pairs:
        known = (pair.asset in good_assets) - (pair.point in good_points)
        if known == 0 and of_asset[pair.asset] == of_point[pair.point] == 1:
            yield Blamed(stage, pair.asset, pair.point, code, 1)
        elif known < 0 or (known == 0 and of_asset[pair.asset] >= of_point[pair.point]):
            assets[pair.asset] += 1
        else:
            points[pair.point] += 1
    yield from (Blamed(stage, asset, None, code, count) for asset, count in assets.items())
    yield from (Blamed(stage, None, point, code, count) for point, count in points.items())
