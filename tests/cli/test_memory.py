"""What one run leaves to the next: whom it may replace, and what comes of a place that isn't there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Bulkstate
from tests.cli.gateway import Gateway, deleted, reply

pytestmark = pytest.mark.slow


def document(gateway: Gateway, learnt: object) -> str:
    known = {"gateway": gateway.url, "organisation": "o1", "calls": [], "learnt": learnt}
    return json.dumps({"version": 1, "gateways": [known]})


@pytest.mark.parametrize(("version", "left"), [(99, True), (0, False)])
def test_what_was_learnt_in_other_words(bulkstate: Bulkstate, gateway: Gateway, version: int, left: bool) -> None:
    gateway.answer = lambda call, number: reply({}, 429) if number == 5 else deleted()
    bulkstate.configure(gateway.url, rate="auto")
    learnt = {"version": version, "pace": "swift"}
    (bulkstate.folder / "s.json").write_text(document(gateway, learnt))
    done = bulkstate("run", "config.yaml", "--yes", "--json", "--state", "s.json")
    assert done.exit_code == 0, done.err
    assert done.err.count("what was learnt of the gateway is ignored") == 1
    kept: Any = json.loads((bulkstate.folder / "s.json").read_text())["gateways"][0]["learnt"]
    assert (kept == learnt) is left
    assert (kept["version"] == 1) is not left


def test_a_plan_needs_no_place_for_what_is_known(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, rate="[auto, 1000/h]")
    done = bulkstate("plan", "config.yaml", "--json", XDG_STATE_HOME="/dev/null/x")
    assert done.exit_code == 0, done.err
    assert done.document["requests"] == 10
    assert done.err.count("no place for what is known of the gateway") == 1


@pytest.mark.parametrize(("rate", "exit_code"), [("auto", 0), ("[auto, 100000/h]", 4)])
def test_a_run_is_refused_only_where_a_long_window_has_to_be_remembered(
    bulkstate: Bulkstate, gateway: Gateway, rate: str, exit_code: int
) -> None:
    bulkstate.configure(gateway.url, rate=rate)
    folder = bulkstate.folder / "state" / "bulkstate"
    folder.mkdir(parents=True)
    (folder / "gateways").touch()
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == exit_code, done.err
    assert done.err.count("no place for what is known of the gateway") == 1
    assert ("name a file with --state" in done.err) is bool(exit_code)
    assert bulkstate("run", "config.yaml", "--yes", "--json", "--state", "s.json").exit_code == 0, "the hint works"


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_folder_is_no_state_file(bulkstate: Bulkstate, gateway: Gateway, command: str) -> None:
    bulkstate.configure(gateway.url, rate="auto")
    done = bulkstate(command, "config.yaml", "--state", ".")
    assert done.exit_code == 2, done.err
    assert "'--state': file '.' is a directory" in done.err.lower()
    assert gateway.calls == []
