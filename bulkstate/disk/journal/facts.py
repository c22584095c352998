"""What a journal holds of the run as a whole: values, one a row of its small tables."""

from __future__ import annotations

from dataclasses import dataclass

from bulkstate.model import RunResult


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run is, settled when it is made. `configuration` is a JSON document, with secrets as references.

    `gateway` is the address, `organisation` whose pipelines are meant; `version` is that of bulkstate.
    `target` is the digest of what is deleted, whatever the cover, `approval` that of all that was agreed to; empty if
    nobody made them.
    """

    name: str
    created_at: float
    gateway: str
    organisation: str
    configuration: str
    version: str
    target: str = ""
    approval: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended; `exit_code` is what its process said to whoever started it.

    `reason_code` names what ended it early, empty if it went to its end; `unread` says why what is left could not be
    read back.
    """

    at: float
    result: RunResult
    reason: str
    exit_code: int
    reason_code: str = ""
    unread: str = ""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One process's work on the run, the first or a resumed one. No `ending`: it still works, or was killed."""

    number: int
    started_at: float
    ending: Ending | None


@dataclass(frozen=True, slots=True)
class Input:
    """A file that the plan was made of, as it was then. `rows` is None where nobody counts such."""

    path: str
    size: int
    sha256: str
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Somebody agreed to the plan: `how`, with `--yes` or at the terminal, and `by` whom, as far as that is known."""

    at: float
    how: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pipeline is about to be paused for the run, `by` whom; its `status` was that before. By nobody: it is about to
    be started again, with the status that it has now, or has been, and has the status that it was to have."""

    at: float
    pipeline: str
    by: str
    status: str


@dataclass(frozen=True, slots=True)
class Deadline:
    """The run has to be done `at` UNIX seconds; `words` are what was asked for."""

    at: float
    words: str
