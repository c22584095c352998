"""What isn't deleted: gathered into kinds for people, and as pairs in a CSV file for the next run."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from bulkstate.model import Failure, Rectangle, Stage, StagePlan, Verdict
from bulkstate.pairs.chunks import Chunks
from bulkstate.pairs.overlap import without
from bulkstate.report.fold import RunRecord

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


def write_failures(record: RunRecord, file: Path) -> dict[Stage, Path]:
    """The target pairs that no chunk deleted, each once, as CSV that a configuration's `pairs:` reads.

    One stage's pairs go into `file`; those of several into a file each, named after it and the stage, because `pairs:`
    selects in all stages of its entry. Returns the files by stage. OSError if one can't be written.
    """
    chunks = record.chunks()
    undeleted = _by_stage(chunks, record.undeleted())
    deleted = _by_stage(chunks, record.deleted())
    files = {stage: file if len(undeleted) == 1 else _file_of(stage, file) for stage in undeleted}
    for plan in record.plan.stages:
        if plan.stage in files:
            left = _left(plan, undeleted[plan.stage], deleted.get(plan.stage, []))
            with files[plan.stage].open("w", encoding="utf-8", newline="") as table:
                _write_pairs(plan, left, table)
    return files


def _file_of(stage: Stage, file: Path) -> Path:
    return file.with_name(f"{file.stem}.{quote(stage.pipeline, safe='')}.{quote(stage.name, safe='')}{file.suffix}")


def _by_stage(chunks: Chunks, numbers: Iterable[int]) -> dict[Stage, list[Rectangle]]:
    rectangles: dict[Stage, list[Rectangle]] = {}
    for plan, rectangle in map(chunks.place, numbers):
        rectangles.setdefault(plan.stage, []).append(rectangle)
    return rectangles


def _left(plan: StagePlan, undeleted: Sequence[Rectangle], deleted: Sequence[Rectangle]) -> Iterable[Rectangle]:
    """What is left of the target, as rectangles that share no pair."""
    return without(undeleted, [*deleted, *plan.unlisted]) if plan.overlaps or plan.unlisted else undeleted


def _write_pairs(plan: StagePlan, left: Iterable[Rectangle], table: TextIO) -> None:
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("asset_id", "point_id"))
    for each in left:
        rows.writerows(product(map(plan.assets.__getitem__, each.assets), map(plan.points.__getitem__, each.points)))
