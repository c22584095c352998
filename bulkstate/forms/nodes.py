"""A document as a tree in which every value knows its line.

Read from YAML's events, not from composed values: so a key that is there twice is seen, `007` keeps its zeros, an
anchor costs nothing until it is read, and hostile nesting ends early. A run's own document (JSON) becomes such a tree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final, TypeAlias

import yaml
from yaml.resolver import Resolver

from bulkstate.errors import InputError, Problem

MOST_BYTES: Final = 16 << 20
"""The largest configuration that is read: longer lists belong in files of their own."""

MOST_NODES: Final = 1_000_000
"""The most values that a document may hold, each alias counted as all that it repeats."""

DEEPEST: Final = 32
"""The deepest nesting that is read: a configuration needs seven."""

_LOADER: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_TEXT_TAGS: Final = (None, "!", "tag:yaml.org,2002:str")


class ScalarKind(Enum):
    """What YAML takes a single value for."""

    TEXT = "text"
    NUMBER = "a number"
    LOGICAL = "true or false"
    DATE = "a date"
    NULL = "nothing"


_KINDS: Final = {
    "tag:yaml.org,2002:int": ScalarKind.NUMBER,
    "tag:yaml.org,2002:float": ScalarKind.NUMBER,
    "tag:yaml.org,2002:bool": ScalarKind.LOGICAL,
    "tag:yaml.org,2002:timestamp": ScalarKind.DATE,
    "tag:yaml.org,2002:null": ScalarKind.NULL,
}
_NUMBER_OF_YAML_1_2: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+")
"""Numbers to readers of the newer YAML, though not to PyYAML: `1e3` means a thousand to some, so nobody may guess."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value, as written."""

    line: int
    text: str
    kind: ScalarKind

    @property
    def size(self) -> int:
        """One, as a list counts it."""
        return 1


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list. `size` counts the values in it, at any depth."""

    line: int
    items: tuple[Node, ...] = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values, in order, also those that are there twice. `size` counts as a list's does."""

    line: int
    entries: tuple[tuple[Node, Node], ...] = field(repr=False)
    size: int


Node: TypeAlias = Scalar | Sequence | Mapping


def read_text(path: Path) -> str:
    """The text of a file that people wrote. InputError if it can't be read, is too large, binary or empty."""
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(Problem(f"can't be read: {error.strerror or 'input/output error'}", name)) from None
    except ValueError:
        raise InputError(Problem("isn't the name of a file")) from None
    if len(content) > MOST_BYTES:
        raise InputError(Problem("is larger than 16 MiB", name, hint="put long lists into files of their own"))
    return _decoded(content, name)


def _decoded(content: bytes, name: str) -> str:
    if b"\0" in content:
        raise InputError(Problem("is binary, not YAML", name))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(Problem("isn't UTF-8 text", f"{name}:{line}")) from None


def from_yaml(text: str, name: str) -> Node:
    """The only document of a YAML text. InputError, with the line, if it isn't one."""
    try:
        return _Tree(name).grow(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        hint = _hint("".join(text.split("\n")[line : line + 1]))
        raise InputError(Problem(f"isn't YAML: {error.problem}", f"{name}:{line + 1}", hint=hint)) from None
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        raise InputError(Problem("isn't YAML: holds a control character", f"{name}:{line}")) from None


def _hint(line: str) -> str:
    if "${" in line:
        return 'inside { } and [ ], write "${NAME}" in quotes'
    return "indent by spaces, not tabs" if "\t" in line else ""


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun and not yet ended: `nodes` are its items, or keys and values in turn."""

    event: yaml.NodeEvent
    nodes: list[Node] = field(default_factory=list)

    def closed(self) -> Node:
        line = _line(self.event)
        size = 1 + sum(node.size for node in self.nodes)
        if isinstance(self.event, yaml.SequenceStartEvent):
            return Sequence(line, tuple(self.nodes), size)
        return Mapping(line, tuple(zip(self.nodes[::2], self.nodes[1::2], strict=True)), size)


class _Tree:
    """Puts nodes together from events. Keeps its own stack, so that nesting costs no Python frames."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._size = 0

    def grow(self, events: Iterator[yaml.Event]) -> Node:
        for event in events:
            match event:
                case yaml.ScalarEvent():
                    self._add(self._scalar(event), event.anchor)
                case yaml.AliasEvent():
                    self._add(self._repeated(event), None)
                case yaml.CollectionStartEvent():
                    self._start(event)
                case yaml.CollectionEndEvent():
                    ended = self._open.pop()
                    self._add(ended.closed(), ended.event.anchor)
                case yaml.DocumentStartEvent() if self._root is not None:
                    raise self._mistake("holds a second document", event)
        if self._root is None:
            raise InputError(Problem("is empty", self._name))
        return self._root

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        if len(self._open) == DEEPEST:
            raise self._mistake(f"is nested more than {DEEPEST} deep", event)
        if event.tag is not None:
            raise self._mistake("holds a tag (`!…`), which means nothing here", event)
        self._grow_by(1, event)
        self._open.append(_Open(event))

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        line = _line(event)
        if event.tag not in _TEXT_TAGS:
            raise self._mistake("holds a tag (`!…`), which means nothing here", event)
        self._grow_by(1, event)
        plain = event.tag is None and event.implicit[0]
        return Scalar(line, event.value, _kind(event.value) if plain else ScalarKind.TEXT)

    def _repeated(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            raise self._mistake("repeats (`*…`) what nothing before it defines", event)
        node = self._anchors[event.anchor]
        self._grow_by(node.size, event)
        return node

    def _grow_by(self, size: int, event: yaml.Event) -> None:
        self._size += size
        if self._size > MOST_NODES:
            problem = f"holds more than {MOST_NODES:,} values"
            raise self._mistake(problem, event, "put long lists into files of their own")

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].nodes.append(node)
        else:
            self._root = node

    def _mistake(self, message: str, event: yaml.Event, hint: str = "") -> InputError:
        return InputError(Problem(message, f"{self._name}:{_line(event)}", hint=hint))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _kind(text: str) -> ScalarKind:
    for tag, pattern in Resolver.yaml_implicit_resolvers.get(text[:1], ()):
        if pattern.match(text):
            return _KINDS.get(tag, ScalarKind.TEXT)
    return ScalarKind.NUMBER if _NUMBER_OF_YAML_1_2.fullmatch(text) else ScalarKind.TEXT


def from_json(text: str, name: str) -> Node:
    """A JSON document as the same tree, on line 1 throughout. InputError if it isn't JSON."""
    try:
        return _of_json(json.loads(text))
    except (ValueError, RecursionError):
        raise InputError(Problem("isn't JSON", name)) from None


def _of_json(value: object) -> Node:
    match value:
        case dict():
            entries = tuple((Scalar(1, key, ScalarKind.TEXT), _of_json(item)) for key, item in value.items())
            return Mapping(1, entries, 1)
        case list():
            return Sequence(1, tuple(map(_of_json, value)), 1)
        case str():
            return Scalar(1, value, ScalarKind.TEXT)
        case bool():
            return Scalar(1, str(value).lower(), ScalarKind.LOGICAL)
        case None:
            return Scalar(1, "", ScalarKind.NULL)
    return Scalar(1, str(value), ScalarKind.NUMBER)
