"""A selection that is empty, and may be: nothing is asked, called or left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkstate import __version__
from tests.cli.conftest import Bulkstate
from tests.cli.gateway import Gateway

pytestmark = pytest.mark.slow


def configure(bulkstate: Bulkstate, gateway: Gateway, empty: str, rows: str = "") -> None:
    bulkstate.configure(gateway.url)
    path = bulkstate.folder / "config.yaml"
    where = '{assets: ["A{01..20}"], points: ["P{1..5}"]}'
    assert where in path.read_text()
    path.write_text(path.read_text().replace(where, f"{{pairs: failed.csv, empty: {empty}}}"))
    Path(bulkstate.folder, "failed.csv").write_text(f"asset_id,point_id\n{rows}")


@pytest.mark.parametrize("more", [(), ("--yes",)])
def test_nothing_to_delete_is_deleted(bulkstate: Bulkstate, gateway: Gateway, more: tuple[str, ...]) -> None:
    configure(bulkstate, gateway, "allow")
    done = bulkstate("run", "config.yaml", "--json", *more)
    assert done.exit_code == 0, done.err
    assert (done.document["result"], done.document["reason"]) == ("deleted", "nothing to delete")
    assert done.document["pairs"] == {"planned": 0, "deleted": 0}
    assert done.document["where"] == {"gateway": gateway.url, "organisation": "o1", "credentials": ["TOKEN"]}
    assert (done.document["version"], len(done.document["target"])) == (__version__, 64)
    assert [each["file"] for each in done.document["inputs"]] == ["failed.csv"]
    assert gateway.calls == []
    assert not (bulkstate.folder / "bulkstate-runs").exists()


def test_a_plan_of_nothing_is_applied(bulkstate: Bulkstate, gateway: Gateway) -> None:
    configure(bulkstate, gateway, "allow")
    planned = bulkstate("plan", "config.yaml", "-o", "plan")
    assert "nothing to delete" in planned.out
    applied = bulkstate("apply", "plan")
    assert applied.exit_code == 0, applied.err
    assert "nothing to delete" in applied.out
    assert gateway.calls == []


def test_where_it_may_not_be_empty_it_is_a_mistake(bulkstate: Bulkstate, gateway: Gateway) -> None:
    configure(bulkstate, gateway, "error")
    done = bulkstate("run", "config.yaml", "--yes")
    assert done.exit_code == 2
    assert "has no rows (if that is as it should be, say `empty: allow` beside the source)" in done.err


def test_a_table_that_may_be_empty_and_is_not(bulkstate: Bulkstate, gateway: Gateway) -> None:
    configure(bulkstate, gateway, "allow", "A1,P1\n")
    assert bulkstate("run", "config.yaml", "--yes").exit_code == 0
    assert gateway.deleted_pairs() == {("S_01", "A1", "P1")}


def test_what_is_kept_of_something_else_is_refused(bulkstate: Bulkstate, gateway: Gateway) -> None:
    configure(bulkstate, gateway, "error", "A1,P1\nA1,P1\n")
    path = bulkstate.folder / "config.yaml"
    Path(bulkstate.folder, "keep.csv").write_text("asset_id,point_id\nX1,Y1\n")
    path.write_text(path.read_text().replace("    where:", "    keep: keep.csv\n    where:"))
    done = bulkstate("run", "config.yaml", "--yes")
    assert done.exit_code == 4
    assert "keep.csv names no asset and no point that is selected in p1/S_01" in done.err
    path.write_text(path.read_text().replace("    where:", "    keep_unmatched: allow\n    where:"))
    document = bulkstate("plan", "config.yaml", "--json").document
    assert [(each["kind"], each["count"], each["examples"]) for each in document["remarks"]] == [
        ("selected_more_than_once", 1, ["A1, P1"]),
        ("no_selected_asset", 1, ["X1, Y1"]),
        ("keeps_nothing", 1, []),
    ]
    assert "1 of 1 name no selected asset (X1, Y1)" in bulkstate("plan", "config.yaml").out
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == 0, done.err
    assert [each["kind"] for each in done.document["remarks"]][1:] == ["no_selected_asset", "keeps_nothing"]
    assert "kept by delete[0].keep (config.yaml:6): its only row isn't selected." in done.document["conclusion"]
