"""How a single value is written: each form reads one from its place, and describes itself as JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from bulkstate.errors import InputError
from bulkstate.forms import nodes
from bulkstate.forms.place import VARIABLE, Place
from bulkstate.forms.values import (
    AUTO,
    DURATION_PATTERN,
    SHARE_PATTERN,
    SIZE_PATTERN,
    Auto,
    SecretReference,
    Share,
    format_duration,
    parse_duration,
    parse_share,
    parse_size,
)
from bulkstate.rates import RATE_PATTERN, Rate, parse_rate

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=StrEnum)

JsonObject: TypeAlias = dict[str, Any]

_WHOLE: Final = r"0|[1-9][0-9_]{0,17}"
_REFERENCE: Final = rf"\$\{{{VARIABLE}\}}"


class Form(Protocol[T_co]):
    """One way to write a value."""

    def read(self, at: Place) -> T_co:
        """The value. InputError, with every mistake in it, if it isn't one of this form."""
        ...

    def schema(self) -> JsonObject:
        """What JSON Schema says of it."""
        ...


def fits(*patterns: str) -> JsonObject:
    """A string that one of the patterns fits, or that comes from the environment in part."""
    return {"type": "string", "pattern": "|".join((*(f"^(?:{each})$" for each in patterns), _REFERENCE))}


# ── single values ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class AnyText:
    """A text, whatever it holds."""

    what: str = "text"

    def read(self, at: Place) -> str:
        """The text, references resolved."""
        return at.text(self.what)

    def schema(self) -> JsonObject:
        """Any string but the empty one."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text, without spaces around it."""

    what: str = "text"

    def read(self, at: Place) -> str:
        """The text, references resolved."""
        text = at.text(self.what)
        if not text.isprintable() or text != text.strip():
            raise at.mistake(f"expected {self.what}: it holds a control character or a space at an end")
        return text

    def schema(self) -> JsonObject:
        """Any string but the empty one."""
        return AnyText().schema()


