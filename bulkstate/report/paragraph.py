"""Lines as a paragraph of a page: where one is broken, it goes on below where it began."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.padding import Padding
from rich.text import Text


def paragraph(lines: Iterable[Text]) -> Padding:
    """The lines, each indented by the spaces that it begins with, and an empty one after them."""
    return Padding(Group(*map(_hanging, lines)), (0, 1, 1, 1))


def _hanging(line: Text) -> Padding:
    indent = len(line.plain) - len(line.plain.lstrip(" "))
    return Padding(line[indent:], (0, 0, 0, indent))
