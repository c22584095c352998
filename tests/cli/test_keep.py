"""What is kept never reaches the gateway, and is counted where people look."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Gateway

pytestmark = pytest.mark.slow

ENTRY = "  - pipeline: p1\n"


def configure(bulkstate: Bulkstate, gateway: Gateway, keep: str, *more: str) -> None:
    """The usual 100 pairs, less those of a table; `more` are further entries."""
    bulkstate.configure(gateway.url)
    path = bulkstate.folder / "config.yaml"
    text = path.read_text().replace(ENTRY, "".join(more) + f"{ENTRY}    keep: keep.csv\n")
    path.write_text(text)
    Path(bulkstate.folder, "keep.csv").write_text(f"asset_id,point_id\n{keep}")


def test_no_kept_pair_is_sent(bulkstate: Bulkstate, gateway: Gateway) -> None:
    configure(bulkstate, gateway, "A07,P3\nA07,P4\nA20,P5\nA99,P1\n")
    document = bulkstate("plan", "config.yaml", "--json").document
    assert (document["pairs"], document["kept_pairs"], document["unlisted_pairs"]) == (97, 3, 0)
    assert (document["assets"], document["points"]) == (20, 5)
    assert "3 pairs kept, though selected" in bulkstate("plan", "config.yaml").out
    assert gateway.calls == []
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == 0, done.err
    assert gateway.deleted_pairs() == PAIRS - {("S_01", "A07", "P3"), ("S_01", "A07", "P4"), ("S_01", "A20", "P5")}
    assert (done.document["pairs"], done.document["unlisted_pairs"]) == ({"planned": 97, "deleted": 97}, 0)


def test_kept_pairs_that_had_state_are_seen_to_have_it_still(bulkstate: Bulkstate, gateway: Gateway) -> None:
    configure(bulkstate, gateway, "A07,P3\nA07,P4\n")
    path = bulkstate.folder / "config.yaml"
    text = path.read_text().replace("A{01..20}", "A{01..80}").replace("{before: none, sample: none}", "{before: 100}")
    path.write_text(text)
    gateway.nothing = {("S_01", "A07", "P4")}
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 0, done.err
    assert (done.document["verified"]["witnesses"], done.document["verified"]["witnesses_lost"]) == (1, 0)
    assert [entry["entry"] for entry in done.document["before"]["entries"]] == ["delete[0].where[0] (config.yaml:7)"]

    gateway.gone.clear()
    gateway.heard = lambda call, when: gateway.gone.add(("S_01", "A07", "P3")) if call.kind == "delete" else None
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "s", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (3, "witnesses_lost")


def test_what_one_entry_keeps_no_other_deletes(bulkstate: Bulkstate, gateway: Gateway) -> None:
    other = "  - {pipeline: p1, stages: [S_01, S_02], where: [{assets: [A07], points: [P3, P9]}]}\n"
    configure(bulkstate, gateway, "A07,P3\n", other)
    assert bulkstate("run", "config.yaml", "--yes").exit_code == 0
    assert gateway.deleted_pairs() == (PAIRS - {("S_01", "A07", "P3")}) | {
        ("S_01", "A07", "P9"),
        ("S_02", "A07", "P3"),
        ("S_02", "A07", "P9"),
    }


def test_where_unlisted_pairs_may_go_kept_ones_and_witnesses_stay(bulkstate: Bulkstate, gateway: Gateway) -> None:
    """Nine assets have three points, each but one of them: the smallest cover would take that one along."""
    (bulkstate.folder / "holes.csv").write_text(
        "asset_id,point_id\n" + "".join(f"A{a},P{p}\n" for a in range(9) for p in range(3) if a % 3 != p)
    )
    configure(bulkstate, gateway, "A0,P0\n")
    path = bulkstate.folder / "config.yaml"
    text = path.read_text().replace('assets: ["A{01..20}"], points: ["P{1..5}"]', "pairs: holes.csv")
    path.write_text(
        text.replace("keep.csv\n", "keep.csv\n    unlisted: may_delete\n").replace("none}", "none, witness: w.csv}")
    )
    (bulkstate.folder / "w.csv").write_text("asset_id,point_id\nA4,P1\n")
    gateway.left = {("S_01", "A4", "P1")}
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == 0, done.err
    sent = gateway.deleted_pairs()
    target = {("S_01", f"A{a}", f"P{p}") for a in range(9) for p in range(3) if a % 3 != p}
    assert target <= sent
    assert sent.isdisjoint({("S_01", "A0", "P0"), ("S_01", "A4", "P1")})
    assert done.document["unlisted_pairs"] == len(sent - target)


def test_a_selection_that_is_kept_as_a_whole(bulkstate: Bulkstate, gateway: Gateway) -> None:
    configure(bulkstate, gateway, "".join(f"{asset},{point}\n" for _, asset, point in PAIRS))
    done = bulkstate("run", "config.yaml", "--yes")
    assert done.exit_code == 2
    assert "p1/S_01: all 100 selected pairs are kept" in done.err
    assert gateway.calls == []


def test_entries_that_disagree(bulkstate: Bulkstate, gateway: Gateway) -> None:
    other = "  - {pipeline: p1, stages: [S_01], where: [{assets: [B1], points: [P1]}], unlisted: may_delete}\n"
    configure(bulkstate, gateway, "A07,P3\n", other)
    done = bulkstate("plan", "config.yaml")
    assert done.exit_code == 2
    assert "config.yaml:5" in done.err
    assert "config.yaml:4" in done.err
