"""What the command makes of an odd environment."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.conftest import COMMAND, Bulkstate
from tests.cli.gateway import Gateway


@pytest.mark.parametrize("columns", ["0", "99999999999", "9" * 5_000])
def test_a_size_that_no_terminal_has_is_none(bulkstate: Bulkstate, columns: str) -> None:
    assert bulkstate("--help", COLUMNS=columns).out == bulkstate("--help", COLUMNS="80").out


@pytest.mark.slow
@pytest.mark.parametrize(("umask", "report"), [(0o000, 0o644), (0o022, 0o644), (0o077, 0o600)])
def test_nobody_else_may_change_what_is_written(
    bulkstate: Bulkstate, gateway: Gateway, umask: int, report: int
) -> None:
    bulkstate.configure(gateway.url, more="report: {json: report.json}")
    where = {"cwd": bulkstate.folder, "env": bulkstate.environment(), "umask": umask, "capture_output": True}
    subprocess.run([COMMAND, "plan", "config.yaml", "-o", "night.plan"], check=True, **where)
    subprocess.run([COMMAND, "apply", "night.plan", "--yes", "--run-dir", "runs/r"], check=True, **where)
    modes = {path: path.stat().st_mode & 0o777 for path in bulkstate.folder.rglob("*") if path.name != "config.yaml"}
    assert modes.pop(bulkstate.folder / "report.json") == report
    own = {path: 0o700 if path.is_dir() else 0o600 for path in modes}
    differing = {
        str(path.relative_to(bulkstate.folder)): oct(mode) for path, mode in modes.items() if mode != own[path]
    }
    assert differing.keys() <= {"runs/r/status.json", "runs/r/control.json", "runs/r/control.lock"}
    assert all(path.parent.stat().st_mode & 0o077 == 0 for path in (bulkstate.folder / "runs").rglob("*"))
