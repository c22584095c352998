"""Signals, kills and neighbours."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
from typing import Any

import pytest

from bulkstate.engine.engine import GRACE_SECONDS
from tests.cli.conftest import COMMAND, PAIRS, Bulkstate, ended
from tests.cli.gateway import Answer, Call, Gateway, Halt, deleted, reply
from tests.forked import Command
from tests.waiting import PATIENCE, until, until_delivered

pytestmark = pytest.mark.slow


def until_arrived(halt: Halt, process: Command) -> None:
    assert halt.arrived.wait(PATIENCE), process.ended()


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_calls_under_way_end_and_says_how_to_go_on(
    bulkstate: Bulkstate, gateway: Gateway, number: signal.Signals, exit_code: int
) -> None:
    gateway.answer = halt = Halt(5)
    bulkstate.configure(gateway.url, concurrency=2)
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r")
    until_arrived(halt, process)
    process.signal(number)
    until_delivered(process.pid, number)
    halt.go_on.set()
    done = process.ended()
    assert done.exit_code == exit_code
    assert "bulkstate resume r" in done.out
    sent = len(gateway.deletes())
    assert sent < 10
    assert bulkstate("report", "r", "--format", "json").document["chunks"]["deleted"] == sent

    finished = bulkstate("resume", "r", "--json")
    assert finished.exit_code == 0
    assert finished.document["result"] == "deleted"
    assert len(gateway.deletes()) == 10, "what was deleted isn't sent again"
    assert gateway.deleted_pairs() == PAIRS


def test_calls_that_outlast_the_grace_are_unknown_and_sent_again(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = halt = Halt(5)
    bulkstate.configure(gateway.url, concurrency=2)
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    until_arrived(halt, process)
    process.signal(signal.SIGINT)
    done = process.ended()
    halt.go_on.set()
    assert done.exit_code == 130
    assert done.document["result"] == "interrupted"
    unknown = done.document["chunks"]["unknown"]
    assert unknown >= 1
    sent = len(gateway.deletes())
    assert bulkstate("resume", "r").exit_code == 0
    assert len(gateway.deletes()) == 10 + unknown >= sent


def test_a_second_signal_ends_at_once(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = halt = Halt(1)
    bulkstate.configure(gateway.url)
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r")
    until_arrived(halt, process)
    process.signal(signal.SIGINT)
    until_delivered(process.pid, signal.SIGINT)
    assert process.alive
    again = time.monotonic()
    process.signal(signal.SIGINT)
    assert process.ended().exit_code == 130
    assert time.monotonic() - again < GRACE_SECONDS
    halt.go_on.set()


def test_a_signal_before_agreement_leaves_nothing_behind(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.status = ""
    bulkstate.configure(gateway.url)
    text = (bulkstate.folder / "config.yaml").read_text()
    patient = text.replace("first_delay: 10ms, max_delay: 50ms", "first_delay: 60s, max_delay: 60s")
    (bulkstate.folder / "config.yaml").write_text(patient)
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r")
    directory = bulkstate.folder / "r"
    until(lambda: bool(gateway.calls) and directory.exists())
    process.signal(signal.SIGTERM)
    assert process.ended().exit_code == 143
    assert not directory.exists()


def test_a_killed_run_goes_on_and_stays_within_its_limit(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = halt = Halt(6)
    bulkstate.configure(gateway.url, rate="[20/s, 8/3s]", concurrency=1)
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r")
    until_arrived(halt, process)
    process.kill()
    process.ended()
    gateway.answer = lambda call, number: deleted()
    halt.go_on.set()
    recorded = bulkstate("report", "r", "--format", "json").document["chunks"]["deleted"]
    sent = [call.body for call in gateway.deletes()]
    assert bulkstate("resume", "r", "--json").document["result"] == "deleted"
    assert gateway.deleted_pairs() == PAIRS
    assert len(gateway.deletes()) == len(sent) + 10 - recorded
    times = [call.at for call in gateway.calls]
    arrived_late = 0.25
    assert all(late - early >= 3.0 - arrived_late for early, late in zip(times, times[8:], strict=False)), "8 in 3 s"


def test_one_process_a_run_directory_and_a_pipeline(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = halt = Halt(1)
    bulkstate.configure(gateway.url)
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r")
    until_arrived(halt, process)
    for arguments in (["resume", "r"], ["run", "config.yaml", "--yes", "--run-dir", "s"]):
        refused = bulkstate(*arguments)
        assert refused.exit_code == 4, refused
        assert str(process.pid) in refused.err
    assert not (bulkstate.folder / "s").exists()
    assert len(gateway.deletes()) <= 4
    halt.go_on.set()
    assert process.ended().exit_code == 0


def test_a_run_directory_is_never_overwritten(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    (bulkstate.folder / "r").mkdir()
    assert bulkstate("run", "config.yaml", "--yes", "--run-dir", "r").exit_code == 4
    assert gateway.calls == []
    assert list((bulkstate.folder / "r").iterdir()) == []


def test_a_run_directory_can_be_moved(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = halt = Halt(5)
    bulkstate.configure(gateway.url, concurrency=1)
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r")
    until_arrived(halt, process)
    process.kill()
    process.ended()
    halt.go_on.set()
    (bulkstate.folder / "config.yaml").unlink()
    (bulkstate.folder / "elsewhere").mkdir()
    (bulkstate.folder / "r").rename(bulkstate.folder / "elsewhere" / "moved")
    assert bulkstate("resume", "elsewhere/moved").exit_code == 0
    assert gateway.deleted_pairs() == PAIRS


def told(bulkstate: Bulkstate) -> dict[str, Any]:
    """What the report says, but for the journal's length: calls are counted in it, whatever comes of them."""
    document = bulkstate("report", "r", "--format", "json").document
    return {name: value for name, value in document.items() if name != "journal"}


