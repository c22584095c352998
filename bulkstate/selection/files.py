"""Files that a configuration names: opened, or refused in one clear line."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from bulkstate.errors import InputError, Problem

COMPRESSED: Final = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file, and the place in the configuration that names it (see `IdList`). `name` is what messages call it.

    One that stands `inside` a directory is there because the directory is named.
    """

    path: Path
    where: str
    field: str
    name: str
    inside: bool = False

    @classmethod
    def of(cls, path: Path, where: str, field: str) -> NamedFile:
        """A file that is called by its path."""
        return cls(path, where, field, str(path))

    @property
    def kind(self) -> str:
        """What its name says that it holds, such as `.csv` for `pairs.CSV.gz`; empty if the name says nothing."""
        name = self.path.with_suffix("") if self.compression else self.path
        return name.suffix.lower()

    @property
    def compression(self) -> str:
        """`.gz`, `.zst`, or empty."""
        suffix = self.path.suffix.lower()
        return suffix if suffix in COMPRESSED else ""

    def line(self, number: int) -> str:
        """How messages name a line of it, counted from 1."""
        return f"{self.name}:{number}"

    def error(self, message: str, hint: str = "") -> InputError:
        """A mistake that concerns the file as a whole."""
        return InputError(Problem(f"{self.name}: {message}", self.where, self.field, hint))

    def line_error(self, number: int, message: str, hint: str = "") -> InputError:
        """A mistake in one line, of the kind after which reading on makes no sense."""
        return InputError(Problem(message, self.line(number), self.field, hint))

    def open(self) -> BinaryIO:
        """The file's bytes, as they are. InputError if it is missing, unreadable, empty, or no regular file."""
        try:
            status = self.path.stat()
            if stat.S_ISREG(status.st_mode) and status.st_size:
                return self.path.open("rb")
        except (OSError, ValueError) as error:
            raise self.error(_why(error)) from None
        raise self.error(_what(status.st_mode))

    def members(self) -> list[NamedFile]:
        """The files of a directory, by name, without hidden ones (`.x`, and `_SUCCESS` and the like); or itself.

        InputError if there is none, or for a partition (`model=x/`), whose name Hive reads as a column.
        """
        try:
            names = sorted(path.name for path in self.path.iterdir() if path.name[0] not in "._")
        except (OSError, ValueError):
            return [self]
        if not names:
            raise self.error("is a directory that holds no file")
        if partition := next((name for name in names if "=" in name and (self.path / name).is_dir()), ""):
            hint = "write its tables into one folder, or name each partition's folder as a source of its own"
            raise self.error(f"is partitioned as Hive does ({partition}/), and that isn't read", hint)
        return [replace(self, path=self.path / name, name=f"{self.name}/{name}", inside=True) for name in names]


def _why(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case PermissionError():
            return "no permission to read it"
        case OSError():
            return f"can't be read: {error.strerror}"
    return "isn't a possible file name"


def _what(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "is a directory, and a file is needed"
    return "the file is empty" if stat.S_ISREG(mode) else "isn't a regular file"
