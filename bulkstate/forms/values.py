"""Single values that the configuration speaks of, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from bulkstate.errors import InputError, Problem

SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
BYTES: Final = {"B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _units(units: Mapping[str, object]) -> str:
    return "|".join(units)


DURATION_PATTERN: Final = rf"([0-9]{{1,9}}(?:\.[0-9]{{1,9}})?) ?({_units(SECONDS)})"
SHARE_PATTERN: Final = r"([0-9]{1,9}) ?%"
SIZE_PATTERN: Final = rf"([0-9][0-9_]{{0,14}}) ?({_units(BYTES)})?"


def parse_duration(text: str) -> float:
    """Seconds, to the nanosecond, from `30s` or `500ms`. ValueError, with what was expected, for anything else."""
    found = re.fullmatch(DURATION_PATTERN, text)
    if found is None:
        raise ValueError("a duration such as 30s or 500ms, with the units ms, s, m, h or d")
    return round(float(found[1]) * SECONDS[found[2]], 9)


def format_duration(seconds: float) -> str:
    """As `parse_duration` reads it."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def parse_size(text: str) -> int:
    """Bytes from `512KiB`, `1MiB`, `1MB` or `1048576B`. ValueError, with what was expected, for anything else."""
    found = re.fullmatch(SIZE_PATTERN, text)
    if found is None:
        raise ValueError("a size such as 512KiB or 1MiB, or a number of bytes")
    return int(found[1].replace("_", "")) * BYTES[found[2] or "B"]


Auto: TypeAlias = Literal["auto"]
AUTO: Final[Auto] = "auto"
"""In place of a value: the program finds out."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of something, in whole percent from 1 to 100."""

    percent: int

    def __str__(self) -> str:
        return f"{self.percent}%"

    @property
    def part(self) -> float:
        """It as a fraction of 1."""
        return self.percent / 100


WHOLE: Final = Share(100)
"""All of it."""

A_TENTH: Final = Share(10)
A_FIFTH: Final = Share(20)


def parse_share(text: str) -> Share:
    """`80%`. ValueError, with what was expected, for anything else."""
    found = re.fullmatch(SHARE_PATTERN, text)
    if found is None or not 0 < int(found[1]) <= 100:
        raise ValueError("a share from 1% to 100%, in whole percent")
    return Share(int(found[1]))


@dataclass(frozen=True, slots=True)
class SecretReference:
    """The name of the environment variable that holds a secret. Never the secret."""

    name: str

    def __str__(self) -> str:
        return f"${{{self.name}}}"

    def reveal(self, environ: Mapping[str, str]) -> str:
        """The secret. InputError if the variable isn't set, or can't be a secret; what it holds is never told."""
        value = environ.get(self.name, "")
        if not value:
            raise self._mistake("isn't set or is empty")
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise self._mistake("holds a line end, a control character, a space at an end or a letter beyond ASCII")
        return value

    def _mistake(self, message: str) -> InputError:
        return InputError(Problem(f"the environment variable {self.name} {message}"))
