"""What a journal says: the run, its plan, every outcome, and what is still to be sent (laws 3 and 4)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from bulkstate.disk import plan_tables
from bulkstate.disk.database import check_rows, check_times, closed_on_error, connect_to_read, row_count, seal
from bulkstate.disk.journal import chain
from bulkstate.disk.journal.chain import Head
from bulkstate.disk.journal.facts import Agreement, Deadline, Input, Pause, RunFacts, SessionRecord
from bulkstate.disk.journal.rows import circumstances_of, look_of, outcome_of, part_of, session_of
from bulkstate.disk.journal.tables import CHAINED, FORMAT, existing, reading, tables_of
from bulkstate.disk.locks import is_in_use
from bulkstate.errors import JournalDamaged, Refused
from bulkstate.gateway.wire import Code
from bulkstate.model import (
    Agreed,
    Answer,
    Chain,
    Circumstances,
    DoneBy,
    Ended,
    Grant,
    InputFile,
    LookedAt,
    Origin,
    Outcome,
    Pair,
    Part,
    Phase,
    PipelineSeen,
    PipelineStatus,
    Plan,
    Point,
    Reply,
    RunResult,
    Stage,
    Use,
    Verdict,
    Verification,
)
from bulkstate.pairs.chunks import Chunks
from bulkstate.pairs.digest import digest as plan_digest
from bulkstate.pairs.tally import VERDICTS, ChunkTally
from bulkstate.policy.bottleneck import By
from bulkstate.policy.sizing import Sizing
from bulkstate.text import counted

_VARIABLE: Final = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_VERDICT: Final = " ".join(f"WHEN '{verdict}' THEN {number}" for number, verdict in enumerate(VERDICTS))
_COUNTED: Final = "chunk", "attempts", "throttled"
_INTEGERS: Final = ", ".join(f"iif(typeof({column}) = 'integer', {column}, NULL)" for column in _COUNTED)
_TALLIED: Final = f"SELECT CASE verdict {_VERDICT} END, {_INTEGERS} FROM outcome ORDER BY seq"  # noqa: S608
"""What isn't as it was declared becomes NULL, of which no array of numbers can be made."""
_TALLIED_ROW: Final = [(column, np.int64) for column in ("verdict", *_COUNTED)]

RESUMED: Final = frozenset({Verdict.NOT_SENT, Verdict.UNKNOWN, Verdict.SUSPECT})
"""What `resume` sends again, beside chunks without a record (law 4)."""

RETRIED: Final = RESUMED | {Verdict.REFUSED, Verdict.EXHAUSTED}
"""What `resume --retry-failed` sends again, beside chunks without a record (law 4)."""


