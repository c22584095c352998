"""The whole account of a run: what its journal says, and the guards of the configuration that it keeps."""

from __future__ import annotations

from dataclasses import replace

from bulkstate.disk.journal import Record
from bulkstate.errors import InputError
from bulkstate.model import Guard, Report
from bulkstate.report import fold
from bulkstate.runs.briefing import guards
from bulkstate.runs.provenance import settings_in


def account_of(record: Record) -> Report:
    """The report of a run as its journal stands, also while it runs."""
    return replace(fold(record), guards=_guards(record))


def _guards(record: Record) -> tuple[Guard, ...]:
    """None where the configuration can't be read: others may have written it."""
    try:
        return tuple(guards(record.plan, settings_in("the run", record.facts.configuration)))
    except InputError:
        return ()
