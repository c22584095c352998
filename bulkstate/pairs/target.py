"""What is deleted, whatever the cover: the digest by which two people, or two machines, know the same target.

A plan's rectangles may overlap, and may hold pairs that nobody listed; other efforts, limits and versions make others.
What they come to is one relation, and a relation has one form: its classes of assets that have the same points.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bulkstate.model import IndexArray, Rectangle, StagePlan

FORMAT: Final = b"bulkstate target 1\n"


def target_digest(gateway: str, organisation: str, stages: Iterable[StagePlan]) -> str:
    """SHA-256, in hex, of where and what: gateway, organisation, and the target pairs of each stage.

    Hashed is `bulkstate target 1` and a line feed, then the SHA-256 each of the gateway and of the organisation, then
    for each stage, by pipeline and name, 128 bytes: the SHA-256 each of the pipeline, of the stage's name, of how many
    classes it has, in decimal digits, and of its classes. A class is some assets and all the points that each of them,
    and no other asset, has in the target. Of each class the classes' digest takes the SHA-256 of its assets joined by
    commas and that of its points joined by commas, 64 bytes together, in ascending order. IDs are in the order of
    their code points; all text is UTF-8. No ID holds a comma, and every part has a fixed length, so that different
    targets never give the same bytes.
    """
    total = sha256(FORMAT + _hash(gateway) + _hash(organisation))
    known: dict[int, bytes] = {}
    for stage in sorted(stages, key=lambda each: each.stage):
        shared = id(stage.rectangles)  # stages of one entry share them
        if shared not in known:
            known[shared] = _of_classes(stage)
        total.update(_hash(stage.stage.pipeline) + _hash(stage.stage.name) + known[shared])
    return total.hexdigest()


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()


def _of_classes(stage: StagePlan) -> bytes:
    digests = sorted(
        _joined(stage.assets, each.assets) + _joined(stage.points, each.points)
        for each in classes(stage.rectangles, stage.unlisted)
    )
    return _hash(str(len(digests))) + sha256(b"".join(digests)).digest()


def _joined(ids: tuple[str, ...], side: IndexArray) -> bytes:
    return _hash(",".join(map(ids.__getitem__, side.tolist())))


def classes(rectangles: Sequence[Rectangle], others: Sequence[Rectangle] = ()) -> Iterator[Rectangle]:
    """What `rectangles` hold and `others` don't, as classes of assets that have the same points.

    An asset's points depend on nothing but the rectangles that it is in: they are found once for all assets that are in
    the same ones. Takes time and memory by the assets of all rectangles, and time by the different rows; none is
    expanded into pairs.
    """
    found: dict[bytes, list[IndexArray]] = {}
    known: dict[tuple[tuple[int, ...], ...], IndexArray] = {}  # tiles of a grid share their sides' arrays
    for assets, numbers in _alike([*rectangles, *others]):
        mine = [rectangles[number].points for number in numbers if number < len(rectangles)]
        theirs = [others[number - len(rectangles)].points for number in numbers if number >= len(rectangles)]
        sides = tuple(map(id, mine)), tuple(map(id, theirs))
        points = known[sides] = known[sides] if sides in known else _difference(mine, theirs)
        if len(points):
            found.setdefault(points.tobytes(), []).append(assets)
    for row, parts in found.items():
        yield Rectangle(np.sort(np.concatenate(parts)), np.frombuffer(row, np.int32))


def _difference(mine: Sequence[IndexArray], theirs: Sequence[IndexArray]) -> IndexArray:
    """The points in one of `mine` and in none of `theirs`, ascending."""
    if len(mine) == 1 and not theirs:
        return mine[0].astype(np.int32, copy=False)
    points = np.unique(np.concatenate([np.empty(0, np.int32), *mine]))
    return np.setdiff1d(points, np.concatenate(theirs), assume_unique=False) if theirs else points


def _alike(rectangles: Sequence[Rectangle]) -> Iterator[tuple[IndexArray, list[int]]]:
    """Assets that are in the same rectangles, and the numbers of these, ascending."""
    if not rectangles:
        return
    sizes = np.fromiter((len(each.assets) for each in rectangles), np.int64, len(rectangles))
    assets = np.concatenate([each.assets for each in rectangles])
    order = np.argsort(assets, kind="stable")
    numbers = np.repeat(np.arange(len(rectangles), dtype=np.int32), sizes)[order]
    starts = np.flatnonzero(np.diff(assets[order], prepend=-1))
    counts = np.diff(starts, append=len(numbers))
    members = assets[order][starts]
    heads = np.flatnonzero(~_as_before(numbers, starts, counts))
    known: dict[bytes, int] = {}
    labels = [
        known.setdefault(numbers[start : start + count].tobytes(), len(known))
        for start, count in zip(starts[heads].tolist(), counts[heads].tolist(), strict=True)
    ]
    of_asset = np.repeat(np.array(labels, np.int64), np.diff(heads, append=len(members)))
    by_label = np.argsort(of_asset, kind="stable")
    cuts = np.flatnonzero(np.diff(of_asset[by_label], prepend=-1))[1:]
    for signature, group in zip(known, np.split(members[by_label], cuts), strict=True):
        yield group, np.frombuffer(signature, np.int32).tolist()


def _as_before(numbers: IndexArray, starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which runs of `numbers` are as the one before them: neighbours in a block mostly are, which spares a look."""
    before = np.arange(len(numbers)) - np.repeat(counts, counts)
    same = np.logical_and.reduceat(numbers == numbers[before], starts)
    same[0] = False
    same[1:] &= counts[1:] == counts[:-1]
    return np.asarray(same, np.bool_)
