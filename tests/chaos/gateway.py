"""A gateway that keeps state and misbehaves as a seed says. It shares no code with the project, and writes down
everything that arrives before it answers: its record is what runs are judged by."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

Pair: TypeAlias = tuple[str, str, str]
"""Stage, asset, point."""

HANG = 1.5
"""Seconds for which a call that hangs is silent: longer than a story's timeout."""

KINDS = (
    "429", "503", "500", "gateway page", "61199", "data false", "data missing", "code unknown", "401",
    "reset before", "reset after", "closed before", "closed after", "cut", "hang before", "hang after", "not http",
    "slow", "close announced",
)  # fmt: skip
"""What may befall a call. *After* means that the delete is carried out, and its answer lost."""


@dataclass(frozen=True)
class Trouble:
    """`rates` are the probabilities of each kind. After `calls` calls there is no more of it."""

    seed: int
    rates: Mapping[str, float] = field(default_factory=dict)
    calls: int = 0
    most_pairs: int = 1_000_000
    """Deletes of more are answered 61105."""
    poison: frozenset[Pair] = frozenset()
    """Deletes of any of these are answered 61199."""


@dataclass(frozen=True)
class Delete:
    """One delete that arrived: its pairs, and whether it was carried out."""

    pairs: frozenset[Pair]
    performed: bool


@dataclass
class Gateway:
    """`state` is what is stored; `deletes` all that arrived, in order; `calls` counts every request by its kind."""

    state: set[Pair]
    trouble: Trouble
    url: str = ""
    status: str = "PAUSED"
    deletes: list[Delete] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    arrived: Callable[[str], None] = lambda kind: None
    """Called with each request, before it is answered."""
    _sent: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def performed(self) -> set[Pair]:
        """All pairs of deletes that were carried out."""
        return set().union(*(delete.pairs for delete in self.deletes if delete.performed))

    def befalls(self, content: bytes) -> str | None:
        """What the seed has in store for this request, by its content and how often that was sent."""
        if sum(self.calls.values()) > self.trouble.calls:
            return None
        text = content.decode("latin-1")
        self._sent[text] += 1
        chance = random.Random(f"{self.trouble.seed}/{self._sent[text]}/{text}")
        drawn = chance.random()
        for kind, rate in self.trouble.rates.items():
            drawn -= rate
            if drawn < 0:
                return kind
        return None

    def delete(self, pairs: frozenset[Pair], kind: str | None) -> tuple[int, object]:
        """Carry it out, or not; the status and the document of its answer."""
        answer = self._refused(pairs, kind)
        performed = answer is None
        self.deletes.append(Delete(pairs, performed))
        if answer is None:
            self.state -= pairs
            answer = 200, {"code": 0, "msg": "OK", "requestId": f"r-{len(self.deletes)}", "data": True}
        return answer

    def _refused(self, pairs: frozenset[Pair], kind: str | None) -> tuple[int, object] | None:
        if self.status != "PAUSED":
            return 200, {"code": 61199, "msg": "the pipeline isn't paused", "data": False}
        if len(pairs) > self.trouble.most_pairs:
            return 200, {"code": 61105, "msg": "too many", "data": None}
        if pairs & self.trouble.poison:
            return 200, {"code": 61199, "msg": "no", "data": False}
        return {
            "429": (429, {}),
            "503": (503, {}),
            "500": (500, {"code": 500, "msg": "sorry"}),
            "gateway page": (502, "<html>Bad Gateway</html>"),
            "61199": (200, {"code": 61199, "msg": "busy", "data": False}),
            "data false": (200, {"code": 0, "msg": "OK", "data": False}),
            "data missing": (200, {"code": 0, "msg": "OK"}),
            "code unknown": (200, {"code": 71234, "msg": "?", "data": None}),
            "401": (401, {}),
            "reset before": (0, "reset"),
            "closed before": (0, "close"),
            "hang before": (0, "hang"),
        }.get(kind or "")

    def get(self, pairs: frozenset[Pair]) -> object:
        items = [{"assetId": a, "pointId": p, "value": 1} for _, a, p in sorted(pairs & self.state)]
        return {"code": 0, "msg": "OK", "data": {"items": items}}

    def listed(self) -> object:
        rows = [{"pipelineId": name, "pipelineName": name.upper(), "status": self.status} for name in ("p1", "p2")]
        return {"code": 0, "msg": "OK", "data": {"count": len(rows), "pipelines": rows}}


@dataclass(frozen=True)
class Answering:
    """A careless gateway: `token` is what its token service makes, `echo` its answer to a delete, from the headers."""

    token: str
    echo: Callable[[str], tuple[int, object]]


class _Server(ThreadingHTTPServer):
    """Says nothing of callers that were killed."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        return


def _handler(gateway: Gateway, careless: Answering | None) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            split = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            listed = split.path.endswith("/pipelines")
            called = "pipelines" if listed else parse_qs(split.query).get("action", ["?"])[0]
            with gateway._lock:
                gateway.calls[called] += 1
                kind = gateway.befalls(content if content else called.encode())
                if careless is not None and "/token/" in split.path:
                    made = {"accessToken": careless.token, "expire": 7200}
                    status, document = 200, {"status": 0, "msg": "SUCCESS", "data": made}
                elif called == "delete" and careless is not None:
                    gateway.deletes.append(Delete(self._pairs(content), performed=False))
                    status, document = careless.echo(str(dict(self.headers)))
                elif called == "delete":
                    status, document = gateway.delete(self._pairs(content), kind)
                else:
                    status, document = gateway._refused(frozenset(), kind) or (200, None)
                    if document is None:
                        document = gateway.listed() if listed else gateway.get(self._pairs(content))
                gateway.arrived(called)
            self._say(status, document, kind or "")

        @staticmethod
        def _pairs(content: bytes) -> frozenset[Pair]:
            body = json.loads(content)
            points = body["pointIds"].split(",")
            stage = body["stageInstanceName"]
            return frozenset((stage, asset, point) for asset in body["assetIds"].split(",") for point in points)

        def _say(self, status: int, document: object, kind: str) -> None:
            body = (document if isinstance(document, str) else json.dumps(document)).encode()
            if kind in ("slow", "429"):
                time.sleep(0.02)
            if document == "hang" or kind == "hang after":
                time.sleep(HANG)
            if document == "reset" or kind == "reset after":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if not status or kind in ("reset after", "closed after", "hang after"):
                self.close_connection = True
                if "reset" in kind:
                    self.connection.close()
                return
            if kind == "not http":
                self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if kind == "429" and status == 429:
                self.send_header("Retry-After", "0")
            if kind == "close announced":
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if kind == "cut" else body)
            self.close_connection = self.close_connection or kind in ("cut", "close announced")

        def log_message(self, format: str, *arguments: object) -> None:
            return

    return Handler


@contextmanager
def serving(gateway: Gateway, careless: Answering | None = None) -> Iterator[Gateway]:
    """On loopback, in threads of its own."""
    server = _Server(("127.0.0.1", 0), _handler(gateway, careless))
    gateway.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        with suppress(OSError):
            server.server_close()
        thread.join()
