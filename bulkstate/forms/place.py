"""Where reading stands: a node, the path of its field, and what surrounds the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bulkstate.errors import InputError, Problem
from bulkstate.forms import nodes
from bulkstate.forms.nodes import Node, Scalar, ScalarKind

MOST_PROBLEMS: Final = 50
"""So many mistakes are listed: nobody reads more at once."""

VARIABLE: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_REFERENCE: Final = re.compile(rf"\$(\$\{{)|\$\{{({VARIABLE})\}}|\$\{{")
MERGE: Final = "<<"
"""What older YAML merges mappings by."""
_SHOWABLE: Final = re.compile(r"[\w.-]{1,60}")


@dataclass(frozen=True, slots=True)
class Document:
    """A document: the name that its mistakes are told under, the folder that its paths start from, the environment.

    Without an environment `${` means nothing in it.
    """

    name: str
    folder: Path
    environ: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """One value, its field's path (`limits.rate[1]`) and the line that it, or its key, is on."""

    document: Document
    field: str
    line: int
    node: Node

    @property
    def where(self) -> str:
        """The file and the line."""
        return f"{self.document.name}:{self.line}"

    @property
    def written(self) -> str:
        """A single value as it stands in the file, references unresolved; empty for a list or mapping."""
        return self.node.text if isinstance(self.node, Scalar) else ""

    @property
    def is_null(self) -> bool:
        """Whether nothing is there: `null`, `~` or the end of the line."""
        return isinstance(self.node, Scalar) and self.node.kind is ScalarKind.NULL

    def problem(self, message: str, hint: str = "") -> Problem:
        """A mistake at this place."""
        return Problem(message, self.where, self.field, hint)

    def mistake(self, message: str, hint: str = "") -> InputError:
        """A mistake at this place, for the caller to raise."""
        return InputError(self.problem(message, hint))

    def expected(self, what: str, hint: str = "") -> InputError:
        """A value that can't be read, for the caller to raise. What is shown of it is what stands in the file."""
        return self.mistake(f"expected {what}, found {self._shown()}", hint)

    def _shown(self) -> str:
        match self.node:
            case nodes.Sequence(items=items):
                return "a list" if items else "an empty list"
            case nodes.Mapping():
                return "a mapping"
            case Scalar(kind=ScalarKind.NULL):
                return "nothing"
        text = self.written if len(self.written) <= 40 else f"{self.written[:39]}…"
        return ascii(text) if not text.isprintable() else f"'{text}'"

    def scalar(self, what: str) -> Scalar:
        """The single value that is here; `what` says what was expected."""
        if not isinstance(self.node, Scalar) or self.node.kind is ScalarKind.NULL:
            raise self.expected(what)
        return self.node

    def text(self, what: str) -> str:
        """A text that isn't empty, references resolved; `what` says what was expected.

        A bare number, date or boolean is refused: `007` is seven to some readers, and `no` is false.
        """
        scalar = self.scalar(what)
        if scalar.kind is not ScalarKind.TEXT:
            raise self.expected(what, f"YAML takes it for {scalar.kind.value}: put it in quotes")
        text = self.resolved(scalar.text)
        if not text:
            raise self.mistake(f"expected {what}, found an empty one")
        return text

    def bare(self, what: str) -> str:
        """A single value's text, written without quotes or resolved from references; `what` says what was expected."""
        scalar = self.scalar(what)
        text = self.resolved(scalar.text)
        if scalar.kind is ScalarKind.TEXT and text == scalar.text:
            raise self.expected(what)
        return text

    def resolved(self, text: str) -> str:
        """`text` with each `${NAME}` replaced from the environment, and `$${` by `${`; as it is without one."""
        environ = self.document.environ
        if environ is None:
            return text

        def value(found: re.Match[str]) -> str:
            if found[1]:
                return found[1]
            if found[2] is None:
                raise self.mistake("`${` needs a variable's name and `}`", "write `$${` for a plain `${`")
            if found[2] not in environ:
                raise self.mistake(f"the environment variable {found[2]} isn't set")
            return environ[found[2]]

        return _REFERENCE.sub(value, text)

    def items(self) -> Iterator[Place]:
        """What a list holds, in order; nothing if this isn't one."""
        for index, node in enumerate(self.node.items if isinstance(self.node, nodes.Sequence) else ()):
            yield Place(self.document, f"{self.field}[{index}]", node.line, node)

    def entries(self) -> Iterator[tuple[str, Place]]:
        """What a mapping holds, in order, keys that are there twice included; nothing if this isn't one."""
        for key, node in self.node.entries if isinstance(self.node, nodes.Mapping) else ():
            showable = isinstance(key, Scalar) and (_SHOWABLE.fullmatch(key.text) or key.text == MERGE)
            name = key.text if isinstance(key, Scalar) and showable else "?"
            yield name, Place(self.document, self.child(name), key.line, node)

    def nothing(self, name: str) -> Place:
        """The place of a key that isn't there."""
        return Place(self.document, self.child(name), self.line, Scalar(self.line, "", ScalarKind.NULL))

    def child(self, name: str) -> str:
        """The path of a field inside this one."""
        return f"{self.field}.{name}" if self.field else name


class Problems:
    """Gathers mistakes, so that one doesn't hide the next."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    @property
    def full(self) -> bool:
        """Whether there are more than anybody wants to read."""
        return len(self._found) >= MOST_PROBLEMS

    def add(self, *problems: Problem) -> None:
        """Keep these for later."""
        self._found.extend(problems)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep the mistakes that are raised inside."""
        try:
            yield
        except InputError as mistake:
            self._found.extend(mistake.problems)

    def settle(self) -> None:
        """Raise the first `MOST_PROBLEMS` of what was gathered, if anything was. InputError."""
        if self._found:
            raise InputError(*self._found[:MOST_PROBLEMS])
