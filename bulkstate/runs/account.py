"""The whole account of a run: what its journal says, and the guards of the configuration that it keeps."""

from __future__ import annotations

from dataclasses import replace

from bulkstate.config import Settings
from bulkstate.disk.journal import Record
from bulkstate.errors import InputError
from bulkstate.model import Report
from bulkstate.report import fold
from bulkstate.runs.briefing import guards
from bulkstate.runs.provenance import settings_in


def account_of(record: Record) -> Report:
    """The report of a run as its journal stands, also while it runs."""
    report, settings = fold(record), _settings(record)
    if settings is None:
        return report
    witness_less = settings.verify.witness is not None and record.agreed_at is not None and not record.witnesses()
    return replace(report, guards=tuple(guards(record.plan, settings)), witness_less=witness_less)


def _settings(record: Record) -> Settings | None:
    """None where the configuration can't be read: others may have written it."""
    try:
        return settings_in("the run", record.facts.configuration)
    except InputError:
        return None
