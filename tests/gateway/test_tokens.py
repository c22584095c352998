"""Tokens: got once for all who wait, renewed before they end, and never in a hidden loop."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from bulkstate.gateway.client import Client
from bulkstate.gateway.credentials import AppKey, Bearer
from bulkstate.model import Answer, Attempt
from tests.gateway.servers import CHUNK, DELETED, ORG, Answering, Gate, Gateway, Seen, gateway, http, token_answer
from tests.waiting import PATIENCE

pytestmark = pytest.mark.anyio

APP = AppKey("canary-app-key", "canary-app-secret")


class Clock:
    """Seconds that pass only when told to; UNIX time stands still, so that only we make timestamps differ."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def client(server: Gateway, clock: Clock | None = None, gate: Gate | None = None, auth: AppKey[str] = APP) -> Client:
    gate = gate or Gate()
    return Client(server.url, ORG, auth, gate, timeout=PATIENCE, clock=clock or Clock(), wall=lambda: 1.5e9)


def service(*tokens: bytes) -> Answering:
    """The token service's answers, one a call, the last for all that follow; every other call succeeds."""
    left = list(tokens)

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if "/token/" not in seen.path:
            writer.write(http(DELETED))
            return
        await asyncio.sleep(0.02)
        reply = left.pop(0) if len(left) > 1 else left[0]
        if not reply:
            raise ConnectionError
        writer.write(reply)

    return answer


def paths(server: Gateway) -> list[str]:
    """The last word of each path: get, refresh or stage-state."""
    return [seen.path.split("?")[0].rsplit("/", 1)[1] for seen in server.seen]


def sent_tokens(server: Gateway) -> list[str]:
    return [seen.headers["apim-accesstoken"] for seen in server.seen if "apim-accesstoken" in seen.headers]


def refusal(code: int, status: str = "200 OK") -> bytes:
    return http(orjson.dumps({"status": code, "msg": "not today"}), status)


async def test_fifty_waiters_share_one_token_call() -> None:
    gate = Gate()
    async with gateway(service(token_answer("tok-1"))) as server, client(server, gate=gate) as api:
        attempts = await asyncio.gather(*(api.delete(CHUNK) for _ in range(50)))
    assert {attempt.reply.answer for attempt in attempts} == {Answer.OK}
    assert (paths(server).count("get"), paths(server).count("stage-state"), gate.passed) == (1, 50, 51)


async def test_fifty_waiters_share_one_refusal() -> None:
    async with gateway(service(refusal(1003))) as server, client(server) as api:
        attempts = await asyncio.gather(*(api.delete(CHUNK) for _ in range(50)))
        assert paths(server) == ["get"]
        await api.delete(CHUNK)
    assert {attempt.reply.answer for attempt in attempts} == {Answer.CREDENTIALS}
    assert paths(server) == ["get", "get"]


async def test_a_token_is_renewed_a_minute_before_it_ends() -> None:
    clock = Clock()
    async with gateway(service(token_answer("tok-1"), token_answer("tok-2"))) as server, client(server, clock) as api:
        await api.delete(CHUNK)
        clock.now += 7200 - 61
        await api.delete(CHUNK)
        clock.now += 2
        await api.delete(CHUNK)
    assert paths(server) == ["get", "stage-state", "stage-state", "refresh", "stage-state"]
    assert sent_tokens(server) == ["tok-1", "tok-1", "tok-2"]
    assert orjson.loads(server.seen[3].body)["accessToken"] == "tok-1"


@pytest.mark.parametrize(("age", "renewed"), [(8.9, False), (9.1, True)])
async def test_a_short_life_has_a_margin_of_a_tenth(age: float, renewed: bool) -> None:
    clock = Clock()
    async with gateway(service(token_answer("tok-1", 10))) as server, client(server, clock) as api:
        await api.delete(CHUNK)
        clock.now += age
        await api.delete(CHUNK)
    assert ("refresh" in paths(server)) is renewed


