"""The command, as a process of its own: see tests.forked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.gateway import Gateway, serving
from tests.forked import Command, Done, environment
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

PAIRS = {("S_01", f"A{asset:02}", f"P{point}") for asset in range(1, 21) for point in range(1, 6)}
"""What CONFIGURATION selects: 100 pairs, in ten chunks."""


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
        return environment(self.folder, **more)

    def start(self, *arguments: str, **more: str) -> Command:
        return Command(self.folder, *arguments, **more)

    def __call__(self, *arguments: str, **more: str) -> Done:
        return self.start(*arguments, **more).ended()


def ended(process: subprocess.Popen[str]) -> Done:
    """The end of a command that is started as it is installed, for a terminal, a shell or a signal of its own."""
    out, err = process.communicate(timeout=PATIENCE)
    return Done((), process.returncode, out, err)


@pytest.fixture
def bulkstate(tmp_path: Path) -> Bulkstate:
    return Bulkstate(tmp_path)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with serving() as served:
        yield served
