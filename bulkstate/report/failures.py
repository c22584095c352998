"""What isn't deleted: gathered into kinds for people, and as pairs in a CSV file, or blocks, for the next run."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from bulkstate.model import Blamed, Failure, IndexArray, Rectangle, Stage, StagePlan, Verdict
from bulkstate.pairs.chunks import Chunks
from bulkstate.pairs.overlap import without
from bulkstate.report.fold import RunRecord
from bulkstate.selection.sources import ASSET_ID, PIPELINE, POINT_ID, STAGE

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class FailureKind:
    """Chunks that ended alike: the same verdict, and the same last answer. `examples` are the first few of them."""

    verdict: Verdict
    status: int | None
    code: int | None
    message: str
    chunks: int
    pairs: int
    examples: tuple[Failure, ...]


def kinds(failures: Iterable[Failure]) -> tuple[FailureKind, ...]:
    """The failures by kind, the most frequent first."""
    groups: dict[tuple[Verdict, int | None, int | None, str], list[Failure]] = {}
    for failure in failures:
        last = failure.outcome
        groups.setdefault((last.verdict, last.status, last.code, last.message), []).append(failure)
    found = (
        FailureKind(*key, len(group), sum(failure.pairs for failure in group), tuple(group[:_EXAMPLES]))
        for key, group in groups.items()
    )
    return tuple(sorted(found, key=lambda kind: -kind.chunks))


# ── files for the next run ────────────────────────────────────────────────────────────────────────────────────────


BLAMED: Final = "blamed"
"""The column that says which of a row's IDs is to blame: `asset`, `point`, or `pair`; empty if nobody knows."""


def write_failures(record: RunRecord, file: Path, blamed: Iterable[Blamed] = ()) -> None:
    """The target pairs that no chunk deleted, each once, as CSV that a configuration's `pairs:` reads.

    A plan of several stages has columns that say which; so the same run always gives the same columns, whatever became
    of it, and a header alone if all is deleted. A last column says who is to blame. OSError if the file can't be
    written.
    """
    several = len(record.plan.stages) > 1
    guilty = _Guilty(blamed)
    with file.open("w", encoding="utf-8", newline="") as table:
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow((*((PIPELINE, STAGE) if several else ()), ASSET_ID, POINT_ID, BLAMED))
        for plan, left in _undeleted(record):
            stage = (plan.stage.pipeline, plan.stage.name) if several else ()
            for each in left:
                pairs = product(_ids(plan.assets, each.assets), _ids(plan.points, each.points))
                rows.writerows((*stage, *pair, guilty.of(plan.stage, *pair)) for pair in pairs)


class _Guilty:
    """Who is to blame, by their IDs."""

    def __init__(self, blamed: Iterable[Blamed]) -> None:
        self._known = {(each.stage, each.asset, each.point) for each in blamed}

    def of(self, stage: Stage, asset: str, point: str) -> str:
        """Which of the two IDs is, in a word."""
        if not self._known:
            return ""
        if (stage, asset, None) in self._known:
            return "asset"
        if (stage, None, point) in self._known:
            return "point"
        return "pair" if (stage, asset, point) in self._known else ""


def write_failed_blocks(record: RunRecord, file: Path) -> None:
    """The same as entries of `delete`, in YAML: blocks where whole rectangles are left, and the other pairs one by one.

    An empty list if all is deleted. OSError if the file can't be written.
    """
    with file.open("w", encoding="utf-8", newline="") as text:
        for plan, left in _undeleted(record):
            text.writelines(_entry(plan, left))
        if not text.tell():
            text.write("[]\n")


def _entry(plan: StagePlan, left: Sequence[Rectangle]) -> Iterator[str]:
    yield f"- pipeline: {_quoted(plan.stage.pipeline)}\n  stages: [{_quoted(plan.stage.name)}]\n"
    yield "  ids: literal\n  where:\n"
    singles: list[tuple[str, str]] = []
    for each in left:
        assets, points = tuple(_ids(plan.assets, each.assets)), tuple(_ids(plan.points, each.points))
        if min(len(assets), len(points)) > 1:
            yield f"    - assets: {_list(assets)}\n      points: {_list(points)}\n"
        else:
            singles += product(assets, points)
    if singles:
        yield "    - pairs:\n"
        yield from (f"        - {_list(pair)}\n" for pair in singles)


def _list(ids: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, ids))}]"


def _quoted(text: str) -> str:
    """A text as YAML has it between double quotes, whatever is in it, with references to the environment defused."""
    plain = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in text.replace("${", "$${"))
    return f'"{"".join(plain)}"'


def _undeleted(record: RunRecord) -> Iterator[tuple[StagePlan, Sequence[Rectangle]]]:
    """What is left of each stage of which something is left, as rectangles that share no pair."""
    chunks = record.chunks()
    undeleted = _by_stage(chunks, record.undeleted())
    deleted = _by_stage(chunks, record.deleted())
    for plan in record.plan.stages:
        if left := tuple(_left(plan, undeleted.get(plan.stage, []), deleted.get(plan.stage, []))):
            yield plan, left


def _by_stage(chunks: Chunks, numbers: Iterable[int]) -> dict[Stage, list[Rectangle]]:
    rectangles: dict[Stage, list[Rectangle]] = {}
    for plan, rectangle in map(chunks.place, numbers):
        rectangles.setdefault(plan.stage, []).append(rectangle)
    return rectangles


def _left(plan: StagePlan, undeleted: Sequence[Rectangle], deleted: Sequence[Rectangle]) -> Iterable[Rectangle]:
    return without(undeleted, [*deleted, *plan.unlisted]) if plan.overlaps or plan.unlisted else undeleted


def _ids(dictionary: Sequence[str], positions: IndexArray) -> Iterator[str]:
    return map(dictionary.__getitem__, positions.tolist())
