"""A YAML file whose every value knows its place, so that a mistake can be named with file, line and field."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypeVar

import yaml

from bulkstate.errors import InputError, Problem
from bulkstate.rates import Rate

T = TypeVar("T")

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_AMOUNT: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*([A-Za-z%]*)")
_WINDOW: Final = re.compile(r"(\d{1,9})/(\d{0,9})(s|min|h|d)")


def open_yaml(path: Path) -> Entry:
    """The file's only document. InputError if it can't be read, isn't YAML, or is empty."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise InputError(Problem(f"can't be read: {error.strerror}", str(path))) from None
    except UnicodeDecodeError:
        raise InputError(Problem("isn't UTF-8 text", str(path))) from None
    except yaml.YAMLError as error:
        raise InputError(_syntax(error, path)) from None
    except RecursionError:
        raise InputError(Problem("is nested too deeply", str(path))) from None
    if node is None:
        raise InputError(Problem("is empty", str(path)))
    return Entry(node, path, "")


def _syntax(error: yaml.YAMLError, path: Path) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return Problem(f"isn't YAML: {error.problem}", f"{path}:{error.problem_mark.line + 1}")
    return Problem("isn't YAML", str(path))


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One value. Every method that reads it raises InputError if it isn't what was expected."""

    node: yaml.Node
    file: Path
    field: str

    def mistake(self, message: str, *, hint: str = "") -> InputError:
        """An error at this place, for the caller to raise."""
        return InputError(Problem(message, f"{self.file}:{self.node.start_mark.line + 1}", self.field, hint))

    def fields(self, *known: str) -> Fields:
        """A mapping, none of whose keys is unknown or there twice."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.mistake(f"expected a mapping with {', '.join(known)}")
        entries: dict[str, Entry] = {}
        for key, value in self.node.value:
            name = self._key(key, known)
            if name in entries:
                raise self._child(key, name).mistake("is there twice")
            entries[name] = self._child(value, name)
        return Fields(self, entries)

    def _key(self, key: yaml.Node, known: tuple[str, ...]) -> str:
        name = str(key.value)
        if name in known:
            return name
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise self._child(key, name).mistake("unknown key", hint=hint)

    def _child(self, node: yaml.Node, name: str) -> Entry:
        return Entry(node, self.file, f"{self.field}.{name}" if self.field else name)

    def items(self) -> list[Entry]:
        """A list, which may be empty."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.mistake("expected a list")
        return [Entry(node, self.file, f"{self.field}[{index}]") for index, node in enumerate(self.node.value)]

    def one_or_more(self) -> list[Entry]:
        """A list, or a single value in place of a list of one."""
        return [self] if isinstance(self.node, yaml.ScalarNode) else self.items()

    def texts(self) -> tuple[str, ...]:
        """A list of texts, with at least one."""
        texts = tuple(item.text() for item in self.items())
        if not texts:
            raise self.mistake("expected at least one")
        return texts

    def text(self) -> str:
        """A text that isn't empty. A bare number is refused: 007 would lose its zeros."""
        value = self._scalar()
        if not isinstance(value, str) or not value:
            raise self.mistake(f"expected text, found {value!r}", hint="put it in quotes")
        return value

    def choice(self, *choices: str) -> str:
        """One of `choices`, quoted or not."""
        value = str(self._scalar())
        if value not in choices:
            raise self.mistake(f"expected one of {', '.join(choices)}; found {value!r}")
        return value

    def flag(self) -> bool:
        """`true` or `false`."""
        value = self._scalar()
        if not isinstance(value, bool):
            raise self.mistake(f"expected true or false, found {value!r}")
        return value

    def integer(self, least: int = 0) -> int:
        """A whole number of at least `least`."""
        value = self._scalar()
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.mistake(f"expected a whole number of at least {least}, found {value!r}")
        return value

    def duration(self) -> float:
        """Seconds: a number, or one with ms, s, min, h or d."""
        return self._amount({"": 1.0, **_SECONDS}, "a duration, such as 30s or 500ms")

    def size(self) -> int:
        """Bytes, at least one: a number, or one with kB, KiB, MB, MiB and so on."""
        size = int(self._amount({unit: float(size) for unit, size in _BYTES.items()}, "a size, such as 1MiB"))
        if not size:
            raise self.mistake("expected a size of at least one byte")
        return size

    def share(self) -> float:
        """A part of one: `0.05` or `5%`."""
        share = self._amount({"": 1.0, "%": 0.01}, "a share from 0 to 1, such as 5%")
        if share > 1:
            raise self.mistake(f"expected a share from 0 to 1, found {self._scalar()!r}")
        return share

    def window(self) -> Rate:
        """A limit such as 20/s, 1000/min or 600/30s."""
        found = _WINDOW.fullmatch(str(self._scalar()))
        calls, many, unit = found.groups() if found else ("0", "0", "s")
        seconds = int(many or 1) * _SECONDS[unit]
        if not int(calls) or not seconds:
            raise self.mistake(f"expected a limit such as 20/s, 1000/min or 600/30s; found {self._scalar()!r}")
        return Rate(int(calls), seconds)

    def path(self) -> Path:
        """A path, relative to the file's folder."""
        return self.file.parent / self.text()

    def _amount(self, units: dict[str, float], expected: str) -> float:
        value = self._scalar()
        found = None if isinstance(value, bool) else _AMOUNT.fullmatch(str(value))
        if found is None or found[2] not in units:
            raise self.mistake(f"expected {expected}; found {value!r}")
        return float(found[1]) * units[found[2]]

    def _scalar(self) -> object:
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.mistake("expected a single value")
        try:
            return yaml.constructor.SafeConstructor().construct_object(self.node)
        except (ValueError, yaml.YAMLError):
            raise self.mistake(f"can't be read as a value: {self.node.value!r}") from None


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """A mapping's values by their keys."""

    entry: Entry
    entries: dict[str, Entry]

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def need(self, name: str) -> Entry:
        """The value of a key that has to be there."""
        if name not in self.entries:
            raise self.entry.mistake(f"{name!r} is missing")
        return self.entries[name]

    def get(self, name: str, read: Callable[[Entry], T], otherwise: T) -> T:
        """What `read` makes of a key's value, or `otherwise` if there is no such key."""
        return read(self.entries[name]) if name in self.entries else otherwise
