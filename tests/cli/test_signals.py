"""Signals before, while and after a command is at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.cli.conftest import COMMAND, Bulkstate, ended
from tests.cli.gateway import Answer, Call, Gateway, deleted
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow


class Halt:
    """Answers deletes only when told to."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, call: Call, number: int) -> Answer:
        if number >= 3:
            self.arrived.set()
            self.go_on.wait(PATIENCE)
        return deleted()


def test_a_terminal_that_goes_away_ends_the_run_gently(bulkstate: Bulkstate, gateway: Gateway) -> None:
    """It may say so twice."""
    gateway.answer = halt = Halt()
    bulkstate.configure(gateway.url, concurrency=2)
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r")
    assert halt.arrived.wait(PATIENCE)
    process.signal(signal.SIGHUP)
    process.signal(signal.SIGHUP)
    threading.Timer(0.3, halt.go_on.set).start()
    assert process.ended().exit_code == 129
    sent = len(gateway.deletes())
    told = bulkstate("report", "r", "--format", "json").document
    assert (told["result"], told["chunks"]["deleted"]) == ("interrupted", sent)
    assert bulkstate("resume", "r").exit_code == 0
    assert len(gateway.deletes()) == 10


@pytest.mark.parametrize(("trap", "number"), [("HUP", signal.SIGHUP), ("INT", signal.SIGINT), ("TERM", signal.SIGTERM)])
def test_a_signal_that_was_ignored_at_the_start_stays_so(
    bulkstate: Bulkstate, gateway: Gateway, trap: str, number: signal.Signals
) -> None:
    """As nohup does, and a shell's `&`."""
    gateway.answer = halt = Halt()
    bulkstate.configure(gateway.url, concurrency=2)
    process = subprocess.Popen(
        ["bash", "-c", f"trap '' {trap}; exec {COMMAND} run config.yaml --yes --run-dir r"],
        cwd=bulkstate.folder,
        env=bulkstate.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert halt.arrived.wait(PATIENCE)
    process.send_signal(number)
    process.send_signal(number)
    halt.go_on.set()
    assert ended(process).exit_code == 0
    assert len(gateway.deletes()) == 10


IMPORTING = """
import os, signal, sys
class Slow:
    \"\"\"Sends a signal while {module} is being imported.\"\"\"
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Slow())
sys.argv[1:] = ["plan", "config.yaml"]
from bulkstate.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "structlog", "numpy", "rich.table"])
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_while_something_is_imported_ends_it_with_a_word(
    bulkstate: Bulkstate, module: str, number: signal.Signals, exit_code: int
) -> None:
    bulkstate.configure("http://127.0.0.1:9")
    script = IMPORTING.format(module=module, number=int(number))
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=bulkstate.folder,
        env={**bulkstate.environment(), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == exit_code, done.stderr
    assert done.stderr == f"bulkstate: {number.name} received\n"
