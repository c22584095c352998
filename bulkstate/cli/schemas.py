"""`bulkstate schema`: what is written, and what is read, as JSON Schema."""

from __future__ import annotations

from bulkstate import config
from bulkstate.cli.options import SchemaOf
from bulkstate.report.certificate import schema as certificate_schema
from bulkstate.report.document import schema as report_schema
from bulkstate.report.planned import schema as plan_schema


def schema_of(what: SchemaOf) -> object:
    """The JSON Schema of it."""
    match what:
        case SchemaOf.PLAN:
            return plan_schema()
        case SchemaOf.REPORT:
            return report_schema()
        case SchemaOf.CERTIFICATE:
            return certificate_schema()
    return config.schema()
