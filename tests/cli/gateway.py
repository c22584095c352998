"""A gateway of a few lines, in a thread of its own, that shares no code with the project and counts what arrives."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

from tests.listening import Call, listening
from tests.waiting import PATIENCE

__all__ = ["Answer", "Call", "Gateway", "Halt", "deleted", "reply", "serving"]

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Gateway:
    """Pipeline `p1` is paused unless `status` says otherwise; `answer` says what a delete comes to.

    Where `status` is empty the list of pipelines isn't to be had.
    """

    url: str = ""
    status: str = "PAUSED"
    version: str = "1"
    clock: float = 0.0
    """Seconds that its clock is ahead of ours."""
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
    described: object = None
    """What is said of the pipeline's stages."""
    switch: Callable[[Call], Answer | None] = lambda call: None
    """What a call that pauses or starts the pipeline comes to, if it doesn't do so."""
    heard: Callable[[Call, str], None] = lambda call, when: None
    """Is told of every call, `before` and `after` anything is done about it."""

    def deletes(self) -> list[Call]:
        return [call for call in self.calls if call.kind == "delete"]

    def deleted_pairs(self) -> set[tuple[str, str, str]]:
        return set().union(*(call.pairs for call in self.deletes()))

    def reply(self, call: Call) -> Answer:
        if call.kind == "pipelines" and not self.status:
            return reply({}, 503)
        if call.kind == "pipelines":
            row = {"pipelineId": "p1", "pipelineName": "P", "status": self.status, "version": self.version}
            return reply({"code": 0, "msg": "OK", "data": {"count": 1, "pipelines": [row]}})
        if call.kind == "details":
            return reply({"code": 0, "msg": "OK", "data": {"pipelineId": "p1", "pipelineJson": self.described}})
        if call.kind in ("pause", "start"):
            return self.switch(call) or self._switched(call.kind)
        if call.kind == "token":
            return reply({"status": 0, "msg": "SUCCESS", "data": {"accessToken": "canary-token", "expire": 7200}})
        if call.kind == "get":
            self.asked.set()
            self.pause.wait(PATIENCE)
            if (answer := self.read(call)) is not None:
                return answer
            found = sorted((call.pairs - self.gone - self.nothing) | (call.pairs & self.left))
            items = [{"assetId": asset, "pointId": point, "value": 1} for _, asset, point in found]
            return reply({"code": 0, "msg": "OK", "data": {"items": items}})
        status, headers, body = self.answer(call, len(self.deletes()))
        if status == 200 and b'"data": true' in body:
            self.gone |= call.pairs
        return status, headers, body

    def _switched(self, action: str) -> Answer:
        switches = {"pause": ("RUNNING", "PAUSED", 61152), "start": ("PAUSED", "RUNNING", 61165)}
        origin, target, code = switches[action]
        if self.status != origin:
            return reply({"code": code, "msg": f"Status cannot be changed from [{self.status}]"})
        self.status = target
        return reply({"code": 0, "msg": "OK", "data": ""})


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


@contextmanager
def serving() -> Iterator[Gateway]:
    gateway = Gateway()
    gateway.pause.set()

    def answer(call: Call, handler: BaseHTTPRequestHandler) -> None:
        gateway.calls.append(call)
        gateway.heard(call, "before")
        status, headers, body = gateway.reply(call)
        gateway.heard(call, "after")
        handler.send_response_only(status)
        date = formatdate(time.time() + gateway.clock, usegmt=True)
        for name, value in {"Date": date, **headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    with listening(answer) as gateway.url:
        yield gateway
