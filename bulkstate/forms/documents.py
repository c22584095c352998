"""A document in a file: read as a form says, with every mistake in it told at once, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import TypeVar

from bulkstate.errors import InputError, Problem
from bulkstate.forms import nodes
from bulkstate.forms.place import MOST_PROBLEMS, Document, Place
from bulkstate.forms.single import Form

T = TypeVar("T")


def load(form: Form[T], path: Path, environ: Mapping[str, str] | None = None) -> T:
    """What stands in a YAML file, its references resolved from `environ`. InputError, with every mistake in it."""
    name = str(path)
    node = nodes.from_yaml(nodes.read_text(path), name)
    try:
        return form.read(Place(Document(name, path.parent, environ), "", node.line, node))
    except InputError as mistake:
        raise InputError(*_in_order(mistake.problems, name)) from None


def _in_order(problems: tuple[Problem, ...], name: str) -> Iterator[Problem]:
    """By line, those of other files last, and no more than anybody reads."""

    def line(problem: Problem) -> float:
        file, _, number = problem.where.rpartition(":")
        return int(number) if file == name else inf

    yield from sorted(problems, key=line)[:MOST_PROBLEMS]
    if len(problems) >= MOST_PROBLEMS:
        yield Problem("holds more mistakes than these", name)
