"""Law 6, in every command and failure mode: canaries for secrets, and a search through all that anybody could read."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.chaos.gateway import Answering, Gateway, Trouble, serving
from tests.forked import Command, Done, bulkstate

pytestmark = pytest.mark.chaos

SECRETS = {
    "TOKEN": "canary-Bearer+/=9f2",
    "KEY": "canary-Key-7d1",
    "SECRET": "canary-Secret-3b8",
    "MADE": "canary-Made-5e4",
}
WORLD = {("S_01", f"A{asset}", f"P{point}") for asset in range(6) for point in range(4)}

AUTHS = {
    "bearer": '{bearer: "${TOKEN}"}',
    "signed": '{app_key: "${KEY}", app_secret: "${SECRET}"}',
    "made": '{app_key: "${KEY}", app_secret: "${SECRET}", style: bearer}',
}
CONFIGURATION = """\
version: 1
gateway: {{url: "{url}", org_id: o1, auth: {auth}, timeout: 1s}}
delete:
  - {{pipeline: p1, stages: [S_01], where: [{{assets: ["A{{0..5}}"], points: ["P{{0..2}}"]}}]}}
limits: {{pairs_per_request: 2, rate: 500/s, concurrency: 4}}
retry: {{attempts: 2, first_delay: 1ms, max_delay: 5ms, outage: 1s}}
verify: {{sample: all}}
safety: {{max_pairs: 1000}}
report: {{json: report.json}}
"""
ECHOES = {
    "message": lambda said: (200, {"code": 61102, "msg": f"refused {said}", "requestId": said, "data": said}),
    "quoted": lambda said: (200, {"code": 61102, "msg": quote(said, safe=""), "requestId": quote(said)}),
    "page": lambda said: (500, f"<html>{said}</html>"),
    "unauthorised": lambda said: (401, {"msg": said}),
    "forbidden": lambda said: (403, {"msg": said}),
    "deep": lambda said: (200, {"code": 0, "msg": said, "data": {said: [said]}}),
    "busy": lambda said: (503, said),
}
"""What a careless gateway does with the headers of a call: it quotes them, as they are or in disguise."""


@contextmanager
def careless(echo: str, auth: str, folder: Path) -> Iterator[Gateway]:
    """A gateway that quotes what it was sent, and a configuration for it."""
    with serving(Gateway(set(WORLD), Trouble(0)), Answering(SECRETS["MADE"], ECHOES[echo])) as gateway:
        text = CONFIGURATION.format(url=gateway.url, auth=AUTHS[auth])
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        yield gateway


def forms(secret: str) -> tuple[bytes, ...]:
    return tuple({each.encode() for each in (secret, quote(secret), quote(secret, safe=""), secret.lower())})


def clean(folder: Path, *done: Done) -> None:
    """No canary is in what was printed, nor in any file but those that the test itself wrote."""
    texts = {" ".join(each.arguments): (each.out + each.err).encode() for each in done}
    texts |= {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for secret in SECRETS.values():
        for form in forms(secret):
            for where, text in texts.items():
                assert form not in text, f"{form!r} in {where}"


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("echo", ECHOES)
def test_no_command_tells(tmp_path: Path, echo: str, auth: str) -> None:
    with careless(echo, auth, tmp_path):
        commands = (
            ("plan", "config.yaml", "-o", "p.plan"),
            ("check", "config.yaml", "--json"),
            ("run", "config.yaml", "--yes", "--run-dir", "r", "--json"),
            ("apply", "p.plan", "--yes", "--run-dir", "s"),
            ("resume", "r", "--retry-failed"),
            ("verify", "r"),
            ("report", "r", "--failed", "failed.csv"),
            ("ctl", "r", "status"),
        )
        clean(tmp_path, *(bulkstate(tmp_path, *each, PYTHONASYNCIODEBUG="1", **SECRETS) for each in commands))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGABRT])
def test_nothing_is_told_at_a_sudden_end(tmp_path: Path, number: signal.Signals) -> None:
    """SIGABRT: with every thread's traceback, by Python's fault handler."""
    with careless("busy", "bearer", tmp_path) as gateway:
        command = Command(tmp_path, "run", "config.yaml", "--yes", "--run-dir", "r", PYTHONFAULTHANDLER="1", **SECRETS)
        while not gateway.deletes and command.alive:
            time.sleep(0.01)
        line = Path(f"/proc/{command.pid}/cmdline").read_bytes() if command.alive else b""
        command.signal(number)
        clean(tmp_path, command.ended())
        assert not any(form in line for secret in SECRETS.values() for form in forms(secret))


def test_the_gateway_was_told(tmp_path: Path) -> None:
    """The search would find what it looks for: the echo comes back whole to a caller that doesn't take care."""
    with careless("message", "bearer", tmp_path) as gateway:
        split = urlsplit(gateway.url)
        connection = HTTPConnection(str(split.hostname), int(split.port or 0))
        body = '{"stageInstanceName": "S_01", "assetIds": "A0", "pointIds": "P0"}'
        connection.request("POST", "/x?action=delete", body, {"Authorization": f"Bearer {SECRETS['TOKEN']}"})
        assert SECRETS["TOKEN"].encode() in connection.getresponse().read()
        connection.close()
