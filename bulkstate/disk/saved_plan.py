"""A plan in a file of its own: made now, looked at, agreed to by others, carried out later, exactly as it is.

One SQLite file with the plan's tables (`planfile`), the configuration without secrets, and what the inputs were. A seal
over every row tells a plan that was altered since. It is no signature: whoever can write the file can make another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from bulkstate.disk import plan_tables
from bulkstate.disk.database import FileFormat, Foreign, check_rows, connect_to_read, made_whole, seal
from bulkstate.errors import InputError, PlanAltered, PlanStale, Problem
from bulkstate.model import LookAhead, LookedAt, Pair, Pipeline, Plan, Stage
from bulkstate.pairs.digest import digest
from bulkstate.policy.spot_checks import Spot, SpotCheck, spot_check
from bulkstate.selection import STDIN, Fingerprint, InputState
from bulkstate.text import moment

_SCHEMA: Final = (
    *plan_tables.SCHEMA,
    """CREATE TABLE saved (
        made_at REAL NOT NULL,           -- UNIX seconds
        version TEXT NOT NULL,           -- of bulkstate
        configuration TEXT NOT NULL      -- JSON, secrets as references
    )""",
    "CREATE TABLE input (path TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, rows INTEGER)",
    "CREATE TABLE witness (pipeline TEXT NOT NULL, stage TEXT NOT NULL, asset TEXT NOT NULL, point TEXT NOT NULL)",
    """CREATE TABLE spot (
        read INTEGER NOT NULL, pipeline TEXT NOT NULL, stage TEXT NOT NULL, entry TEXT NOT NULL,
        asset TEXT NOT NULL, point TEXT NOT NULL, closer INTEGER NOT NULL
    )""",
    "CREATE TABLE look (at REAL NOT NULL)",
    "CREATE TABLE pipeline_seen (id TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, version TEXT NOT NULL)",
    """CREATE TABLE state_seen (
        read INTEGER NOT NULL, pipeline TEXT NOT NULL, stage TEXT NOT NULL, entry TEXT NOT NULL,
        asset TEXT NOT NULL, point TEXT NOT NULL, state INTEGER
    )""",
    "CREATE TABLE seal (sha256 TEXT NOT NULL)",
)
FORMAT: Final = FileFormat("a saved plan", 0x424B5350, {2: _SCHEMA})
"""SQLite's header calls it BKSP."""

_SEALED: Final = (
    *plan_tables.SEALED,
    "SELECT * FROM saved",
    "SELECT * FROM input ORDER BY rowid",
    "SELECT * FROM witness ORDER BY rowid",
    "SELECT * FROM spot ORDER BY rowid",
    "SELECT * FROM look",
    "SELECT * FROM pipeline_seen ORDER BY rowid",
    "SELECT * FROM state_seen ORDER BY rowid",
)


@dataclass(frozen=True, eq=False)
class SavedPlan:
    """A plan and all that steers the run it is for.

    `configuration` is a JSON document, with secrets as references; `witnesses` are pairs outside the target that must
    outlive the run; `inputs` is what the plan was made of; `made_at` is in UNIX seconds, `version` that of bulkstate.
    `spot_checks` are looked at before the first delete; `ahead` is what somebody saw when the plan was made.
    """

    plan: Plan
    configuration: str
    witnesses: tuple[tuple[Stage, Pair], ...]
    inputs: tuple[Fingerprint, ...]
    made_at: float
    version: str
    spot_checks: tuple[SpotCheck, ...] = ()
    ahead: LookAhead | None = None


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def refuse_to_overwrite(path: Path) -> None:
    """InputError if something is at `path` that isn't a saved plan: an older plan may be replaced, nothing else."""
    with _writing(path):
        refused = path.exists() and not FORMAT.claimed_by(path)
    if refused:
        raise InputError(Problem("exists, and isn't a saved plan: it is not overwritten", where=str(path)))


def write(saved: SavedPlan, path: Path) -> None:
    """Put the plan into the file at `path`, whole or not at all. InputError if it can't be written there."""
    refuse_to_overwrite(path)
    with _writing(path), made_whole(path) as connection:
        FORMAT.make(connection)
        _insert(connection, saved)
        connection.execute("INSERT INTO seal VALUES (?)", (seal(connection, _SEALED),))


def _insert(connection: sqlite3.Connection, saved: SavedPlan) -> None:
    plan_tables.write(connection, saved.plan)
    connection.execute("INSERT INTO saved VALUES (?, ?, ?)", (saved.made_at, saved.version, saved.configuration))
    inputs = [(str(each.path), each.size, each.sha256, each.rows) for each in saved.inputs]
    connection.executemany("INSERT INTO input VALUES (?, ?, ?, ?)", inputs)
    witnesses = [(stage.pipeline, stage.name, pair.asset, pair.point) for stage, pair in saved.witnesses]
    connection.executemany("INSERT INTO witness VALUES (?, ?, ?, ?)", witnesses)
    spots = [
        (read, check.stage.pipeline, check.stage.name, spot.entry, spot.pair.asset, spot.pair.point, check.closer)
        for read, check in enumerate(saved.spot_checks)
        for spot in check.spots
    ]
    connection.executemany("INSERT INTO spot VALUES (?, ?, ?, ?, ?, ?, ?)", spots)
    if saved.ahead is not None:
        _insert_look(connection, saved.ahead)


