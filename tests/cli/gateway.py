"""A gateway of a few lines, in a thread of its own, that shares no code with the project and counts what arrives."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.waiting import PATIENCE

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Call:
    """One request that arrived, `at` seconds of a steady clock."""

    at: float
    kind: str
    headers: dict[str, str]
    body: dict[str, str]

    @property
    def pairs(self) -> set[tuple[str, str, str]]:
        stage = self.body["stageInstanceName"]
        points = self.body["pointIds"].split(",")
        return {(stage, asset, point) for asset in self.body["assetIds"].split(",") for point in points}


@dataclass
class Gateway:
    """Pipeline `p1` is paused unless `status` says otherwise; `answer` says what a delete comes to.

    Where `status` is empty the list of pipelines isn't to be had.
    """

    url: str = ""
    status: str = "PAUSED"
    left: set[tuple[str, str, str]] = field(default_factory=set)
    """Pairs that have state, whatever was deleted: (stage, asset, point)."""
    nothing: set[tuple[str, str, str]] = field(default_factory=set)
    """Pairs that never had any. All others have state until a delete of them is answered well."""
    gone: set[tuple[str, str, str]] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    answer: Callable[[Call, int], Answer] = lambda call, number: deleted()

    read: Callable[[Call], Answer | None] = lambda call: None
    """What a read comes to, if not what has state."""
    pause: threading.Event = field(default_factory=threading.Event)
    """Reads wait for it; it is set unless a test clears it."""
    asked: threading.Event = field(default_factory=threading.Event)
    """A read has arrived."""
    switch: Callable[[Call], Answer | None] = lambda call: None
    """What a call that pauses or starts the pipeline comes to, if it doesn't do so."""
    heard: Callable[[Call, str], None] = lambda call, when: None
    """Is told of every call, `before` and `after` anything is done about it."""

    def deletes(self) -> list[Call]:
        return [call for call in self.calls if call.kind == "delete"]

    def deleted_pairs(self) -> set[tuple[str, str, str]]:
        return set().union(*(call.pairs for call in self.deletes()))


def reply(document: object, status: int = 200, **headers: str) -> Answer:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(document).encode()


def deleted() -> Answer:
    return reply({"code": 0, "msg": "OK", "requestId": "r-1", "data": True})


class Halt:
    """An answer that fires an event when the delete number `at` arrives, and goes on when it is let."""

    def __init__(self, at: int) -> None:
        self._at = at
        self.arrived = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, call: Call, number: int) -> Answer:
        if number >= self._at:
            self.arrived.set()
            self.go_on.wait(PATIENCE)
        return deleted()


class _Server(ThreadingHTTPServer):
    """Says nothing of callers that were killed."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        return


@contextmanager
def serving() -> Iterator[Gateway]:
    gateway = Gateway()
    gateway.pause.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            at = time.monotonic()
            split = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = (
                "pipelines" if split.path.endswith("/pipelines") else parse_qs(split.query).get("action", ["token"])[0]
            )
            call = Call(at, kind, dict(self.headers), json.loads(content) if content else {})
            gateway.calls.append(call)
            gateway.heard(call, "before")
            status, headers, body = self._reply(call)
            gateway.heard(call, "after")
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _reply(self, call: Call) -> Answer:
            if call.kind == "pipelines" and not gateway.status:
                return reply({}, 503)
            if call.kind == "pipelines":
                row = {"pipelineId": "p1", "pipelineName": "P", "status": gateway.status}
                return reply({"code": 0, "msg": "OK", "data": {"count": 1, "pipelines": [row]}})
            if call.kind in ("pause", "start"):
                return gateway.switch(call) or self._switched(call.kind)
            if call.kind == "token":
                return reply({"status": 0, "msg": "SUCCESS", "data": {"accessToken": "canary-token", "expire": 7200}})
            if call.kind == "get":
                gateway.asked.set()
                gateway.pause.wait(PATIENCE)
                if (answer := gateway.read(call)) is not None:
                    return answer
                found = sorted((call.pairs - gateway.gone - gateway.nothing) | (call.pairs & gateway.left))
                items = [{"assetId": asset, "pointId": point, "value": 1} for _, asset, point in found]
                return reply({"code": 0, "msg": "OK", "data": {"items": items}})
            status, headers, body = gateway.answer(call, len(gateway.deletes()))
            if status == 200 and b'"data": true' in body:
                gateway.gone |= call.pairs
            return status, headers, body

        def _switched(self, action: str) -> Answer:
            origin, target, code = {"pause": ("RUNNING", "PAUSED", 61152), "start": ("PAUSED", "RUNNING", 61165)}[
                action
            ]
            if gateway.status != origin:
                return reply({"code": code, "msg": f"Status cannot be changed from [{gateway.status}]"})
            gateway.status = target
            return reply({"code": 0, "msg": "OK", "data": ""})

        def log_message(self, format: str, *arguments: object) -> None:
            return

    server = _Server(("127.0.0.1", 0), Handler)
    gateway.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
