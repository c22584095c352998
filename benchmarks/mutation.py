"""Would the tests notice? Small faults are put into a room's code, one at a time, and its fast tests are run.

    pip install cosmic-ray
    python benchmarks/mutation.py policy [--count 300] [--seed first]

The mutants are cosmic-ray's, but for those of `|`, which stands in annotations that nobody evaluates; `seed` draws
`count` of them, so that a figure can be found again. It works on a copy, never on the checkout. Prints the survivors,
then one JSON line; exit code 1 where fewer than 85 % were noticed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from machine import machine

ROOT = Path(__file__).parents[1]
ROOMS = {
    "policy": ("bulkstate/policy", "tests/policy"),
    "wire": ("bulkstate/gateway/wire.py", "tests/gateway/test_wire.py"),
    "pairs": ("bulkstate/pairs", "tests/pairs"),
}
LEAST_KILLED = 0.85

CONFIGURATION = """\
[cosmic-ray]
module-path = "{module}"
timeout = {timeout}
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider -m 'not slow' {tests}"

[cosmic-ray.distributor]
name = "local"
"""


def copied(top: Path) -> Path:
    """The checkout's code and tests, in a folder where they may be changed."""
    for name in ("bulkstate", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, top / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", top)
    return top


def cosmic_ray(folder: Path, *arguments: str) -> None:
    # The copy comes first, before the checkout that may be installed beside it.
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "CI": "1"}
    subprocess.run([sys.executable, "-m", "cosmic_ray.cli", *arguments], cwd=folder, env=environment, check=True)


def draw(session: Path, count: int, seed: str) -> int:
    """Leave only so many of the session's mutants."""
    with closing(sqlite3.connect(session, isolation_level=None)) as connection:
        every = "SELECT job_id, operator_name FROM mutation_specs ORDER BY module_path, operator_name, occurrence"
        known: list[tuple[str, str]] = connection.execute(every).fetchall()
        alive = [job for job, operator in known if "BitOr" not in operator]
        chosen = set(random.Random(f"mutants/{seed}").sample(alive, min(count, len(alive))))
        for job in {job for job, _ in known} - chosen:
            connection.execute("DELETE FROM mutation_specs WHERE job_id = ?", (job,))
            connection.execute("DELETE FROM work_items WHERE job_id = ?", (job,))
    return len(chosen)


def survivors(session: Path) -> list[tuple[str, int, str]]:
    """File, line and operator of each mutant that no test noticed."""
    with closing(sqlite3.connect(session)) as connection:
        return connection.execute(
            "SELECT module_path, start_pos_row, operator_name FROM mutation_specs JOIN work_results USING (job_id) "
            "WHERE lower(test_outcome) LIKE '%survived' ORDER BY 1, 2"
        ).fetchall()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("room", choices=ROOMS)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", default="first")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one mutant's tests")
    chosen = parser.parse_args()
    module, tests = ROOMS[chosen.room]
    with tempfile.TemporaryDirectory(prefix="mutation-") as top:
        folder = copied(Path(top))
        text = CONFIGURATION.format(module=module, tests=tests, timeout=chosen.timeout, python=sys.executable)
        (folder / "mutation.toml").write_text(text, encoding="utf-8")
        cosmic_ray(folder, "init", "mutation.toml", "session.sqlite")
        count = draw(folder / "session.sqlite", chosen.count, chosen.seed)
        cosmic_ray(folder, "exec", "mutation.toml", "session.sqlite")
        left = survivors(folder / "session.sqlite")
    for file, line, operator in left:
        print(f"{file}:{line}: {operator}")
    killed = 1 - len(left) / count
    print(json.dumps({"room": chosen.room, "mutants": count, "killed": round(killed, 3), **machine()}))
    return 0 if killed >= LEAST_KILLED else 1


if __name__ == "__main__":
    sys.exit(main())
