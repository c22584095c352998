"""The way through, by the installed command against a gateway that counts."""

from __future__ import annotations

import csv
import signal

import pytest

from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Answer, Call, Gateway, deleted, reply
from tests.waiting import until

pytestmark = pytest.mark.slow


def test_a_run_deletes_exactly_what_is_selected_and_says_so(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 0, done.err
    assert gateway.deleted_pairs() == PAIRS
    assert len(gateway.deletes()) == 10
    document = done.document
    assert document["result"] == "deleted"
    assert document["pairs"] == {"planned": 100, "deleted": 100}
    assert document["chunks"]["planned"] == document["chunks"]["deleted"] == document["attempts"] == 10
    assert (document["run"], document["run_dir"]) == ("r", "r")
    assert f"head={document['journal']['head']} links={document['journal']['links']}" in done.err
    assert bulkstate("report", "r", "--format", "json").document == document


def test_the_text_report_goes_to_stdout_and_progress_to_stderr(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--yes", CI="1")
    assert done.exit_code == 0
    assert "all 100 pairs deleted" in done.out
    *lines, conclusion, command = done.err.splitlines()
    assert all(line.startswith("{") for line in lines)
    assert conclusion.startswith("bulkstate: Answered")
    assert command.startswith("bulkstate: next: bulkstate verify")


def test_the_run_directory_is_named_by_time_and_plan(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    digest = bulkstate("plan", "config.yaml", "--json").document["plan"]
    bulkstate("run", "config.yaml", "--yes")
    (directory,) = (bulkstate.folder / "bulkstate-runs").glob("[!.]*")
    assert directory.name.endswith(f"Z-{digest[:8]}")


def test_a_plan_calls_nobody(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    document = bulkstate("plan", "config.yaml", "--json").document
    assert (document["requests"], document["lower_bound"], document["pairs"]) == (10, 10, 100)
    assert (document["assets"], document["points"], document["unlisted_pairs"]) == (20, 5, 0)
    assert gateway.calls == []


def test_failures_are_counted_exported_and_can_be_fed_back(bulkstate: Bulkstate, gateway: Gateway) -> None:
    def refuse_two(call: Call, number: int) -> Answer:
        return reply({"code": 61102, "msg": "Missing param xx", "requestId": "r-9"}) if number in (3, 7) else deleted()

    gateway.answer = refuse_two
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 3
    assert done.document["result"] == "partial"
    assert done.document["chunks"]["refused"] == 2
    assert done.document["pairs"] == {"planned": 100, "deleted": 80}
    assert bulkstate("report", "r", "--failed", "failed.csv").exit_code == 0
    with (bulkstate.folder / "failed.csv").open(newline="") as file:
        failed = {("S_01", row["asset_id"], row["point_id"]) for row in csv.DictReader(file)}
    assert failed == set().union(*(gateway.deletes()[number - 1].pairs for number in (3, 7)))

    gateway.calls.clear()
    gateway.answer = lambda call, number: deleted()
    text = (bulkstate.folder / "config.yaml").read_text()
    block = text[text.index("[{assets") : text.index("limits:")]
    (bulkstate.folder / "config.yaml").write_text(text.replace(block, "[{pairs: failed.csv}]\n"))
    assert bulkstate("run", "config.yaml", "--yes").exit_code == 0
    assert gateway.deleted_pairs() == failed


def test_what_failed_is_sent_again_only_if_asked_for(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = lambda call, number: reply({}, 500) if number <= 3 else deleted()
    bulkstate.configure(gateway.url, concurrency=1)
    assert bulkstate("run", "config.yaml", "--yes", "--run-dir", "r").exit_code == 0, "three attempts, then deleted"

    gateway.answer = lambda call, number: reply({"code": 61102, "msg": "Missing param xx"})
    assert bulkstate("run", "config.yaml", "--yes", "--run-dir", "s").exit_code == 3
    gateway.calls.clear()
    assert bulkstate("resume", "s").exit_code == 3
    assert gateway.deletes() == []
    gateway.answer = lambda call, number: deleted()
    assert bulkstate("resume", "s", "--retry-failed", "--json").document["result"] == "deleted"
    assert gateway.deleted_pairs() == PAIRS


def test_a_throttled_run_waits_as_long_as_it_is_told(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = lambda call, number: reply({}, 429, Retry_After="1") if number == 4 else deleted()
    bulkstate.configure(gateway.url, concurrency=1)
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert (done.document["throttled"], done.document["attempts"], done.document["retries"]) == (1, 10, 0)
    times = [call.at for call in gateway.deletes()]
    assert times[4] - times[3] >= 1.0
    assert gateway.deletes()[4].body == gateway.deletes()[3].body


def test_a_pipeline_that_runs_is_refused_before_any_delete(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.status = "RUNNING"
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r")
    assert done.exit_code == 4
    assert "pipeline p1 is RUNNING" in done.err
    assert gateway.deletes() == []
    assert not (bulkstate.folder / "r").exists()
    assert bulkstate("check", "config.yaml").exit_code == 4


def test_a_pipeline_that_starts_again_stops_the_run(bulkstate: Bulkstate, gateway: Gateway) -> None:
    def start_after_five(call: Call, number: int) -> Answer:
        gateway.status = "RUNNING" if number > 5 else "PAUSED"
        return deleted()

    gateway.answer = start_after_five
    bulkstate.configure(gateway.url, more="safety: {status_every: 50ms}", rate="10/s", concurrency=1)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 5
    assert done.document["result"] == "stopped"
    assert done.document["chunks"]["suspect"] >= 1

    gateway.status, gateway.answer = "PAUSED", lambda call, number: deleted()
    before = done.document["chunks"]
    gateway.calls.clear()
    assert bulkstate("resume", "r", "--json").document["result"] == "deleted"
    assert len(gateway.deletes()) == before["suspect"] + before["not_sent"]


def test_lost_credentials_stop_the_run(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = lambda call, number: reply({}, 401) if number > 2 else deleted()
    bulkstate.configure(gateway.url, concurrency=1)
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == 5
    assert done.document["chunks"]["deleted"] == 2
    assert "401" in done.document["reason"]


def test_verification_that_finds_state_is_not_a_success(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.left = {("S_01", "A07", "P3")}
    bulkstate.configure(gateway.url, verify="{sample: all, settle: 10ms}")
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 3
    assert (done.document["chunks"]["deleted"], done.document["chunks"]["suspect"]) == (9, 1)
    assert (done.document["verified"]["sampled"], done.document["verified"]["remaining"]) == (100, 1)
    gateway.left = set()
    assert bulkstate("verify", "r", "--sample", "all").exit_code == 3, "it isn't deleted until that is answered"
    assert bulkstate("resume", "r").exit_code == 0
    assert bulkstate("report", "r", "--format", "json").document["result"] == "deleted"


def test_a_witness_that_loses_its_state_is_not_a_success(bulkstate: Bulkstate, gateway: Gateway) -> None:
    def lose_the_witness(call: Call, number: int) -> Answer:
        gateway.gone.add(("S_01", "A99", "P1"))
        return deleted()

    gateway.nothing, gateway.answer = {("S_01", "A98", "P1")}, lose_the_witness
    (bulkstate.folder / "witness.csv").write_text("asset_id,point_id\nA99,P1\nA98,P1\n")
    bulkstate.configure(gateway.url, verify="{before: none, sample: none, witness: witness.csv}")
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert done.exit_code == 3
    assert (done.document["verified"]["witnesses"], done.document["verified"]["witnesses_lost"]) == (1, 1)


def test_a_witness_inside_the_selection_is_a_mistake(bulkstate: Bulkstate, gateway: Gateway) -> None:
    (bulkstate.folder / "witness.csv").write_text("asset_id,point_id\nA07,P1\n")
    bulkstate.configure(gateway.url, verify="{before: none, sample: none, witness: witness.csv}")
    done = bulkstate("run", "config.yaml", "--yes")
    assert done.exit_code == 2
    assert "A07, P1" in done.err
    assert gateway.calls == []


def test_the_report_can_be_written_to_a_file(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, more="report: {json: out.json}")
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (bulkstate.folder / "out.json").read_text() == done.out
    assert bulkstate("report", "r", "-o", "page.txt").exit_code == 0
    assert "all 100 pairs deleted" in (bulkstate.folder / "page.txt").read_text()


def test_the_schema_is_json(bulkstate: Bulkstate) -> None:
    assert bulkstate("schema").document["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_gateway_that_takes_less_than_planned_gets_less(bulkstate: Bulkstate, gateway: Gateway) -> None:
    def answer(call: Call, number: int) -> Answer:
        return deleted() if len(call.pairs) <= 6 else reply({"code": 61105, "msg": "too many", "data": None})

    gateway.answer = answer
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["result"]) == (0, "deleted"), done.err
    assert done.document["chunks"]["split"] >= 10
    assert done.document["pairs"] == {"planned": 100, "deleted": 100}
    assert gateway.deleted_pairs() == PAIRS


def test_split_says_which_pairs_are_left_and_resume_sends_no_more_than_those(
    bulkstate: Bulkstate, gateway: Gateway
) -> None:
    gateway.answer = lambda call, number: (
        reply({"code": 61199, "msg": "no", "data": False}) if ("S_01", "A07", "P3") in call.pairs else deleted()
    )
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 3
    assert done.document["pairs"] == {"planned": 100, "deleted": 99}
    assert bulkstate("report", "r", "--failed", "failed.csv").exit_code == 0
    assert (bulkstate.folder / "failed.csv").read_text().splitlines()[1:] == ["A07,P3,pair"]
    gateway.answer = lambda call, number: deleted()
    gateway.calls.clear()
    assert bulkstate("resume", "r", "--retry-failed").exit_code == 0
    assert [call.pairs for call in gateway.deletes()] == [{("S_01", "A07", "P3")}]


def test_an_hours_calls_count_for_the_next_run(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, rate="[1000/s, 12/h]")
    first = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "one")
    assert first.ended().exit_code == 0
    assert len(gateway.calls) in (11, 12)
    second = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "two")
    until(lambda: len(gateway.calls) == 12)
    second.signal(signal.SIGTERM)
    second.ended()
    assert len(gateway.calls) == 12
    third = bulkstate("run", "config.yaml", "--yes", "--run-dir", "three", "--state", "fresh.json")
    assert third.exit_code == 0, third.err
    assert (bulkstate.folder / "fresh.json").exists()


def test_failures_of_several_stages_are_fed_back_stage_by_stage(bulkstate: Bulkstate, gateway: Gateway) -> None:
    """Fed back as a selection in every stage, they would delete what had not failed."""
    gateway.answer = lambda call, number: (
        reply({"code": 61102, "msg": "Missing param xx"}) if number in (2, 15) else deleted()
    )
    bulkstate.configure(gateway.url, concurrency=1)
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace("[S_01]", "[S_01, S_02]"))
    assert bulkstate("run", "config.yaml", "--yes", "--run-dir", "r").exit_code == 3
    assert bulkstate("report", "r", "--failed", "failed.csv").exit_code == 0
    assert bulkstate("report", "r", "--failed", "failed.yaml", "--failed-blocks").exit_code == 0
    failed = gateway.deletes()[1].pairs | gateway.deletes()[14].pairs
    with (bulkstate.folder / "failed.csv").open(newline="") as file:
        rows = [(row["pipeline"], row["stage"], row["asset_id"], row["point_id"]) for row in csv.DictReader(file)]
    assert sorted(rows) == sorted(("p1", *pair) for pair in failed)

    gateway.answer = lambda call, number: deleted()
    text = path.read_text()
    start, end = text.index("  - pipeline"), text.index("limits:")
    for entries in (
        "  - {pipeline: p1, stages: [S_01, S_02], where: [{pairs: failed.csv}]}\n",
        (bulkstate.folder / "failed.yaml").read_text(),
    ):
        gateway.calls.clear()
        path.write_text(text[:start] + entries + text[end:])
        assert bulkstate("run", "config.yaml", "--yes").exit_code == 0
        assert gateway.deleted_pairs() == failed


def test_deletes_after_which_nobody_said_paused_are_suspect(bulkstate: Bulkstate, gateway: Gateway) -> None:
    def lose_the_list(call: Call, number: int) -> Answer:
        gateway.status = ""
        return deleted()

    gateway.answer = lose_the_list
    bulkstate.configure(gateway.url, concurrency=1)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 5
    assert (done.document["result"], done.document["chunks"]["suspect"]) == ("stopped", 10)
    gateway.status, gateway.answer = "PAUSED", lambda call, number: deleted()
    gateway.calls.clear()
    assert bulkstate("resume", "r", "--json").document["result"] == "deleted"
    assert gateway.deleted_pairs() == PAIRS


def test_two_runs_in_one_second_have_a_directory_each(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    done = [bulkstate("run", "config.yaml", "--yes", "--json") for _ in range(3)]
    assert [each.exit_code for each in done] == [0, 0, 0]
    assert len({each.document["run_dir"] for each in done}) == 3
