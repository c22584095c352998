"""What a source names, as files: one, those of a directory, or standard input."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import BinaryIO, Final

from bulkstate.selection.files import NamedFile
from bulkstate.selection.lines import lines
from bulkstate.selection.sources import STDIN, IdList, PairSource

_MAGIC: Final = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"PAR1": ".parquet"}


class Inputs:
    """Finds the files of sources. Standard input can be read once, so it is copied into `folder` first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stdin_of: NamedFile | None = None

    def lists(self, source: IdList, column: str) -> list[NamedFile]:
        """The files of a list, none if it stands in the configuration; `column` names its IDs in a table.

        InputError if a directory is empty, or standard input is a terminal or was asked for before.
        """
        if source.file is None:
            return []
        return self._files(NamedFile.of(source.file, source.where, source.field), column, ".txt")

    def tables(self, source: PairSource) -> list[NamedFile]:
        """The files of single pairs, one at least. InputError as `lists`."""
        return self._files(NamedFile.of(source.file, source.where, source.field), source.asset_column, ".csv")

    def _files(self, file: NamedFile, column: str, otherwise: str) -> list[NamedFile]:
        return [self._stdin(file, column, otherwise)] if file.path == STDIN else file.members()

    def _stdin(self, file: NamedFile, column: str, otherwise: str) -> NamedFile:
        if self._stdin_of is not None:
            raise file.error(f"standard input is read already, by {self._stdin_of.field} ({self._stdin_of.where})")
        if sys.stdin.isatty():
            raise file.error("standard input is a terminal", "pipe the IDs in")
        self._stdin_of = file
        return _spooled(sys.stdin.buffer, file, self._folder, column, otherwise)


def _spooled(stream: BinaryIO, file: NamedFile, folder: Path, column: str, otherwise: str) -> NamedFile:
    """A copy of the stream, under a name that says what it holds."""
    copy = folder / "stdin"
    with copy.open("wb") as target:
        shutil.copyfileobj(stream, target)
    with copy.open("rb") as source:
        start = source.read(4)
    suffix = next((suffix for magic, suffix in _MAGIC.items() if start.startswith(magic)), "")
    unknown = NamedFile(copy.rename(f"{copy}{suffix}"), file.where, file.field, "standard input")
    if suffix == ".parquet":
        return unknown
    named = copy.with_name(f"stdin{_text_kind(unknown, column, otherwise)}{suffix}")
    return NamedFile(unknown.path.rename(named), file.where, file.field, "standard input")


def _text_kind(file: NamedFile, column: str, otherwise: str) -> str:
    """Objects are NDJSON, and a first line that names the column is the header of CSV."""
    first = next(lines(file), b"")
    if first.lstrip().startswith(b"{"):
        return ".ndjson"
    return ".csv" if column.encode() in first else otherwise
