"""Outcomes folded into a report, for people and for machines."""

from bulkstate.report.document import to_json
from bulkstate.report.failures import FailureKind, kinds, write_failed_blocks, write_failures
from bulkstate.report.fold import RunRecord, fold
from bulkstate.report.text import show, to_text
from bulkstate.text import duration

__all__ = [
    "FailureKind",
    "RunRecord",
    "duration",
    "fold",
    "kinds",
    "show",
    "to_json",
    "to_text",
    "write_failed_blocks",
    "write_failures",
]
