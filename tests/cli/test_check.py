"""What is found out before a run: by `check`, by a dry run, and by whoever approves a saved plan."""

from __future__ import annotations

import pytest

from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Gateway, reply

pytestmark = pytest.mark.slow

LOOK = "{before: 1000, sample: none}"


def test_a_good_configuration(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify=LOOK)
    done = bulkstate("check", "config.yaml", "--json")
    assert done.exit_code == 0, done.err
    found = {each["subject"]: each for each in done.document["findings"]}
    assert list(found) == [
        "TLS",
        "gateway",
        "credentials",
        "pipeline p1",
        "stage p1/S_01",
        "state",
        "clock",
        "limits",
        "forecast",
    ]
    assert all(each.keys() == {"subject", "passed", "detail", "hint"} and each["passed"] for each in found.values())
    assert found["credentials"]["detail"] == "are accepted (TOKEN)"
    assert "have state" in found["state"]["detail"]
    assert found["clock"]["detail"] == "is within 2 s of the gateway's"
    assert found["limits"]["detail"] == "known are 1000/s by the configuration"
    assert "1000/s binds" in found["forecast"]["detail"]
    assert gateway.deletes() == []
    table = bulkstate("check", "config.yaml").out
    assert "✓ pipeline p1    is PAUSED" in table


def test_each_thing_that_is_wrong_has_a_hint(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify=LOOK)
    gateway.status, gateway.nothing, gateway.clock = "RUNNING", set(PAIRS), 3_600.0
    done = bulkstate("check", "config.yaml", "--json")
    assert done.exit_code == 4
    found = {each["subject"]: each for each in done.document["findings"]}
    assert (found["pipeline p1"]["passed"], found["pipeline p1"]["hint"]) == (False, "pause it before the run")
    assert found["clock"]["detail"].endswith("behind the gateway's")
    assert found["clock"]["hint"].startswith("set it")
    assert found["state"]["detail"].startswith("Nothing was there")
    assert "require_state" in found["state"]["hint"]

    gateway.read = lambda call: reply({"code": 61107, "msg": "Not supported stage type"})
    found = {each["subject"]: each for each in bulkstate("check", "config.yaml", "--json").document["findings"]}
    assert not found["stage p1/S_01"]["passed"]
    assert "the stage is unknown" in found["stage p1/S_01"]["hint"]


def test_what_nobody_could_say_has_not_passed(bulkstate: Bulkstate, gateway: Gateway) -> None:
    """And forbids nothing: a run would start."""
    bulkstate.configure(gateway.url, verify=LOOK)
    gateway.read = lambda call: reply({"code": 61100, "msg": "no permission"})
    done = bulkstate("check", "config.yaml", "--json")
    found = {each["subject"]: each for each in done.document["findings"]}
    assert (found["state"]["passed"], found["state"]["detail"]) == (None, "nobody could say what has state")
    assert (found["stage p1/S_01"]["passed"], done.exit_code) == (None, 0)
    assert "? state" in bulkstate("check", "config.yaml").out


def test_a_gateway_that_is_not_there(bulkstate: Bulkstate) -> None:
    bulkstate.configure("http://127.0.0.1:9", verify=LOOK)
    done = bulkstate("check", "config.yaml", "--json")
    assert done.exit_code == 4
    found = {each["subject"]: each for each in done.document["findings"]}
    assert (found["gateway"]["passed"], found["gateway"]["hint"]) == (
        False,
        "look at gateway.url, the network and gateway.ca_file",
    )


def test_a_dry_run_comes_as_far_as_the_question(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify=LOOK)
    done = bulkstate("run", "config.yaml", "--dry-run", "--run-dir", "r")
    assert done.exit_code == 0, done.err
    assert f"At {gateway.url}, organisation o1" in done.out
    assert "have state" in done.out
    assert gateway.deletes() == []
    assert not (bulkstate.folder / "r").exists()
    document = bulkstate("run", "config.yaml", "--dry-run", "--json").document
    (pipeline,) = document["pipelines"]
    assert (pipeline["id"], pipeline["name"], pipeline["status"]) == ("p1", "P", "PAUSED")
    assert document["before"]["with_state"] == document["before"]["looked_at"] > 0
    gateway.nothing = set(PAIRS)
    assert bulkstate("run", "config.yaml", "--dry-run").exit_code == 6


def test_who_approves_needs_no_secret(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify=LOOK)
    planned = bulkstate("plan", "config.yaml", "-o", "p.plan", "--json").document
    done = bulkstate("show", "p.plan", TOKEN="")
    assert done.exit_code == 0, done.err
    assert f"At {gateway.url}, organisation o1" in done.out
    assert "credentials from TOKEN" in done.out
    assert planned["plan"][:8] in done.out
    shown = bulkstate("show", "p.plan", "--json", TOKEN="").document
    assert {name: shown[name] for name in ("plan", "where", "guards", "pairs")} == {
        name: planned[name] for name in ("plan", "where", "guards", "pairs")
    }
    assert gateway.calls == []
