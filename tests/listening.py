"""An HTTP server on loopback, in threads of its own: what the tests' gateways have in common, which share no code with
the project."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Pair = tuple[str, str, str]
"""Stage, asset, point."""


@dataclass(frozen=True)
class Call:
    """One request that arrived, `at` seconds of a steady clock; `kind` is `pipelines`, `details`, `token`, or the
    action."""

    at: float
    kind: str
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.content)) if self.content else {}

    @property
    def pairs(self) -> frozenset[Pair]:
        body = self.body
        points = body["pointIds"].split(",")
        return frozenset(
            (body["stageInstanceName"], asset, point) for asset in body["assetIds"].split(",") for point in points
        )


def _kind(target: str) -> str:
    split = urlsplit(target)
    if "/streaming/pipeline/" in split.path and "action" not in parse_qs(split.query):
        return "details"
    if split.path.endswith("/pipelines"):
        return "pipelines"
    return "token" if "/token/" in split.path else parse_qs(split.query).get("action", ["?"])[0]


class _Server(ThreadingHTTPServer):
    """Says nothing of callers that were killed."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        return


@contextmanager
def listening(answer: Callable[[Call, BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The address of a server that has every call answered so."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            at = time.monotonic()
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer(Call(at, _kind(self.path), dict(self.headers), content), self)

        def log_message(self, format: str, *arguments: object) -> None:
            return

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        with suppress(OSError):
            server.server_close()
        thread.join()
