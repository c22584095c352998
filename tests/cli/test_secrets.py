"""Law 6: canaries for secrets, and a search through all that a run prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Bulkstate
from tests.cli.gateway import Answer, Call, Gateway, deleted, reply
from tests.forked import Done

pytestmark = pytest.mark.slow


CANARIES = ("canary-bearer", "canary-key", "canary-secret", "canary-token")


def echo(call: Call, number: int) -> Answer:
    """What a careless gateway may do: quote the caller's headers in an error."""
    if number % 3 == 0:
        return reply({"code": 61102, "msg": f"refused: {json.dumps(call.headers)}", "requestId": str(call.headers)})
    return reply({"code": 0, "msg": str(call.headers), "data": True}) if number % 3 == 1 else deleted()


def no_canary(done: Done, folder: Path) -> None:
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for canary in CANARIES:
        assert canary not in done.out + done.err
        for path, content in files.items():
            assert canary.encode() not in content, path


@pytest.mark.parametrize(
    "auth",
    [
        '{bearer: "${TOKEN}"}',
        '{app_key: "${KEY}", app_secret: "${SECRET}"}',
        '{app_key: "${KEY}", app_secret: "${SECRET}", style: bearer}',
    ],
    ids=["bearer", "signed", "token as bearer"],
)
def test_no_secret_is_printed_or_written(bulkstate: Bulkstate, gateway: Gateway, auth: str) -> None:
    secrets = {"KEY": "canary-key", "SECRET": "canary-secret"}
    gateway.answer = echo
    bulkstate.configure(gateway.url, more="report: {json: report.json}")
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace('{bearer: "${TOKEN}"}', auth))
    no_canary(bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", **secrets), bulkstate.folder)
    assert (bulkstate.folder / "r" / "journal.sqlite").exists()
    gateway.answer = lambda call, number: reply({"msg": str(call.headers)}, 401)
    no_canary(bulkstate("resume", "r", "--retry-failed", "--json", **secrets), bulkstate.folder)
    no_canary(bulkstate("check", "config.yaml", **secrets), bulkstate.folder)


def test_a_redirect_is_not_followed(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = lambda call, number: reply({}, 307, Location=f"{gateway.url}/elsewhere?action=stolen")
    bulkstate.configure(gateway.url, concurrency=1)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r")
    assert done.exit_code == 5
    assert {call.kind for call in gateway.calls} == {"pipelines", "delete"}
    no_canary(done, bulkstate.folder)
