"""Which assets and points are to blame for what can't be deleted: named, so that people know what to ask about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final, TypeAlias

from bulkstate.model import Blamed, Failure, Pair, Stage, Verdict
from bulkstate.pairs.chunks import Chunks

MOST_PAIRS: Final = 1_000_000
"""Pairs that are looked at: where more can't be deleted, names are no help."""

_Bad: TypeAlias = dict[tuple[Stage, int | None], list[Pair]]


def blamed(chunks: Chunks, failures: Iterable[Failure]) -> tuple[Blamed, ...]:
    """Whom the exhausted chunks speak against, the most pairs first.

    Those of one asset or one point count: larger ones were cut no further, and say nothing of any ID. A pair speaks
    against the one of its two IDs that more pairs speak against; against both, if it is the only one of either.
    """
    found = (each for (stage, code), pairs in _bad_pairs(chunks, failures).items() for each in _of(stage, code, pairs))
    return tuple(sorted(found, key=lambda each: (-each.pairs, str(each.stage), each.asset or "", each.point or "")))


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


def _of(stage: Stage, code: int | None, pairs: list[Pair]) -> Iterator[Blamed]:
    of_asset, of_point = Counter(pair.asset for pair in pairs), Counter(pair.point for pair in pairs)
    assets: Counter[str] = Counter()
    points: Counter[str] = Counter()
    for pair in pairs:
        if of_asset[pair.asset] == of_point[pair.point] == 1:
            yield Blamed(stage, pair.asset, pair.point, code, 1)
        elif of_asset[pair.asset] >= of_point[pair.point]:
            assets[pair.asset] += 1
        else:
            points[pair.point] += 1
    yield from (Blamed(stage, asset, None, code, count) for asset, count in assets.items())
    yield from (Blamed(stage, None, point, code, count) for point, count in points.items())
