"""A plan or a run directory that others may have written says what is deleted, never where or as whom."""

from __future__ import annotations

import json
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkstate.disk.journal import Journal, Record
from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Answer, Call, Gateway, deleted, serving
from tests.forked import Done
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow


@pytest.fixture
def other() -> Iterator[Gateway]:
    """Somebody else's gateway."""
    with serving() as served:
        yield served


@pytest.fixture
def stranger(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who made nothing here."""
    return {"XDG_STATE_HOME": str(tmp_path / "the state of another user")}


def allowed(gateway: Gateway, *variables: str) -> dict[str, str]:
    return {"BULKSTATE_ALLOW_GATEWAYS": gateway.url, "BULKSTATE_ALLOW_VARIABLES": ",".join(variables)}


class Half:
    """Answers the first five deletes, and no other until it is told to."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, call: Call, number: int) -> Answer:
        if number > 5:
            self.arrived.set()
            self.go_on.wait(PATIENCE)
        return deleted()


def half_a_run(bulkstate: Bulkstate, gateway: Gateway, more: str = "") -> None:
    """A run in `r` that is interrupted in its middle."""
    gateway.answer = half = Half()
    bulkstate.configure(gateway.url, concurrency=1, more=more)
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r")
    assert half.arrived.wait(PATIENCE)
    process.signal(signal.SIGTERM)
    half.go_on.set()
    assert process.ended().exit_code == 143
    gateway.calls.clear()


def rewrite(directory: Path, **changed: object) -> None:
    """Change a run's configuration as whoever may write the directory can: they make the whole journal anew."""
    with Record.open(directory) as record:
        document = {**json.loads(record.facts.configuration), **changed}
        plan, facts = record.plan, replace(record.facts, configuration=json.dumps(document))
    shutil.rmtree(directory)
    directory.mkdir()
    journal = Journal.create(directory, plan, facts)
    journal.agree(time.time())
    journal.close()


def is_refused(done: Done, *words: str) -> bool:
    return done.exit_code == 4 and "Traceback" not in done.err and all(word in done.err for word in words)


def test_a_run_of_ones_own_goes_on_without_a_word(bulkstate: Bulkstate, gateway: Gateway) -> None:
    half_a_run(bulkstate, gateway, "report: {json: r.json}")
    (bulkstate.folder / "r").rename(bulkstate.folder / "moved")
    done = bulkstate("resume", "moved")
    assert done.exit_code == 0, done.err
    assert "calls go to" in done.err and gateway.url in done.err and "TOKEN" in done.err
    assert gateway.calls
    assert json.loads((bulkstate.folder / "r.json").read_text())["result"] == "deleted"


@pytest.mark.parametrize("command", ["resume", "verify"])
def test_a_run_of_somebody_else_calls_nobody_unless_somebody_vouches(
    bulkstate: Bulkstate, gateway: Gateway, stranger: dict[str, str], command: str
) -> None:
    half_a_run(bulkstate, gateway)
    done = bulkstate(command, "r", **stranger)
    line = f"BULKSTATE_ALLOW_GATEWAYS={gateway.url} BULKSTATE_ALLOW_VARIABLES=TOKEN"
    assert is_refused(done, "wasn't made here", gateway.url, "o1", "TOKEN", "--config", line)
    assert is_refused(bulkstate(command, "r", **stranger, **allowed(gateway)))
    assert is_refused(bulkstate(command, "r", **stranger, **allowed(gateway, "OTHER")))
    assert is_refused(bulkstate(command, "r", **stranger, BULKSTATE_ALLOW_VARIABLES="TOKEN"))
    assert not gateway.calls
    expected = 0 if command == "resume" else 3
    assert bulkstate(command, "r", **stranger, **allowed(gateway, "A", "TOKEN")).exit_code == expected
    assert gateway.calls


def test_a_configuration_of_ones_own_vouches_for_its_own_place_alone(
    bulkstate: Bulkstate, gateway: Gateway, other: Gateway, stranger: dict[str, str]
) -> None:
    half_a_run(bulkstate, gateway, "report: {json: theirs.json}")
    (bulkstate.folder / "theirs.json").unlink()
    text = (bulkstate.folder / "config.yaml").read_text()
    ours = text.replace("theirs.json", "ours.json").replace("${TOKEN}", "${MINE}")
    (bulkstate.folder / "ours.yaml").write_text(ours)
    for wrong in (ours.replace(gateway.url, other.url), ours.replace("org_id: o1", "org_id: o2")):
        (bulkstate.folder / "wrong.yaml").write_text(wrong)
        done = bulkstate("resume", "r", "--config", "wrong.yaml", **stranger, MINE="m")
        assert is_refused(done, "is for", "organisation o1")
    assert not gateway.calls + other.calls
    assert bulkstate("resume", "r", "--config", "ours.yaml", **stranger, MINE="m").exit_code == 0
    assert {call.headers["Authorization"] for call in gateway.calls} == {"Bearer m"}
    assert (bulkstate.folder / "ours.json").exists()
    assert not (bulkstate.folder / "theirs.json").exists()


def test_a_run_that_was_changed_sends_no_variable_to_another_address(
    bulkstate: Bulkstate, gateway: Gateway, other: Gateway
) -> None:
    """It was made here, and somebody else may write it."""
    half_a_run(bulkstate, gateway)
    theirs: Any = {"url": other.url, "org_id": "o1", "auth": {"bearer": "${HOME_TOKEN}"}}
    rewrite(bulkstate.folder / "r", gateway=theirs)
    for vouch in ({}, allowed(other, "HOME_TOKEN"), allowed(gateway, "TOKEN")):
        for command in ("resume", "verify"):
            done = bulkstate(command, "r", HOME_TOKEN="secret", **vouch)
            assert done.exit_code in (2, 4), done
            assert "Traceback" not in done.err
    assert not gateway.calls + other.calls


@pytest.mark.parametrize("where", ["url", "org_id", "prefix"])
def test_a_reference_where_no_secret_belongs_is_never_resolved(
    bulkstate: Bulkstate, gateway: Gateway, other: Gateway, where: str
) -> None:
    half_a_run(bulkstate, gateway)
    theirs: Any = {"url": gateway.url, "org_id": "o1", "auth": {"bearer": "${TOKEN}"}}
    if where == "prefix":
        theirs["auth"]["prefix"] = "${STOLEN}"
    else:
        theirs[where] = f"{other.url}/${{STOLEN}}" if where == "url" else "${STOLEN}"
    rewrite(bulkstate.folder / "r", gateway=theirs)
    for vouch in ({}, allowed(gateway, "TOKEN", "STOLEN"), allowed(other, "TOKEN", "STOLEN")):
        done = bulkstate("resume", "r", STOLEN="canary-stolen", **vouch)
        assert done.exit_code == 2, done
        assert "canary-stolen" not in done.err + done.out
    assert not gateway.calls + other.calls


def test_a_report_that_others_ask_for_is_left_out_and_named(
    bulkstate: Bulkstate, gateway: Gateway, stranger: dict[str, str]
) -> None:
    half_a_run(bulkstate, gateway)
    precious = bulkstate.folder / "precious"
    precious.write_text("precious")
    rewrite(bulkstate.folder / "r", report={"json": str(precious)})
    done = bulkstate("resume", "r", **stranger, **allowed(gateway, "TOKEN"))
    assert done.exit_code == 0, done.err
    assert str(precious) in done.err and "left out" in done.err
    assert precious.read_text() == "precious"


def test_a_journal_that_is_a_link_is_not_followed(bulkstate: Bulkstate, gateway: Gateway) -> None:
    half_a_run(bulkstate, gateway)
    (bulkstate.folder / "theirs").mkdir()
    (bulkstate.folder / "theirs" / "journal.sqlite").symlink_to(bulkstate.folder / "r" / "journal.sqlite")
    done = bulkstate("resume", "theirs")
    assert (done.exit_code, "link" in done.err) == (2, True)
    assert not gateway.calls


# ── plans ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def plan(bulkstate: Bulkstate, gateway: Gateway) -> dict[str, str]:
    """The digests of a plan in `plan`, with a report in it."""
    bulkstate.configure(gateway.url, more="report: {json: theirs.json}")
    done = bulkstate("plan", "config.yaml", "-o", "plan", "--json")
    return {name: done.document[name] for name in ("target", "approval")}


def test_a_plan_of_somebody_else_needs_a_digest_or_a_voucher(
    bulkstate: Bulkstate, gateway: Gateway, stranger: dict[str, str], plan: dict[str, str]
) -> None:
    done = bulkstate("apply", "plan", "--yes", **stranger)
    assert is_refused(done, "the plan plan wasn't made here", gateway.url, "TOKEN")
    assert is_refused(bulkstate("apply", "plan", "--yes", "--digest", "0" * 64, **stranger), plan["target"])
    assert is_refused(bulkstate("apply", "plan", "--yes", "--digest", plan["target"][:8], **stranger))
    assert not gateway.calls
    done = bulkstate("apply", "plan", "--yes", "--digest", plan["target"], **stranger)
    assert done.exit_code == 0, done.err
    assert "target" in done.err and "theirs.json" in done.err
    assert not (bulkstate.folder / "theirs.json").exists()
    assert gateway.deleted_pairs() == PAIRS


def test_an_approval_covers_the_report_as_well(
    bulkstate: Bulkstate, gateway: Gateway, stranger: dict[str, str], plan: dict[str, str]
) -> None:
    done = bulkstate("apply", "plan", "--yes", "--digest", plan["approval"], "--run-dir", "r", **stranger)
    assert done.exit_code == 0, done.err
    assert (bulkstate.folder / "theirs.json").exists()
    assert bulkstate("resume", "r", **stranger).exit_code == 0, "the run was made here"


def test_a_digest_that_differs_is_refused_for_ones_own_plan_too(
    bulkstate: Bulkstate, gateway: Gateway, plan: dict[str, str]
) -> None:
    assert is_refused(bulkstate("apply", "plan", "--yes", "--digest", "0" * 64), "digest")
    assert not gateway.calls
    assert bulkstate("apply", "plan", "--yes").exit_code == 0


def test_the_target_is_the_same_at_any_effort_and_limit_and_differs_by_place(
    bulkstate: Bulkstate, gateway: Gateway, other: Gateway
) -> None:
    found = []
    for url, limit, effort in ((gateway.url, 10, "quick"), (gateway.url, 7, "thorough"), (other.url, 10, "quick")):
        bulkstate.configure(url, more=f"plan: {{effort: {effort}}}")
        text = (bulkstate.folder / "config.yaml").read_text()
        (bulkstate.folder / "config.yaml").write_text(text.replace("request: 10", f"request: {limit}"))
        found.append(bulkstate("plan", "config.yaml", "--json").document)
    assert found[0]["target"] == found[1]["target"] != found[2]["target"]
    assert len({each["approval"] for each in found}) == 3
    page = bulkstate("plan", "config.yaml").out
    assert found[2]["target"] in page and found[2]["approval"] in page


def test_the_embedded_gateway_needs_no_voucher(bulkstate: Bulkstate, stranger: dict[str, str]) -> None:
    bulkstate.configure("http://127.0.0.1:9", more="report: {json: theirs.json}")
    text = (bulkstate.folder / "config.yaml").read_text()
    start, end = text.index("gateway:"), text.index("delete:")
    text = (text[:start] + "gateway: {url: embedded}\n" + text[end:]).replace("pipeline: p1", "pipeline: 8a81b5f0-2c5e")
    (bulkstate.folder / "config.yaml").write_text(text.replace("S_01", "LastRecordAppender_01"))
    assert bulkstate("plan", "config.yaml", "-o", "plan").exit_code == 0
    done = bulkstate("apply", "plan", "--run-dir", "r", **stranger)
    assert done.exit_code == 0, done.err
    assert not (bulkstate.folder / "theirs.json").exists()


def test_where_nothing_can_be_remembered_it_is_said(bulkstate: Bulkstate, gateway: Gateway) -> None:
    (bulkstate.folder / "state" / "bulkstate").mkdir(parents=True)
    (bulkstate.folder / "state" / "bulkstate" / "made").touch()
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r")
    assert done.exit_code == 0
    assert "can't be remembered" in done.err
    assert is_refused(bulkstate("verify", "r"), "wasn't made here")
    shutil.rmtree(bulkstate.folder / "state")
