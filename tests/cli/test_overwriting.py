"""What a command writes where somebody asked for it never takes the place of what can't be made again."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Bulkstate
from tests.cli.gateway import Gateway

pytestmark = pytest.mark.slow


def test_no_output_overwrites_a_journal_a_plan_or_the_configuration(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    assert bulkstate("run", "config.yaml", "--yes", "--run-dir", "r").exit_code == 0
    assert bulkstate("plan", "config.yaml", "-o", "night.plan").exit_code == 0
    kept = [bulkstate.folder / name for name in ("r/journal.sqlite", "night.plan", "config.yaml")]
    before = [path.read_bytes() for path in kept]
    for arguments in (
        ("certificate", "r", "-o", "r/journal.sqlite"),
        ("certificate", "r", "-o", "night.plan"),
        ("report", "r", "-o", "r/journal.sqlite"),
        ("report", "r", "--format", "csv", "-o", "night.plan"),
        ("report", "r", "--failed", "r/journal.sqlite"),
        ("report", "r", "--failed", "night.plan", "--failed-blocks"),
        ("plan", "config.yaml", "--explain", "config.yaml"),
        ("plan", "config.yaml", "--explain", "night.plan"),
    ):
        done = bulkstate(*arguments)
        assert (done.exit_code, "isn't overwritten" in done.err) == (2, True), done
    assert [path.read_bytes() for path in kept] == before
    for _ in range(2):  # what can be made again is
        assert bulkstate("report", "r", "--failed", "failed.csv", "-o", "report.txt").exit_code == 0
