"""Text that comes from elsewhere, made safe to show."""

from __future__ import annotations

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
