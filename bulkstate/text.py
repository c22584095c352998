"""Text for people: numbers and times as they are said, and what comes from elsewhere made safe to show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

LONGEST_LINE: Final = 200
"""A line that somebody else wrote is cut to so many characters: it ends up on terminals and in reports."""


def printable(text: str) -> str:
    """`text` on one line, with a � for each character that would not print."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def one_line(text: str) -> str:
    """One printable line of at most 200 characters."""
    return shortened(flat(text))


def flat(text: str) -> str:
    """`text` as one printable line, however long, with single spaces."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())


def shortened(line: str) -> str:
    """The first 200 characters of a line, the last of them an ellipsis if there are more."""
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def moment(at: float) -> str:
    """UNIX seconds as a date and a time of day, such as `2025-11-22 02:30:00 UTC`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float) -> str:
    """A span of time as people say it, such as `4.2 s`, `3 min 12 s` or `1 h 04 min`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number and what it counts, such as `1 pair` or `2,000 pairs`; `plural` where an s doesn't make one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"
