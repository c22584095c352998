"""A platform of its own that knows what has state, what was deleted, and what its pipelines are: it shares no code with
the project. Two of them stand side by side, production and staging, and look alike."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Pair = tuple[str, str]


@dataclass
class World:
    """One platform: organisation, one pipeline of two stages, and the pairs that have state in each."""

    organisation: str
    pipeline: str
    name: str
    stages: tuple[str, str]
    assets: tuple[str, ...]
    points: tuple[str, ...]
    version: str = "7"
    status: str = "PAUSED"
    url: str = ""
    state: dict[str, set[Pair]] = field(default_factory=dict)
    deletes: list[dict[str, str]] = field(default_factory=list)
    calls: int = 0

    def fill(self) -> None:
        """Every asset has state for every point, in both stages."""
        self.state = {stage: {(a, p) for a in self.assets for p in self.points} for stage in self.stages}

    def answer(self, path: str, query: dict[str, str], body: dict[str, str]) -> dict[str, Any]:
        self.calls += 1
        if query.get("orgId") != self.organisation:
            return {"code": 61106, "msg": "Wrong org or pipeline"}
        if path.endswith("/pipelines"):
            row = {
                "pipelineId": self.pipeline,
                "pipelineName": self.name,
                "status": self.status,
                "version": self.version,
            }
            return {"code": 0, "msg": "OK", "data": {"count": 1, "pipelines": [row]}}
        if body.get("pipelineId") != self.pipeline:
            return {"code": 61106, "msg": "Wrong org or pipeline"}
        if body["stageInstanceName"] not in self.stages:
            return {"code": 61107, "msg": "Not supported stage type"}
        return self._of_state(query["action"], body)

    def _of_state(self, action: str, body: dict[str, str]) -> dict[str, Any]:
        there = self.state[body["stageInstanceName"]]
        asked = {(a, p) for a in body["assetIds"].split(",") for p in body["pointIds"].split(",")}
        if action == "get":
            items = [{"assetId": a, "pointId": p, "value": 1} for a, p in sorted(asked & there)]
            return {"code": 0, "msg": "OK", "data": {"items": items}}
        self.deletes.append(body)
        if self.status != "PAUSED":
            return {"code": 61199, "msg": "The pipeline isn't paused"}
        there -= asked
        return {"code": 0, "msg": "OK", "requestId": f"r-{len(self.deletes)}", "data": True}


def a_pair_of_worlds(chance: random.Random) -> tuple[World, World]:
    """Production and staging. Their pipelines have the same stages, and their fleets the same IDs."""
    prefix, width = chance.choice(["WTG", "INV", "PMP", "TX-"]), chance.choice([2, 3, 4])
    assets = tuple(f"{prefix}{number:0{width}}" for number in range(1, chance.randint(21, 60)))
    points = tuple(f"{prefix}.P{number}" for number in range(1, chance.randint(4, 9)))
    stages = ("LastRecord_01", "Merger_02")
    number = chance.randrange(10**6)
    production = World(f"o{number}", f"pipe-{number}", "Wind-prod", stages, assets, points)
    staging = World(f"o{number}9", f"pipe-{number}9", "Wind-test", stages, assets, points)
    production.fill()
    staging.fill()
    return production, staging


@contextmanager
def standing(*worlds: World) -> Iterator[None]:
    """Within this block they can be called, each at its `url`."""
    servers = [_server(world) for world in worlds]
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


def _server(world: World) -> ThreadingHTTPServer:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._said()

        def do_POST(self) -> None:
            self._said()

        def _said(self) -> None:
            split = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = {name: values[0] for name, values in parse_qs(split.query).items()}
            with lock:
                answer = json.dumps(world.answer(split.path, query, json.loads(content) if content else {})).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    world.url = f"http://127.0.0.1:{server.server_address[1]}"
    return server
