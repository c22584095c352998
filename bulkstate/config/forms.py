"""How a value is written: each form reads one from its place, and describes itself as JSON Schema.

A section's form is made from a frozen dataclass, whose fields say `Annotated[type, form, description]`; so what is
read, what is described to editors and what the rest of the program is given are one declaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, get_args, get_type_hints

from bulkstate.config import nodes
from bulkstate.config.nodes import Kind
from bulkstate.config.place import VARIABLE, Place, Problems
from bulkstate.config.unbuilt import is_unbuilt, unbuilt_keys
from bulkstate.config.values import (
    DURATION_PATTERN,
    RATE_PATTERN,
    SIZE_PATTERN,
    Rate,
    SecretReference,
    format_duration,
    parse_duration,
    parse_rate,
    parse_size,
)
from bulkstate.errors import InputError, Problem

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K")
E = TypeVar("E", bound=StrEnum)

JsonObject: TypeAlias = dict[str, Any]

_WHOLE: Final = r"0|[1-9][0-9_]{0,17}"
_REFERENCE: Final = rf"\$\{{{VARIABLE}\}}"
_NOT_BUILT: Final = "not built yet"


class Form(Protocol[T_co]):
    """One way to write a value."""

    def read(self, at: Place) -> T_co:
        """The value. InputError, with every mistake in it, if it isn't one of this form."""
        ...

    def schema(self) -> JsonObject:
        """What JSON Schema says of it."""
        ...


def read(form: Form[T], at: Place) -> T:
    """Read a value, unless it asks for what isn't built yet."""
    if is_unbuilt(_path(at), at.written):
        raise at.mistake(_NOT_BUILT)
    return form.read(at)


def _path(at: Place) -> str:
    return re.sub(r"\[[0-9]+\]", "", at.field)


def _fits(*patterns: str) -> JsonObject:
    """A string that one of the patterns fits, or that comes from the environment in part."""
    return {"type": "string", "pattern": "|".join((*(f"^(?:{each})$" for each in patterns), _REFERENCE))}


# ── single values ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text. A bare number, date or boolean is refused: `007` would lose its zeros to other readers."""

    what: str = "text"

    def read(self, at: Place) -> str:
        """The text, references resolved."""
        scalar = at.scalar(self.what)
        if scalar.kind is not Kind.TEXT:
            raise at.expected(self.what, f"YAML takes it for {scalar.kind.value}: put it in quotes")
        text = at.resolved(scalar.text)
        if not text:
            raise at.mistake(f"expected {self.what}, found an empty one")
        if not text.isprintable() or text != text.strip():
            raise at.mistake(f"expected {self.what}: it holds a control character or a space at an end")
        return text

    def schema(self) -> JsonObject:
        """Any string but the empty one."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Flag:
    """`true` or `false`."""

    def read(self, at: Place) -> bool:
        """The flag."""
        scalar = at.scalar("true or false")
        text = at.resolved(scalar.text).lower()
        if text not in ("true", "false") or (scalar.kind is Kind.TEXT and text == scalar.text.lower()):
            raise at.expected("true or false")
        return text == "true"

    def schema(self) -> JsonObject:
        """A boolean, or a reference."""
        return {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": f"^{_REFERENCE}$"}]}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `least` to `most`, in decimal digits; `50_000_000` may be grouped."""

    least: int
    most: int

    def read(self, at: Place) -> int:
        """The number."""
        scalar = at.scalar(self._what)
        text = at.resolved(scalar.text)
        if scalar.kind is Kind.TEXT and text == scalar.text:
            raise at.expected(self._what)
        if not re.fullmatch(_WHOLE, text) or not self.least <= (number := int(text.replace("_", ""))) <= self.most:
            raise at.expected(self._what)
        return number

    @property
    def _what(self) -> str:
        return f"a whole number from {self.least:,} to {self.most:,}"

    def schema(self) -> JsonObject:
        """An integer between the bounds, or a reference."""
        number = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{_REFERENCE}$"}]}


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
        return _fits(DURATION_PATTERN)


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
        return {"anyOf": [number, _fits(SIZE_PATTERN)]}


