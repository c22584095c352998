"""The installed command, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.gateway import Gateway, serving
from tests.waiting import PATIENCE

COMMAND = str(Path(sys.executable).with_name("bulkstate"))

CONFIGURATION = """\
version: 1
gateway: {{url: "{url}", org_id: o1, auth: {{bearer: "${{TOKEN}}"}}}}
delete:
  - pipeline: p1
    stages: [S_01]
    where: [{{assets: ["A{{01..20}}"], points: ["P{{1..5}}"]}}]
limits: {{pairs_per_request: 10, rate: {rate}, concurrency: {concurrency}}}
retry: {{first_delay: 10ms, max_delay: 50ms, attempts: 3}}
verify: {verify}
{more}
"""

ENOUGH = "max_pairs: 1_000_000"
"""What `--yes` wants to hear where nobody sits at a terminal."""

NOTHING_READ = "{before: none, sample: none}"
"""For tests that count calls."""

_UNSET = ("CI", "TOKEN", "PYTHONDONTWRITEBYTECODE")
"""The last so that not every process compiles the project anew."""

PAIRS = {("S_01", f"A{asset:02}", f"P{point}") for asset in range(1, 21) for point in range(1, 6)}
"""What CONFIGURATION selects: 100 pairs, in ten chunks."""


@dataclass
class Done:
    """A process that has ended."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


@dataclass
class Bulkstate:
    """Runs the command in a folder of its own, with a bearer token in the environment."""

    folder: Path

    def configure(
        self, url: str, *, rate: str = "1000/s", concurrency: int = 4, verify: str = NOTHING_READ, more: str = ""
    ) -> None:
        more = more.replace("safety: {", f"safety: {{{ENOUGH}, ", 1) if "max_pairs" not in more else more
        more = more if "safety:" in more else f"safety: {{{ENOUGH}}}\n{more}"
        text = CONFIGURATION.format(url=url, rate=rate, concurrency=concurrency, verify=verify, more=more)
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
        return {**kept, "TOKEN": "canary-bearer", "XDG_STATE_HOME": str(self.folder / "state"), **more}

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, **more: str) -> Done:
        return ended(self.start(*arguments, **more))


def ended(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=PATIENCE)
    return Done(process.returncode, out, err)


@pytest.fixture
def bulkstate(tmp_path: Path) -> Bulkstate:
    return Bulkstate(tmp_path)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with serving() as served:
        yield served
