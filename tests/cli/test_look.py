"""The look before the question, and what is read back: as a person at the command line meets them."""

from __future__ import annotations

import json
from random import Random

import pytest

from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Answer, Call, Gateway, deleted, reply

pytestmark = pytest.mark.slow

LOOK = "{before: 1000, sample: all, settle: 10ms}"


def test_what_was_there_is_said_and_is_gone_afterwards(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.nothing = {each for each in PAIRS if each[1] == "A03"}
    bulkstate.configure(gateway.url, verify=LOOK)
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace("pairs_per_request: 10", "pairs_per_request: 100"))
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 0, done.err
    found = done.document
    assert found["conclusion"] == (
        "Deleted: all 100 pairs; every request was read back whole, none holds state."
        ' Pipeline "P" is paused and safe to start.'
    )
    assert (found["reason_code"], found["next"]) == ("deleted", "")
    before = found["before"]
    assert (before["looked_at"], before["with_state"]) == (100, 95)
    assert (before["assets"], before["assets_without"], before["examples_without"]) == (20, 1, ["A03"])
    assert (before["read_again"], before["with_state_again"]) == (95, 0)
    assert [entry["entry"] for entry in before["entries"]] == ["delete[0].where[0] (config.yaml:6)"]
    assert found["where"] == {"gateway": gateway.url, "organisation": "o1", "credentials": ["TOKEN"]}
    (pipeline,) = found["pipelines"]
    assert (pipeline["id"], pipeline["name"], pipeline["status_before"], pipeline["status"]) == (
        "p1",
        "P",
        "PAUSED",
        "PAUSED",
    )
    assert pipeline["safe_to_start"] == "yes"
    assert found["started"] < found["ended"]
    assert bulkstate("report", "r", "--format", "json").document == found
    page = bulkstate("report", "r").out
    assert "of 100 pairs looked at 95 have state; assets without any: 1 of 20, e.g. A03" in " ".join(page.split())
    assert page.strip().splitlines()[0].startswith(" ✓ Deleted: all 100 pairs") or page.strip().startswith("✓ Deleted")


def test_nothing_there_is_refused_and_nothing_sent(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.nothing = set(PAIRS)
    bulkstate.configure(gateway.url, verify=LOOK)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 6
    assert done.document["reason_code"] == "nothing_there"
    assert done.document["conclusion"].startswith("Nothing was there: none of the ")
    assert done.document["conclusion"].endswith("Nothing was sent.")
    assert gateway.deletes() == []
    assert not (bulkstate.folder / "r").exists()


def test_one_bad_entry_is_named(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify=LOOK)
    path = bulkstate.folder / "config.yaml"
    bad = '], points: ["P{1..5}"]}, {assets: ["AGW{1..4}"], points: [P1]}]'
    path.write_text(path.read_text().replace('], points: ["P{1..5}"]}]', bad))
    gateway.nothing = {("S_01", f"AGW{number}", "P1") for number in range(1, 5)}
    done = bulkstate("run", "config.yaml", "--yes")
    assert done.exit_code == 6
    assert "of delete[0].where[1] (config.yaml:6) has state (first: AGW" in done.err
    assert gateway.deletes() == []


@pytest.mark.parametrize("required", ["none", "4%"])
def test_what_is_required(bulkstate: Bulkstate, gateway: Gateway, required: str) -> None:
    gateway.nothing = {each for each in PAIRS if each != ("S_01", "A07", "P3")}
    bulkstate.configure(gateway.url, verify=LOOK, more=f"safety: {{require_state: {required}}}")
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace("pairs_per_request: 10", "pairs_per_request: 100"))
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == (0 if required == "none" else 6), done.err
    if required == "4%":
        assert "safety.require_state asks for 4%" in done.err
        assert gateway.deletes() == []


def test_a_read_that_is_not_permitted_refuses_nothing_unless_a_share_is_asked_for(
    bulkstate: Bulkstate, gateway: Gateway
) -> None:
    gateway.read = lambda call: reply({"code": 61199, "msg": "no right to read"})
    bulkstate.configure(gateway.url, verify="{before: 1000, sample: none}")
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == 0, done.err
    assert "not everything could be looked at" in done.err
    assert done.document["reason_code"] == "deleted_unverified"
    assert gateway.deleted_pairs() == PAIRS
    bulkstate.configure(gateway.url, verify=LOOK, more="safety: {require_state: 1%}")
    gateway.calls.clear()
    done = bulkstate("run", "config.yaml", "--yes")
    assert done.exit_code == 4
    assert gateway.deletes() == []


