"""What isn't deleted: gathered into kinds for people, and as pairs in a CSV file for the next run."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from bulkstate.model import Failure, Stage, Verdict
from bulkstate.pieces import Pieces
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


def write_failures(record: RunRecord, file: Path) -> dict[Stage, Path]:
    """The pairs of all chunks that aren't deleted, as CSV that a configuration's `pairs:` reads.

    One stage's pairs go into `file`; those of several into a file each, named after it and the stage, because `pairs:`
    selects in all stages of its entry. Returns the files by stage. OSError if one can't be written.
    """
    numbers = record.undeleted()
    pieces = record.pieces()
    stages = {pieces.place(number)[0].stage: None for number in numbers}
    files = {stage: file if len(stages) == 1 else _file_of(stage, file) for stage in stages}
    for stage, path in files.items():
        with path.open("w", encoding="utf-8", newline="") as table:
            _write_pairs(pieces, (n for n in numbers if pieces.place(n)[0].stage == stage), table)
    return files


def _file_of(stage: Stage, file: Path) -> Path:
    return file.with_name(f"{file.stem}.{quote(stage.pipeline, safe='')}.{quote(stage.name, safe='')}{file.suffix}")


def _write_pairs(pieces: Pieces, numbers: Iterable[int], table: TextIO) -> None:
    """One chunk at a time is held in memory."""
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("asset_id", "point_id"))
    for number in numbers:
        chunk = pieces.chunk(number)
        rows.writerows(product(chunk.assets, chunk.points))