@dataclass(frozen=True, slots=True)
class Flag:
    """`true` or `false`."""

    def read(self, at: Place) -> bool:
        """The flag."""
        text = at.bare("true or false").lower()
        if text not in ("true", "false"):
            raise at.expected("true or false")
        return text == "true"

    def schema(self) -> JsonObject:
        """A boolean, or a reference."""
        return {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": f"^{_REFERENCE}$"}]}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `least` to `most`, in decimal digits; `50_000_000` may be grouped.

    `what` is what was expected where it isn't one, if there is more to say than the bounds.
    """

    least: int
    most: int
    what: str = ""

    def read(self, at: Place) -> int:
        """The number."""
        what = self.what or f"a whole number from {self.least:,} to {self.most:,}"
        text = at.bare(what)
        number = int(text.replace("_", "")) if re.fullmatch(_WHOLE, text) else self.least - 1
        if not self.least <= number <= self.most:
            raise at.expected(what)
        return number

    def schema(self) -> JsonObject:
        """An integer between the bounds, or a reference."""
        number = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{_REFERENCE}$"}]}


@dataclass(frozen=True, slots=True)
class Version:
    """The only version of a document that is read."""

    known: int

    def read(self, at: Place) -> int:
        """It."""
        if at.written != str(self.known):
            raise at.expected(f"{self.known}, the only version that this program reads")
        return self.known

    def schema(self) -> JsonObject:
        """A constant."""
        return {"const": self.known}


@dataclass(frozen=True, slots=True)
class Duration:
    """A time such as `30s`, from `least` to `most` seconds."""

    least: float
    most: float

    def read(self, at: Place) -> float:
        """The time in seconds."""
        seconds = _parsed(parse_duration, at, "a duration such as 30s")
        if not self.least <= seconds <= self.most:
            raise at.expected(f"a time from {format_duration(self.least)} to {format_duration(self.most)}")
        return seconds

    def schema(self) -> JsonObject:
        """The pattern; the bounds are left to reading."""
        return fits(DURATION_PATTERN)


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes from `least` to `most`, bare or with a unit: `1048576`, `1MiB`."""

    least: int
    most: int

    def read(self, at: Place) -> int:
        """The size in bytes."""
        size = _parsed(parse_size, at, "a size such as 1MiB")
        if not self.least <= size <= self.most:
            raise at.expected(f"a size from {self.least:,} to {self.most:,} bytes")
        return size

    def schema(self) -> JsonObject:
        """An integer, or the pattern; the bounds of the latter are left to reading."""
        number = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return {"anyOf": [number, fits(SIZE_PATTERN)]}


@dataclass(frozen=True, slots=True)
class RateOf:
    """A rate such as `20/s`."""

    def read(self, at: Place) -> Rate:
        """The rate."""
        return _parsed(parse_rate, at, "a rate such as 20/s")

    def schema(self) -> JsonObject:
        """The pattern."""
        return fits(RATE_PATTERN)


@dataclass(frozen=True, slots=True)
class ShareOf:
    """A share such as `80%`."""

    def read(self, at: Place) -> Share:
        """The share."""
        return _parsed(parse_share, at, "a share such as 80%")

    def schema(self) -> JsonObject:
        """The pattern; the bounds are left to reading."""
        return fits(SHARE_PATTERN)


@dataclass(frozen=True, slots=True)
class AutoOr(Generic[T]):
    """`auto`, or a value of another form."""

    form: Form[T]

    def read(self, at: Place) -> T | Auto:
        """The word, or what the other form reads."""
        return AUTO if at.resolved(at.written) == AUTO else self.form.read(at)

    def schema(self) -> JsonObject:
        """The word, or the other form's."""
        return {"anyOf": [{"const": AUTO}, self.form.schema()]}


def _parsed(parse: Callable[[str], T], at: Place, what: str) -> T:
    try:
        return parse(at.resolved(at.scalar(what).text))
    except ValueError as error:
        raise at.expected(str(error)) from None


@dataclass(frozen=True, slots=True)
class Choice(Generic[E]):
    """One word of an enumeration. Another word is never told back: it may be a secret in the wrong place."""

    words: type[E]

    def read(self, at: Place) -> E:
        """The word."""
        words = tuple(self.words)
        text = at.resolved(at.scalar(either(words)).text)
        if text not in words:
            raise at.mistake(f"expected {either(words)}", near(text, words))
        return self.words(text)

    def schema(self) -> JsonObject:
        """The words."""
        return {"enum": [word.value for word in self.words]}


def either(words: tuple[str, ...]) -> str:
    """The words as a list to choose from."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def near(name: str, names: tuple[str, ...]) -> str:
    """A question that names the nearest of `names`, empty if none is near."""
    found = get_close_matches(name[:60].lower(), names, n=1)
    return f"did you mean {found[0]}?" if found else ""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret: exactly one `${NAME}`. What else stands there is never told, for it may be the secret itself."""

    def read(self, at: Place) -> SecretReference:
        """The reference, once it is sure that the environment holds something for it."""
        found = re.fullmatch(rf"\$\{{({VARIABLE})\}}", at.written)
        if found is None:
            raise at.mistake("a secret comes from the environment only", "write ${NAME}, with the variable's name")
        reference = SecretReference(found[1])
        try:
            reference.reveal(at.document.environ or {})
        except InputError as error:
            raise InputError(*(at.problem(problem.message) for problem in error.problems)) from None
        return reference

    def schema(self) -> JsonObject:
        """A reference and nothing else."""
        return {"type": "string", "pattern": f"^{_REFERENCE}$"}


@dataclass(frozen=True, slots=True)
class JsonText:
    """A mapping of which nothing is known here: what a platform wants to be told. It is kept as it stands."""

    def read(self, at: Place) -> str:
        """It as JSON text."""
        if not isinstance(at.node, nodes.Mapping):
            raise at.expected("a mapping")
        return json.dumps(_as_json(at))

    def schema(self) -> JsonObject:
        """An object."""
        return {"type": "object"}


def _as_json(at: Place) -> object:
    if isinstance(at.node, nodes.Sequence):
        return [_as_json(item) for item in at.items()]
    if isinstance(at.node, nodes.Mapping):
        written = list(at.entries())
        if len(dict(written)) < len(written) or "?" in dict(written):
            raise at.mistake("holds a key twice, or one that can't be shown")
        return {name: _as_json(item) for name, item in written}
    return _single(at, at.node)


def _single(at: Place, scalar: nodes.Scalar) -> object:
    if "${" in scalar.text:
        raise at.mistake("is kept as it stands, and holds no reference", "write the value, which can't be a secret")
    if scalar.kind in (nodes.ScalarKind.TEXT, nodes.ScalarKind.DATE):
        return scalar.text
    if scalar.kind is nodes.ScalarKind.NULL:
        return None
    try:
        value = json.loads(scalar.text.lower(), parse_constant=float)
    except ValueError:
        value = None
    if not isinstance(value, int | float) or not isfinite(value):
        raise at.expected("a number as JSON writes it, true or false", "put it in quotes if it is a text")
    return value


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path, relative to the configuration's folder. What is there is for its user to find out."""

    def read(self, at: Place) -> Path:
        """The path."""
        text = at.text("a path")
        if "\0" in text:
            raise at.mistake("isn't a path: it holds a zero byte")
        return at.document.folder / text

    def schema(self) -> JsonObject:
        """Any string but the empty one."""
        return Text().schema()
