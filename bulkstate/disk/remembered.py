"""What this user made on this machine: plans and runs, by digests of all that steers them.

One file of lines in the user's state directory, which isn't believed where others may write it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from bulkstate.disk import small_file

_FILE: Final = "digests"


def remember(digest: str) -> None:
    """This was made here. OSError if that can't be kept."""
    line = f"{digest}\n".encode("ascii")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    descriptor = os.open(_path(), flags, 0o600)
    try:
        if os.write(descriptor, line) < len(line):
            raise OSError("no space left for a line")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_remembered(digest: str) -> bool:
    """Whether it was made here; False where nobody can say, or where others than this user may have written that."""
    try:
        path = _path()
        if not (small_file.is_ones_own(path) and small_file.is_ones_own(path.parent)):
            return False
        return digest.encode("ascii") in path.read_bytes().splitlines()
    except OSError:
        return False


def _path() -> Path:
    return small_file.state_folder("made") / _FILE
