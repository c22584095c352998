"""What input files held, in short, so that a plan made of them can tell, wherever it is, whether they are the same."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from bulkstate.errors import InputError
from bulkstate.selection.files import NamedFile
from bulkstate.selection.sources import STDIN

_PIECE: Final = 1 << 20


class InputState(StrEnum):
    """What became of an input."""

    SAME = "same"
    CHANGED = "changed"
    NOT_THERE = "not there"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A file that was read: its path from the configuration's folder, its size in bytes, and their SHA-256 in hex.

    A directory stands for its files, by what `sha256sum *` says of them. `STDIN` stands for standard input. `rows` is
    how many rows of it hold IDs, None where nobody counted them.
    """

    path: Path
    size: int
    sha256: str
    rows: int | None = None

    def standing(self, folder: Path) -> InputState:
        """Is the file there, from this folder, and as it was? Standard input is nowhere, and nor is an absolute path:
        it is the place where a plan was made, which isn't looked at."""
        there = folder / self.path
        if self.path == STDIN or self.path.is_absolute() or not os.path.lexists(there):
            return InputState.NOT_THERE
        try:
            size, digest = _content(NamedFile.of(there, "", "").members())
        except InputError:
            return InputState.CHANGED
        return InputState.SAME if (size, digest) == (self.size, self.sha256) else InputState.CHANGED


class Seen:
    """The files that were handed out for reading, each hashed before, so that none can change while it is read."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[Fingerprint, NamedFile, tuple[_Status, ...]]] = {}
        self._rows: dict[Path, int] = {}

    def note(self, file: NamedFile, members: list[NamedFile], path: Path | None = None) -> None:
        """Hash a file, or what it consists of; `path` is where it comes from, if not where it is. InputError."""
        path = path or file.path
        if path not in self._seen:
            statuses = _statuses(members)
            self._seen[path] = Fingerprint(path, *_content(members)), file, statuses

    def counted(self, path: Path, rows: int) -> None:
        """So many rows that hold IDs were read there."""
        self._rows[path] = rows

    def fingerprints(self, folder: Path) -> tuple[Fingerprint, ...]:
        """One for each file, by its path from `folder`. InputError if one isn't any more what was hashed."""
        for _, file, statuses in self._seen.values():
            if _statuses(file.members()) != statuses:
                raise file.error("changed while it was read", "start again when nobody writes it any more")
        seen = (each for each, *_ in self._seen.values())
        return tuple(replace(each, path=_from(folder, each.path), rows=self._rows.get(each.path)) for each in seen)


_Status = tuple[int, int, int, int]


def _statuses(members: Iterable[NamedFile]) -> tuple[_Status, ...]:
    """What the file system says of files, which any change of their content would change. InputError."""
    found = []
    for member in members:
        with member.open() as content:
            status = os.fstat(content.fileno())
        found.append((status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(found)


def _from(folder: Path, path: Path) -> Path:
    return path if path == STDIN else Path(os.path.relpath(path, folder))


def _content(members: list[NamedFile]) -> tuple[int, str]:
    """The size and the SHA-256 of a file, or of the files of a directory together."""
    found = [(member.path.name, *_of_one(member)) for member in members]
    size = sum(each for _, each, _ in found)
    if len(found) == 1 and not members[0].inside:
        return size, found[0][2]
    return size, sha256("".join(f"{digest}  {name}\n" for name, _, digest in found).encode()).hexdigest()


def _of_one(file: NamedFile) -> tuple[int, str]:
    with file.open() as content:
        digest, size = sha256(), 0
        try:
            while piece := content.read(_PIECE):
                digest.update(piece)
                size += len(piece)
        except OSError as error:
            raise file.error(f"can't be read: {error.strerror}") from None
    return size, digest.hexdigest()