def _insert_look(connection: sqlite3.Connection, ahead: LookAhead) -> None:
    connection.execute("INSERT INTO look VALUES (?)", (ahead.at,))
    pipelines = [(each.id, each.name, each.status, each.version) for each in ahead.pipelines]
    connection.executemany("INSERT INTO pipeline_seen VALUES (?, ?, ?, ?)", pipelines)
    seen = [
        (each.read, each.stage.pipeline, each.stage.name, each.entry, each.pair.asset, each.pair.point, each.state)
        for each in ahead.looked_at
    ]
    connection.executemany("INSERT INTO state_seen VALUES (?, ?, ?, ?, ?, ?, ?)", seen)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(Problem(f"can't be written: {error.strerror}", where=str(path))) from error
    except (sqlite3.Error, ValueError) as error:
        raise InputError(Problem(f"can't be written: {error}", where=str(path))) from error


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def read(path: Path) -> SavedPlan:
    """The plan in the file at `path`.

    InputError if the file is no saved plan or one of another format version; PlanAltered if it isn't as it was saved.
    """
    try:
        if not FORMAT.claimed_by(path):
            hint = "bulkstate plan CONFIG -o PLAN makes one"
            raise InputError(Problem("isn't a saved plan", where=str(path), hint=hint))
        with closing(connect_to_read(path)) as connection:
            FORMAT.version_of(connection)
            return _read(connection)
    except OSError as error:
        raise InputError(Problem(f"can't be read: {error.strerror}", where=str(path))) from error
    except Foreign as error:
        raise InputError(Problem(str(error), where=str(path), hint="make the plan anew")) from error
    except (TypeError, LookupError, OverflowError) as error:  # Python's words help nobody here
        raise PlanAltered(f"{path} isn't as it was saved", hint="make the plan anew") from error
    except (sqlite3.Error, ValueError) as error:
        raise PlanAltered(f"{path} isn't as it was saved: {error}", hint="make the plan anew") from error


def refuse_stale(saved: SavedPlan, folder: Path, *, vouched: bool = False) -> None:
    """PlanStale if an input that is in `folder` isn't what the plan was made of, or, unless somebody has `vouched` for
    the plan, isn't there: where the plan was made nobody looks, for that may be another machine, or another job's."""
    standings = [(each.path, each.standing(folder)) for each in saved.inputs]
    when = moment(saved.made_at)
    if changed := _named(path for path, standing in standings if standing is InputState.CHANGED):
        message = f"the plan is stale: {changed} changed since it was made ({when}), or can't be read"
        raise PlanStale(message, hint="make the plan anew, or say --even-if-stale")
    missing = _named(path for path, standing in standings if standing is InputState.NOT_THERE)
    if missing and not vouched:
        message = f"not checked: {missing}, of which the plan was made ({when}), isn't in {folder}"
        raise PlanStale(message, hint="say --inputs DIR, the digest that was approved, or --even-if-stale")


def _named(paths: Iterable[Path]) -> str:
    return ", ".join("standard input" if path == STDIN else str(path) for path in paths)


def _read(connection: sqlite3.Connection) -> SavedPlan:
    check_rows(connection, "saved", "input", "witness", "spot", "look", "pipeline_seen", "state_seen", "seal")
    (sealed,) = connection.execute("SELECT sha256 FROM seal").fetchone()
    if sealed != seal(connection, _SEALED):
        raise ValueError("its seal is broken")
    plan = plan_tables.read(connection)
    if plan.digest != digest(plan.stages):
        raise ValueError("its chunks aren't those of its digest")
    made_at, made_by, configuration = connection.execute("SELECT made_at, version, configuration FROM saved").fetchone()
    inputs = connection.execute("SELECT path, size, sha256, rows FROM input ORDER BY rowid")
    witnesses = connection.execute("SELECT pipeline, stage, asset, point FROM witness ORDER BY rowid")
    return SavedPlan(
        plan=plan,
        configuration=configuration,
        witnesses=tuple((Stage(pipeline, stage), Pair(asset, point)) for pipeline, stage, asset, point in witnesses),
        inputs=tuple(Fingerprint(Path(path), *rest) for path, *rest in inputs),
        made_at=made_at,
        version=made_by,
        spot_checks=tuple(_spot_checks(connection)),
        ahead=_look(connection),
    )


def _look(connection: sqlite3.Connection) -> LookAhead | None:
    found = connection.execute("SELECT at FROM look").fetchone()
    if found is None:
        return None
    pipelines = connection.execute("SELECT id, name, status, version FROM pipeline_seen ORDER BY rowid")
    states = connection.execute(
        "SELECT read, pipeline, stage, entry, asset, point, state FROM state_seen ORDER BY rowid"
    )
    seen = (
        LookedAt(read, Stage(pipeline, stage), entry, Pair(asset, point), None if state is None else bool(state))
        for read, pipeline, stage, entry, asset, point, state in states
    )
    return LookAhead(found[0], tuple(Pipeline(*each) for each in pipelines), tuple(seen))


def _spot_checks(connection: sqlite3.Connection) -> Iterator[SpotCheck]:
    rows = connection.execute("SELECT read, pipeline, stage, closer, entry, asset, point FROM spot ORDER BY rowid")
    for (_, pipeline, stage, closer), of_read in groupby(rows, key=itemgetter(0, 1, 2, 3)):
        spots = (Spot(entry, Pair(asset, point)) for *_, entry, asset, point in of_read)
        yield spot_check(Stage(pipeline, stage), spots, bool(closer))
