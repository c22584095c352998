"""The configuration: YAML and environment become frozen settings, every mistake with file, line and the field's path.

A secret is named there, never held: `SecretReference.reveal` asks the environment for it when it is needed.

    settings.py   what the program is given, which is the tree itself
    gateway.py    its gateway
    selected.py   what is deleted
    document.py   what a run keeps
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bulkstate.config.document import from_document, to_document
from bulkstate.config.gateway import Application, Auth, AuthStyle, Bearer, Embedded, Gateway
from bulkstate.config.settings import (
    CONFIGURATION,
    MOST_CONCURRENCY,
    Limits,
    ReportFiles,
    Retry,
    Safety,
    Sample,
    Settings,
    Verify,
)
from bulkstate.errors import InputError, Problem
from bulkstate.forms import nodes
from bulkstate.forms.place import MOST_PROBLEMS, Place, Source
from bulkstate.forms.single import JsonObject
from bulkstate.forms.values import AUTO, Auto, SecretReference, Share
from bulkstate.rates import Rate

__all__ = [
    "AUTO",
    "MOST_CONCURRENCY",
    "Application",
    "Auth",
    "AuthStyle",
    "Auto",
    "Bearer",
    "Embedded",
    "Gateway",
    "Limits",
    "Rate",
    "ReportFiles",
    "Retry",
    "Safety",
    "Sample",
    "SecretReference",
    "Settings",
    "Share",
    "Verify",
    "from_document",
    "load",
    "schema",
    "to_document",
]


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings in a YAML file. InputError, with every mistake in it; secrets are looked up, and not kept."""
    name = str(path)
    node = nodes.from_yaml(nodes.read_text(path), name)
    try:
        return CONFIGURATION.read(Place(Source(name, path.parent, environ), "", node.line, node))
    except InputError as mistake:
        raise InputError(*_in_order(mistake.problems, name)) from None


def _in_order(problems: tuple[Problem, ...], name: str) -> Iterator[Problem]:
    """By line, and no more than anybody reads."""
    yield from sorted(problems, key=lambda problem: int(problem.where.rpartition(":")[2]))[:MOST_PROBLEMS]
    if len(problems) >= MOST_PROBLEMS:
        yield Problem("holds more mistakes than these", name)


def schema() -> JsonObject:
    """The JSON Schema (draft 2020-12) of the tree, for editors."""
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "bulkstate configuration"}
    return {**about, **CONFIGURATION.schema()}