def test_a_resume_that_is_refused_leaves_the_run_as_it_was(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    assert bulkstate("run", "config.yaml", "--yes", "--run-dir", "r").exit_code == 0
    before = told(bulkstate)
    gateway.status = "RUNNING"
    refused = bulkstate("resume", "r", "--json")
    assert (refused.exit_code, refused.document["result"]) == (4, "refused")
    assert told(bulkstate) == before


def test_a_verification_that_is_interrupted_leaves_the_run_as_it_was(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    assert bulkstate("run", "config.yaml", "--yes", "--run-dir", "r").exit_code == 0
    before = told(bulkstate)
    gateway.pause.clear()
    process = bulkstate.start("verify", "r", "--json")
    assert gateway.asked.wait(PATIENCE)
    process.signal(signal.SIGINT)
    done = process.ended()
    gateway.pause.set()
    assert (done.exit_code, done.document["result"]) == (130, "interrupted")
    assert told(bulkstate) == before


def test_an_interrupted_run_writes_its_report_file_and_so_does_its_resume(
    bulkstate: Bulkstate, gateway: Gateway
) -> None:
    gateway.answer = halt = Halt(5)
    bulkstate.configure(gateway.url, concurrency=1, more="report: {json: out.json}")
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    until_arrived(halt, process)
    process.signal(signal.SIGTERM)
    halt.go_on.set()
    assert process.ended().document["result"] == "interrupted"
    kept = bulkstate.folder / "out.json"
    assert json.loads(kept.read_text())["result"] == "interrupted"
    assert bulkstate("resume", "r").exit_code == 0
    assert json.loads(kept.read_text())["result"] == "deleted"


def test_a_report_file_without_a_folder_is_a_mistake_before_anything_is_sent(
    bulkstate: Bulkstate, gateway: Gateway
) -> None:
    bulkstate.configure(gateway.url, more="report: {json: nowhere/out.json}")
    done = bulkstate("run", "config.yaml", "--yes")
    assert done.exit_code == 2
    assert "report.json" in done.err
    assert gateway.calls == []


def test_a_signal_while_planning_ends_with_its_code(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace('["A{01..20}"]', '"-"'))
    process = subprocess.Popen(
        [COMMAND, "run", "config.yaml", "--yes", "--json"],
        cwd=bulkstate.folder,
        env=bulkstate.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    # More than a pipe holds: once it is written the command has begun to read what is selected, and waits for more.
    process.stdin.write("".join(f"A{number:07}\n" for number in range(100_000)))
    process.stdin.flush()
    process.send_signal(signal.SIGTERM)
    done = ended(process)
    assert (done.exit_code, done.document["result"]) == (143, "interrupted")
    assert gateway.calls == []


MANY_SMALL_CHUNKS = ("pairs_per_request: 10", "pairs_per_request: 2")
PATIENT = ("attempts: 3", "attempts: 100, outage: {outage}")


def patient(bulkstate: Bulkstate, outage: str) -> None:
    """Let the run have fifty chunks, whose attempts outlast whatever happens, and wait so long for the gateway."""
    config = bulkstate.folder / "config.yaml"
    text = config.read_text(encoding="utf-8").replace(*MANY_SMALL_CHUNKS)
    config.write_text(text.replace(PATIENT[0], PATIENT[1].format(outage=outage)), encoding="utf-8")


def test_a_gateway_that_stays_down_ends_the_run_and_resume_goes_on(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = lambda call, number: deleted() if number <= 5 else reply({}, 503)
    bulkstate.configure(gateway.url)
    patient(bulkstate, "1s")
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 5
    assert done.document["chunks"]["deleted"] == 5
    assert done.document["chunks"]["not_sent"] == 45
    assert "every delete has failed for" in done.document["reason"]
    assert "retry.outage" in done.err
    gateway.answer = lambda call, number: deleted()
    assert bulkstate("resume", "r").exit_code == 0
    assert gateway.deleted_pairs() == PAIRS


def test_a_run_outlives_an_outage_and_spares_the_gateway_meanwhile(bulkstate: Bulkstate, gateway: Gateway) -> None:
    down = threading.Event()

    def answer(call: Call, number: int) -> Answer:
        if number == 6:
            down.set()
            threading.Timer(2.0, down.clear).start()
        return reply({}, 503) if down.is_set() else deleted()

    gateway.answer = answer
    bulkstate.configure(gateway.url)
    patient(bulkstate, "10min")
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert done.exit_code == 0
    assert done.document["chunks"]["deleted"] == 50
    assert gateway.deleted_pairs() == PAIRS
    probes_at_most = 2.0 / 0.05
    assert len(gateway.deletes()) <= 50 + 20 + probes_at_most + 40, "the time until it was noticed included"


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_run_directory_that_vanishes_stops_the_run(bulkstate: Bulkstate, gateway: Gateway, how: str) -> None:
    def vanish(call: Call, number: int) -> Answer:
        if number == 3:
            directory = bulkstate.folder / "r"
            shutil.rmtree(directory) if how == "removed" else directory.rename(bulkstate.folder / "elsewhere")
        return deleted()

    gateway.answer = vanish
    bulkstate.configure(gateway.url, rate="1/s", concurrency=1)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["result"]) == (5, "stopped")
    assert "removed, moved or replaced" in done.document["reason"]
    assert len(gateway.deletes()) <= 6


def test_a_run_directory_that_vanishes_at_the_very_end_is_told(bulkstate: Bulkstate, gateway: Gateway) -> None:
    def vanish(call: Call, number: int) -> Answer:
        if number == 10:
            shutil.rmtree(bulkstate.folder / "r")
        return deleted()

    gateway.answer = vanish
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["result"]) == (5, "stopped")
