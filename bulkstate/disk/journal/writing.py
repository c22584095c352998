"""Writing a journal: one connection, and one hop to a thread a batch, or none under a virtual clock."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from sqlite3 import Connection
from threading import Lock
from typing import Protocol, Self

import anyio
import anyio.to_thread
import structlog

from bulkstate.disk import plan_tables, small_file
from bulkstate.disk.database import connect_to_write, end_log, made_whole, seal, transaction
from bulkstate.disk.journal.chain import Head, Rows
from bulkstate.disk.journal.facts import Deadline, Ending, Input, Pause, RunFacts
from bulkstate.disk.journal.record import Record
from bulkstate.disk.journal.tables import FILE_NAME, FORMAT, writing
from bulkstate.errors import InputError, JournalNotWritable, Problem, RunExists
from bulkstate.model import (
    Circumstances,
    Grant,
    LookedAt,
    Outcome,
    Pair,
    Part,
    Pipeline,
    Plan,
    Point,
    Stage,
    Use,
    Verification,
)


class Hop(Protocol):
    """Where a blocking write is done."""

    def __call__(self, work: Callable[[], None], /) -> Awaitable[None]:
        """Do `work`, and come back when it is done."""
        ...


async def inline(work: Callable[[], None]) -> None:
    """The hop that stays where it is: for tests on a virtual clock, which a real thread would break."""
    work()


class WriterThread:
    """The hop to a thread, one piece of work at a time."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(1)

    async def __call__(self, work: Callable[[], None]) -> None:
        """Do `work` in a thread. A cancelled caller still waits for what has begun."""
        await anyio.to_thread.run_sync(work, limiter=self._limiter)


