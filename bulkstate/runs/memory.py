"""What a run knows from others on the same gateway, and leaves to them: calls in long windows, and learnt limits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from bulkstate.config import AUTO, Embedded, Settings
from bulkstate.disk.gateway_file import StateFile, default_path
from bulkstate.disk.journal import Journal, sent_history
from bulkstate.errors import Refused
from bulkstate.gateway.address import one_spelling
from bulkstate.model import Grant
from bulkstate.policy.auto.learnt import NOTHING, VERSION, Learnt
from bulkstate.rates import Rate
from bulkstate.runs.audience import within

if TYPE_CHECKING:  # what is known of a gateway can be asked without the way to it
    from bulkstate.runs.connection import Connection

REMEMBERED: Final = 3600.0
"""Windows of so many seconds and more are remembered across runs."""

KEEP_SECONDS: Final = 10.0
"""How long the disk may take to keep what is known."""

_NO_PLACE: Final = "no place for what is known of the gateway"

log = structlog.get_logger()


def identity(settings: Settings, directory: Path) -> tuple[str, str]:
    """Which gateway and organisation a run works on, however they are spelt.

    Every run directory has an embedded gateway of its own.
    """
    gateway = settings.gateway
    if isinstance(gateway, Embedded):
        return f"embedded:{directory.resolve()}", ""
    return one_spelling(gateway.url), gateway.org_id


@dataclass(frozen=True, slots=True)
class RunMemory:
    """One run's; nothing without a `file`. `longest` is the longest configured window, in seconds, 0 without any."""

    journal: Journal
    longest: float
    file: StateFile | None

    @property
    def _run(self) -> str:
        return f"{self.journal.facts.created_at:.6f} {self.journal.name}"

    def grants(self) -> tuple[Grant, ...]:
        """What other runs called, as far as it still counts."""
        return self.file.settled(now := time.time()).grants(self._run, now, self.longest) if self.file else ()

    def learnt(self) -> Learnt:
        """What other runs have found out about the gateway's limits, on the wall's clock."""
        return _learnt(self.file)

    async def keep(self, connection: Connection) -> None:
        """Leave to others what this run called, and what it knows by now of the gateway's limits. A disk that takes
        long is waited for a while, and no run ends for it."""
        if self.file is None:
            return
        trouble = await within(KEEP_SECONDS, partial(self._keep, self.file, connection.learnt()))
        if trouble:
            _say("what is known of the gateway can't be kept", file=str(self.file.path), reason=trouble)

    def _keep(self, file: StateFile, learnt: Learnt | None) -> None:
        now = time.time()
        if self.longest >= REMEMBERED:
            calls = sent_history(self.journal.grants(now - self.longest), now)
            file.keep_calls(self._run, calls, now, self.longest)
        if learnt is not None and learnt != NOTHING and not _is_of_later(file.read().learnt):
            file.keep_learnt(learnt.as_dict())


def memory_of(journal: Journal, settings: Settings, state: Path | None) -> RunMemory:
    """What there is to remember with these settings. `state` is the file, unless it is the usual one. Refused if there
    is no place for it and calls have to be remembered: what was learnt is worth a warning."""
    longest = max((window.guarded for window in settings.limits.windows), default=0.0)
    if longest >= REMEMBERED:
        return RunMemory(journal, longest, _needed(settings, state))
    return RunMemory(journal, longest, _welcome(settings, state) if AUTO in settings.limits.rate else None)


def known_limits(settings: Settings, state: Path | None = None) -> tuple[Rate, ...]:
    """The configured limits, and where the gateway's own are to be found out, those that earlier runs have learnt."""
    if AUTO not in settings.limits.rate:
        return settings.limits.windows
    return (*settings.limits.windows, *_learnt(_welcome(settings, state)).windows(settings.limits.share.part))


def _learnt(file: StateFile | None) -> Learnt:
    kept = None if file is None else file.read().learnt
    if file is None or kept is None:
        return NOTHING
    try:
        return Learnt.from_dict(kept)
    except ValueError as error:
        _say("what was learnt of the gateway is ignored", file=str(file.path), reason=str(error))
        return NOTHING


def _is_of_later(kept: object) -> bool:
    """Whether a later version wrote it, which somebody may go back to. What an earlier one wrote, or nobody, would be
    in the way for ever."""
    match kept:
        case {"version": int(version)}:
            return version > VERSION
    return False


# ── where it is ───────────────────────────────────────────────────────────────────────────────────────────────────


def _needed(settings: Settings, state: Path | None) -> StateFile | None:
    try:
        return _file(settings, state)
    except OSError as error:
        hint = "calls in windows of an hour and more have to be remembered: name a file with --state"
        raise Refused(f"{_NO_PLACE}: {error}", hint=hint) from error


def _welcome(settings: Settings, state: Path | None) -> StateFile | None:
    try:
        return _file(settings, state)
    except OSError as error:
        _say(_NO_PLACE, reason=str(error))
        return None


def _file(settings: Settings, state: Path | None) -> StateFile | None:
    """None for an embedded gateway, which has no other runs. OSError if there is no place for it."""
    if isinstance(settings.gateway, Embedded):
        return None
    gateway = identity(settings, Path())
    return _opened(state or default_path(*gateway), *gateway)


@cache
def _opened(path: Path, gateway: str, organisation: str) -> StateFile:
    """One a process: a file that is ignored is said once, whoever asks for it."""
    return StateFile(path, gateway, organisation)


@cache
def _say(event: str, **what: str) -> None:
    """Once a process, though a plan's forecast and the run itself both ask."""
    log.warning(event, **what)
