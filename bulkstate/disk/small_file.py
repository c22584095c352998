"""Small files that are whole whenever somebody reads them, and where those of a user are kept."""

from __future__ import annotations

import os
from errno import EEXIST, ELOOP
from pathlib import Path
from stat import S_ISDIR, S_ISREG, S_IWGRP, S_IWOTH
from tempfile import NamedTemporaryFile
from typing import Final
from uuid import uuid4

LARGEST: Final = 1 << 20
"""A small file is no larger than this, in bytes."""


class Newer(ValueError):
    """A file is of a format that this program doesn't know."""


def check_version(version: object, known: int) -> None:
    """Newer unless a file's version is the one that is known."""
    if version != known:
        raise Newer(f"it is of version {version}, and this bulkstate knows version {known}")


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a file in the place of another, if there is one, or of a link, which isn't followed. Unless `mode` says
    otherwise its owner alone may read it. OSError."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.close()
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def publish(path: Path, content: bytes) -> None:
    """Write a file for whoever the umask says may read it, and for nobody else to write: whole or not at all. OSError.

    A device or a pipe is written to. A link isn't followed, whoever made it and wherever it leads, but for those of the
    system, such as /dev/stdout.
    """
    require_no_database(path)
    of_the_system = path.parts[:2] in (("/", "dev"), ("/", "proc"))
    if path.is_symlink() and not of_the_system:
        raise OSError(ELOOP, "it is a link, which isn't followed")
    if of_the_system or (path.exists() and not path.is_file()):
        path.write_bytes(content)
        return
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with open(new, "xb", opener=lambda name, flags: os.open(name, flags, 0o644)) as file:
            file.write(content)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def require_no_database(path: Path) -> None:
    """OSError where a journal, a plan or another database would be overwritten by what can be made again."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_DATABASE)) == _DATABASE:
                raise OSError(EEXIST, "it is a journal, a plan or another database, which isn't overwritten", str(path))


_DATABASE: Final = b"SQLite format 3\0"


def read(path: Path) -> bytes | None:
    """What a file holds, None if there is none. OSError; ValueError if it isn't a small one."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST:,} bytes")
    return content


def state_folder(name: str) -> Path:
    """A folder for state that outlives a run: the same for every run of this user. OSError if there can't be one."""
    chosen = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise OSError(str(error)) from error
    folder = base / "bulkstate" / name
    make_folder(folder.parent, exist_ok=True)
    make_folder(folder, exist_ok=True)
    return folder


def is_ones_own(path: Path) -> bool:
    """Whether this user, and nobody else but root, may write a file or folder, which is no link. OSError."""
    found = path.lstat()
    kept = S_ISREG(found.st_mode) or S_ISDIR(found.st_mode)
    return kept and found.st_uid == os.geteuid() and not found.st_mode & (S_IWGRP | S_IWOTH)


def make_folder(folder: Path, *, exist_ok: bool) -> None:
    """A folder that is its owner's alone, as are those around it that have to be made. OSError."""
    for around in reversed([each for each in folder.parents if not each.exists()]):
        around.mkdir(0o700, exist_ok=True)
    folder.mkdir(0o700, exist_ok=exist_ok)
