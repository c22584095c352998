"""Would the tests notice? Small faults are put into a room's code, one at a time, and its fast tests are run.

    pip install cosmic-ray
    python benchmarks/mutation.py policy [--count 300] [--seed first]

The mutants are cosmic-ray's, but for those of `|`, which stands in annotations that nobody evaluates; `seed` draws
`count` of them, so that a figure can be found again. It works on a copy, never on the checkout. Each mutant's tests run
in a process that is forked from one which has read pytest and its plugins already, those that bear the module's name
first; what takes many times the CPU of an undisturbed run is noticed, too. Prints the survivors, then one JSON line;
exit code 1 where fewer than 85 % were noticed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from importlib import import_module
from pathlib import Path

from machine import machine

ROOT = Path(__file__).parents[1]
ROOMS = {
    "policy": ("bulkstate/policy", "tests/policy"),
    "wire": ("bulkstate/gateway/wire.py", "tests/gateway/test_wire.py"),
    "pairs": ("bulkstate/pairs", "tests/pairs"),
}
LEAST_KILLED = 0.85
CPU_FACTOR, CPU_MORE = 5, 5
"""A mutant's tests may take so many times the CPU of an undisturbed run, and so many seconds more."""
MOST_MEMORY = 4 << 30
PYTEST = (
    *("-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--hypothesis-profile", "mutants"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
READ_BEFORE = ("pytest", "hypothesis", "hypothesis.strategies", "numpy", "orjson", "anyio", "trio", "structlog")


@dataclass(frozen=True)
class Mutant:
    """A fault: the file as it is, and as it is with one place changed, in `line`, by `operator`."""

    file: Path
    line: int
    operator: str
    code: str
    mutated: str

    def __str__(self) -> str:
        lines = unified_diff(self.code.splitlines(), self.mutated.splitlines(), n=0, lineterm="")
        changed = [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]
        return "\n    ".join((f"{self.file}:{self.line}: {self.operator.rpartition('/')[2]}", *changed[:6]))


def copied(top: Path) -> Path:
    """The checkout's code and tests, in a folder where they may be changed."""
    for name in ("bulkstate", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, top / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", top)
    return top


def places(folder: Path, module: str) -> list[tuple[Path, str, int, int]]:
    """Everything that can be changed: file, operator, how many of its places come before this one, and the line."""
    plugins, syntax = import_module("cosmic_ray.plugins"), import_module("cosmic_ray.ast")
    path = folder / module
    found = []
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        nodes = list(syntax.ast_nodes(syntax.get_ast(file.read_text(encoding="utf-8"))))
        for name in sorted(plugins.operator_names()):
            operator = plugins.get_operator(name)
            if "BitOr" in name or operator.arguments():
                continue
            starts = [start for node in nodes for start, _ in operator().mutation_positions(node)]
            found += [(file.relative_to(folder), name, number, start[0]) for number, start in enumerate(starts)]
    return found


def drawn(folder: Path, module: str, count: int, seed: str) -> Iterator[Mutant]:
    """So many mutants of a room."""
    plugins, mutating = import_module("cosmic_ray.plugins"), import_module("cosmic_ray.mutating")
    known = places(folder, module)
    for file, name, number, line in random.Random(f"mutants/{seed}").sample(known, min(count, len(known))):
        code = (folder / file).read_text(encoding="utf-8")
        mutated = mutating.mutate_code(code, plugins.get_operator(name)(), number)
        if mutated is not None and mutated != code:
            yield Mutant(file, line, name, code, mutated)


def tests_of(file: Path, folder: Path, tests: str) -> list[str]:
    """The test files, those of the mutant's module first: they notice soonest."""
    path = folder / tests
    files = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
    return [str(each.relative_to(folder)) for each in sorted(files, key=lambda each: file.stem not in each.stem)]


def ended(folder: Path, tests: Sequence[str], cpu: float) -> tuple[int, float]:
    """Run the tests in a process of its own, and wait: its wait status, and the CPU seconds that it took."""
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu), int(cpu)))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        sys.path[:0] = [str(folder), str(folder / "benchmarks")]
        try:
            code = int(import_module("pytest").main([*PYTEST, *tests]))
        except BaseException:
            code = 1
        os._exit(code)
    _, status, used = os.wait4(child, 0)
    return status, used.ru_utime + used.ru_stime


def survives(mutant: Mutant, folder: Path, tests: str, cpu: float) -> bool:
    """Whether no test notices. The file is as it was afterwards."""
    file = folder / mutant.file
    try:
        file.write_text(mutant.mutated, encoding="utf-8")
        _forget(file)
        status, _ = ended(folder, tests_of(mutant.file, folder, tests), cpu)
    finally:
        file.write_text(mutant.code, encoding="utf-8")
        _forget(file)
    return status == 0


def _forget(file: Path) -> None:
    """Compiled code may be as old and as long as what it isn't compiled from."""
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        compiled.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("room", choices=ROOMS)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", default="first")
    chosen = parser.parse_args()
    module, tests = ROOMS[chosen.room]
    os.environ |= {"CI": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name in READ_BEFORE:
        import_module(name)
    left, count = 0, 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as top:
        folder = copied(Path(top))
        status, usual = ended(folder, tests_of(folder, folder, tests), 600)
        if status != 0:
            raise SystemExit("the tests fail without a mutant")
        for mutant in drawn(folder, module, chosen.count, chosen.seed):
            count += 1
            if survives(mutant, folder, tests, CPU_FACTOR * usual + CPU_MORE):
                left += 1
                print(mutant, flush=True)
    killed = 1 - left / count
    print(json.dumps({"room": chosen.room, "mutants": count, "killed": round(killed, 3), **machine()}))
    return 0 if killed >= LEAST_KILLED else 1


if __name__ == "__main__":
    sys.exit(main())
