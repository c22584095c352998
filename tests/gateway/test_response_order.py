"""An answer that belongs to another request is found out: by the bytes that are left over, or by its number."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.gateway.client import Client
from bulkstate.gateway.credentials import Bearer
from bulkstate.gateway.response_order import MOST_ANSWERS, ResponseOrder, Settled
from bulkstate.model import Answer
from tests.gateway.servers import CHUNK, HERE, ORG, TOKEN, Gate, Seen, client, gateway, http, saying


def settle(order: ResponseOrder, chunk: int, at: float, *, connection: int = 1, request_id: str | None = None) -> bool:
    order.asked(connection, at)
    return order.answered(connection, at + 0.01, Settled(chunk, request_id))


def test_what_was_settled_since_the_last_silence_is_in_doubt() -> None:
    order = ResponseOrder()
    for chunk, at in enumerate([0.0, 0.1, 5.0, 5.1]):
        assert settle(order, chunk, at)
    assert settle(order, 9, 5.1, connection=2)
    order.disturbed(1, 5.2)
    assert sorted(order.take_doubted()) == [2, 3]
    assert order.take_doubted() == []


def test_bytes_after_a_silence_put_nothing_in_doubt() -> None:
    """A server that says 408 before it closes an idle connection says nothing of what it answered before."""
    order = ResponseOrder()
    assert settle(order, 0, 0.0)
    order.disturbed(1, 1.5)
    assert order.take_doubted() == []


def test_a_silence_is_twice_as_long_as_the_slowest_answer() -> None:
    order = ResponseOrder(longest_silence=30.0)
    order.asked(1, 0.0)
    order.answered(1, 8.0, Settled(0, None))
    assert order.silence == 16.0
    assert order.unsure_for(10.0) == 14.0
    order.asked(2, 20.0)
    order.answered(2, 48.0)
    assert order.silence == 30.0
    order.closed(1)
    assert order.unsure_for(50.0) == 0.0


def test_one_number_twice_on_a_connection() -> None:
    order = ResponseOrder()
    assert settle(order, 0, 0.0, request_id="a")
    assert settle(order, 1, 0.1, request_id="b")
    assert not settle(order, 2, 0.2, request_id="b")
    assert sorted(order.take_doubted()) == [0, 1, 2]


def test_a_gateway_that_only_knows_one_number_is_believed() -> None:
    order = ResponseOrder()
    assert all(settle(order, chunk, chunk / 10, request_id="always") for chunk in range(50))
    assert order.take_doubted() == []


def test_the_first_two_answers_of_one_number_are_in_doubt_once_there_is_another() -> None:
    order = ResponseOrder()
    assert settle(order, 0, 0.0, request_id="a")
    assert settle(order, 1, 0.1, request_id="a")
    assert settle(order, 2, 0.2, request_id="b")
    assert {0, 1} <= set(order.take_doubted())


def test_numbers_that_come_on_different_connections_say_nothing() -> None:
    order = ResponseOrder()
    assert settle(order, 0, 0.0, request_id="a")
    assert settle(order, 1, 0.1, request_id="b", connection=2)
    assert settle(order, 2, 0.2, request_id="a", connection=2)
    assert settle(order, 3, 0.3, request_id="a", connection=2)
    assert order.take_doubted() == []


def test_a_connection_that_never_rests_is_worn_before_too_much_is_in_doubt() -> None:
    order = ResponseOrder()
    for chunk in range(MOST_ANSWERS):
        assert not order.is_worn(1)
        settle(order, chunk, chunk / 100)
    assert order.is_worn(1)


@given(
    answers=st.lists(st.tuples(st.booleans(), st.floats(0.0, 0.9), st.booleans()), min_size=2, max_size=40),
    twice=st.integers(0, 38),
    numbered=st.booleans(),
)
def test_no_answer_of_another_request_is_believed_in_the_end(
    answers: list[tuple[bool, float, bool]], twice: int, numbered: bool
) -> None:
    """One connection, one answer sent twice: whatever was taken for another's is in doubt once the bytes show.

    The twin is a queue of bytes, as a socket is: each request's answer is put in, and the first one is taken out.
    """
    order, now, socket, wrong = ResponseOrder(), 0.0, [], set()
    refused = []
    for chunk, (deleted, pause, _) in enumerate(answers):
        now += pause
        order.asked(1, now)
        socket += [(chunk, deleted)] * (2 if chunk == twice else 1)
        owner, good = socket.pop(0)
        settled = Settled(chunk, f"r{owner}" if numbered else None) if good else None
        if not order.answered(1, now + 0.001, settled):
            refused.append(chunk)
        elif good and owner != chunk:
            wrong.add(chunk)
    if socket:
        order.disturbed(1, now + 0.5)
    assert wrong <= set(order.take_doubted()) | set(refused)


# ── over a socket ─────────────────────────────────────────────────────────────────────────────────────────────────


def told(data: bool, request_id: str) -> bytes:
    return http(orjson.dumps({"code": 0, "msg": "OK", "requestId": request_id, "data": data}))


@pytest.mark.anyio
@pytest.mark.parametrize("numbered", [True, False])
async def test_an_answer_sent_twice_is_not_the_next_chunks(numbered: bool) -> None:
    """The second chunk's own answer was no: it must not be counted as deleted in the end."""
    order = ResponseOrder()

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        match len(server.seen):
            case 1:
                writer.write(told(True, "r1" if numbered else ""))
            case 2:
                writer.write(told(True, "r1" if numbered else ""))
                await writer.drain()
                await asyncio.sleep(0.05)
                writer.write(told(False, "r2" if numbered else ""))
            case _:
                writer.write(told(True, f"r{len(server.seen)}" if numbered else ""))

    async with gateway(answer) as server, Client(server.url, ORG, Bearer(TOKEN), Gate(), order=order) as api:
        replies = [(await api.delete(replace(CHUNK, number=number))).reply for number in (1, 2)]
        assert [reply.answer for reply in replies] == [Answer.OK, Answer.OK]
        assert order.unsure_for(asyncio.get_running_loop().time()) > 0.1
        await asyncio.sleep(0.2)
        assert sorted(order.take_doubted()) == [1, 2]
        assert (await api.delete(replace(CHUNK, number=3))).reply.answer is Answer.OK
    assert server.connections == 2


