"""What an ID may be, and how mistakes are gathered.

An ID can be sent or not (`literal_fault`). One that can may still be nobody's: a wildcard, a comment behind an ID, a
pattern where none is unfolded, what a spreadsheet made of digits. Taken as it stands it would select nothing, or keep
nothing, without a word; so it is refused, unless the source says that its IDs are literal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from bulkstate.errors import InputError, Problem
from bulkstate.pairs.patterns import first_of

LONGEST_ID: Final = 65_536
"""Most characters of an ID: nothing real comes near, and a file of one endless line is told at once."""

SHOWN: Final = 20
"""How many mistakes of one list or file are shown. The rest is counted."""

Fault: TypeAlias = Callable[[str], str | None]
"""Why something isn't an ID, in words that follow "the ID"; None if it is one."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SUSPECT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff,]|^\s|\s\Z|^\Z")

_SPREADSHEET = re.compile(r"[+-]?[0-9](\.[0-9]+)?[Ee][+-][0-9]{2,}|#(N/A|REF!|NAME\?|DIV/0!|VALUE!|NUM!|NULL!)")
_DOUBTFUL = re.compile(rf"[*?]|\s#|\A({_SPREADSHEET.pattern})\Z")
_BRACE = re.compile(r"[{}]")
_MEANT: Final = "if it is meant, say `ids: literal` beside the source"


def literal_fault(id_: str) -> str | None:
    """Why the gateway can't be sent this ID; None if it can.

    The call joins IDs by commas, without escape (docs/enos-api.md).
    """
    if _SUSPECT.search(id_) is None and len(id_) <= LONGEST_ID:
        return None
    return _reason(id_)


def fault(id_: str) -> str | None:
    """Why this isn't an ID, where patterns aren't unfolded."""
    if wrong := literal_fault(id_) or _doubt(id_):
        return wrong
    if _BRACE.search(id_):
        return f"{show(id_)} holds a brace, and only lists unfold patterns ({_MEANT})"
    return None


def pattern_fault(value: str) -> str | None:
    """Why this is neither an ID nor a pattern of IDs such as `WTG{0001..2000}`."""
    if _BRACE.search(value) is None:
        return literal_fault(value) or _doubt(value)
    try:
        # The IDs of a pattern differ in digits only: the first one speaks for all.
        return literal_fault(value) or _doubt(value) or literal_fault(first_of(value))
    except ValueError as error:
        return f"{show(value)} {error} ({_MEANT})"


def _doubt(id_: str) -> str | None:
    if _DOUBTFUL.search(id_) is None:
        return None
    if _SPREADSHEET.fullmatch(id_):
        return f"{show(id_)} is what a spreadsheet makes of a long number, or of an error ({_MEANT})"
    if "*" in id_ or "?" in id_:
        return f"{show(id_)} holds * or ?, and there are no wildcards ({_MEANT})"
    return f"{show(id_)} holds a #, and a comment stands on a line of its own ({_MEANT})"


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

    def more(self, count: int) -> None:
        """So many more of the kind that was added last, which nobody wants to see."""
        self._count += count

    def refuse(self) -> None:
        """InputError if there was any mistake."""
        if not self._count:
            return
        more = self._count - len(self._shown)
        last = self._shown[-1]
        rest = [Problem(f"and {more:,} more such mistakes", last.where.rsplit(":", 1)[0], last.field)] if more else []
        raise InputError(*self._shown, *rest)
