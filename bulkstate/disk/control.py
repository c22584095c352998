"""What people ask of a run while it runs: a small file in the run directory, which `bulkstate ctl` writes and the run
reads, and a file PAUSE, which anybody may put there and take away. What the run says of itself is a third one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Final

import orjson
from filelock import FileLock

from bulkstate.disk import small_file
from bulkstate.errors import Refused
from bulkstate.model import Use
from bulkstate.rates import Rate, parse_rate

PAUSE: Final = "PAUSE"
VERSION: Final = 1
"""Of both files. What an earlier bulkstate wrote had none: it was a list of what was asked."""

_FILE: Final = "control.json"
_STATUS: Final = "status.json"

_SHARED: Final = 0o644
_LOCK: Final = 0o666
"""Who asks, as root say, needn't be the user who runs; the run directory lets nobody else in, and nothing is secret."""

MOST_WORKERS: Final = 1000

CONFIGURED: Final = "configured"
"""In place of a rate, or of a number of calls under way: what was set by hand counts no more."""


class Command(StrEnum):
    """What can be asked. `pause` and `resume` are what `hold` and `release` were called: a pipeline is paused, and an
    ended run resumed."""

    RATE = "rate"
    CONCURRENCY = "concurrency"
    HOLD = "hold"
    RELEASE = "release"
    STOP = "stop"

    @classmethod
    def _missing_(cls, value: object) -> Command | None:
        return {"pause": cls.HOLD, "resume": cls.RELEASE}.get(str(value))


@dataclass(frozen=True, slots=True)
class Status:
    """What a run said of itself `at` UNIX seconds, of this session: `rate` and `limit` are in calls a second, `p50` and
    `p99` latencies in seconds, over the second before. `held_by` says what holds the run back, in words."""

    at: float
    paused: bool
    settled: int
    not_deleted: int
    calls: int
    refused: int
    rate: float
    limit: float
    concurrency: int
    in_flight: int
    p50: float
    p99: float
    held_by: str


def ask(directory: Path, use: Use) -> None:
    """Ask something of the run in `directory`. Refused if it can't be written down."""
    with _changing(directory), _alone(directory):
        if use.command == Command.RELEASE:
            _take_pause_away(directory / PAUSE)
        _keep(directory, (*_known(directory), use))


def _take_pause_away(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        hint = "nothing was asked for: as long as it is there the run stands still"
        raise Refused(f"{path} can't be taken away: {error.strerror}", hint=hint) from error


@contextmanager
def _changing(directory: Path) -> Iterator[None]:
    """Refused if the files can't be changed."""
    try:
        yield
    except OSError as error:
        raise Refused(f"{directory} can't be written: {error.strerror or error}") from error


def _alone(directory: Path) -> FileLock:
    """Nobody else changes what is asked while this is held."""
    return FileLock(directory / "control.lock", timeout=10, mode=_LOCK, fallback_to_soft=False)


def _keep(directory: Path, asked: Iterable[Use]) -> None:
    document = {"version": VERSION, "asked": [asdict(use) for use in asked]}
    small_file.write(directory / _FILE, orjson.dumps(document), _SHARED)


def _known(directory: Path) -> tuple[Use, ...]:
    try:
        return uses(directory)
    except small_file.Newer as error:
        raise Refused(
            f"{directory / _FILE}: {error}", hint="ask with the bulkstate that the run was started with"
        ) from None
    except (OSError, ValueError):
        return ()


def uses(directory: Path) -> tuple[Use, ...]:
    """Everything that was asked of this session, in order. OSError; ValueError if the file holds something else."""
    content = small_file.read(directory / _FILE)
    return () if content is None else tuple(map(_use, _asked(orjson.loads(content))))


def _asked(document: object) -> Sequence[object]:
    match document:
        case list(asked):
            return asked
        case {"version": int(version), "asked": list(asked)}:
            small_file.check_version(version, VERSION)
            return asked
    raise ValueError("it isn't a list of what was asked")


def _use(row: object) -> Use:
    match row:
        case {"at": int(at) | float(at), "command": str(command), "value": str(value)}:
            return Use(at, Command(command), value)
    raise ValueError("it holds something that nobody can ask")


def is_paused(directory: Path) -> bool:
    """Whether there is a file PAUSE."""
    return (directory / PAUSE).exists()


def forget(directory: Path, since: float) -> None:
    """A session begins, at `since` (UNIX seconds) at the earliest: what was asked before is over, but for a file PAUSE,
    and so is what an earlier one said of itself. Refused if it can't be forgotten.

    Whoever asked later was told that it will be done, though the session may not have come here yet.
    """
    with _changing(directory):
        (directory / _STATUS).unlink(missing_ok=True)
        if not (directory / _FILE).exists():
            return
        with _alone(directory):
            late = [use for use in _known(directory) if use.at >= since]
            if late:
                _keep(directory, late)
            else:
                (directory / _FILE).unlink(missing_ok=True)


def tell(directory: Path, status: Status) -> None:
    """Say how the run stands. OSError."""
    small_file.write(directory / _STATUS, orjson.dumps({"version": VERSION, **asdict(status)}), _SHARED)


def told(directory: Path) -> Status | None:
    """What the run last said of itself; None if it said nothing, or nothing that can be read."""
    try:
        document = orjson.loads(small_file.read(directory / _STATUS) or b"null")
        small_file.check_version(document.pop("version", VERSION), VERSION)
        status = Status(**document)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    sound = all(isinstance(getattr(status, each.name), _KINDS[str(each.type)]) for each in fields(Status))
    return status if sound else None


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {"float": (int, float), "int": (int,), "bool": (bool,), "str": (str,)}


def parse_pace(text: str) -> Rate | None:
    """A rate such as `10/s`, None for `configured`. ValueError, with what was expected, for anything else."""
    if text == CONFIGURED:
        return None
    return parse_rate(text)


def parse_workers(text: str) -> int | None:
    """A number of calls under way from 1 to `MOST_WORKERS`, None for `configured`. ValueError, with what was expected,
    for anything else."""
    if text == CONFIGURED:
        return None
    workers = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MOST_WORKERS)) else 0
    if not 1 <= workers <= MOST_WORKERS:
        raise ValueError(f"a number of calls under way, from 1 to {MOST_WORKERS:,}, or {CONFIGURED}")
    return workers
