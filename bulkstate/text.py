"""Text that comes from elsewhere, made safe to show."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` on one line, with a � for each character that would not print."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