@dataclass(frozen=True, slots=True)
class RateOf:
    """A rate such as `20/s`."""

    def read(self, at: Place) -> Rate:
        """The rate."""
        return _parsed(parse_rate, at, "a rate such as 20/s")

    def schema(self) -> JsonObject:
        """The pattern."""
        return _fits(RATE_PATTERN)


def _parsed(parse: Callable[[str], T], at: Place, what: str) -> T:
    try:
        return parse(at.resolved(at.scalar(what).text))
    except ValueError as error:
        raise at.expected(str(error)) from None


@dataclass(frozen=True, slots=True)
class Choice(Generic[E]):
    """One word of an enumeration."""

    words: type[E]

    def read(self, at: Place) -> E:
        """The word."""
        text = Text().read(at)
        if text not in tuple(self.words):
            raise at.mistake(f"expected one of {', '.join(self.words)}", _near(text, tuple(self.words)))
        return self.words(text)

    def schema(self) -> JsonObject:
        """The words."""
        return {"enum": [word.value for word in self.words]}


def _near(name: str, names: tuple[str, ...]) -> str:
    near = get_close_matches(name[:60].lower(), names, n=1)
    return f"did you mean {near[0]}?" if near else ""


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
            reference.reveal(at.source.environ)
        except InputError as error:
            raise InputError(*(at.problem(problem.message) for problem in error.problems)) from None
        return reference

    def schema(self) -> JsonObject:
        """A reference and nothing else."""
        return {"type": "string", "pattern": f"^{_REFERENCE}$"}


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path, relative to the configuration's folder. Whether there is anything is for its user to find out."""

    endings: tuple[str, ...] = ()

    def read(self, at: Place) -> Path:
        """The path."""
        text = Text("a path").read(at)
        if self.endings and not text.endswith(self.endings):
            raise at.expected(f"a path that ends in {' or '.join(self.endings)}")
        return at.source.folder / text

    def schema(self) -> JsonObject:
        """A string with the ending."""
        if not self.endings:
            return Text().schema()
        return _fits(f".*({'|'.join(map(re.escape, self.endings))})")


