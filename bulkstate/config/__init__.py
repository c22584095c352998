"""The configuration: YAML and environment become frozen settings, every mistake with file, line and the field's path.

A secret is named there, never held: `SecretReference.reveal` asks the environment for it when it is needed.

    settings.py   what the program is given, which is the tree itself
    gateway.py    its gateway
    selected.py   what is deleted
    document.py   what a run keeps
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bulkstate.config.document import from_document, to_document
from bulkstate.config.gateway import Auth, Embedded, Gateway, revealed
from bulkstate.config.settings import (
    CONFIGURATION,
    MOST_CONCURRENCY,
    Allow,
    Called,
    Limits,
    OnUnpause,
    ReportFiles,
    Safety,
    Settings,
    UnknownStage,
    Verify,
)
from bulkstate.forms import documents
from bulkstate.forms.single import JsonObject
from bulkstate.forms.values import AUTO, Auto, SecretReference, Share
from bulkstate.policy.sampling import Sample
from bulkstate.rates import Rate

__all__ = [
    "AUTO",
    "MOST_CONCURRENCY",
    "Allow",
    "Auth",
    "Auto",
    "Called",
    "Embedded",
    "Gateway",
    "Limits",
    "OnUnpause",
    "Rate",
    "ReportFiles",
    "Safety",
    "Sample",
    "SecretReference",
    "Settings",
    "Share",
    "UnknownStage",
    "Verify",
    "from_document",
    "load",
    "revealed",
    "schema",
    "to_document",
]


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings in a YAML file. InputError, with every mistake in it; secrets are looked up, and not kept."""
    settings = documents.load(CONFIGURATION, path, environ)
    names = {entry.pipeline: entry.pipeline_name for entry in settings.delete if entry.pipeline_name}
    return replace(settings, called=tuple(Called(*each) for each in sorted(names.items())))


def schema() -> JsonObject:
    """The JSON Schema (draft 2020-12) of the tree, for editors."""
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "bulkstate configuration"}
    return {**about, **CONFIGURATION.schema()}
