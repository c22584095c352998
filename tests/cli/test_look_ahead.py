"""`plan --look`: what is seen is kept for the approver, and a plan isn't carried out when it has changed since."""

from __future__ import annotations

import pytest

from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Gateway, reply

pytestmark = pytest.mark.slow

LOOK = "{before: 50, sample: none}"
APPLY = ("apply", "p.plan", "--yes", "--run-dir", "r", "--json")


@pytest.fixture
def planned(bulkstate: Bulkstate, gateway: Gateway) -> Bulkstate:
    gateway.version = "3"
    bulkstate.configure(gateway.url, verify=LOOK, more="safety: {require_state: none}")
    done = bulkstate("plan", "config.yaml", "--look", "-o", "p.plan", "--json")
    assert done.exit_code == 0, done.err
    assert done.document["looked"]
    assert done.document["before"]["with_state"] == done.document["before"]["looked_at"] > 0
    assert not gateway.deletes()
    return bulkstate


def test_whoever_approves_sees_what_was_seen_and_calls_nobody(planned: Bulkstate, gateway: Gateway) -> None:
    calls = len(gateway.calls)
    shown = planned("show", "p.plan", TOKEN="").out
    assert "pipeline p1 “P”, version 3, PAUSED" in shown
    assert "  looked at 20" in shown
    assert "have state" in shown
    document = planned("show", "p.plan", "--json").document
    (pipeline,) = document["pipelines"]
    assert (pipeline["version"], pipeline["read_at"]) == ("3", document["looked"])
    assert len(gateway.calls) == calls


def test_a_plan_is_carried_out_while_all_is_as_it_was(planned: Bulkstate, gateway: Gateway) -> None:
    done = planned(*APPLY)
    assert done.exit_code == 0, done.err
    assert gateway.deleted_pairs() == PAIRS
    assert done.document["pipelines"][0]["version"] == "3"


def test_another_version_is_refused(planned: Bulkstate, gateway: Gateway) -> None:
    gateway.version = "4"
    done = planned(*APPLY)
    assert (done.exit_code, done.document["reason_code"]) == (4, "plan_outdated")
    assert "pipeline P had version 3, and has 4" in done.document["reason"]
    assert not gateway.deletes()
    assert planned(*APPLY, "--even-if-stale").exit_code == 0


def test_state_that_is_gone_is_refused(planned: Bulkstate, gateway: Gateway) -> None:
    gateway.nothing = set(PAIRS)
    done = planned(*APPLY)
    assert (done.exit_code, done.document["reason_code"]) == (4, "plan_outdated")
    assert "had state, and none has any" in done.document["reason"]
    assert not gateway.deletes()


def test_what_a_run_would_refuse_makes_no_plan(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.read = lambda call: reply({"code": 61107, "msg": "Not supported stage type"})
    bulkstate.configure(gateway.url, verify=LOOK)
    done = bulkstate("plan", "config.yaml", "--look", "-o", "p.plan")
    assert done.exit_code == 4
    assert not (bulkstate.folder / "p.plan").exists()
