"""Who is woken at three reads the end of a job's log: its last 20 lines say how it ended, and name the next command."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Answer, Call, Gateway, Halt, deleted, reply
from tests.forked import Command
from tests.waiting import until

pytestmark = pytest.mark.slow

ALL, SOME, NONE = (f"{{before: 50, settle: 0s, sample: {sample}}}" for sample in ("all", "3", "none"))
RESUME = "bulkstate resume r"


def tail(bulkstate: Bulkstate, *arguments: str, **more: str) -> tuple[int, list[str]]:
    """How a command ends, and the last 20 lines of its log."""
    done = Command(bulkstate.folder, *arguments, together=True, CI="true", **more).ended()
    return done.exit_code, done.out.splitlines()[-20:]


def run(bulkstate: Bulkstate) -> tuple[int, list[str]]:
    return tail(bulkstate, "run", "config.yaml", "--yes", "--run-dir", "r")


def refuse(after: int, status: int, code: int) -> Callable[[Call, int], Answer]:
    """Deletes are answered well until so many were."""
    return lambda call, number: deleted() if number <= after else reply({"code": code, "msg": "no"}, status)


def goes_well(gateway: Gateway) -> None:
    """Nothing is amiss."""


def is_empty(gateway: Gateway) -> None:
    gateway.nothing = set(PAIRS)


def keeps_some(gateway: Gateway) -> None:
    gateway.left = {("S_01", "A01", "P1")}


def refuses_one(gateway: Gateway) -> None:
    gateway.answer = lambda call, number: (
        reply({"code": 61102, "msg": "no such asset"}) if ("S_01", "A01", "P1") in call.pairs else deleted()
    )


def doubts_one(gateway: Gateway) -> None:
    gateway.answer = lambda call, number: (
        reply({"code": 61199, "msg": "busy"}) if ("S_01", "A01", "P1") in call.pairs else deleted()
    )


def knows_no_stage(gateway: Gateway) -> None:
    gateway.read = lambda call: reply({"code": 61107, "msg": "Not supported stage type"})


def is_started(gateway: Gateway) -> None:
    def answer(call: Call, number: int) -> Answer:
        gateway.status = "RUNNING" if number > 3 else "PAUSED"
        return deleted()

    gateway.answer = answer


def says_no_status(gateway: Gateway) -> None:
    def answer(call: Call, number: int) -> Answer:
        gateway.status = "" if number > 3 else "PAUSED"
        return deleted()

    gateway.answer = answer


def takes_no_credentials(gateway: Gateway) -> None:
    gateway.answer = refuse(3, 401, 0)


def forbids(gateway: Gateway) -> None:
    gateway.answer = refuse(3, 403, 0)


def goes_down(gateway: Gateway) -> None:
    gateway.answer = refuse(3, 503, 0)


def fails_much(gateway: Gateway) -> None:
    gateway.answer = lambda call, number: reply({"code": 61102, "msg": "no"}) if number > 2 else deleted()


@pytest.mark.parametrize(
    ("trouble", "verify", "safety", "exit_code", "said", "command"),
    [
        (goes_well, ALL, "", 0, "every request was read back whole", ""),
        (goes_well, SOME, "", 0, "3 of 10 requests were read back whole", ""),
        (goes_well, NONE, "", 0, "this is the gateway's word alone", "bulkstate verify r"),
        (is_empty, ALL, "", 6, "Nothing was there", "say safety.require_state: none"),
        (refuses_one, ALL, "", 3, "Partly deleted", "bulkstate report r --failed failed.csv"),
        (doubts_one, ALL, "", 3, "Partly deleted", "bulkstate resume r --retry-failed"),
        (keeps_some, ALL, "", 3, "Not clean", RESUME),
        (knows_no_stage, ALL, "", 4, "Refused, nothing deleted: stage S_01", "safety.unknown_stage: skip"),
        (is_started, NONE, "", 5, "Stopped: pipeline p1 is RUNNING", RESUME),
        (says_no_status, NONE, "", 5, "Stopped: ", RESUME),
        (takes_no_credentials, NONE, "", 5, "credentials", RESUME),
        (forbids, NONE, "", 5, "Stopped: ", RESUME),
        (goes_down, NONE, "", 5, "Stopped: every delete has failed", RESUME),
        (fails_much, NONE, ", max_failed: 2", 5, "Stopped: ", RESUME),
    ],
)
def test_every_ending_names_the_next_command(
    bulkstate: Bulkstate,
    gateway: Gateway,
    trouble: Callable[[Gateway], None],
    verify: str,
    safety: str,
    exit_code: int,
    said: str,
    command: str,
) -> None:
    trouble(gateway)
    bulkstate.configure(gateway.url, concurrency=1, verify=verify, more=f"safety: {{status_every: 50ms{safety}}}")
    file = bulkstate.folder / "config.yaml"
    file.write_text(file.read_text().replace("attempts: 3", "attempts: 3, split: false, outage: 500ms"))
    ended, lines = run(bulkstate)
    log = "\n".join(lines)
    assert (ended, said in log, command in log) == (exit_code, True, True), log
    if not command:
        assert "next:" not in log
        assert "safe to start" in log
    elif command.startswith("bulkstate"):
        assert lines[-1] == f"bulkstate: next: {command}", log


@pytest.fixture
def halted(bulkstate: Bulkstate, gateway: Gateway) -> Iterator[Command]:
    """A run in its middle."""
    gateway.answer = halt = Halt(4)
    bulkstate.configure(gateway.url, concurrency=1)
    command = Command(bulkstate.folder, "run", "config.yaml", "--yes", "--run-dir", "r", together=True, CI="true")
    assert halt.arrived.wait(60)
    try:
        yield command
    finally:
        halt.go_on.set()
        command.kill()


def test_an_interrupted_run(bulkstate: Bulkstate, gateway: Gateway, halted: Command) -> None:
    halted.signal(signal.SIGTERM)
    done = halted.ended()
    assert done.exit_code == 143
    last = done.out.splitlines()[-20:]
    assert any(line.startswith("bulkstate: Interrupted (SIGTERM received)") for line in last)
    assert last[-1] == f"bulkstate: next: {RESUME}"


def test_a_run_that_goes_on_and_one_that_was_killed(bulkstate: Bulkstate, gateway: Gateway, halted: Command) -> None:
    def told() -> str:
        return "\n".join(tail(bulkstate, "report", "r")[1])

    until(lambda: "bulkstate ctl r status" in told())
    halted.kill()
    halted.ended()
    assert RESUME in told()


def test_a_journal_that_was_changed(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    assert run(bulkstate)[0] == 0
    with closing(sqlite3.connect(bulkstate.folder / "r" / "journal.sqlite", isolation_level=None)) as connection:
        connection.execute("INSERT INTO agreement VALUES (9.0, '--yes', 'somebody else')")
    ended, lines = tail(bulkstate, "resume", "r")
    assert ended == 5
    assert "the journal is damaged" in lines[-1]
    assert "go on from a copy" in lines[-1]


def test_a_run_directory_that_is_there(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    assert run(bulkstate)[0] == 0
    ended, lines = run(bulkstate)
    assert (ended, RESUME in lines[-1]) == (4, True), lines
