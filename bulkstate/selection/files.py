"""Files that a configuration names: opened, or refused in one clear line."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bulkstate.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file, and the place in the configuration that names it (see `IdList`)."""

    path: Path
    where: str
    field: str

    def line(self, number: int) -> str:
        """How messages name a line of it, counted from 1."""
        return f"{self.path}:{number}"

    def error(self, message: str, hint: str = "") -> InputError:
        """A mistake that concerns the file as a whole."""
        return InputError(Problem(f"{self.path}: {message}", self.where, self.field, hint))

    def line_error(self, number: int, message: str, hint: str = "") -> InputError:
        """A mistake in one line, of the kind after which reading on makes no sense."""
        return InputError(Problem(message, self.line(number), self.field, hint))

    def open(self) -> BinaryIO:
        """The file's bytes. InputError if it is missing, unreadable, empty, or no regular file."""
        try:
            status = self.path.stat()
            if stat.S_ISREG(status.st_mode) and status.st_size:
                return self.path.open("rb")
        except (OSError, ValueError) as error:
            raise self.error(_why(error)) from None
        raise self.error(_what(status.st_mode))


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
