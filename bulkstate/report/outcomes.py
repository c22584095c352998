"""Every record of every chunk as CSV, with the request IDs by which a gateway's own logs know them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Final, TextIO

from bulkstate.report.fold import RunRecord
from bulkstate.report.parts import rfc_3339

COLUMNS: Final = (
    *("session", "chunk", "pipeline", "stage", "assets", "points", "pairs", "outcome", "attempts", "throttled"),
    *("status", "code", "message", "request_id", "body_bytes", "first_sent_at", "last_answered_at"),
)
"""The last record of a chunk counts."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula's first character: a server's words are never one."""


def write_outcomes(record: RunRecord, table: TextIO) -> None:
    """All records in order, a row each, as CSV. OSError if they can't be written."""
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(_rows(record))


def _rows(record: RunRecord) -> Iterator[tuple[object, ...]]:
    chunks = record.chunks()
    for session, outcome in record.records():
        stage, rectangle = chunks.place(outcome.chunk)
        sides = len(rectangle.assets), len(rectangle.points), rectangle.pairs
        yield (
            session,
            outcome.chunk,
            _text(stage.stage.pipeline),
            _text(stage.stage.name),
            *sides,
            outcome.verdict.value,
            outcome.attempts,
            outcome.throttled,
            outcome.status,
            outcome.code,
            _text(outcome.message),
            _text(outcome.request_id or ""),
            outcome.body_bytes,
            rfc_3339(outcome.first_sent_at),
            rfc_3339(outcome.last_answered_at),
        )


def _text(said: str) -> str:
    return f"'{said}" if said.startswith(_FORMULA) else said