class Journal(Record):
    """A run's journal, to be written by one process. It is a `ports.OutcomeLog`.

    `record`, `grant`, `used` and `plot` are for the run's tasks. The other writes are short, and made where they are;
    one that is under way in a thread is waited for.
    """

    def __init__(self, connection: Connection, path: Path, hop: Hop) -> None:
        super().__init__(connection, path)
        self._head = self._read_head()
        self._hop = hop
        self._session = 0
        self._one_at_a_time = Lock()
        self._identity = _identity(path)

    @classmethod
    def create(
        cls, directory: Path, plan: Plan, facts: RunFacts, inputs: Sequence[Input] = (), *, hop: Hop | None = None
    ) -> Self:
        """A new journal in the existing `directory`, the whole plan and what it was made of on disk when this returns.

        RunExists if there is one already; JournalNotWritable if it can't be written. `hop` is a `WriterThread` unless
        given.
        """
        path = directory / FILE_NAME
        hop = hop or WriterThread()
        if path.exists():
            raise RunExists(f"{directory} holds a run already", hint=_to_resume(directory))
        *known, target, approval = astuple(facts)
        with writing(path):
            with made_whole(path) as connection:
                FORMAT.make(connection)
                plan_tables.write(connection, plan)
                run = [(*known, plan.digest, target, approval, seal(connection, plan_tables.SEALED))]
                cls(connection, path, hop)._add({"run": run, "input": list(map(astuple, inputs))})
            journal = cls(connect_to_write(path), path, hop)
        journal.plan = plan  # what was just written needn't be read again
        return journal

    @classmethod
    def resume(cls, directory: Path, *, hop: Hop | None = None) -> Self:
        """The journal of the run in `directory`, to go on with. Raises what `open` does, and JournalNotWritable."""
        with Record.open(directory) as record:
            plan = record.plan
        path = directory / FILE_NAME
        with writing(path):
            journal = cls(connect_to_write(path), path, hop or WriterThread())
        journal.plan = plan  # what was just read and checked needn't be read again
        if journal.head is None:
            why = "an earlier bulkstate began it: what is changed in it afterwards can't be found"
            structlog.get_logger().warning("this run's journal has no chain", format=journal.format, reason=why)
        return journal

    def close(self) -> None:
        """Leave one file behind, which can be moved, or read from a read-only disk."""
        end_log(self._connection)
        super().close()

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        """Put outcomes on disk, with their parts, in one transaction. JournalNotWritable if that fails."""
        rows = [_row(self._session, outcome) for outcome in outcomes]
        parts = [_part_row(part) for outcome in outcomes for part in outcome.parts]
        await self._hop(lambda: self._write({"outcome": rows, "part": parts}))

    async def grant(self, grant: Grant) -> None:
        """Put a grant on disk. JournalNotWritable if that fails."""
        await self._hop(lambda: self._insert("call_grant", astuple(grant)))

    async def used(self, use: Use) -> None:
        """Put on disk what somebody asked. JournalNotWritable if that fails."""
        await self._hop(lambda: self._insert("use", astuple(use)))

    async def plot(self, point: Point) -> None:
        """Put a point of the run's course on disk. JournalNotWritable if that fails."""
        await self._hop(lambda: self._insert("point", astuple(point)))

    def agree(self, at: float, how: str = "", by: str = "") -> None:
        """Somebody agreed to the plan."""
        self._insert("agreement", (at, how, by))

    def paused(self, pause: Pause) -> None:
        """A pipeline is paused for the run."""
        self._insert("pause", astuple(pause))

    def set_deadline(self, deadline: Deadline) -> None:
        """The session, which has begun, has to be done by then."""
        self._insert("deadline", (self._session, *astuple(deadline)))

    @property
    def head(self) -> Head | None:
        """The chain's last link that is on disk, and how many there are; None for a journal of format 2."""
        return self._head

    @property
    def begun(self) -> bool:
        """A session has started in this process."""
        return self._session > 0

    def _is_running(self) -> bool:
        return False  # whoever writes it holds the lock, and works on nothing that isn't ended yet

    def require_in_place(self) -> None:
        """JournalNotWritable if the file isn't where it was any more: what is written then, nobody finds again.

        Cheap enough to be asked every second. SQLite itself goes on writing into a file that was removed.
        """
        if self._identity != _identity(self.path):
            hint = "Whatever was recorded before may be in a copy of the run directory: report it, and resume it."
            raise JournalNotWritable(f"{self.path} was removed, moved or replaced", hint=hint)

    def settle_grants(self, at: float) -> None:
        """What the process before was granted and may have spent is settled, as all of it (law 5)."""
        last = self.grants(at)[-1:]
        self._insert("call_grant", *((at, 0, grant.calls) for grant in last))

    def begin(self, at: float) -> None:
        """A session starts: from here on chunks are sent."""
        self._insert("session", (at,))
        self._session = self.sessions[-1].number

    def finish(self, ending: Ending) -> None:
        """The session ends."""
        self._insert("ending", (self._session, *astuple(ending)))
        self._insert("ending_reason", (self._session, ending.reason_code, ending.unread))

    def keep_witnesses(self, witnesses: Sequence[tuple[Stage, Pair]]) -> None:
        """These pairs outside the target have state, before the first delete."""
        new = dict.fromkeys(witnesses).keys() - set(self.witnesses())
        self._insert("witness", *(astuple(stage) + astuple(pair) for stage, pair in sorted(new)))

    def verified(self, at: float, found: Verification) -> None:
        """Something was read back."""
        self._insert("verification", (at, *astuple(found)))
        (number,) = self._connection.execute("SELECT max(seq) FROM verification").fetchone()
        requests = (found.requests, found.of_requests, found.requests_remaining, found.at_most)
        self._insert("requests_read", (number, *requests))

    def keep_look(self, at: float, looked_at: Sequence[LookedAt], *, after: bool = False) -> None:
        """So much was looked at, before the first delete or after the last one."""
        rows = (
            (at, after, each.read, *astuple(each.stage), each.entry, *astuple(each.pair), each.state)
            for each in looked_at
        )
        self._insert("look", *rows)

    def keep_circumstances(self, found: Circumstances) -> None:
        """Who works on the run from here on, and where."""
        *known, ahead, at = astuple(found)
        clock = (None, None) if ahead is None else (ahead, None) if ahead >= 0 else (None, -ahead)
        self._insert("circumstance", (at, *known, *clock))

    def saw_pipelines(self, at: float, pipelines: Iterable[Pipeline]) -> None:
        """The pipelines were in these states."""
        self._insert("pipeline_seen", *((at, each.id, each.name, each.status, each.version) for each in pipelines))

    def _insert(self, table: str, *rows: Sequence[object]) -> None:
        """Put rows on disk. A journal that was begun in an earlier format has no place for some."""
        if table in self._tables:
            self._write({table: list(map(self._tables[table].stored, rows))})

    def _write(self, added: Mapping[str, Rows]) -> None:
        with self._one_at_a_time, writing(self.path):
            with transaction(self._connection):
                head = self._add(added)
            self._head = head

    def _add(self, added: Mapping[str, Rows]) -> Head | None:
        """Within a transaction: the rows, and the link over them. The head from then on."""
        added = {table: rows for table, rows in added.items() if rows}
        for table, rows in added.items():
            self._connection.executemany(self._tables[table].insert_into(table), rows)
        if self._head is None or not added:
            return self._head
        head = self._head.next(added)
        self._connection.execute("INSERT INTO link VALUES (?, ?, ?)", head.row)
        return head


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path names, None if it names none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _to_resume(directory: Path) -> str:
    name = shlex.quote(str(directory))
    return f"To go on with it: bulkstate resume {name}. To start anew: name another run directory."


def make_run_directory(directory: Path) -> None:
    """A new directory for a run, nobody else's to read. RunExists if it is there already; InputError if it can't be."""
    try:
        small_file.make_folder(directory, exist_ok=False)
    except FileExistsError:
        raise RunExists(f"{directory} exists already", hint=_to_resume(directory)) from None
    except OSError as error:
        raise InputError(Problem(f"can't be made: {error.strerror}", where=str(directory))) from None


def _row(session: int, outcome: Outcome) -> tuple[object, ...]:
    return (
        session,
        outcome.chunk,
        outcome.verdict.value,
        outcome.attempts,
        outcome.throttled,
        outcome.status,
        _storable(outcome.code),
        outcome.message,
        outcome.request_id,
        outcome.body_bytes,
        outcome.first_sent_at,
        outcome.last_answered_at,
    )


def _part_row(part: Part) -> tuple[object, ...]:
    assets, points = part.assets, part.points
    return part.number, part.parent, assets.start, assets.end, points.start, points.end


def _storable(code: int | None) -> int | None:
    """SQLite's integers have 64 bits with the sign. A server may send one more, which is no code that anybody knows."""
    return code if code is not None and abs(code) < 1 << 63 else None
