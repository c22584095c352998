"""With --json there is one document on stdout, down to the descriptor: libraries print there, too."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Bulkstate
from tests.cli.gateway import Gateway

pytestmark = pytest.mark.slow

ROWS = {"A01": "145", "A02": "1345", "A03": "135", "A04": "3467", "A05": "1346", "A06": "23", "A07": "467"}
"""The points of each asset: nobody covers them at a glance, and the planner asks HiGHS."""


def test_every_command_writes_one_document(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, more="plan: {effort: thorough}")
    rows = "".join(f"{asset},P{point}\n" for asset, points in ROWS.items() for point in points)
    (bulkstate.folder / "pairs.csv").write_text("asset_id,point_id\n" + rows)
    config = bulkstate.folder / "config.yaml"
    block = '[{assets: ["A{01..20}"], points: ["P{1..5}"]}]'
    config.write_text(config.read_text().replace(block, "[{pairs: pairs.csv}]"))
    for command in (
        ("check", "config.yaml"),
        ("plan", "config.yaml"),
        ("plan", "config.yaml", "-o", "PLAN"),
        ("plan", "config.yaml", "--diff", "PLAN", "--explain", "why.json"),
        ("apply", "PLAN", "--yes", "--run-dir", "applied"),
        ("run", "config.yaml", "--yes", "--run-dir", "run"),
        ("verify", "run"),
        ("resume", "run"),
    ):
        done = bulkstate(*command, "--json")
        assert done.out.startswith("{"), (command, done)
        json.loads(done.out)
