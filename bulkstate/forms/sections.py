"""How values are put together: lists, and sections, which are mappings with keys that are known.

A section's form is made from a frozen dataclass, whose fields say `Annotated[type, form, description]`; so what is
read, what is described to editors and what the rest of the program is given are one declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, get_args, get_type_hints

from bulkstate.errors import InputError, Problem
from bulkstate.forms import nodes
from bulkstate.forms.place import MERGE, Place, Problems
from bulkstate.forms.single import Form, JsonObject, near
from bulkstate.forms.values import Share, format_duration

FREE: Final = "x-"
"""How keys begin that nobody reads."""

K = TypeVar("K")
T = TypeVar("T")


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
    """A list of values, each of another form: of `least` at least."""

    form: Form[T]
    what: str
    least: Literal[0, 1] = 1

    def read(self, at: Place) -> tuple[T, ...]:
        """The values, in order."""
        if not isinstance(at.node, nodes.Sequence) or len(at.node.items) < self.least:
            raise at.expected(f"a list of {self.what}" + ", with at least one" * self.least)
        problems, values = Problems(), []
        for item in at.items():
            with problems.gathered():
                values.append(self.form.read(item))
            if problems.full:
                break
        problems.settle()
        return tuple(values)

    def schema(self) -> JsonObject:
        """An array."""
        return {"type": "array", "items": self.form.schema(), "minItems": self.least}


@dataclass(frozen=True, slots=True)
class OneOrMore(Generic[T]):
    """A single value, or a list of such."""

    form: Form[T]
    what: str

    def read(self, at: Place) -> tuple[T, ...]:
        """The values, in order."""
        if isinstance(at.node, nodes.Sequence):
            return ListOf(self.form, self.what).read(at)
        return (self.form.read(at),)

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
            case Share():
                return {"default": str(self.default)}
            case (str(word),):
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


@dataclass(frozen=True, slots=True)
class Either:
    """A rule: keys that belong `together` are there, or another one `alone`.

    `why` they belong together is told, and what a section without any of them does: `none`.
    """

    together: tuple[str, str]
    alone: str
    why: str
    none: str = "holds none"

    def __call__(self, found: Found) -> Iterator[Problem]:
        """What is there and shouldn't be, or the other way round."""
        expected = f"expected {' and '.join(self.together)}, or {self.alone}"
        there = found.written.keys() & self.together
        if self.alone in found.written:
            if there:
                yield found.at.problem(f"holds two: {expected} alone")
        elif not there:
            yield found.at.problem(f"{self.none}: {expected}")
        else:
            for name in sorted(set(self.together) - there):
                yield found.problem(name, "is missing", self.why)


@dataclass(frozen=True)
class Section(Generic[T]):
    """A mapping, read into the frozen dataclass `noun`. A section that isn't there is one without keys. Keys that begin
    with `x-` are anybody's: a place for what is repeated elsewhere.

    `given` holds those fields of `noun` that aren't read. `rules` find mistakes that more than one key takes part in.
    `unbuilt` are keys that are going to be known: asked for, they are refused in words of their own, never ignored.
    """

    noun: type[T]
    rules: tuple[Rule, ...] = ()
    given: Mapping[str, object] = field(default_factory=dict)
    unbuilt: tuple[str, ...] = ()

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
                    values[key.name] = key.form.read(written[key.name])
                elif key.default is MISSING:
                    values[key.name] = _absent(key, at)
        found = Found(at, written, values)
        problems.add(*(problem for rule in self.rules for problem in rule(found)))
        problems.settle()
        return self.noun(**values)

    def _written(self, at: Place, problems: Problems) -> dict[str, Place]:
        names = tuple(key.name for key in self.keys)
        if not isinstance(at.node, nodes.Mapping) and not at.is_null:  # what stands here may be a secret
            raise at.mistake(f"expected a mapping with {', '.join(names)}")
        written: dict[str, Place] = {}
        for name, place in at.entries():
            if name.startswith(FREE):
                continue
            if name not in names:
                problems.add(self._unknown(place, name, names))
            elif name in written:
                problems.add(place.problem(f"is there twice, first on line {written[name].line}"))
            else:
                written[name] = place
            if problems.full:
                break
        return written

    def _unknown(self, at: Place, name: str, names: tuple[str, ...]) -> Problem:
        if name in self.unbuilt:
            return at.problem("not built yet")
        if name == MERGE:
            return at.problem("merging mappings isn't possible", "repeat (`*name`) each value that is the same")
        return at.problem("unknown key", near(name, (*names, *self.unbuilt)) or f"known: {', '.join(names)}")

    def schema(self) -> JsonObject:
        """An object with the keys and no others."""
        return {
            "type": "object",
            "properties": {key.name: key.schema() for key in self.keys},
            "required": [key.name for key in self.keys if key.default is MISSING],
            "patternProperties": {f"^{FREE}": {}},
            "additionalProperties": False,
        }


def _fields(noun: type[Any]) -> tuple[Field[Any], ...]:
    return fields(noun)


def _absent(key: Key, at: Place) -> object:
    """What a key that isn't there stands for, if it is a section; else a mistake."""
    if isinstance(key.form, Section | Made):
        return key.form.read(at.nothing(key.name))
    schema = key.form.schema()
    hint = f"write `{key.name}: {schema['const']}`" if "const" in schema else key.description.rstrip(".")
    raise InputError(Problem("is missing", at.where, at.child(key.name), hint))


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
