"""docs/rehearsal.md, carried out as it stands: its world, its configuration, and each of its days."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkstate.emulator.faults import _RuleKeys, load_faults

PAGE = (Path(__file__).parents[2] / "docs" / "rehearsal.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
WORLD, CONFIGURATION = BLOCK.findall(PAGE)[:2]
DAYS = list(re.split(r"\n### ", PAGE)[1:])
KEY, SECRET = "rehearsal-5eed", "rehearsal-c0ffee"
COMMAND = str(Path(sys.executable).with_name("bulkstate"))


def endings(day: str) -> set[int]:
    found = re.search(r"Ends\s+with\s+([0-9 or]+)", day)
    assert found is not None, day
    return {int(code) for code in re.findall(r"[0-9]+", found[1])}


def block(text: str) -> str:
    return str(BLOCK.findall(text)[0])


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    return {**kept, "REHEARSAL_KEY": KEY, "REHEARSAL_SECRET": SECRET, "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def rehearse(tmp_path: Path, environment: dict[str, str]) -> Iterator[Any]:
    """Serves the page's world or the day's own, runs the configuration; gives exit code, JSON and all that was said."""
    processes: list[subprocess.Popen[str]] = []

    def run(day: str) -> tuple[int, Any, str]:
        faults, *own = BLOCK.findall(day)
        configuration = own[0] if own else CONFIGURATION
        world = own[1] if own[1:] else WORLD
        (tmp_path / "world.yaml").write_text(world, encoding="utf-8")
        (tmp_path / "faults.yaml").write_text(faults, encoding="utf-8")
        serving = (COMMAND, "emulator", "--port", "0", "--world", "world.yaml", "--faults", "faults.yaml")
        emulator = subprocess.Popen(
            serving, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        processes.append(emulator)
        assert emulator.stdout is not None
        url = next(found[0] for line in emulator.stdout if (found := re.search(r"http://[0-9.]+:[0-9]+", line)))
        (tmp_path / "config.yaml").write_text(configuration.replace("http://127.0.0.1:8080", url), encoding="utf-8")
        run = subprocess.run(
            (COMMAND, "run", "config.yaml", "--yes", "--json", "--run-dir", "run"),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return run.returncode, json.loads(run.stdout), run.stdout + run.stderr

    yield run
    for process in processes:
        process.terminate()
        process.communicate()


@pytest.mark.docs
@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.splitlines()[0])
def test_a_day_ends_as_the_page_says(day: str, rehearse: Any) -> None:
    code, document, said = rehearse(day)
    assert code in endings(day), said
    for secret in (SECRET, KEY):
        assert secret not in said
    if f"{code}, " in day:
        word = day.rpartition(f"{code}, ")[2].split(".")[0]
        assert document["result"] == word, said


def test_the_readmes_bad_day_can_be_read(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("cat > bad-day.yaml <<'END'\n")[2].partition("    END\n")[0]
    (tmp_path / "bad-day.yaml").write_text("\n".join(line[4:] for line in shown.splitlines()), encoding="utf-8")
    assert len(load_faults(tmp_path / "bad-day.yaml").rules) == 5


def test_every_key_of_a_rule_is_on_the_page(tmp_path: Path) -> None:
    keys = set(_RuleKeys.__dataclass_fields__)
    assert [name for name in sorted(keys) if f"`{name}" not in PAGE] == []


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.splitlines()[0])
def test_every_day_can_be_read(day: str, tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text(block(day), encoding="utf-8")
    assert load_faults(tmp_path / "faults.yaml").rules