@pytest.mark.anyio
@pytest.mark.parametrize("secured", [False, True])
async def test_the_rest_of_an_answer_that_is_too_long_puts_nothing_in_doubt(secured: bool) -> None:
    order = ResponseOrder()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(HERE / "server.pem")
    authority = (HERE / "authority.pem").read_text() if secured else None

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(told(True, "") if len(server.seen) == 1 else http(b" " * 8_000_000))

    async with (
        gateway(answer, tls if secured else None) as server,
        Client(server.url, ORG, Bearer(TOKEN), Gate(), ca_pem=authority, order=order) as api,
    ):
        assert (await api.delete(replace(CHUNK, number=1))).reply.answer is Answer.OK
        assert (await api.delete(replace(CHUNK, number=2))).reply.answer is Answer.UNAVAILABLE
        await asyncio.sleep(0.2)
    assert order.take_doubted() == []


@pytest.mark.anyio
async def test_a_line_end_after_an_answer_is_nothing() -> None:
    order = ResponseOrder()

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(told(True, ""))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"\r\n")

    async with gateway(answer) as server, Client(server.url, ORG, Bearer(TOKEN), Gate(), order=order) as api:
        for number in (1, 2, 3):
            assert (await api.delete(replace(CHUNK, number=number))).reply.answer is Answer.OK
            await asyncio.sleep(0.1)
    assert (server.connections, order.take_doubted()) == (1, [])


@pytest.mark.anyio
async def test_two_answers_with_one_number_are_none() -> None:
    order = ResponseOrder()

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(told(True, f"r{min(len(server.seen), 2)}"))

    async with gateway(answer) as server, Client(server.url, ORG, Bearer(TOKEN), Gate(), order=order) as api:
        replies = [(await api.delete(replace(CHUNK, number=number))).reply for number in (1, 2, 3)]
        assert [reply.answer for reply in replies] == [Answer.OK, Answer.OK, Answer.UNANSWERED]
        assert {1, 2} <= set(order.take_doubted())
        await api.delete(replace(CHUNK, number=4))
    assert server.connections == 2, "a connection that is out of step isn't used again"


@pytest.mark.anyio
async def test_a_connection_that_is_worn_is_used_no_more() -> None:
    chunks = MOST_ANSWERS + 5
    async with gateway(saying(told(True, ""))) as server, client(server.url) as api:
        for number in range(chunks):
            assert (await api.delete(replace(CHUNK, number=number))).reply.answer is Answer.OK
    assert (server.connections, len(server.seen)) == (2, chunks)


# ── in a run ──────────────────────────────────────────────────────────────────────────────────────────────────────

CONFIGURATION = """\
version: 1
gateway: {{url: "{url}", org_id: o1, auth: {{bearer: "${{TOKEN}}"}}}}
delete: [{{pipeline: p1, stages: [S], where: [{{assets: "a{{1..4}}", points: [b]}}]}}]
limits: {{rate: 1000/s, pairs_per_request: 1, concurrency: 1}}
safety: {{require_paused: false, max_pairs: 1_000}}
verify: {{before: none, sample: none}}
"""


async def bulkstate(folder: Path, *arguments: str) -> tuple[int, Any]:
    command = Path(sys.executable).with_name("bulkstate")
    environment = {**os.environ, "TOKEN": TOKEN, "XDG_STATE_HOME": str(folder / "state")}
    process = await asyncio.create_subprocess_exec(
        command, *arguments, "--json", cwd=folder, env=environment, stdout=PIPE, stderr=DEVNULL
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, orjson.loads(out)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_run_reports_nothing_deleted_that_was_refused(tmp_path: Path) -> None:
    """Of four chunks the second one's answer was no, and came after the first one's had been sent again."""
    deleted: list[str] = []

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if "action=delete" not in seen.path:
            writer.write(http(b'{"code":0,"data":{"count":0,"pipelines":[]}}'))
            return
        asset = orjson.loads(seen.body)["assetIds"]
        if asset == "a2" and asset not in asked:
            writer.write(told(True, ""))
            await asyncio.sleep(0.05)
            writer.write(told(False, ""))
        else:
            deleted.append(asset)
            writer.write(told(True, ""))
        asked.append(asset)

    asked: list[str] = []
    async with gateway(answer) as server:
        (tmp_path / "config.yaml").write_text(CONFIGURATION.format(url=server.url))
        code, report = await bulkstate(tmp_path, "run", "config.yaml", "--yes", "--run-dir", "run")
        assert (code, report["result"]) == (3, "partial")
        assert "a2" not in deleted
        assert report["chunks"]["unknown"] >= 2, "at least the one whose answer came twice, and the one that took it"
        code, report = await bulkstate(tmp_path, "resume", "run")
    assert (code, report["result"], report["chunks"]["deleted"]) == (0, "deleted", 4)
    assert set(deleted) == {"a1", "a2", "a3", "a4"}
