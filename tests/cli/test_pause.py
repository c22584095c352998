"""A run that pauses a pipeline for itself and starts it again, killed in every phase of that."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

from tests import forked
from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Answer, Call, Gateway, reply

pytestmark = pytest.mark.slow

READ = "{before: none, sample: all, settle: 10ms}"
PAUSE = "safety: {pause: true, restart: {execution_mode: 0, kafka_rate: 1000, resource_config: {cu: 2}}}"


class _Writing:
    """A pipeline that writes state whenever it runs, and what was done to it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        gateway.status = "RUNNING"
        gateway.heard = self._heard

    def _heard(self, call: Call, when: str) -> None:
        if self.gateway.status == "RUNNING":
            self.gateway.gone = set()


def test_it_is_paused_after_the_yes_and_started_again_at_the_end(bulkstate: Bulkstate, gateway: Gateway) -> None:
    _Writing(gateway)
    bulkstate.configure(gateway.url, verify=READ, more=PAUSE)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 0, done.err
    kinds = [call.kind for call in gateway.calls]
    assert kinds.index("pause") < kinds.index("delete") < kinds.index("get") < kinds.index("start")
    (start,) = [call for call in gateway.calls if call.kind == "start"]
    assert start.body == {"executionMode": 0, "kafkaRate": 1000, "resourceConfig": {"cu": 2}}
    assert gateway.status == "RUNNING"
    assert gateway.deleted_pairs() == PAIRS
    found = done.document
    assert found["conclusion"].endswith('none holds state. Pipeline "P" was started again.')
    (pipeline,) = found["pipelines"]
    assert (pipeline["status_before"], pipeline["status"]) == ("RUNNING", "RUNNING")
    assert (pipeline["paused_by"], pipeline["started_again"]) == ("this run", True)
    # What it has written since says nothing of the run, and is left alone.
    calls = len(gateway.calls)
    again = bulkstate("resume", "r", "--json")
    assert (again.exit_code, again.document["reason_code"]) == (0, "deleted")
    assert len(gateway.calls) == calls
    assert bulkstate("verify", "r").exit_code == 4


@pytest.mark.parametrize(
    ("kind", "when", "number"),
    [
        ("pause", "before", 1),
        ("pause", "after", 1),
        ("pipelines", "before", 3),  # the wait for the pause
        ("delete", "before", 1),
        ("delete", "after", 7),
        ("get", "before", 3),
        ("start", "before", 1),
        ("start", "after", 1),
        ("pipelines", "after", 6),  # the wait for the start
    ],
)
def test_killed_in_any_phase_it_ends_as_promised(
    tmp_path: Path, gateway: Gateway, kind: str, when: str, number: int
) -> None:
    world = _Writing(gateway)
    Bulkstate(tmp_path).configure(gateway.url, verify=READ, more=PAUSE, concurrency=1)
    started: list[forked.Command] = []
    known = threading.Event()
    lost = (kind, when) == ("pause", "before")
    gateway.switch = lambda call: reply({}, 503) if lost else None

    def kill(call: Call, at: str) -> None:
        world._heard(call, at)
        if at == when and call.kind == kind and sum(each.kind == kind for each in gateway.calls) == number:
            known.wait()
            started[0].signal(signal.SIGKILL)

    gateway.heard = kill
    started.append(forked.Command(tmp_path, "run", "config.yaml", "--yes", "--run-dir", "r", "--json"))
    known.set()
    assert started[0].ended().exit_code == -signal.SIGKILL
    assert gateway.status == ("RUNNING" if kind == "start" or number == 6 or lost else "PAUSED")
    gateway.heard, gateway.switch = world._heard, lambda call: None
    done = forked.bulkstate(tmp_path, "resume", "r", "--json")
    assert done.exit_code == 0, done.err
    assert gateway.status == "RUNNING"
    assert gateway.deleted_pairs() == PAIRS
    starts = [place for place, call in enumerate(gateway.calls) if call.kind == "start"]
    assert starts
    assert not any(call.kind in ("pause", "delete", "get") for call in gateway.calls[starts[0] :])


def test_a_run_that_is_not_whole_leaves_it_paused_and_says_so(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.status = "RUNNING"
    gateway.left = {("S_01", "A07", "P3")}
    bulkstate.configure(gateway.url, verify=READ, more=PAUSE)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, gateway.status) == (3, "PAUSED")
    assert done.document["conclusion"].endswith(
        'Don\'t start pipeline "P". Pipeline "P" ran before this run and stays paused.'
    )
    gateway.left = set()
    done = bulkstate("resume", "r", "--json")
    assert (done.exit_code, gateway.status) == (0, "RUNNING")


def test_one_that_is_started_in_mid_run_is_waited_for(bulkstate: Bulkstate, gateway: Gateway) -> None:
    world, began = _Writing(gateway), threading.Event()
    gateway.status = "PAUSED"

    def start(call: Call, when: str) -> None:
        world._heard(call, when)
        if call.kind == "delete" and len(gateway.deletes()) == 5 and when == "after" and not began.is_set():
            gateway.status = "RUNNING"
            began.set()
        if call.kind == "pipelines" and when == "after" and began.is_set():
            gateway.status = "PAUSED"

    gateway.heard = start
    more = "safety: {status_every: 300ms, on_unpause: wait}"
    bulkstate.configure(gateway.url, verify=READ, more=more, rate="20/s", concurrency=1)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 0, done.err
    assert began.is_set()
    assert done.document["reason_code"] == "deleted"
    assert "held until it is paused again: pipeline p1 is RUNNING" in done.err
    assert len(gateway.deletes()) > 10


def test_where_no_delete_was_sent_it_is_started_again(bulkstate: Bulkstate, gateway: Gateway) -> None:
    """The last look finds that somebody stopped it meanwhile."""
    gateway.status = "RUNNING"

    def refuse(call: Call) -> Answer | None:
        return (
            reply({"code": 61152, "msg": "cannot be changed from [RUNNING] to Paused"})
            if call.kind == "pause"
            else None
        )

    gateway.switch = refuse
    bulkstate.configure(gateway.url, verify=READ, more=PAUSE)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (4, "check_failed")
    assert done.document["conclusion"].startswith(
        "Refused, nothing deleted: pipeline p1 is RUNNING: the platform can't"
    )
    assert gateway.status == "RUNNING"
    assert gateway.deletes() == []


def test_a_start_that_is_refused_is_explained_and_tried_again_by_resume(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.status = "RUNNING"
    contended = [reply({"code": 61121, "msg": "someone else is starting a job"})] * 2
    refused = [reply({"code": 61128, "msg": "resource not requested"})]
    answers = [*contended, *refused]
    gateway.switch = lambda call: answers.pop(0) if call.kind == "start" and answers else None
    bulkstate.configure(gateway.url, verify=READ, more=PAUSE)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (3, "not_restarted")
    assert (
        "none holds state. But not started again: pipeline p1 is PAUSED: its resources weren't requested"
        in (done.document["conclusion"])
    )
    assert done.document["next"].startswith("bulkstate resume ")
    assert sum(call.kind == "start" for call in gateway.calls) == 3
    calls = len(gateway.calls)
    done = bulkstate("resume", "r", "--json")
    assert (done.exit_code, gateway.status) == (0, "RUNNING")
    assert not any(call.kind in ("delete", "get") for call in gateway.calls[calls:])
