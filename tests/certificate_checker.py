"""Checks a certificate against the journal that it is of, by what docs/certificate.md says of both and by nothing else.
It shares no code with the project, and would do in an auditor's hands.

    python certificate_checker.py RUN_DIR/journal.sqlite CERTIFICATE [HEAD]
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

OUTSIDE_THE_CHAIN = {"link", "plan", "dictionary", "evidence", "stage", "side", "stage_side", "remark"}


def check(journal: Path, certificate: Path, kept_head: str = "") -> list[str]:
    """What is wrong, in words; nothing if all is as it is certified."""
    statement = json.loads(certificate.read_bytes())
    told = statement["predicate"]
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        links = chain(connection)
        wrong = [] if links else ["the journal's chain is broken"]
        run = one(connection, "SELECT * FROM run")
        target, configuration = run["target"], hashlib.sha256(run["configuration"].encode()).hexdigest()
        last = "SELECT verdict FROM outcome AS o WHERE seq = (SELECT max(seq) FROM outcome WHERE chunk = o.chunk)"
        verdicts = [verdict for (verdict,) in connection.execute(last) if verdict != "split"]
        read = "SELECT * FROM verification JOIN requests_read ON verification = seq ORDER BY seq DESC LIMIT 1"
        back = one(connection, read) or dict.fromkeys(("remaining", "requests", "of_requests", "requests_remaining"), 0)
        began = one(connection, "SELECT min(started_at) AS at FROM session")["at"]
        inputs = [list(row) for row in connection.execute("SELECT path, sha256, rows FROM input ORDER BY rowid")]
        plan_is_whole = run["plan_seal"] == plan_seal(connection)
        planned, pairs = count(connection), one(connection, "SELECT sum(pairs) AS pairs FROM stage")["pairs"]
    clean = back["requests"] > 0 and not back["remaining"]
    whole = len(verdicts) >= planned and set(verdicts) == {"deleted"}
    subject = [each["digest"]["sha256"] for each in statement["subject"]]
    found, verified = told["journal"], told["verification"]
    claims = {
        "it isn't an in-toto Statement": statement["_type"] == "https://in-toto.io/Statement/v1",
        "it has another predicate": statement["predicateType"] == "urn:bulkstate:certificate:v1",
        "its subject isn't the run's target": subject == [target] == [told["scope"]["target"]],
        "the head isn't the chain's last link": bool(links) and found["head"] == links[-1],
        "the count of links differs": found["links"] == len(links),
        "a head that was kept isn't in the chain": not kept_head or any(each.startswith(kept_head) for each in links),
        "the plan isn't the one that was written": plan_is_whole,
        "the configuration is another": told["digests"]["configuration"] == configuration,
        "the gateway is another": told["scope"]["gateway"] == run["gateway"],
        "the inputs are others": [list(each.values()) for each in told["inputs"]] == inputs,
        "the pairs are others": told["scope"]["counts"]["pairs"] == pairs,
        "it began at another time": told["started"] == spelt(began),
        "it calls erased what isn't": told["status"] != "erased" or (whole and clean),
        "its title says more than its status": told["title"].startswith("Cert") == (told["status"] == "erased"),
        "the requests that were read back differ": [verified[name] for name in ("n", "of", "found")]
        == [back["requests"], back["of_requests"] or len([each for each in verdicts if each == "deleted"]),
            back["requests_remaining"]],
        "it calls a sample full": verified["kind"] != "full" or back["requests"] == back["of_requests"],
    }  # fmt: skip
    return wrong + [problem for problem, holds in claims.items() if not holds]


def chain(connection: sqlite3.Connection) -> list[str]:
    """The links, if each is what the one before and the rows make it; else nothing."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {name: contents(connection, name) for name in tables if name not in OUTSIDE_THE_CHAIN}
    seen, before, links = dict.fromkeys(rows, 0), "bulkstate journal 3", []
    for counts, link in connection.execute("SELECT rows, hash FROM link ORDER BY number"):
        lines = [before, counts]
        for name, total in json.loads(counts).items():
            if total > seen[name]:
                lines.append(f"{name} {json.dumps(rows[name][seen[name] : total], separators=(',', ':'))}")
                seen[name] = total
        before = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        if before != link:
            return []
        links.append(link)
    return links if seen == {name: len(each) for name, each in rows.items()} else []


def contents(connection: sqlite3.Connection, table: str) -> list[list[Any]]:
    """A table's rows in the order they were written, without the number that SQLite gives them."""
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    shown = ", ".join(name for _, name, _, _, _, key in columns if not (key and name in ("seq", "id")))
    return [list(row) for row in connection.execute(f"SELECT {shown} FROM {table} ORDER BY rowid")]


def plan_seal(connection: sqlite3.Connection) -> str:
    """The SHA-256 of every value in the plan's tables."""
    total = hashlib.sha256()
    for table in ("plan", "dictionary", "evidence", "stage", "side", "stage_side", "remark"):
        query = f"SELECT * FROM {table}" + ("" if table == "plan" else " ORDER BY rowid")
        total.update(f"{query}\n".encode())
        for value in (value for row in connection.execute(query) for value in row):
            content = value if isinstance(value, bytes) else str(value).encode()
            total.update(f"{type(value).__name__} {len(content)}\n".encode() + content)
    return total.hexdigest()


def one(connection: sqlite3.Connection, query: str) -> dict[str, Any]:
    """The first row of an answer, by name; nothing if there is none."""
    cursor = connection.execute(query)
    row = cursor.fetchone()
    return {} if row is None else dict(zip((name for name, *_ in cursor.description), row, strict=True))


def count(connection: sqlite3.Connection) -> int:
    """How many chunks the plan has: four bytes each on the side of its stage's assets."""
    sides = "SELECT sum(length(sets) / 4) FROM stage_side JOIN side ON side.id = side WHERE kind = 'assets'"
    return int(connection.execute(sides).fetchone()[0])


def spelt(at: float) -> str:
    """UNIX seconds as RFC 3339, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


if __name__ == "__main__":
    problems = check(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
    sys.exit("\n".join(problems) or 0)
