"""Plan now, apply later: exactly that plan, or nothing."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, NOTHING_READ, PAIRS, Bulkstate
from tests.cli.gateway import Gateway
from tests.forked import Done

pytestmark = pytest.mark.slow

TABLE = "asset_id,point_id\n" + "".join(f"{asset},{point}\n" for _, asset, point in sorted(PAIRS))


def planned(bulkstate: Bulkstate, gateway: Gateway, verify: str = NOTHING_READ, more: str = "") -> Done:
    """The usual 100 pairs, from a file, in a plan `p.plan`."""
    bulkstate.configure(gateway.url, verify=verify, more=more)
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace('assets: ["A{01..20}"], points: ["P{1..5}"]', "pairs: pairs.csv"))
    (bulkstate.folder / "pairs.csv").write_text(TABLE)
    done = bulkstate("plan", "config.yaml", "-o", "p.plan", "--json")
    assert done.exit_code == 0, done.err
    return done


def refused(bulkstate: Bulkstate, gateway: Gateway, exit_code: int, words: str) -> None:
    done = bulkstate("apply", "p.plan", "--yes")
    assert done.exit_code == exit_code, done
    assert words in done.err
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert gateway.calls == []
    assert not (bulkstate.folder / "bulkstate-runs").exists()


def test_what_is_applied_is_what_was_planned(bulkstate: Bulkstate, gateway: Gateway) -> None:
    document = planned(bulkstate, gateway).document
    assert gateway.calls == []
    done = bulkstate("apply", "p.plan", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 0, done.err
    assert done.document["plan"] == document["plan"]
    assert done.document["pairs"] == {"planned": 100, "deleted": 100}
    assert gateway.deleted_pairs() == PAIRS
    assert len(gateway.deletes()) == document["requests"]
    assert bulkstate("report", "r", "--format", "json").document == done.document


def test_it_is_the_plan_that_is_applied_not_the_configuration_of_today(bulkstate: Bulkstate, gateway: Gateway) -> None:
    planned(bulkstate, gateway)
    (bulkstate.folder / "config.yaml").write_text("nothing of the kind")
    assert bulkstate("apply", "p.plan", "--yes").exit_code == 0
    assert gateway.deleted_pairs() == PAIRS


def test_nobody_to_agree(bulkstate: Bulkstate, gateway: Gateway) -> None:
    planned(bulkstate, gateway)
    done = bulkstate("apply", "p.plan", "--json")
    assert done.exit_code == 4
    assert "--yes" in done.err
    assert gateway.calls == []


def test_a_plan_whose_input_has_changed_is_stale(bulkstate: Bulkstate, gateway: Gateway) -> None:
    planned(bulkstate, gateway)
    (bulkstate.folder / "pairs.csv").write_text(TABLE + "A99,P1\n")
    refused(bulkstate, gateway, 4, "the plan is stale")
    (bulkstate.folder / "pairs.csv").unlink()
    refused(bulkstate, gateway, 4, "pairs.csv")
    assert bulkstate("apply", "p.plan", "--yes", "--even-if-stale").exit_code == 0
    assert gateway.deleted_pairs() == PAIRS


def test_a_plan_made_of_standard_input_cannot_be_checked(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace('assets: ["A{01..20}"], points: ["P{1..5}"]', 'pairs: "-"'))
    command, options = [COMMAND, "plan", "config.yaml", "-o", "p.plan"], {"cwd": bulkstate.folder, "text": True}
    subprocess.run(command, input=TABLE, env=bulkstate.environment(), check=True, capture_output=True, **options)
    refused(bulkstate, gateway, 4, "not checked: standard input, of which the plan was made")
    assert bulkstate("apply", "p.plan", "--yes", "--even-if-stale").exit_code == 0
    assert gateway.deleted_pairs() == PAIRS


def test_a_plan_travels_and_nobody_looks_where_it_was_made(bulkstate: Bulkstate, gateway: Gateway) -> None:
    planned(bulkstate, gateway)
    there = bulkstate.folder / "elsewhere"
    there.mkdir()
    (bulkstate.folder / "p.plan").rename(there / "p.plan")
    done = bulkstate("apply", "elsewhere/p.plan", "--yes")
    assert done.exit_code == 4
    assert "not checked: pairs.csv" in done.err
    assert "--inputs DIR" in done.err
    inputs = bulkstate.folder / "inputs"
    inputs.mkdir()
    (inputs / "pairs.csv").write_text(f"{TABLE}A99,P1\n")
    (bulkstate.folder / "pairs.csv").unlink()
    done = bulkstate("apply", "elsewhere/p.plan", "--yes", "--inputs", "inputs")
    assert (done.exit_code, "the plan is stale: pairs.csv" in done.err) == (4, True)
    assert gateway.calls == []
    (inputs / "pairs.csv").write_text(TABLE)
    approved = bulkstate("show", "elsewhere/p.plan", "--json").document["approval"].upper()
    assert bulkstate("apply", "elsewhere/p.plan", "--yes", "--inputs", "inputs", "--digest", approved).exit_code == 0
    assert gateway.deleted_pairs() == PAIRS


def test_a_plan_that_was_altered(bulkstate: Bulkstate, gateway: Gateway) -> None:
    planned(bulkstate, gateway)
    with closing(sqlite3.connect(bulkstate.folder / "p.plan", isolation_level=None)) as connection:
        connection.execute("UPDATE dictionary SET ids = replace(ids, 'A07', 'A77')")
    refused(bulkstate, gateway, 4, "p.plan isn't as it was saved")


def test_a_plan_whose_guards_were_altered(bulkstate: Bulkstate, gateway: Gateway) -> None:
    planned(bulkstate, gateway, more="safety: {max_pairs: 100}")
    with closing(sqlite3.connect(bulkstate.folder / "p.plan", isolation_level=None)) as connection:
        connection.execute("""UPDATE saved SET configuration = replace(configuration, '"max_pairs": 100', '')""")
    refused(bulkstate, gateway, 4, "p.plan isn't as it was saved")


def test_a_plan_of_another_format(bulkstate: Bulkstate, gateway: Gateway) -> None:
    planned(bulkstate, gateway)
    with closing(sqlite3.connect(bulkstate.folder / "p.plan", isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")
    refused(bulkstate, gateway, 2, "version 99")


@pytest.mark.parametrize("content", [b"", b"version: 1\n", b"SQLite format 3\0" + bytes(200)])
def test_what_is_no_plan(bulkstate: Bulkstate, gateway: Gateway, content: bytes) -> None:
    (bulkstate.folder / "p.plan").write_bytes(content)
    refused(bulkstate, gateway, 2, "p.plan: isn't a saved plan")


def test_no_plan_there(bulkstate: Bulkstate, gateway: Gateway) -> None:
    refused(bulkstate, gateway, 2, "p.plan: can't be read")


def test_a_plan_that_is_cut_off(bulkstate: Bulkstate, gateway: Gateway) -> None:
    planned(bulkstate, gateway)
    path = bulkstate.folder / "p.plan"
    path.write_bytes(path.read_bytes()[:9_000])
    refused(bulkstate, gateway, 4, "p.plan isn't as it was saved")


def test_a_plan_over_its_guard_is_not_saved(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, more="safety: {max_pairs: 99}")
    assert bulkstate("plan", "config.yaml", "-o", "p.plan").exit_code == 4
    assert [each.name for each in bulkstate.folder.iterdir() if "plan" in each.name] == []


def test_a_plan_overwrites_an_older_plan_and_nothing_else(bulkstate: Bulkstate, gateway: Gateway) -> None:
    planned(bulkstate, gateway)
    before = (bulkstate.folder / "config.yaml").read_bytes()
    done = bulkstate("plan", "config.yaml", "-o", "config.yaml")
    assert done.exit_code == 2
    assert "config.yaml: exists, and isn't a saved plan" in done.err
    assert (bulkstate.folder / "config.yaml").read_bytes() == before
    done = bulkstate("plan", "config.yaml", "-o", "p.plan")
    assert done.exit_code == 0
    assert "bulkstate apply p.plan" in done.out


def test_a_plan_can_be_applied_from_another_folder(bulkstate: Bulkstate, gateway: Gateway) -> None:
    planned(bulkstate, gateway)
    (bulkstate.folder / "elsewhere").mkdir()
    elsewhere = Bulkstate(bulkstate.folder / "elsewhere")
    state = str(bulkstate.folder / "state")
    assert elsewhere("apply", "../p.plan", "--yes", XDG_STATE_HOME=state).exit_code == 0
    assert gateway.deleted_pairs() == PAIRS
    assert (bulkstate.folder / "elsewhere" / "bulkstate-runs").exists()


def test_no_secret_is_in_a_plan_and_none_is_missing_from_the_environment(
    bulkstate: Bulkstate, gateway: Gateway
) -> None:
    planned(bulkstate, gateway)
    assert b"canary-bearer" not in (bulkstate.folder / "p.plan").read_bytes()
    done = bulkstate("apply", "p.plan", "--yes", TOKEN="")
    assert done.exit_code == 2
    assert "TOKEN" in done.err
    assert gateway.calls == []


def test_witnesses_are_in_the_plan(bulkstate: Bulkstate, gateway: Gateway) -> None:
    (bulkstate.folder / "w.csv").write_text("asset_id,point_id\nA99,P1\n")
    gateway.left = {("S_01", "A99", "P1")}
    planned(bulkstate, gateway, verify="{before: none, sample: none, witness: w.csv}")
    document = bulkstate("apply", "p.plan", "--yes", "--json").document
    assert (document["verified"]["witnesses"], document["verified"]["witnesses_lost"]) == (1, 0)
    (bulkstate.folder / "w.csv").write_text("asset_id,point_id\nA98,P1\n")
    assert bulkstate("apply", "p.plan", "--yes").exit_code == 4


def test_what_two_plans_delete_differently(bulkstate: Bulkstate, gateway: Gateway) -> None:
    old = planned(bulkstate, gateway).document["plan"]
    path = Path(bulkstate.folder, "config.yaml")
    path.write_text(path.read_text().replace("stages: [S_01]", "stages: [S_01, S_02]\n    keep: keep.csv"))
    (bulkstate.folder / "keep.csv").write_text("asset_id,point_id\nA07,P3\nA07,P4\n")
    diff = bulkstate("plan", "config.yaml", "--diff", "p.plan", "--json").document["diff"]
    assert diff["old"] == old
    assert diff["pairs"] == {"only_old": 2, "only_new": 98, "both": 98}
    assert [(each["stage"], each["pairs"]["only_old"]) for each in diff["stages"]] == [("S_01", 2), ("S_02", 0)]
    lost = [{"asset": "A07", "point": "P3"}, {"asset": "A07", "point": "P4"}]
    assert diff["stages"][0]["examples"] == {"only_old": lost, "only_new": []}
    text = bulkstate("plan", "config.yaml", "--diff", "p.plan").out
    assert "98 pairs more, 2 less, 98 as before" in text
    assert "- 2 pairs: A07 P3, A07 P4" in text
    assert gateway.calls == []
    assert bulkstate("plan", "config.yaml", "--diff", "pairs.csv").exit_code == 2
