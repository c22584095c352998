"""What input files held, in short, so that a plan made of them can tell that they have changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from bulkstate.errors import InputError
from bulkstate.selection.files import NamedFile
from bulkstate.selection.sources import STDIN, BlockSource, IdList, PairSource, Source

_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A file that was read: its absolute path, its size in bytes, and their SHA-256 in hex.

    A directory stands for its files, by what `sha256sum *` says of them.
    """

    path: Path
    size: int
    sha256: str

    def still_fits(self) -> bool:
        """Is the file there, and as it was?"""
        try:
            return _taken(NamedFile.of(self.path, "", "")) == self
        except InputError:
            return False


def fingerprints(sources: Iterable[Source]) -> tuple[Fingerprint, ...]:
    """One for each file or directory that the sources name. Standard input can't be read again, and has none.

    InputError if a file can't be read.
    """
    named = {source.file: source for each in sources for source in _parts(each) if source.file not in (None, STDIN)}
    files = (NamedFile.of(path.absolute(), each.where, each.field) for path, each in named.items() if path is not None)
    return tuple(map(_taken, files))


def _parts(source: Source) -> tuple[IdList | PairSource, ...]:
    return (source.assets, source.points) if isinstance(source, BlockSource) else (source,)


def _taken(file: NamedFile) -> Fingerprint:
    members = [_of_one(member) for member in file.members()]
    if [member.path for member in members] == [file.path]:
        return members[0]
    listed = "".join(f"{member.sha256}  {member.path.name}\n" for member in members)
    return Fingerprint(file.path, sum(member.size for member in members), sha256(listed.encode()).hexdigest())


def _of_one(file: NamedFile) -> Fingerprint:
    with file.open() as content:
        digest, size = sha256(), 0
        try:
            while piece := content.read(_PIECE):
                digest.update(piece)
                size += len(piece)
        except OSError as error:
            raise file.error(f"can't be read: {error.strerror}") from None
    return Fingerprint(file.path, size, digest.hexdigest())