# ── values made of others ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Maybe(Generic[T]):
    """A value of another form, or `null`."""

    form: Form[T]

    def read(self, at: Place) -> T | None:
        """The value, None for `null`."""
        return None if at.is_null else self.form.read(at)

    def schema(self) -> JsonObject:
        """The other form's, or null."""
        return {"anyOf": [self.form.schema(), {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class ListOf(Generic[T]):
    """A list of at least one value, each of another form."""

    form: Form[T]
    what: str

    def read(self, at: Place) -> tuple[T, ...]:
        """The values, in order."""
        if not isinstance(at.node, nodes.Sequence) or not at.node.items:
            raise at.expected(f"a list of {self.what}, with at least one")
        problems, values = Problems(), []
        for item in at.items():
            with problems.gathered():
                values.append(read(self.form, item))
            if problems.full:
                break
        problems.settle()
        return tuple(values)

    def schema(self) -> JsonObject:
        """An array."""
        return {"type": "array", "items": self.form.schema(), "minItems": 1}


@dataclass(frozen=True, slots=True)
class OneOrMore(Generic[T]):
    """A single value, or a list of such."""

    form: Form[T]
    what: str

    def read(self, at: Place) -> tuple[T, ...]:
        """The values, in order."""
        if isinstance(at.node, nodes.Sequence):
            return ListOf(self.form, self.what).read(at)
        return (read(self.form, at),)

    def schema(self) -> JsonObject:
        """Either."""
        return {"anyOf": [self.form.schema(), ListOf(self.form, self.what).schema()]}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section. `default` is what it stands for when it isn't there, MISSING if it has to be."""

    name: str
    form: Form[Any]
    description: str
    default: object

    def schema(self) -> JsonObject:
        """The form's, described."""
        return {**self.form.schema(), "description": self.description, **self._default()}

    def _default(self) -> JsonObject:
        match self.default:
            case float(seconds):
                return {"default": format_duration(seconds)}
            case StrEnum(value=word):
                return {"default": word}
            case bool() | int() | str():
                return {"default": self.default}
        return {}


@dataclass(frozen=True, slots=True)
class Found:
    """What reading a section found, for rules that look at several keys: a key whose value is wrong has no value."""

    at: Place
    written: Mapping[str, Place]
    values: Mapping[str, object]

    def problem(self, name: str, message: str, hint: str = "") -> Problem:
        """A mistake at a key, or at the section if the key isn't there."""
        if name in self.written:
            return self.written[name].problem(message, hint)
        return Problem(message, self.at.where, self.at.child(name), hint)


Rule: TypeAlias = Callable[[Found], Iterable[Problem]]


@dataclass(frozen=True)
class Section(Generic[T]):
    """A mapping, read into the frozen dataclass `noun`. A section that isn't there is one without keys.

    `given` holds those fields of `noun` that aren't read. `rules` find mistakes that more than one key takes part in.
    """

    noun: type[T]
    rules: tuple[Rule, ...] = ()
    given: Mapping[str, object] = field(default_factory=dict)

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """The keys that are known, as the noun's fields declare them."""
        hints = get_type_hints(self.noun, include_extras=True)
        declared = ((each, get_args(hints[each.name])) for each in _fields(self.noun) if each.name not in self.given)
        return tuple(Key(each.name, form, text, each.default) for each, (_, form, text) in declared)

    def read(self, at: Place) -> T:
        """The section, or every mistake in it."""
        problems = Problems()
        written = self._written(at, problems)
        values = dict(self.given)
        for key in self.keys:
            with problems.gathered():
                if key.name in written:
                    values[key.name] = read(key.form, written[key.name])
                elif key.default is MISSING:
                    values[key.name] = _absent(key, at)
        found = Found(at, written, values)
        problems.add(*(problem for rule in self.rules for problem in rule(found)))
        problems.settle()
        return self.noun(**values)

    def _written(self, at: Place, problems: Problems) -> dict[str, Place]:
        names = tuple(key.name for key in self.keys)
        if not isinstance(at.node, nodes.Mapping) and not at.is_null:
            raise at.expected(f"a mapping with {', '.join(names)}")
        written: dict[str, Place] = {}
        for name, place in at.entries():
            if name not in names:
                problems.add(_unknown(place, name, names))
            elif name in written:
                problems.add(place.problem(f"is there twice, first on line {written[name].line}"))
            else:
                written[name] = place
            if problems.full:
                break
        return written

    def schema(self) -> JsonObject:
        """An object with the keys, and those that aren't built yet forbidden."""
        properties = {key.name: key.schema() for key in self.keys}
        return {
            "type": "object",
            "properties": properties,
            "required": [key.name for key in self.keys if key.default is MISSING],
            "additionalProperties": False,
        }


def _fields(noun: type[Any]) -> tuple[Field[Any], ...]:
    return fields(noun)


def _absent(key: Key, at: Place) -> object:
    """What a key that isn't there stands for, if it is a section; else a mistake."""
    if isinstance(key.form, Section | Made):
        return key.form.read(at.nothing(key.name))
    raise InputError(Problem("is missing", at.where, at.child(key.name), key.description))


def _unknown(at: Place, name: str, names: tuple[str, ...]) -> Problem:
    if is_unbuilt(_path(at), at.written):
        return at.problem(_NOT_BUILT)
    unbuilt = unbuilt_keys(_path(at).rpartition(".")[0])
    return at.problem("unknown key", _near(name, (*names, *unbuilt)) or f"known: {', '.join(names)}")


@dataclass(frozen=True)
class Made(Generic[K, T]):
    """A section whose keys aren't yet what the program speaks of: `make` turns one into the other."""

    section: Section[K]
    make: Callable[[K], T]

    def read(self, at: Place) -> T:
        """What `make` makes of the section."""
        return self.make(self.section.read(at))

    def schema(self) -> JsonObject:
        """The section's."""
        return self.section.schema()
