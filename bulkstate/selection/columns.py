"""Where a table's columns are, or what to do if they aren't there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bulkstate.errors import InputError
from bulkstate.selection.files import NamedFile
from bulkstate.selection.ids import show
from bulkstate.selection.sources import ASSET_ID, POINT_ID

_SHOWN: Final = 8
_KEYS: Final = {ASSET_ID: "asset", POINT_ID: "point"}
"""What `columns:` calls them in the configuration."""


def find_columns(file: NamedFile, names: Sequence[str], titles: Sequence[str]) -> list[int]:
    """The position of each name among a table's titles. InputError if one is missing, or there twice."""
    for name in names:
        if name not in titles:
            raise _missing(file, [each for each in names if each not in titles], titles)
        if titles.count(name) > 1:
            raise file.error(f"has the column {name} twice", "take one of them out, or rename it")
    return [titles.index(name) for name in names]


def _missing(file: NamedFile, names: Sequence[str], titles: Sequence[str]) -> InputError:
    if not titles:
        return file.error(f"has no column {names[0]}: its first line is empty", "it must name the columns")
    if len(titles) <= 2 and re.fullmatch(r"sep=.?", titles[0], re.IGNORECASE):
        message = "begins with Excel's line sep=, not with the names of its columns"
        return file.error(message, "take that line out")
    there = ", ".join(show(title) for title in titles[:_SHOWN]) + (", …" if len(titles) > _SHOWN else "")
    return file.error(f"has no column {names[0]}; its columns are {there}", _hint(names, titles))


def _hint(names: Sequence[str], titles: Sequence[str]) -> str:
    """What to do: the titles that are nearly right, or what a first line is for."""
    near = {name: title for name in names for title in titles if _bare(title) == _bare(name)}
    if not near:
        return "the first line must name the columns; `columns:` beside the source says what they are called"
    spaced = [title for title in near.values() if title != title.strip()]
    if spaced:
        return f"take the space out of {', '.join(map(show, spaced))}"
    keys = ", ".join(f"{_KEYS.get(name, name)}: {title}" for name, title in near.items())
    return f"rename it, or write `columns: {{{keys}}}` beside the source"


def _bare(title: str) -> str:
    return re.sub(r"[\W_]", "", title).casefold()
