"""What isn't deleted: gathered into kinds for people, and as pairs in a CSV file for the next run."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import TextIO

from bulkstate.model import Failure, Verdict
from bulkstate.report.fold import RunRecord

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """Chunks that ended alike: the same verdict, and the same last answer. `examples` are the first few of them."""

    verdict: Verdict
    status: int | None
    code: int | None
    message: str
    chunks: int
    pairs: int
    examples: tuple[Failure, ...]


def kinds(failures: Iterable[Failure]) -> tuple[Kind, ...]:
    """The failures by kind, the most frequent first."""
    groups: dict[tuple[Verdict, int | None, int | None, str], list[Failure]] = {}
    for failure in failures:
        last = failure.outcome
        groups.setdefault((last.verdict, last.status, last.code, last.message), []).append(failure)
    found = (
        Kind(*key, len(group), sum(failure.pairs for failure in group), tuple(group[:_EXAMPLES]))
        for key, group in groups.items()
    )
    return tuple(sorted(found, key=lambda kind: -kind.chunks))


def write_failures(record: RunRecord, file: TextIO) -> int:
    """The pairs of all chunks that aren't deleted, as CSV that a configuration's `pairs:` reads; returns how many.

    Columns: asset_id, point_id, pipeline, stage. One chunk at a time is held in memory. Open `file` with `newline=""`.
    """
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(("asset_id", "point_id", "pipeline", "stage"))
    written = 0
    pieces = record.pieces()
    for number in record.undeleted():
        chunk = pieces.chunk(number)
        stage = ((chunk.stage.pipeline, chunk.stage.name),)
        rows.writerows((asset, point, *place) for asset, point, place in product(chunk.assets, chunk.points, stage))
        written += chunk.pairs
    return written
