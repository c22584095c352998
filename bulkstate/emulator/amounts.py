"""Amounts as worlds and fault files write them: a number may also stand bare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bulkstate.forms.place import Place
from bulkstate.forms.single import JsonObject
from bulkstate.forms.values import parse_duration

_TIME: Final = "a duration such as 30s or 500ms, or a number of seconds"
_CHANCE: Final = "a share from 0 to 1, such as 5%"


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time such as `500ms`, or a number of seconds."""

    def read(self, at: Place) -> float:
        """The time in seconds."""
        text = at.scalar(_TIME).text
        try:
            return parse_duration(f"{text}s" if text[-1:].isdigit() else text)
        except ValueError:
            raise at.expected(_TIME) from None

    def schema(self) -> JsonObject:
        """Either."""
        return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}


@dataclass(frozen=True, slots=True)
class Probability:
    """How likely something is: `5%`, or `0.05`."""

    def read(self, at: Place) -> float:
        """It as a fraction of 1."""
        text = at.scalar(_CHANCE).text
        number = text.removesuffix("%")
        try:
            chance = float(number) / (100 if number != text else 1)
        except ValueError:
            raise at.expected(_CHANCE) from None
        if not 0 <= chance <= 1:
            raise at.expected(_CHANCE)
        return chance

    def schema(self) -> JsonObject:
        """Either."""
        return {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": "%$"}]}


@dataclass(frozen=True, slots=True)
class OneOfNumbers:
    """One of a few numbers: statuses and codes."""

    numbers: tuple[int, ...]

    def read(self, at: Place) -> int:
        """Which."""
        if at.written not in map(str, self.numbers):
            *others, last = map(str, self.numbers)
            raise at.expected(f"{', '.join(others)} or {last}")
        return int(at.written)

    def schema(self) -> JsonObject:
        """They."""
        return {"enum": list(self.numbers)}
