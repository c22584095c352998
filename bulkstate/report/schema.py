"""The JSON Schema of what is written: made from the declarations that it is written from."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from inspect import getdoc
from types import NoneType, UnionType
from typing import Any, Final, TypeAlias, Union, get_args, get_origin, get_type_hints

_Schema: TypeAlias = dict[str, Any]

_SIMPLE: Final[dict[Any, _Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
}


def schema_of(document: type, title: str) -> _Schema:
    """The JSON Schema, draft 2020-12, of a dataclass as it is written. Keys may be added in later versions."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **_of(document)}


def _of(kind: Any) -> _Schema:
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    if is_dataclass(kind) and isinstance(kind, type):
        return _of_dataclass(kind)
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _of(get_args(kind)[0])}
    if get_origin(kind) in (Union, UnionType):
        return {"anyOf": [_of(each) for each in get_args(kind)]}
    raise TypeError(f"{kind} has no schema")


def _of_dataclass(kind: type) -> _Schema:
    hints = get_type_hints(kind)
    names = [each.name for each in fields(kind)]
    said = (getdoc(kind) or "").replace("\n", " ")
    described = {"description": said} if not said.startswith(f"{kind.__name__}(") else {}
    return {"type": "object", **described, "properties": {name: _of(hints[name]) for name in names}, "required": names}
