"""What an ID may be, and how mistakes are gathered."""

from __future__ import annotations

import re
from typing import Final

from bulkstate.errors import InputError, Problem

LONGEST_ID: Final = 65_536
"""Most characters of an ID: nothing real comes near, and a file of one endless line is told at once."""

SHOWN: Final = 20
"""How many mistakes of one list or file are shown. The rest is counted."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SUSPECT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff,]|^\s|\s\Z|^\Z")


def fault(id_: str) -> str | None:
    """Why the gateway can't be sent this ID, in words that follow "the ID"; None if it can.

    The call joins IDs by commas, without escape (docs/enos-api.md).
    """
    if _SUSPECT.search(id_) is None and len(id_) <= LONGEST_ID:
        return None
    return _reason(id_)


def _reason(id_: str) -> str:
    if not id_:
        return "is empty"
    if len(id_) > LONGEST_ID:
        return f"{show(id_)} is longer than {LONGEST_ID:,} characters"
    if control := _CONTROL.search(id_):
        return f"{show(id_)} holds a control character (U+{ord(control[0]):04X})"
    if _SURROGATE.search(id_):
        return f"{show(id_)} is not valid Unicode (half of a surrogate pair)"
    if "," in id_:
        return f"{show(id_)} holds a comma, by which the gateway separates IDs"
    return f"{show(id_)} begins or ends with a space"


def show(text: str) -> str:
    """Text from outside, quoted, without control characters, and not too long for a message."""
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}…"


class Mistakes:
    """The mistakes of one list or file: the first few, and how many more."""

    def __init__(self) -> None:
        self._shown: list[Problem] = []
        self._count = 0

    def add(self, message: str, where: str, field: str, hint: str = "") -> None:
        """One more mistake; the arguments are those of `Problem`."""
        self._count += 1
        if self._count <= SHOWN:
            self._shown.append(Problem(message, where, field, hint))

    def refuse(self) -> None:
        """InputError if there was any mistake."""
        if not self._count:
            return
        more = self._count - len(self._shown)
        last = self._shown[-1]
        rest = [Problem(f"and {more:,} more such mistakes", last.where.rsplit(":", 1)[0], last.field)] if more else []
        raise InputError(*self._shown, *rest)
