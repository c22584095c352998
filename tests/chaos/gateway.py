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
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.listening import Call, Pair, listening

__all__ = ["KINDS", "Answering", "Delete", "Gateway", "Pair", "Trouble", "serving"]

HANG = 1.5
"""Seconds for which a call that hangs is silent: longer than a story's timeout."""

KINDS = (
    "429", "503", "500", "gateway page", "61199", "data false", "data missing", "code unknown", "401",
    "reset before", "reset after", "closed before", "closed after", "cut", "hang before", "hang after", "not http",
    "slow", "close announced", "twice at once", "twice later",
)  # fmt: skip
"""What may befall a call. *After* means that the delete is carried out, and its answer lost; what comes twice *later*
is in the way of the connection's next answer."""


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


class _Door:
    """How a gateway's answers leave it: as they should, or otherwise."""

    def __init__(self, gateway: Gateway, careless: Answering | None) -> None:
        self._gateway = gateway
        self._careless = careless
        self._owed: dict[object, bytes] = {}

    def answer(self, call: Call, handler: BaseHTTPRequestHandler) -> None:
        gateway = self._gateway
        with gateway._lock:
            gateway.calls[call.kind] += 1
            kind = gateway.befalls(call.content or call.kind.encode()) or ""
            status, document = self._judged(call, kind)
            gateway.arrived(call.kind)
        body = (document if isinstance(document, str) else json.dumps(document)).encode()
        handler.wfile.write(self._owed.pop(handler.connection, b""))
        if kind in ("slow", "429"):
            time.sleep(0.02)
        if document == "hang" or kind == "hang after":
            time.sleep(HANG)
        if not status or kind in ("reset after", "closed after", "hang after"):
            _hang_up(handler, reset="reset" in kind)
        elif kind == "not http":
            handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
            handler.close_connection = True
        else:
            self._say(handler, status, body, kind)

    def _judged(self, call: Call, kind: str) -> tuple[int, object]:
        """Status and document of the answer."""
        gateway, careless = self._gateway, self._careless
        if careless is not None and call.kind == "token":
            made = {"accessToken": careless.token, "expire": 7200}
            return 200, {"status": 0, "msg": "SUCCESS", "data": made}
        if careless is not None and call.kind == "delete":
            gateway.deletes.append(Delete(call.pairs, performed=False))
            return careless.echo(str(call.headers))
        if call.kind == "delete":
            return gateway.delete(call.pairs, kind)
        refused = gateway._refused(frozenset(), kind)
        return refused or (200, gateway.listed() if call.kind == "pipelines" else gateway.get(call.pairs))

    def _say(self, handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str) -> None:
        more = "Retry-After: 0\r\n" if kind == "429" and status == 429 else ""
        more += "Connection: close\r\n" if kind == "close announced" else ""
        whole = f"HTTP/1.1 {status} .\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body
        handler.wfile.write(whole[: -(len(body) // 2) or None] if kind == "cut" else whole)
        if kind == "twice at once":
            handler.wfile.write(whole)
        if kind == "twice later":
            self._owed[handler.connection] = whole
        handler.close_connection = kind in ("cut", "close announced")


def _hang_up(handler: BaseHTTPRequestHandler, reset: bool) -> None:
    handler.close_connection = True
    if reset:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()


@contextmanager
def serving(gateway: Gateway, careless: Answering | None = None) -> Iterator[Gateway]:
    """On loopback, in threads of its own."""
    with listening(_Door(gateway, careless).answer) as gateway.url:
        yield gateway
