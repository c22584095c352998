"""Steering by hand: the installed command on one side, a run that is at work on the other."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.conftest import Bulkstate
from tests.cli.gateway import Gateway, Halt
from tests.forked import Command, Done
from tests.waiting import until, until_delivered

pytestmark = pytest.mark.slow


@contextmanager
def at_work(bulkstate: Bulkstate, gateway: Gateway) -> Iterator[tuple[Command, threading.Event]]:
    """A run that has deleted one chunk, and is given no other answer until the event is set."""
    gateway.answer = halt = Halt(2)
    bulkstate.configure(gateway.url, rate="2/s")
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    try:
        until(lambda: bool(gateway.deletes()))
        yield process, halt.go_on
    finally:
        halt.go_on.set()
        process.kill()
        process.ended()


def status(bulkstate: Bulkstate) -> dict[str, object]:
    done = bulkstate("ctl", "r", "status", "--json")
    assert done.exit_code == 0, done.err
    said = done.document["status"]
    return said if isinstance(said, dict) else {}


def test_pause_resume_and_rate_each_show_in_the_report(bulkstate: Bulkstate, gateway: Gateway) -> None:
    with at_work(bulkstate, gateway) as (process, go_on):
        assert bulkstate("ctl", "r", "pause").out == "asked for: hold\n"
        until(lambda: status(bulkstate).get("paused") is True)
        go_on.set()
        until(lambda: status(bulkstate)["held_by"] == "a pause by hand")
        sent = len(gateway.deletes())
        for arguments in (("concurrency", "2"), ("rate", "100/min")):
            assert bulkstate("ctl", "r", *arguments).exit_code == 0
        assert len(gateway.deletes()) == sent
        assert bulkstate("ctl", "r", "release").exit_code == 0
        done = process.ended()
    assert done.exit_code == 0, done.err
    uses = [(use["command"], use["value"]) for use in done.document["uses"]]
    assert uses == [("hold", ""), ("concurrency", "2"), ("rate", "100/min"), ("release", "")]
    shares = {(held["by"], held["which"]): held["share"] for held in done.document["held"]}
    assert shares["pause", ""] > 0
    assert sum(shares.values()) == pytest.approx(1.0, abs=0.01)
    assert "concurrency 2" in bulkstate("report", "r").out


def test_a_file_pause_holds_a_run_from_its_first_delete_on(bulkstate: Bulkstate, gateway: Gateway) -> None:
    with at_work(bulkstate, gateway) as (process, go_on):
        (bulkstate.folder / "r" / "PAUSE").touch()
        process.signal(signal.SIGTERM)
        until_delivered(process.pid, signal.SIGTERM)
        go_on.set()
        assert process.ended().exit_code == 143
    gateway.calls.clear()
    resumed = bulkstate.start("resume", "r", "--json")
    try:
        until(lambda: "file PAUSE" in bulkstate("report", "r").out)
        assert gateway.calls == []
        standing = bulkstate("ctl", "r", "status").out
        assert "run r: at work\n  a file PAUSE is there" in standing
        assert "said nothing of itself yet" in standing
        assert "settled" not in standing, "that was the session before"
        (bulkstate.folder / "r" / "PAUSE").unlink()
        done = resumed.ended()
    finally:
        resumed.kill()
    assert done.exit_code == 0, done.err
    assert [use["value"] for use in done.document["uses"]][-2:] == ["file PAUSE", "file PAUSE"]


def test_a_folder_called_pause_is_not_taken_away(bulkstate: Bulkstate, gateway: Gateway) -> None:
    with at_work(bulkstate, gateway):
        (bulkstate.folder / "r" / "PAUSE").mkdir()
        done = bulkstate("ctl", "r", "resume")
        assert (done.exit_code, "r/PAUSE can't be taken away: " in done.err) == (4, True), done.err
        assert not (bulkstate.folder / "r" / "control.json").exists()


def test_stop_ends_a_run_that_can_be_resumed(bulkstate: Bulkstate, gateway: Gateway) -> None:
    with at_work(bulkstate, gateway) as (process, go_on):
        assert bulkstate("ctl", "r", "stop", "--json").document["command"] == "stop"
        go_on.set()
        done = process.ended()
    assert (done.exit_code, done.document["result"], done.document["reason"]) == (5, "stopped", "stopped by hand")
    standing = bulkstate("ctl", "r", "status").out
    assert standing.startswith("run r: stopped: stopped by hand\n")
    assert "said nothing" not in standing
    assert bulkstate("resume", "r").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("r rate", "VALUE: expected a rate such as 20/s"),
        ("r rate 0/s", "VALUE: expected a rate of at least one call"),
        ("r rate -5/s", "No such option"),
        ("r rate fast", "VALUE: expected a rate such as 20/s"),
        ("r rate auto", "VALUE: expected a rate such as 20/s"),
        ("r concurrency 0", "VALUE: expected a number of calls under way, from 1"),
        ("r concurrency -1", "No such option"),
        ("r pause 5", "COMMAND: takes no value"),
        ("r status 5", "COMMAND: takes no value"),
        ("r fly", "'fly' is not one of"),
        ("r", "what is asked of it is missing"),
        ("r rate 1/s 2/s", "one too many"),
        ("status", "no run was begun here yet that bulkstate-runs/.latest would name"),
        ("nowhere pause", "nowhere: no such directory"),
        ("nowhere status", "nowhere: no such directory"),
        (". pause", ".: not a run directory"),
        (". status", ".: not a run directory"),
        ("config.yaml rate 10/s", "config.yaml: not a run directory"),
        ("r pause", "r: no process works on this run"),
        ("r rate 10/s", "r: no process works on this run"),
    ],
)
def test_what_cannot_be_asked(bulkstate: Bulkstate, gateway: Gateway, arguments: str, words: str) -> None:
    bulkstate.configure(gateway.url)
    assert bulkstate("run", "config.yaml", "--yes", "--run-dir", "r").exit_code == 0
    before = {path.name for path in bulkstate.folder.rglob("*")}
    done = bulkstate("ctl", *arguments.split())
    assert done.exit_code == 2, done.out
    assert words in done.err
    assert "Traceback" not in done.err
    assert {path.name for path in bulkstate.folder.rglob("*")} == before


def test_a_spoilt_control_file_is_ignored_and_said_once(bulkstate: Bulkstate, gateway: Gateway) -> None:
    with at_work(bulkstate, gateway) as (process, go_on):
        (bulkstate.folder / "r" / "control.json").write_text('[{"at": 1, "command": "explode"}]')
        go_on.set()
        done = process.ended()
    assert done.exit_code == 0, done.err
    lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert done.err.count("can't be read, and is ignored") == 1, lines


def test_the_report_says_which_limit_held(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, rate="[5/s, 400/min]")
    done: Done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    first = done.document["held"][0]
    assert (first["by"], first["which"]) == ("your_limit", "5/s")