def _unknown_second(call: Call) -> Answer | None:
    if call.body["stageInstanceName"] == "S_02":
        return reply({"code": 61107, "msg": "Not supported stage type", "requestId": "r-9"})
    return None


def test_an_unknown_stage_is_refused_before_any_stage_loses_state(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.read = _unknown_second
    bulkstate.configure(gateway.url, verify=LOOK)
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace("[S_01]", "[S_01, S_02]"))
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (4, "stage_unknown")
    assert "S_02" in done.document["conclusion"]
    assert "61107" in done.document["conclusion"]
    assert gateway.deletes() == []

    path.write_text(path.read_text().replace("safety: {", "safety: {unknown_stage: skip, "))
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "s", "--json")
    assert done.exit_code == 3, done.err
    assert gateway.deleted_pairs() == PAIRS
    assert done.document["reason_code"] == "partial"
    assert done.document["chunks"]["not_sent"] == 10
    assert "--retry-failed" not in done.document["next"]
    assert "resume" not in done.document["next"]

    gateway.read = lambda call: None
    gateway.calls.clear()
    assert bulkstate("resume", "s").exit_code == 0
    assert {stage for stage, _, _ in gateway.deleted_pairs()} == {"S_02"}


@pytest.mark.parametrize("as_text", [False, True])
def test_a_stage_that_is_nearly_one_is_named(bulkstate: Bulkstate, gateway: Gateway, as_text: bool) -> None:
    """What is inside `pipelineJson` isn't documented: it may be a text that is JSON itself."""
    described = {"stages": [{"instanceName": "LastRecordAppender_01"}, {"instanceName": "S_01", "x": [None, 7]}]}
    gateway.described = json.dumps(described) if as_text else described
    gateway.read = lambda call: reply({"code": 61107, "msg": "no"}) if "Last" in str(call.body) else None
    bulkstate.configure(gateway.url, verify=LOOK)
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace("[S_01]", "[S_01, LastRecordAppender_1]"))
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (4, "stage_unknown")
    assert "did you mean LastRecordAppender_01?" in done.document["conclusion"]
    if as_text:
        assert "did you mean LastRecordAppender_01?" in bulkstate("check", "config.yaml").out
    assert gateway.deletes() == []


def test_a_pipeline_has_to_be_called_as_it_is_said_to_be(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify=LOOK, more="safety: {require_paused: false}")
    path = bulkstate.folder / "config.yaml"
    right = path.read_text().replace("pipeline: p1", "pipeline: {id: p1, name: P}")
    path.write_text(right.replace("name: P", "name: Wind-prod"))
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (4, "check_failed")
    assert "pipeline p1 is called “P”, and has to be “Wind-prod”" in done.document["conclusion"]
    assert bulkstate("check", "config.yaml").exit_code == 4
    assert gateway.deletes() == []
    path.write_text(right)
    assert bulkstate("plan", "config.yaml", "-o", "p.plan").exit_code == 0
    assert bulkstate("apply", "p.plan", "--yes").exit_code == 0


def test_state_that_remains_makes_its_request_suspect_and_resume_sends_it(
    bulkstate: Bulkstate, gateway: Gateway
) -> None:
    gateway.left = {("S_01", "A07", "P3")}
    bulkstate.configure(gateway.url, verify=LOOK)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 3
    found = done.document
    assert found["reason_code"] == "state_remains"
    assert "but 1 of 100 pairs read back holds state. Don't start" in found["conclusion"]
    assert found["next"] == f"bulkstate resume {found['run_dir']}"
    assert (found["chunks"]["deleted"], found["chunks"]["suspect"]) == (9, 1)
    assert found["pipelines"][0]["safe_to_start"] == "no"
    gateway.left = set()
    gateway.calls.clear()
    done = bulkstate("resume", "r", "--json")
    assert done.exit_code == 0, done.err
    assert done.document["reason_code"] == "deleted"
    (again,) = gateway.deletes()
    assert ("S_01", "A07", "P3") in again.pairs


def test_a_hit_is_read_once_more(bulkstate: Bulkstate, gateway: Gateway) -> None:
    """Where state goes a little later than the answer, nobody is told of it."""
    late = {("S_01", "A07", "P3")}
    seen: list[Call] = []

    def lagging(call: Call) -> Answer | None:
        if gateway.deletes() and call.pairs & late:
            seen.append(call)
            gateway.left = set() if len(seen) > 1 else late
        return None

    gateway.read = lagging
    bulkstate.configure(gateway.url, verify=LOOK)
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == 0, done.err
    assert len(seen) == 2


