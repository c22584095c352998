"""What a source names, as files: one, those of a directory, or standard input."""

from __future__ import annotations

import shutil
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from bulkstate.selection.files import NamedFile
from bulkstate.selection.fingerprints import Fingerprint, Seen
from bulkstate.selection.sources import STDIN, IdList, PairSource
from bulkstate.selection.text import blocks

_MAGIC: Final = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"PAR1": ".parquet"}


class Inputs(AbstractContextManager["Inputs"]):
    """Finds the files of sources, and remembers what they held.

    Standard input can be read once, so it is copied; leaving deletes the copy.
    """

    def __init__(self) -> None:
        self._copies = ExitStack()
        self._seen = Seen()
        self._stdin_of: NamedFile | None = None

    def __exit__(self, *_: object) -> None:
        self._copies.close()

    def lists(self, source: IdList, column: str) -> list[NamedFile]:
        """The files of a list, none if it stands in the configuration; `column` names its IDs in a table.

        InputError if a directory is empty, or standard input is a terminal or was asked for before.
        """
        if source.file is None:
            return []
        return self._files(NamedFile.of(source.file, source.where, source.field), column, ".txt")

    def tables(self, source: PairSource) -> list[NamedFile]:
        """The files of single pairs, none if they stand in the configuration. InputError as `lists`."""
        if source.file is None:
            return []
        return self._files(NamedFile.of(source.file, source.where, source.field), source.asset_column, ".csv")

    def counted(self, file: Path, rows: int) -> None:
        """So many rows that hold IDs were read from a file, or those of a directory, or from standard input."""
        self._seen.counted(file, rows)

    def fingerprints(self, folder: Path) -> tuple[Fingerprint, ...]:
        """What was read, once all is read: each file once, by its path from `folder`.

        InputError if a file isn't any more what it was before it was read.
        """
        return self._seen.fingerprints(folder)

    def _files(self, file: NamedFile, column: str, otherwise: str) -> list[NamedFile]:
        if file.path == STDIN:
            copy = self._stdin(replace(file, name="standard input"), column, otherwise)
            self._seen.note(copy, [copy], STDIN)
            return [copy]
        members = file.members()
        self._seen.note(file, members)
        return members

    def _stdin(self, file: NamedFile, column: str, otherwise: str) -> NamedFile:
        if self._stdin_of is not None:
            raise file.error(f"is read already, by {self._stdin_of.field} ({self._stdin_of.where})")
        if sys.stdin is None or sys.stdin.isatty():
            raise file.error("is a terminal, or closed", "pipe the IDs in")
        self._stdin_of = file
        try:
            folder = self._copies.enter_context(TemporaryDirectory(prefix="bulkstate-"))
            copy = _copied(sys.stdin.buffer, Path(folder, "stdin"))
        except OSError as error:
            raise file.error(f"can't be copied to a temporary file: {error.strerror}") from None
        return _named(replace(file, path=copy), column, otherwise)


def _copied(stream: BinaryIO, copy: Path) -> Path:
    """A copy of the stream, under a name that says how it is packed."""
    with copy.open("wb") as target:
        shutil.copyfileobj(stream, target)
    with copy.open("rb") as source:
        start = source.read(4)
    suffix = next((suffix for magic, suffix in _MAGIC.items() if start.startswith(magic)), "")
    return copy.rename(f"{copy}{suffix}")


def _named(file: NamedFile, column: str, otherwise: str) -> NamedFile:
    """The file under a name that also says what is in it.

    Objects are NDJSON, and a first line that names the column is the header of CSV.
    """
    if file.kind == ".parquet":
        return file
    _, first = next(next(blocks(file)).lines())
    table = ".csv" if column.encode() in first else otherwise
    kind = ".ndjson" if first.lstrip().startswith(b"{") else table
    return replace(file, path=file.path.rename(file.path.with_name(f"stdin{kind}{file.compression}")))
