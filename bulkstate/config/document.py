"""What a run keeps of its configuration, so that `resume` needs nothing else: JSON in the configuration's own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from bulkstate.config.gateway import EMBEDDED, Embedded, Gateway
from bulkstate.config.settings import CONTINUATION, Settings
from bulkstate.forms import nodes
from bulkstate.forms.place import Document, Place
from bulkstate.forms.values import SecretReference, Share, format_duration
from bulkstate.gateway.credentials import Bearer
from bulkstate.model import Start
from bulkstate.policy.deadline import TimeOfDay, TimeToSpend
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate
from bulkstate.selection import STDIN, PairSource


def to_document(settings: Settings) -> str:
    """Everything but `delete`, as JSON text: secrets as references, certificates as text, paths absolute."""
    return json.dumps({name: value for name, value in _fields(settings).items() if name != "delete"})


def from_document(text: str, environ: Mapping[str, str], name: str = "the run's settings") -> Settings:
    """The settings that `to_document` wrote, with nothing in `delete`.

    `name` says whose text it is. InputError if it can't be read, is of another version, or a variable is unset.
    """
    node = nodes.from_json(text, name)
    return CONTINUATION.read(Place(Document(name, Path("/"), environ), "", 1, node))


def _written(value: object) -> object:
    """A value as the configuration writes it. The only floats are times."""
    match value:
        case SecretReference() | Rate() | Share() | TimeToSpend() | TimeOfDay():
            return str(value)
        case Embedded(timeout):
            return {"url": EMBEDDED, "timeout": _written(timeout)}
        case Gateway(ca_pem=pem):
            kept = {name: item for name, item in _fields(value).items() if name != "ca_pem"}
            return {**kept, "ca_file": pem}
        case PairSource():
            return _table(value)
        case Path():
            return _written(str(value.absolute()))
        case Bearer(token, prefix):
            return {"bearer": str(token), "prefix": _written(prefix)}
        case Start(resource_config=text):
            return {**_fields(value), "resource_config": json.loads(text) if text else None}
        case RetryPolicy(budget=share):
            return {**_fields(value), "budget": f"{share:.0%}"}
        case float():
            return format_duration(value)
        case str():
            return value.replace("${", "$${")
        case tuple():
            return [_written(item) for item in value]
    return _fields(value) if is_dataclass(value) else value


def _table(source: PairSource) -> object:
    """A table's path, or the pairs in place; or, if they aren't read in the usual way, how they are."""
    path = str(STDIN) if source.file == STDIN else _written(source.values or source.file)
    usual = PairSource(source.file, source.where, source.field, values=source.values)
    if source == usual:
        return path
    return {
        "pairs": path,
        "columns": {"asset": _written(source.asset_column), "point": _written(source.point_column)},
        "ids": "literal" if source.literal else "checked",
        "empty": "allow" if source.may_be_empty else "error",
    }


def _fields(value: object) -> dict[str, object]:
    if not is_dataclass(value):
        raise TypeError(value)
    return {each.name: _written(getattr(value, each.name)) for each in fields(value)}