async def test_a_token_that_ends_in_the_queue_is_renewed_by_the_turn_that_comes() -> None:
    """Ten calls wait for a pacer that lets one through every two seconds; a token lives for five."""
    clock = Clock()
    turn = asyncio.Lock()
    passed: list[float] = []

    async def acquire() -> None:
        async with turn:
            clock.now += 2
            passed.append(clock.now)
            await asyncio.sleep(0.03)

    async with (
        gateway(service(token_answer("tok", 5))) as server,
        Client(server.url, ORG, APP, Gate(acquire), timeout=PATIENCE, clock=clock, wall=lambda: 1.5e9) as api,
    ):
        attempts = await asyncio.gather(*(api.delete(CHUNK) for _ in range(10)))
    assert {attempt.reply.answer for attempt in attempts} == {Answer.OK}
    assert paths(server).count("stage-state") == 10
    assert len(passed) <= 30


async def test_a_single_turn_is_never_kept_from_whoever_makes_the_token() -> None:
    """While every delete fails there is one turn at a time: a call that comes to it with a token that ended in the
    queue gives it back, since another one, which waits for it, holds the credentials."""
    clock, turn = Clock(), asyncio.Lock()

    class OneTurn(Gate):
        async def acquire(self, deletes: bool = False) -> None:
            await turn.acquire()

        def answered(self, attempt: Attempt[Any]) -> None:
            turn.release()

        def broken_off(self, sent_at: float) -> None:
            turn.release()

    gate = OneTurn(failing=True)
    async with (
        gateway(service(token_answer("tok", 5))) as server,
        Client(server.url, ORG, APP, gate, timeout=PATIENCE, clock=clock, wall=lambda: 1.5e9) as api,
    ):
        assert (await api.delete(CHUNK)).reply.answer is Answer.OK
        await turn.acquire()
        in_line = asyncio.create_task(api.delete(CHUNK))
        await asyncio.sleep(0.01)
        clock.now += 10
        latecomer = asyncio.create_task(api.delete(CHUNK))
        await asyncio.sleep(0.01)
        turn.release()
        attempts = await asyncio.wait_for(asyncio.gather(in_line, latecomer), 10.0)
    assert {attempt.reply.answer for attempt in attempts} == {Answer.OK}


async def test_a_token_that_has_ended_is_not_refreshed() -> None:
    clock = Clock()
    async with gateway(service(token_answer("tok-1"))) as server, client(server, clock) as api:
        await api.delete(CHUNK)
        clock.now += 7201
        await api.delete(CHUNK)
    assert paths(server) == ["get", "stage-state", "get", "stage-state"]


async def test_a_refused_token_is_refreshed_and_else_asked_for_anew() -> None:
    clock = Clock()
    answers = service(token_answer("tok-1"), refusal(1204), token_answer("tok-2"))
    async with gateway(answers) as server, client(server, clock) as api:
        attempt = await api.delete(CHUNK)
        assert await api.renew(attempt.sent_at)
        await api.delete(CHUNK)
    assert paths(server) == ["get", "stage-state", "refresh", "get", "stage-state"]
    assert sent_tokens(server) == ["tok-1", "tok-2"]


async def test_renewal_is_shared_and_younger_credentials_are_left_alone() -> None:
    clock = Clock()
    gate = Gate()
    answers = service(token_answer("tok-1"), token_answer("tok-2"))
    async with gateway(answers) as server, client(server, clock, gate) as api:
        refused = await api.delete(CHUNK)
        clock.now += 1
        assert all(await asyncio.gather(*(api.renew(refused.sent_at) for _ in range(50))))
        assert await api.renew(refused.sent_at)
    assert (paths(server), gate.passed) == (["get", "stage-state", "refresh"], 3)


async def test_a_bearer_token_cannot_be_renewed() -> None:
    gate = Gate()
    async with Client("http://127.0.0.1:1", ORG, Bearer("t"), gate) as api:
        assert not await api.renew(0.0)
    assert gate.passed == 0