class Record:
    """A run's journal, to be read. Use as a context manager, or `close` it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._tables = tables_of(connection)
        self.path = path
        head = self._read_head()
        self._opened_at = 0 if head is None else head.count

    @classmethod
    def open(cls, directory: Path) -> Self:
        """The record of the run in `directory`, as it is now, also while another process writes it.

        InputError where there is no journal, none that this version can read, or one whose plan was altered;
        JournalDamaged where what was recorded lately isn't what was written.
        """
        path = existing(directory)
        with reading(path):
            connection = connect_to_read(path)
            with closed_on_error(connection):
                FORMAT.version_of(connection)
                record = cls(connection, path)
                check_rows(connection, *(table for table in record._tables if table != "outcome"))
                record._check_plan()
                record.verify_chain()
        return record

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def directory(self) -> Path:
        """The run directory."""
        return self.path.parent

    @property
    def name(self) -> str:
        """The run's name."""
        return self.facts.name

    @cached_property
    def facts(self) -> RunFacts:
        """What the run is."""
        with reading(self.path):
            name, created_at, gateway, organisation, configuration, version, _, *since = self._connection.execute(
                "SELECT * FROM run"
            ).fetchone()
            digests = since[:2]  # none in format 2; behind them is the plan's seal
            return RunFacts(name, created_at, gateway, organisation, configuration, version, *digests)

    @cached_property
    def plan(self) -> Plan:
        """The plan, as it was agreed to."""
        with reading(self.path):
            return plan_tables.read(self._connection)

    @property
    def head(self) -> Head | None:
        """The chain's last link, and how many there are; None for a journal of format 2, which has no chain."""
        return self._read_head()

    def _read_head(self) -> Head | None:
        if self.format < CHAINED:
            return None
        with reading(self.path):
            return chain.read_head(self._connection)

    def verify_chain(self, latest: int | None = chain.LATEST) -> None:
        """JournalDamaged if one of so many links, all of them for None, isn't what the rows make it."""
        if self.format >= CHAINED:
            with reading(self.path):
                chain.verify(self._connection, self._columns, latest)

    def verify_older(self) -> None:
        """JournalDamaged if one of the links that weren't looked at when the record was opened isn't what the rows make
        it. To be called in a thread of its own, for it has a connection of its own; rows may be added meanwhile."""
        if self._opened_at <= chain.LATEST:
            return
        with reading(self.path), closing(connect_to_read(self.path)) as connection:
            chain.verify_older(connection, self._columns, self._opened_at - chain.LATEST)

    def holds_link(self, link: str) -> bool:
        """Whether the chain has a link that begins so, in hex: a head that was kept somewhere else."""
        with reading(self.path):
            return self.format >= CHAINED and chain.holds(self._connection, link)

    @property
    def _columns(self) -> dict[str, str]:
        return {name: ", ".join(table.columns) for name, table in self._tables.items()}

    @cached_property
    def format(self) -> int:
        """The version of the journal's format."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        return int(version)

    def inputs(self) -> tuple[Input, ...]:
        """The files that the plan was made of."""
        return tuple(Input(*row) for row in self._rows("input"))

    def agreements(self) -> tuple[Agreement, ...]:
        """Every time that somebody agreed, in order."""
        return tuple(Agreement(*row) for row in self._rows("agreement"))

    def pauses(self) -> tuple[Pause, ...]:
        """The pipelines that were paused for the run, in order."""
        return tuple(Pause(*row) for row in self._rows("pause"))

    def deadlines(self) -> tuple[Deadline, ...]:
        """What sessions had to be done by, in order, of those that had such."""
        return tuple(Deadline(*row[1:]) for row in self._rows("deadline"))

    def _rows(self, table: str) -> list[tuple[Any, ...]]:
        """A small table's rows, in the order they were written; none where the journal's format hasn't that table."""
        if table not in self._tables:
            return []
        columns = ", ".join(self._tables[table].columns)
        with reading(self.path):
            query = f"SELECT {columns} FROM {table} ORDER BY rowid"  # noqa: S608 - a table of ours
            return self._connection.execute(query).fetchall()

    @property
    def agreed_at(self) -> float | None:
        """When somebody agreed to the plan, None if nobody did (law 2)."""
        with reading(self.path):
            at: float | None = self._connection.execute("SELECT min(at) FROM agreement").fetchone()[0]
            return at

    @property
    def sessions(self) -> tuple[SessionRecord, ...]:
        """Every process that worked on the run, oldest first."""
        query = """SELECT id, started_at, at, result, reason, exit
            FROM session LEFT JOIN ending ON session = id ORDER BY id"""
        reasons = {session: rest for session, *rest in self._rows("ending_reason")}
        with reading(self.path):
            return tuple(session_of(row, reasons.get(row[0], ())) for row in self._connection.execute(query))

    def looked_at(self, *, after: bool = False) -> tuple[LookedAt, ...]:
        """What was looked at before the first delete, or last after it."""
        rows = [row for row in self._rows("look") if row[1] == after]
        latest = max((at for at, *_ in rows), default=0.0)
        return tuple(look_of(*row) for at, _, *row in rows if at == latest)

    def pipelines_seen(self) -> tuple[PipelineSeen, ...]:
        """What the run saw of its pipelines, by ID: their state before it, and now."""
        seen: dict[str, PipelineSeen] = {}
        rested: set[str] = set()
        for at, id_, name, status, version in self._rows("pipeline_seen"):
            first = seen.get(id_)
            known = version or (first.version if first else "")
            seen[id_] = PipelineSeen(id_, name, first.before if first else status, status, at, known)
            rested |= {id_} if status == PipelineStatus.PAUSED else set()
        for pause in self.pauses():
            if found := seen.get(pause.pipeline):
                seen[found.id] = _paused(found, pause, found.id in rested)
        return tuple(seen[id_] for id_ in sorted(seen))

    @property
    def ending(self) -> tuple[RunResult, str]:
        """How the run stands, and why: as the last session left it, or as a later reading back has found it."""
        last = self.sessions[-1].ending if self.sessions else None
        if last is None:
            result = RunResult.RUNNING if self._is_running() else RunResult.INTERRUPTED
            if not self.sessions:
                return result, "nothing was sent yet"
            return result, "still running" if result is RunResult.RUNNING else "killed, or no longer able to write"
        if last.result not in (RunResult.DELETED, RunResult.PARTIAL) or not self._verified_since(last.at):
            return last.result, last.reason
        doubts = self.doubts()
        return (RunResult.PARTIAL if doubts else RunResult.DELETED), doubts

    @property
    def ended(self) -> Ended:
        """How the last session ended, and what was seen of the pipelines."""
        seen = self.pipelines_seen()
        last = self.sessions[-1].ending if self.sessions else None
        if last is None:
            return Ended(None, self._heard_of(), "", seen, self._is_running())
        unread = "" if self._verified_since(last.at) else last.unread
        return Ended(last.reason_code, last.at, unread, seen)

    def _is_running(self) -> bool:
        """Whether another process works on the run; its lock says so. Where none can be asked for, nobody can write."""
        try:
            return is_in_use(self.directory)
        except Refused:
            return False

    def _heard_of(self) -> float | None:
        with reading(self.path):
            query = """SELECT max(at) FROM (SELECT last_answered_at AS at FROM outcome
                UNION ALL SELECT started_at FROM session)"""
            at: float | None = self._connection.execute(query).fetchone()[0]
            return at

    @property
    def origin(self) -> Origin:
        """Where the run came from."""
        facts, sessions, head = self.facts, self.sessions, self.head
        return Origin(
            facts.gateway,
            facts.organisation,
            tuple(dict.fromkeys(_VARIABLE.findall(facts.configuration))),
            sessions[0].started_at if sessions else None,
            facts.version,
            Chain(self.format) if head is None else Chain(self.format, head.count, head.link),
            facts.target,
            facts.approval,
            tuple(InputFile(each.path, each.sha256, each.rows) for each in self.inputs()),
            next((Agreed(each.how, each.by, each.at) for each in self.agreements()), None),
            sha256(facts.configuration.encode()).hexdigest(),
            self.circumstances(),
            self._verified_by(),
            tuple(self._phases()),
            next((DoneBy(each.at, each.words) for each in reversed(self.deadlines())), None),
        )

    def circumstances(self) -> tuple[Circumstances, ...]:
        """Those of each process that worked on the run, in order."""
        return tuple(circumstances_of(*row) for row in self._rows("circumstance"))

    def _verified_by(self) -> str:
        with reading(self.path):
            (at,) = self._connection.execute("SELECT max(at) FROM verification").fetchone()
        before = [each for each in self.circumstances() if at is not None and each.at <= at]
        return before[-1].who if before else ""

    def _phases(self) -> Iterator[Phase]:
        """What the run came to, and when, in order."""
        looks, times = self._rows("look"), "SELECT min(first_sent_at), max(last_answered_at) FROM outcome"
        with reading(self.path):
            first, last = self._connection.execute(times).fetchone()
            check_times(first, last)
            (verified,) = self._connection.execute("SELECT max(at) FROM verification").fetchone()
        ended = self.sessions[-1].ending if self.sessions else None
        found = {
            "looked": min((at for at, after, *_ in looks if not after), default=None),
            "agreed": self.agreed_at,
            "first_delete": first,
            "last_answer": last,
            "read_back": verified,
            "ended": None if ended is None else ended.at,
        }
        came = [Phase(name, at) for name, at in found.items() if at is not None]
        yield from sorted(came, key=lambda phase: phase.at)

    def doubts(self) -> str:
        """Why a run that went to its end isn't a full success, in words; empty if it is."""
        counts = self.tally().counts()
        chunks = counts.total() - counts[Verdict.SPLIT]
        left = chunks - counts[Verdict.DELETED]
        said = f"{left:,} of {counted(chunks, 'chunk')} {'is' if left == 1 else 'are'} not deleted"
        undeleted = said if left else ""
        found = self.verification.doubts if self.verification else ""
        return "; ".join(text for text in (undeleted, found) if text)

    def _verified_since(self, at: float) -> bool:
        with reading(self.path):
            query = "SELECT EXISTS (SELECT * FROM verification WHERE at > ?)"
            return bool(self._connection.execute(query, (at,)).fetchone()[0])

    def parts(self) -> tuple[Part, ...]:
        """The parts of chunks that were split so far, by number."""
        query = "SELECT * FROM part ORDER BY number"
        with reading(self.path):
            return tuple(part_of(*row) for row in self._connection.execute(query))

    def chunks(self) -> Chunks:
        """The plan's chunks and their parts, as they are now."""
        with reading(self.path):
            return Chunks(self.plan, self.parts())

    def sizing(self, chunks: Chunks) -> Sizing:
        """What the gateway has said so far of requests that were too large for it; `chunks` are the record's."""
        query = """SELECT chunk, status, code, body_bytes FROM outcome
            WHERE (code = ? OR status = 413) AND verdict IN ('split', 'refused') ORDER BY seq"""
        sizing = Sizing()
        with reading(self.path):
            for chunk, status, code, body_bytes in self._connection.execute(query, (Code.TOO_MANY_POINTS,)):
                reply: Reply[bool] = Reply(Answer.TOO_LARGE, status, code)
                sizing = sizing.heard(reply, chunks.pairs(chunk), body_bytes)
        return sizing

    def records(self) -> Iterator[tuple[int, Outcome]]:
        """Everything that was recorded, in order: the session's number and the outcome. A chunk's last one counts."""
        parts = {parent: tuple(parts) for parent, parts in groupby(self.parts(), lambda part: part.parent)}
        chunks = self.plan.requests + sum(map(len, parts.values()))
        with reading(self.path):
            check_rows(self._connection, "outcome")
            for _, session, *values in self._connection.execute("SELECT * FROM outcome ORDER BY seq"):
                outcome = outcome_of(values, chunks)
                if outcome.verdict is Verdict.SPLIT:
                    outcome = replace(outcome, parts=parts.get(outcome.chunk, ()))
                yield session, outcome

    def tally(self) -> ChunkTally:
        """What became of every chunk, by number, in memory that doesn't grow with the records of a chunk."""
        with reading(self.path):
            chunks = self.plan.requests + row_count(self._connection, "part")
            rows = np.fromiter(self._connection.execute(_TALLIED), _TALLIED_ROW)
            return ChunkTally.of(chunks, rows)

    def seconds(self) -> float:
        """From first call to last answer, in each session; what lies between sessions doesn't count."""
        query = """SELECT max(last_answered_at) - min(first_sent_at) FROM outcome
            WHERE first_sent_at IS NOT NULL AND last_answered_at IS NOT NULL GROUP BY session"""
        with reading(self.path):
            return float(sum(max(0.0, seconds) for (seconds,) in self._connection.execute(query)))

    def failures(self) -> Iterator[Outcome]:
        """The records that say neither deleted nor split, in order."""
        query = "SELECT * FROM outcome WHERE verdict NOT IN ('deleted', 'split') ORDER BY seq"
        with reading(self.path):
            chunks = self.plan.requests + row_count(self._connection, "part")
            for _, _, *values in self._connection.execute(query):
                yield outcome_of(values, chunks)

    def pending(self, again: frozenset[Verdict] = RESUMED) -> list[int]:
        """The chunks to send, ascending: those without a record, or whose last verdict is in `again` (law 4)."""
        return _numbers((tally := self.tally()).ended(*again) | tally.unrecorded())

    def deleted(self) -> list[int]:
        """The chunks whose last verdict is `deleted`, ascending."""
        return _numbers(self.tally().ended(Verdict.DELETED))

    def undeleted(self) -> list[int]:
        """The chunks whose pairs may still have state, ascending. Of a split chunk its parts answer."""
        return _numbers(~self.tally().ended(Verdict.DELETED, Verdict.SPLIT))

    def once_suspect(self) -> frozenset[int]:
        """The chunks that a record calls suspect, be it the last one or not."""
        with reading(self.path):
            rows = self._connection.execute("SELECT DISTINCT chunk FROM outcome WHERE verdict = 'suspect'")
            return frozenset(chunk for (chunk,) in rows)

    def uses(self) -> tuple[Use, ...]:
        """What somebody asked of the run while it ran, in order."""
        with reading(self.path):
            rows = self._connection.execute("SELECT at, command, value FROM use ORDER BY seq")
            return tuple(Use(*row) for row in rows)

    def points(self) -> tuple[Point, ...]:
        """The run's course, in order: a few thousand points at the most, however long it ran."""
        query = """SELECT at, seconds, rate, call_limit, in_flight, refused, p50, p99, held_by, which
            FROM point ORDER BY seq"""
        with reading(self.path):
            points = (Point(*row) for row in self._connection.execute(query))
            return tuple(replace(point, held_by=By(point.held_by)) for point in points)

    def grants(self, since: float) -> tuple[Grant, ...]:
        """The grants made at `since` or later, and the last one in any case, in the order they were made."""
        query = """SELECT at, calls, spent FROM call_grant
            WHERE at >= ? OR seq = (SELECT max(seq) FROM call_grant) ORDER BY seq"""
        with reading(self.path):
            return tuple(Grant(*row) for row in self._connection.execute(query, (since,)))

    def witnesses(self) -> tuple[tuple[Stage, Pair], ...]:
        """Pairs outside the target that had state before the first delete."""
        query = "SELECT pipeline, stage, asset, point FROM witness ORDER BY pipeline, stage, asset, point"
        with reading(self.path):
            rows = self._connection.execute(query)
            return tuple((Stage(pipeline, stage), Pair(asset, point)) for pipeline, stage, asset, point in rows)

    @property
    def verification(self) -> Verification | None:
        """What the last reading back found, None if there was none."""
        query = "SELECT seq, sampled, remaining, witnesses, witnesses_lost FROM verification ORDER BY seq DESC LIMIT 1"
        with reading(self.path):
            found = self._connection.execute(query).fetchone()
        if found is None:
            return None
        number, *pairs = found
        requests = {verification: rest for verification, *rest in self._rows("requests_read")}
        return Verification(*pairs, *requests.get(number, ()))

    def _check_plan(self) -> None:
        if self.format >= CHAINED:
            (sealed,) = self._connection.execute("SELECT plan_seal FROM run").fetchone()
            if sealed != seal(self._connection, plan_tables.SEALED):
                raise JournalDamaged("the journal is damaged: its plan isn't the one that was written", hint=chain.HINT)
        (digest,) = self._connection.execute("SELECT digest FROM run").fetchone()
        if not digest == self.plan.digest == plan_digest(self.plan.stages):
            raise ValueError("its plan isn't the one that was made: the digest differs")


def _paused(seen: PipelineSeen, pause: Pause, rested: bool) -> PipelineSeen:
    """What is known of a pipeline by one more row of its pauses, if it was ever seen paused. One that was about to be
    paused or started may be so since."""
    newer = seen.at is not None and seen.at > pause.at
    since = seen if newer else replace(seen, now="")
    if not rested:
        return since
    if pause.by:
        return replace(seen, paused_by=pause.by, started_again=False)
    if pause.status != PipelineStatus.RUNNING:
        return since
    return replace(seen, started_again=True, now=seen.now if newer else pause.status)


def _numbers(chunks: NDArray[np.bool_]) -> list[int]:
    numbers: list[int] = np.flatnonzero(chunks).tolist()
    return numbers
