"""What stdout and stderr can't take changes nothing about a run that went well."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.conftest import COMMAND, Bulkstate
from tests.cli.gateway import Gateway
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


def test_a_stream_of_plain_ascii(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    done = shell(bulkstate, "bulkstate run config.yaml --yes", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done
    assert "all 100 pairs deleted" in done.stdout


def test_without_stdin_nobody_can_agree(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    assert shell(bulkstate, "bulkstate run config.yaml <&-").returncode == 4
    assert gateway.calls == []
