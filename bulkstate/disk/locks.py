"""Who works where: one process a run directory and, on one machine, one a pipeline of a gateway.

The system lets go of a lock when its process ends, however it ends. A note beside each lock says whose it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from bulkstate.disk import small_file
from bulkstate.errors import Refused, RunInUse

_RUN_LOCK: Final = "run.lock"


@contextmanager
def lock_run(directory: Path) -> Iterator[None]:
    """Be the only process that works on the run in the existing `directory`.

    RunInUse if another does; Refused if the lock can't be made.
    """
    with _held(directory / _RUN_LOCK, f"the run in {directory}"):
        yield


def is_in_use(directory: Path) -> bool:
    """Whether a process works on the run in `directory`."""
    try:
        with lock_run(directory):
            return False
    except RunInUse:
        return True


@contextmanager
def lock_pipelines(gateway: str, organisation: str, pipelines: Iterable[str]) -> Iterator[None]:
    """Be the only process of this machine's user that deletes in these pipelines. Raises as `lock_run` does.

    They are taken in one order by all, so that two runs with pipelines in common don't each hold what the other wants.
    """
    folder = _folder()
    with ExitStack() as held:
        for pipeline in sorted(set(pipelines)):
            name = sha256("\0".join((gateway, organisation, pipeline)).encode()).hexdigest()
            held.enter_context(_held(folder / f"{name}.lock", f"pipeline {pipeline} of {gateway}"))
        yield


@contextmanager
def _held(path: Path, what: str) -> Iterator[None]:
    lock = FileLock(path, timeout=0, mode=0o600, fallback_to_soft=False)
    note = path.with_suffix(".owner")
    try:
        lock.acquire()
    except Timeout:
        raise RunInUse(f"{what} is in use{_owner(note)}", hint="Wait until it is done, or stop it.") from None
    except OSError as error:  # also where the disk knows no locks: a file in place of one would outlive a kill
        raise Refused(f"{path} can't be locked: {error.strerror or error}", hint=_WRITABLE) from error
    try:
        with suppress(OSError):  # the note is a courtesy; the lock is what counts
            _sign(note)
        yield
    finally:
        lock.release()


def _sign(note: Path) -> None:
    """Say whose the lock is. No link is followed and no pipe waited for: a run directory may come from anywhere."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(note, flags, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"process {os.getpid()}")


def _owner(note: Path) -> str:
    """Whose the lock is, in words, or nothing: the file may be missing, or hold anything."""
    try:
        words = (small_file.read(note) or b"")[:100].decode("ascii").split()
    except (OSError, ValueError):
        return ""
    match words:
        case ["process", number] if number.isdigit():
            return f" by process {number}"
    return ""


def _folder() -> Path:
    """Where the locks of pipelines are: the same for every run of this user, whatever its run directory."""
    try:
        return small_file.state_folder("locks")
    except OSError as error:
        reason = error.strerror or error
        raise Refused(f"no place for the locks of pipelines: {reason}", hint=_WRITABLE) from error


_WRITABLE: Final = "Locks need a directory that can be written: for those of pipelines, name one in XDG_STATE_HOME."
