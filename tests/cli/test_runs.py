"""The runs there are: each with its conclusion, and the newest without its name."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Bulkstate
from tests.cli.gateway import Gateway, deleted, reply

pytestmark = pytest.mark.slow


def test_runs_are_listed_and_the_newest_needs_no_name(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    assert bulkstate("runs").exit_code == 2
    for command in (("report",), ("verify",), ("ctl", "status")):
        none = bulkstate(*command)
        assert (none.exit_code, none.out) == (2, "")
        assert "no run was begun here yet" in none.err
        assert "name the run directory" in none.err
    first = bulkstate("run", "config.yaml", "--yes", "--json").document
    gateway.answer = lambda call, number: reply({"code": 61102, "msg": "Missing param xx"})
    second = bulkstate("run", "config.yaml", "--yes", "--json").document
    gateway.answer = lambda call, number: deleted()

    listed = bulkstate("runs", "--json").document["runs"]
    assert [each["run"] for each in listed] == [first["run"], second["run"]]
    assert [each["reason_code"] for each in listed] == ["deleted_unverified", "partial"]
    for each, of in zip(listed, (first, second), strict=True):
        assert {name: each[name] for name in ("conclusion", "next", "started", "ended")} == {
            name: of[name] for name in ("conclusion", "next", "started", "ended")
        }
    page = bulkstate("runs").out
    assert f"{second['run']}  Nothing deleted of 100 pairs; 100 remain (10 requests refused: 61102)." in page

    assert bulkstate("report", "--format", "json").document == second
    assert bulkstate("verify", "--sample", "none").exit_code == 2
    (bulkstate.folder / "bulkstate-runs" / second["run"] / "journal.sqlite").write_bytes(b"no journal at all")
    assert bulkstate("runs", "--json").document["runs"][1]["conclusion"].startswith("Can't be read: ")


def test_agreement_is_on_record(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    agreed = bulkstate("run", "config.yaml", "--yes", "--json").document["agreed"]
    assert agreed["how"] == "with --yes"
    assert "@" in agreed["by"]
    assert agreed["at"].endswith("Z")
