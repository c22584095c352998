"""What the configuration is going to have and doesn't have yet: asked for, it is refused, never ignored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """A key, by its path without list positions; with `value`, only that value of it."""

    path: str
    value: str | None = None


UNBUILT: Final = (
    Unbuilt("retry.resolve"),
    Unbuilt("safety.max_failed"),
    Unbuilt("safety.deadline"),
    Unbuilt("safety.canary"),
    Unbuilt("safety.pause"),
    Unbuilt("safety.restart"),
    Unbuilt("safety.on_unpause"),
    Unbuilt("report.junit"),
    Unbuilt("report.markdown"),
    Unbuilt("report.html"),
    Unbuilt("report.csv"),
    Unbuilt("report.metrics"),
)
"""Whoever builds one of these removes its line."""

_UNBUILT: Final = frozenset((item.path, item.value) for item in UNBUILT)


def unbuilt_keys(section: str) -> tuple[str, ...]:
    """The keys of a section (by its path, empty for the whole tree) that are refused whatever their value."""
    before = f"{section}." if section else ""
    return tuple(
        item.path.removeprefix(before)
        for item in UNBUILT
        if item.value is None and item.path.startswith(before) and "." not in item.path.removeprefix(before)
    )


def is_unbuilt(path: str, value: str) -> bool:
    """Whether that value of that key is refused."""
    return (path, None) in _UNBUILT or (path, value) in _UNBUILT
