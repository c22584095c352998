"""A chain over a journal's rows: one link a transaction, each the hash of the link before and of what was added.

Whoever changes, removes or slips in a row has to make all links after it anew, and then the last one, the head, is
another: an earlier copy of it, in a job's log say, tells. It is no signature.

A link is the SHA-256 of these lines, in UTF-8, joined by line feeds: the link before, in hex, or `bulkstate journal 3`;
how many rows each table holds now, as JSON; and for each table that has new rows its name, a space, and those rows as
JSON, without the number that SQLite gives them. JSON is written as Python's `json` does with the shortest separators.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice, takewhile
from sqlite3 import Connection
from typing import Any, Final, TypeAlias

from bulkstate.disk.database import row_count
from bulkstate.errors import JournalDamaged

FIRST: Final = "bulkstate journal 3"
"""What the first link has in place of the link before."""

LATEST: Final = 1_000
"""So many links are verified whenever a journal is opened; all of them take as long as reading all of it."""

HINT: Final = "Somebody or something changed it after it was written: go on from a copy that was made before."
"""What to do about a journal that was changed."""

Rows: TypeAlias = Sequence[tuple[object, ...]]
Columns: TypeAlias = Mapping[str, str]
"""The tables of the chain, with the columns of each that aren't numbered by SQLite, joined by commas."""


_json: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Head:
    """The last of `count` links; `rows` says how many rows each table holds, but those that hold none."""

    count: int
    link: str
    rows: Mapping[str, int]

    def next(self, added: Mapping[str, Rows]) -> Head:
        """The head once these rows are added."""
        rows = dict(self.rows)
        for table, new in added.items():
            rows[table] = rows.get(table, 0) + len(new)
        lines = [self.link, _json(rows), *(f"{table} {_json(new)}" for table, new in added.items())]
        return Head(self.count + 1, sha256("\n".join(lines).encode()).hexdigest(), rows)

    @property
    def row(self) -> tuple[object, ...]:
        """It as a row of the table `link`."""
        return self.count, _json(self.rows), self.link


NO_LINK: Final = Head(0, FIRST, {})
"""The head of a chain that hasn't begun."""


def read_head(connection: Connection) -> Head:
    """The head as it is written. ValueError or TypeError if it isn't one."""
    found = list(_links(connection, 1))
    return found[0] if found else NO_LINK


def _links(connection: Connection, latest: int) -> Iterator[Head]:
    """The latest links, the oldest of them first."""
    query = "SELECT number, rows, hash FROM (SELECT * FROM link ORDER BY number DESC LIMIT ?) ORDER BY number"
    for number, rows, link in connection.execute(query, (latest,)):
        counts = _counts(rows)
        if counts is None or not isinstance(link, str):
            raise ValueError("a link of its chain doesn't say how many rows there are")
        yield Head(number, link, counts)


def _counts(rows: object) -> dict[str, int] | None:
    """How many rows each table holds, of a value that may be anything."""
    try:
        counts = json.loads(rows) if isinstance(rows, str) else None
    except ValueError:
        return None
    return counts if isinstance(counts, dict) and all(isinstance(each, int) for each in counts.values()) else None


def holds(connection: Connection, link: str) -> bool:
    """Whether one of the links begins so, in hex."""
    query = "SELECT EXISTS (SELECT * FROM link WHERE substr(hash, 1, length(?1)) = ?1)"
    return bool(connection.execute(query, (link,)).fetchone()[0])


def verify(connection: Connection, columns: Columns, latest: int | None = LATEST) -> Head:
    """The head, once the `latest` links before it were found to be what the rows make them; None: all of them.

    JournalDamaged if one isn't, or if a table holds other rows than those that the head counts.
    """
    head = read_head(connection)
    _check_counts(connection, columns, head)
    links = _links(connection, _ALL if latest is None else latest + 1)
    before = NO_LINK if latest is None or head.count <= latest else next(links)
    _follow(connection, columns, before, links)
    return head


def verify_older(connection: Connection, columns: Columns, until: int) -> None:
    """JournalDamaged if one of the links up to that number isn't what the rows make it.

    Rows are only added: that can go on meanwhile.
    """
    _follow(connection, columns, NO_LINK, takewhile(lambda link: link.count <= until, _links(connection, _ALL)))


def _follow(connection: Connection, columns: Columns, before: Head, links: Iterator[Head]) -> None:
    """Make these links anew, from the rows, one after the other."""
    rows: dict[str, Iterator[tuple[Any, ...]]] = {}
    for link in links:
        new = {}
        for table, count in link.rows.items():
            if table not in rows:
                rows[table] = _rows_after(connection, table, columns[table], before.rows.get(table, 0))
            if added := count - before.rows.get(table, 0):
                new[table] = list(islice(rows[table], added))
        if before.next(new) != link:
            raise JournalDamaged(f"the journal is damaged: link {link.count} isn't what its rows make it", hint=HINT)
        before = link


_ALL: Final = -1


def _check_counts(connection: Connection, columns: Columns, head: Head) -> None:
    if not head.rows.keys() <= columns.keys():
        raise ValueError("its chain counts rows of a table that it doesn't have")
    for table in columns:
        count = row_count(connection, table)
        if count != head.rows.get(table, 0):
            told = f"its table {table} holds {count:,} rows, and {head.rows.get(table, 0):,} were written"
            raise JournalDamaged(f"the journal is damaged: {told}", hint=HINT)


def _rows_after(connection: Connection, table: str, columns: str, count: int) -> Iterator[tuple[Any, ...]]:
    """A table's rows in the order they were written, without the first `count`."""
    query = f"SELECT {columns} FROM {table} ORDER BY rowid LIMIT -1 OFFSET ?"  # noqa: S608 - a table of ours
    return connection.execute(query, (count,))