def test_a_plan_is_looked_at_when_it_is_applied(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify=LOOK)
    assert bulkstate("plan", "config.yaml", "-o", "p.plan").exit_code == 0
    assert gateway.calls == []
    gateway.nothing = set(PAIRS)
    done = bulkstate("apply", "p.plan", "--yes", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (6, "nothing_there")
    gateway.nothing = set()
    done = bulkstate("apply", "p.plan", "--yes", "--json")
    assert done.exit_code == 0, done.err
    assert done.document["before"]["looked_at"] > 0


def test_a_large_plan_is_sampled_and_the_reads_stay_within_their_share(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify="{before: 100}")
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace("A{01..20}", "A{01..80}"))
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == 0, done.err
    assert done.document["reason_code"] == "deleted_sampled"
    verified = done.document["verified"]
    assert (verified["requests"], verified["of_requests"], verified["requests_remaining"]) == (20, 40, 0)
    assert "20 of 40 requests were read back whole" in done.document["conclusion"]
    reads = [call for call in gateway.calls if call.kind == "get"]
    assert len(reads) <= 20 + 1 + 4


def test_a_gateway_that_deletes_nothing_is_found_by_the_first_request(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.left = {("S_01", f"A{number:02}", f"P{point}") for number in range(1, 81) for point in range(1, 6)}
    bulkstate.configure(gateway.url, verify="{before: 100}")
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace("A{01..20}", "A{01..80}").replace("attempts: 3", "resolve_after: 50ms"))
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (5, "canary"), done.err
    assert len(gateway.deletes()) == 1
    assert (
        'the canary of stage p1/S_01 was answered "deleted", and 10 of its 10 pairs still hold state'
        in (done.document["conclusion"])
    )
    assert done.document["chunks"]["suspect"] == 1
    gateway.left = set()
    assert bulkstate("resume", "r").exit_code == 0


def test_a_canary_in_every_stage_needs_a_stage_that_can_be_read(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.read = lambda call: reply({"code": 61199, "msg": "no right to read"})
    bulkstate.configure(gateway.url, verify=LOOK, more="safety: {canary: true}")
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (4, "check_failed")
    assert "safety.canary: true, and the state of stage p1/S_01 can't be read" in done.document["conclusion"]
    assert gateway.deletes() == []
    gateway.read = lambda call: None
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == 0, done.err
    kinds = [call.kind for call in gateway.calls if call.kind in ("get", "delete")]
    assert kinds[kinds.index("delete") : kinds.index("delete") + 3] == ["delete", "get", "delete"]


def test_nothing_read_is_the_gateways_word_alone(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    gateway.answer = lambda call, number: deleted()
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 0
    assert done.document["reason_code"] == "deleted_unverified"
    assert done.document["next"].startswith("bulkstate verify ")
    assert done.document["pipelines"][0]["safe_to_start"] == "unknown"
    assert [call for call in gateway.calls if call.kind == "get"] == []


def entries(bulkstate: Bulkstate, assets: list[str]) -> None:
    """Let the selection have an entry an asset, and a request room for one pair of each."""
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace("pairs_per_request: 10", "pairs_per_request: 20"))
    where = ", ".join(f'{{assets: [{asset}], points: ["P{{1..5}}"]}}' for asset in assets)
    path.write_text(path.read_text().replace('{assets: ["A{01..20}"], points: ["P{1..5}"]}', where))


@pytest.mark.parametrize("chance", range(3))
def test_entries_of_which_not_every_pair_has_state_are_not_refused(
    bulkstate: Bulkstate, gateway: Gateway, chance: int
) -> None:
    """There is room for one pair of each, and one in five pairs has none: that says nothing of the entry."""
    gateway.nothing = set(Random(chance).sample(sorted(PAIRS), 20))
    bulkstate.configure(gateway.url, verify=LOOK)
    entries(bulkstate, [f"A{number:02}" for number in range(1, 21)])
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (0, "deleted"), done.err


@pytest.mark.parametrize("bad", [0, 7, 19])
def test_one_bad_entry_of_many_does_not_hide(bulkstate: Bulkstate, gateway: Gateway, bad: int) -> None:
    bulkstate.configure(gateway.url, verify=LOOK)
    assets = [f"A{number:02}" for number in range(1, 21)]
    assets[bad] = "AGW1"
    gateway.nothing = {("S_01", "AGW1", f"P{point}") for point in range(1, 6)}
    entries(bulkstate, assets)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (6, "nothing_there"), done.err
    assert f"delete[0].where[{bad}]" in done.err
    assert gateway.deletes() == []