async def test_cancelling_the_one_who_renews_does_not_break_the_others() -> None:
    async with gateway(service(token_answer("tok-1"))) as server, client(server) as api:
        first = asyncio.create_task(api.delete(CHUNK))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(api.delete(CHUNK)) for _ in range(10)]
        await asyncio.sleep(0)
        first.cancel()
        attempts = await asyncio.gather(*others)
        with pytest.raises(asyncio.CancelledError):
            await first
    assert {attempt.reply.answer for attempt in attempts} == {Answer.OK}
    assert paths(server).count("get") <= 2


async def test_no_encryption_is_ever_repeated() -> None:
    """The clock on the wall stands still, and 1001 would be the answer to a second call in one millisecond."""
    clock = Clock()
    async with gateway(service(token_answer("tok-1", 10))) as server, client(server, clock) as api:
        for _ in range(5):
            await api.delete(CHUNK)
            clock.now += 9.5
    bodies = [orjson.loads(seen.body) for seen in server.seen if "/token/" in seen.path]
    stamps = [int(body["timestamp"]) for body in bodies]
    assert stamps == [1_500_000_000_000 + index for index in range(5)]
    assert len({body["encryption"] for body in bodies}) == 5


async def test_a_throttled_refresh_is_not_followed_by_another_call() -> None:
    """The whole run pauses after a 429, and only the engine can see to that."""
    throttled = http(b"", "429 Too Many Requests", "Retry-After: 3")
    async with gateway(service(token_answer("tok-1"), throttled)) as server, client(server) as api:
        attempt = await api.delete(CHUNK)
        assert not await api.renew(attempt.sent_at)
        again = await api.delete(CHUNK)
    assert paths(server) == ["get", "stage-state", "refresh", "refresh"]
    assert (again.reply.answer, again.reply.retry_after) == (Answer.THROTTLED, 3.0)


@pytest.mark.parametrize(
    ("token_reply", "answer", "message"),
    [
        (b"", Answer.UNREACHED, "token service: the connection was lost before a whole answer came"),
        (http(b"", "503 Service Unavailable"), Answer.UNAVAILABLE, "token service: unavailable"),
        (http(b"", "429 Too Many Requests"), Answer.THROTTLED, "token service: throttled"),
        (http(b"", "413 Request Entity Too Large"), Answer.UNAVAILABLE, "token service: too_large"),
        (http(b"", "401 Unauthorized"), Answer.CREDENTIALS, "token service: credentials"),
        (http(b"", "404 Not Found"), Answer.GATEWAY_REFUSED, "token service: gateway_refused"),
        (refusal(1001), Answer.UNAVAILABLE, "token service: not today"),
        (refusal(1005), Answer.UNAVAILABLE, "token service: not today"),
        (refusal(1002), Answer.CREDENTIALS, "token service: not today"),
        (refusal(1003), Answer.CREDENTIALS, "token service: not today"),
        (refusal(1202), Answer.CREDENTIALS, "token service: not today"),
        (
            token_answer("tok\r\nX-Evil: 1"),
            Answer.UNAVAILABLE,
            "token service: status 0, but its data can't be read: SUCCESS",
        ),
        (token_answer("tok-1", 0), Answer.UNAVAILABLE, "token service: status 0, but its data can't be read: SUCCESS"),
    ],
)
async def test_without_a_token_no_call_goes_out(token_reply: bytes, answer: Answer, message: str) -> None:
    gate = Gate()
    async with gateway(service(token_reply)) as server, client(server, gate=gate) as api:
        attempts: list[Attempt[bool]] = [await api.delete(CHUNK)]
        pipelines = await api.pipelines(1)
    for reply in (attempts[0].reply, pipelines.reply):
        assert (reply.answer, reply.message, reply.data) == (answer, message, None)
    assert attempts[0].body_bytes == 0
    assert (paths(server), gate.passed) == (["get", "get"], 2)
