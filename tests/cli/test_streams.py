"""What stdout and stderr can't take changes nothing about a run that went well."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress

import pytest

from tests.cli.conftest import COMMAND, Bulkstate
from tests.cli.gateway import Gateway, reply
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow


def shell(bulkstate: Bulkstate, command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command.replace('bulkstate', COMMAND)}"],
        cwd=bulkstate.folder,
        env=bulkstate.environment(**more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize(
    "command",
    [
        "bulkstate run config.yaml --yes | true",
        "bulkstate run config.yaml --yes >/dev/full",
        "bulkstate run config.yaml --yes >&-",
        "bulkstate run config.yaml --yes 2>&-",
        "bulkstate run config.yaml --yes 2>&1 | true",
        "bulkstate run config.yaml --yes 2>/dev/full",
        "bulkstate run config.yaml --yes >/dev/full 2>&1",
        "CI=1 bulkstate run config.yaml --yes 2>/dev/full",
        "bulkstate run config.yaml --yes --json <&- >&- 2>&-",
        "bulkstate plan config.yaml | true",
        "bulkstate schema | true",
    ],
)
def test_a_stream_that_is_gone(bulkstate: Bulkstate, gateway: Gateway, command: str) -> None:
    bulkstate.configure(gateway.url)
    done = shell(bulkstate, command)
    assert done.returncode == 0, done
    assert "Traceback" not in done.stderr
    assert len(gateway.deletes()) == (10 if " run " in command else 0)


def test_what_is_only_there_for_its_stdout_says_that_it_is_cut(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    assert bulkstate("run", "config.yaml", "--yes", "--run-dir", "r").exit_code == 0
    for command, exit_code in {
        "verify r": 0,
        "certificate r": 2,
        "report r": 2,
        "report r --format csv": 2,
        "runs .": 2,
        "plan config.yaml --json": 2,
        "run config.yaml --dry-run": 2,
        "check config.yaml": 2,
        "ctl r status": 2,
        "schema report": 2,
        "run --help": 1,
    }.items():
        done = shell(bulkstate, f"bulkstate {command} >/dev/full")
        assert done.returncode == exit_code, done
        assert "bulkstate: stdout: can't be written: No space left on device" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_stderr_that_nobody_reads_holds_up_nobody(bulkstate: Bulkstate, gateway: Gateway) -> None:
    """Its pipe is full from the start, and never emptied."""
    bulkstate.configure(gateway.url)
    reading, writing = os.pipe2(os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    done = subprocess.run(
        [COMMAND, "--log", "json", "run", "config.yaml", "--yes", "--run-dir", "r"],
        cwd=bulkstate.folder,
        env=bulkstate.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=writing,
        timeout=PATIENCE,
    )
    os.close(reading)
    os.close(writing)
    assert done.returncode == 0
    assert len(gateway.deletes()) == 10
    assert bulkstate("report", "r", "--format", "json").document["result"] == "deleted"


def test_a_stderr_that_is_gone_changes_no_exit_code(bulkstate: Bulkstate, gateway: Gateway) -> None:
    """Of a run that ends badly, or not at all, because its input is wrong."""
    gateway.answer = lambda call, number: reply({"code": 61102, "msg": "no"})
    bulkstate.configure(gateway.url)
    for end in ("2>/dev/full", "2>&1 | true", "2>&-"):
        assert shell(bulkstate, f"bulkstate run config.yaml --yes {end}").returncode == 3
        assert shell(bulkstate, f"bulkstate run nothing.yaml --yes {end}").returncode == 2


def test_a_stream_of_plain_ascii(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    done = shell(bulkstate, "bulkstate run config.yaml --yes", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done
    assert "all 100 pairs deleted" in done.stdout


def test_without_stdin_nobody_can_agree(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    assert shell(bulkstate, "bulkstate run config.yaml <&-").returncode == 4
    assert gateway.calls == []
