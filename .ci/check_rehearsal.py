"""Looks at the run directory of the rehearsal: is it all as config.example.yaml says it should be?

python .ci/check_rehearsal.py RUN_DIR
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path


def report(directory: Path) -> dict[str, object]:
    """What the installed command says of the run."""
    command = [str(Path(sys.executable).with_name("bulkstate")), "report", str(directory), "--format", "json"]
    document: dict[str, object] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return document


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    """What is in one of the run's files."""
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def main(directory: Path) -> None:
    """AssertionError where something isn't as it should be."""
    said = report(directory)
    assert said["result"] == "deleted", said
    assert said["pairs"] == {"planned": 500_000, "deleted": 500_000}, said["pairs"]
    assert said["chunks"]["planned"] == said["chunks"]["deleted"] >= 200, said["chunks"]  # type: ignore[index]
    assert said["verified"]["sampled"] >= 2_000 and said["verified"]["remaining"] == 0, said["verified"]  # type: ignore[index]
    assert said["verified"]["witnesses"] == 18 and said["verified"]["witnesses_lost"] == 0, said["verified"]  # type: ignore[index]
    verdicts = rows(directory / "journal.sqlite", "SELECT verdict, count(DISTINCT chunk) FROM outcome GROUP BY verdict")
    assert verdicts == [("deleted", said["chunks"]["planned"])], verdicts  # type: ignore[index]
    assert rows(directory / "gateway.sqlite", "SELECT count(*) FROM state") == [(500_000,)]
    print(f"{directory.name}: {said['pairs']}, {said['chunks']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
