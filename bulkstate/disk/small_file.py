"""Small files that are whole whenever somebody reads them, and where those of a user are kept."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG, S_IWGRP, S_IWOTH
from tempfile import NamedTemporaryFile
from typing import Final

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
