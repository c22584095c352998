"""What arrives on the wire, byte for byte, written down from docs/enos-api.md and not through wire.py."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import pytest

from bulkstate import __version__
from bulkstate.gateway.client import Client
from bulkstate.gateway.credentials import AppKey, Auth, Bearer, Style
from bulkstate.model import Answer, Chunk, Pair, Pipeline, PipelinePage, Stage, Start, Told
from tests.gateway.servers import CHUNK, DELETED, ORG, TOKEN, Gate, Seen, client, gateway, http, saying, token_answer

pytestmark = pytest.mark.anyio

BODY = (
    b'{"pipelineId":"8a81b5f0-2c5e","stageInstanceName":"LastRecordAppender_01",'
    b'"assetIds":"8byS3cuc,8byS3cud","pointIds":"INV.GenActivePW"}'
)
APP = AppKey("canary-app-key", "canary-app-secret")
NOW = 1572574909.697
"""The moment of the vendor's example of a signed call."""


def at_noon(url: str, auth: Auth, gate: Gate) -> Client:
    return Client(url, ORG, auth, gate, wall=lambda: NOW)


async def test_the_pacer_is_asked_with_a_connection_at_hand() -> None:
    """A call that connected after its turn would arrive late, and the next ones too close behind it (law 5)."""
    async with gateway(saying(http(DELETED))) as server:

        async def acquire() -> None:
            await asyncio.sleep(0.05)
            assert server.connections == 1

        async with Client(server.url, ORG, Bearer(TOKEN), Gate(acquire)) as api:
            assert (await api.delete(CHUNK)).reply.answer is Answer.OK
            assert (await api.delete(CHUNK)).reply.answer is Answer.OK


async def test_without_a_connection_no_turn_is_spent() -> None:
    gate = Gate()
    async with gateway(saying(http(DELETED))) as server:
        url = server.url
    async with client(url, gate=gate) as api:
        assert (await api.delete(CHUNK)).reply.answer is Answer.UNREACHED
    assert gate.passed == 0


async def test_while_every_delete_fails_a_connection_is_tried_only_in_its_turn() -> None:
    connections: list[int] = []
    async with gateway(saying(http(DELETED))) as server:

        async def turn() -> None:
            connections.append(server.connections)

        gate = Gate(turn, failing=True)
        async with client(server.url, gate=gate) as api:
            assert (await api.delete(CHUNK)).reply.answer is Answer.OK
    assert connections == [0]
    async with client(server.url, gate=gate) as api:
        attempt = await api.delete(CHUNK)
    assert attempt.reply.answer is Answer.UNREACHED
    assert (len(gate.ended), len(gate.left)) == (1, 1), "a turn that came to nothing is told as well"
    assert gate.left[0] <= attempt.sent_at


async def test_a_call_that_is_broken_off_is_told_to_whoever_gave_the_turn() -> None:
    gate, arrived = Gate(), asyncio.Event()

    async def never(seen: Seen, writer: asyncio.StreamWriter) -> None:
        arrived.set()

    async with gateway(never) as server, client(server.url, gate=gate) as api:
        call = asyncio.create_task(api.delete(CHUNK))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert (gate.passed, gate.ended, len(gate.left)) == (1, [], 1)


async def test_a_delete_with_a_bearer_token() -> None:
    async with gateway(saying(http(DELETED))) as server, client(f"{server.url}/enos/") as api:
        attempt = await api.delete(CHUNK)
    (seen,) = server.seen
    assert seen.line == f"POST /enos/streaming/v2.0/stage-state?action=delete&orgId={ORG} HTTP/1.1"
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": f"bulkstate/{__version__}",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "authorization": f"Bearer {TOKEN}",
    }
    assert seen.body == BODY
    assert attempt.body_bytes == len(BODY)
    assert (attempt.reply.answer, attempt.reply.status, attempt.reply.code) == (Answer.OK, 200, 0)
    assert (attempt.reply.message, attempt.reply.request_id, attempt.reply.data) == ("OK", "5f1b", True)


async def test_a_get_reads_the_pairs_that_have_state() -> None:
    items = b'{"code":0,"msg":"OK","data":{"items":[{"assetId":"8byS3cuc","pointId":"INV.GenActivePW","value":1}]}}'
    async with gateway(saying(http(items))) as server, client(server.url) as api:
        attempt = await api.get(CHUNK)
    (seen,) = server.seen
    assert seen.line == f"POST /streaming/v2.0/stage-state?action=get&orgId={ORG} HTTP/1.1"
    assert seen.body == BODY
    assert attempt.reply.data == frozenset({Pair("8byS3cuc", "INV.GenActivePW")})


@pytest.mark.parametrize("stranger", [("zz", "INV.GenActivePW"), ("8byS3cuc", "zz"), ("8BYS3CUC", "inv.genactivepw")])
async def test_an_answer_about_pairs_that_nobody_asked_about_says_nothing(stranger: tuple[str, str]) -> None:
    item = b'{"assetId":"%s","pointId":"%s"}' % tuple(map(str.encode, stranger))
    ours = b'{"assetId":"8byS3cuc","pointId":"INV.GenActivePW"}'
    for items in (item, ours + b"," + item):
        async with gateway(saying(http(b'{"code":0,"data":[%s]}' % items))) as server, client(server.url) as api:
            reply = (await api.get(CHUNK)).reply
        assert (reply.answer, reply.data) == (Answer.UNDECIDED, None)
        assert reply.message == "it tells of pairs that nobody asked about"


async def test_pipelines_are_asked_for_without_a_body() -> None:
    page = b'{"code":0,"data":{"count":7,"pipelines":[{"pipelineId":"p","pipelineName":"n","status":"PAUSED"}]}}'
    async with gateway(saying(http(page))) as server, client(server.url) as api:
        attempt = await api.pipelines(3)
    (seen,) = server.seen
    query = f"orgId={ORG}&pageSize=100&pageNo=3&isSystem=false&ifReleased=false"
    assert seen.line == f"GET /streaming/v2.0/streaming/pipelines?{query} HTTP/1.1"
    assert (seen.body, "content-type" in seen.headers, attempt.body_bytes) == (b"", False, 0)
    assert attempt.reply.data == PipelinePage(7, (Pipeline("p", "n", "PAUSED"),))


async def test_ids_travel_as_utf_8_and_the_organisation_percent_encoded() -> None:
    chunk = Chunk(0, Stage('a"b', "s"), ("風",), ("p",))
    async with (
        gateway(saying(http(DELETED))) as server,
        Client(server.url, "o 1&ü=/+", Bearer("t"), Gate()) as api,
    ):
        await api.delete(chunk)
    assert server.seen[0].path == "/streaming/v2.0/stage-state?action=delete&orgId=o%201%26%C3%BC%3D%2F%2B"
    expected = '{"pipelineId":"a\\"b","stageInstanceName":"s","assetIds":"風","pointIds":"p"}'
    assert server.seen[0].body == expected.encode()


async def test_a_signed_delete_asks_for_a_token_first() -> None:
    gate = Gate()
    async with (
        gateway(saying(token_answer("xxxxaaaxxxx"), http(DELETED))) as server,
        at_noon(f"{server.url}/enos", APP, gate) as api,
    ):
        assert (await api.delete(CHUNK)).reply.answer is Answer.OK
    asked, deleted = server.seen
    encryption = sha256(b"canary-app-key1572574909697canary-app-secret").hexdigest()
    assert asked.line == "POST /enos/apim-token-service/v2.0/token/get HTTP/1.1"
    assert asked.body == (
        f'{{"appKey":"canary-app-key","encryption":"{encryption}","timestamp":1572574909697}}'.encode()
    )
    assert not {"authorization", "apim-accesstoken"} & asked.headers.keys()
    parameters = f"actiondeleteorgId{ORG}".encode()
    signature = sha256(b"xxxxaaaxxxx" + parameters + BODY + b"1572574909697canary-app-secret").hexdigest()
    assert deleted.body == BODY
    assert deleted.headers["apim-accesstoken"] == "xxxxaaaxxxx"
    assert deleted.headers["apim-timestamp"] == "1572574909697"
    assert deleted.headers["apim-signature"] == signature
    assert "authorization" not in deleted.headers
    assert gate.passed == 2


async def test_pause_and_start_as_the_documents_have_them() -> None:
    done = http(b'{"code":0,"msg":"OK","requestId":"r","data":""}')
    bare = http(b'{"code":0,"msg":"OK","requestId":"r"}')
    contended = http(b'{"code":61121,"msg":"later","requestId":"r","data":null}')
    stuck = http(b'{"code":61165,"msg":"not from here","requestId":"r","data":null}')
    async with gateway(saying(done, bare, contended, stuck)) as server, client(server.url) as api:
        answers = [
            (await api.pause("8a81b5f0-2c5e")).reply,
            (await api.start("a/b", Start(1, 1000, '{"cu": [2, "x"]}'))).reply,
            (await api.start("p", Start(0, 5))).reply,
            (await api.start("p", Start(0, 5))).reply,
        ]
    assert [reply.answer for reply in answers] == [Answer.OK, Answer.OK, Answer.UNAVAILABLE, Answer.REFUSED]
    assert all(seen.line.startswith("POST ") for seen in server.seen)
    assert server.seen[0].path == f"/streaming/v2.0/streaming/pipeline/8a81b5f0-2c5e?action=pause&orgId={ORG}"
    assert server.seen[1].path == f"/streaming/v2.0/streaming/pipeline/a%2Fb?action=start&orgId={ORG}"
    assert [seen.body for seen in server.seen[:3]] == [
        b"",
        b'{"executionMode":1,"kafkaRate":1000,"resourceConfig":{"cu":[2,"x"]}}',
        b'{"executionMode":0,"kafkaRate":5}',
    ]


async def test_what_is_signed_of_a_query_is_not_yet_encoded() -> None:
    async with (
        gateway(saying(token_answer("tok-1"), http(DELETED))) as server,
        Client(server.url, "o 1", APP, Gate(), wall=lambda: NOW) as api,
    ):
        await api.delete(CHUNK)
    assert server.seen[1].path.endswith("orgId=o%201")
    signature = sha256(b"tok-1" + b"actiondeleteorgIdo 1" + BODY + b"1572574909697canary-app-secret").hexdigest()
    assert server.seen[1].headers["apim-signature"] == signature


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        (Bearer("abc"), "Bearer abc"),
        (Bearer("abc", prefix=""), "abc"),
        (Bearer("abc", prefix="apim"), "apim abc"),
        (Bearer("Custom abc"), "Custom abc"),
    ],
)
async def test_the_prefix_of_a_bearer_token_can_be_chosen(auth: Bearer, sent: str) -> None:
    async with gateway(saying(http(DELETED))) as server, client(server.url, auth) as api:
        await api.delete(CHUNK)
    assert server.seen[0].headers["authorization"] == sent


async def test_an_application_key_may_show_its_token_as_a_bearer() -> None:
    auth = AppKey("canary-app-key", "canary-app-secret", Style.BEARER)
    async with gateway(saying(token_answer("tok-1"), http(DELETED))) as server, client(server.url, auth) as api:
        await api.delete(CHUNK)
    assert server.seen[1].headers["authorization"] == "Bearer tok-1"
    assert not [name for name in server.seen[1].headers if name.startswith("apim-")]


async def test_calls_share_a_connection_and_each_passes_the_gate() -> None:
    gate = Gate()
    async with gateway(saying(http(DELETED))) as server, client(server.url, gate=gate) as api:
        for _ in range(5):
            assert (await api.delete(CHUNK)).reply.answer is Answer.OK
    assert (server.connections, len(server.seen), gate.passed) == (1, 5, 5)


async def test_no_cookie_is_sent_back() -> None:
    async with (
        gateway(saying(http(DELETED, "200 OK", "Set-Cookie: session=1; Path=/"))) as server,
        client(server.url) as api,
    ):
        await api.delete(CHUNK)
        await api.delete(CHUNK)
    assert "cookie" not in server.seen[1].headers


async def test_the_attempt_is_timed_after_the_gate() -> None:
    times = iter([10.0, 10.25])
    opened: list[float] = []

    async def acquire() -> None:
        opened.append(9.0)

    async with (
        gateway(saying(http(DELETED))) as server,
        Client(server.url, ORG, Bearer("t"), Gate(acquire), clock=lambda: next(times)) as api,
    ):
        attempt = await api.delete(CHUNK)
    assert (opened, attempt.sent_at, attempt.seconds) == ([9.0], 10.0, 0.25)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Retry-After: 7"], 7.0),
        (["Retry-After: Fri, 01 Nov 2019 02:22:49 GMT", "Date: Fri, 01 Nov 2019 02:21:49 GMT"], 60.0),
        (["Retry-After: Fri, 01 Nov 2019 02:22:49 GMT"], 1572574969 - NOW),
        (["Retry-After: soon"], None),
        ([], None),
    ],
)
async def test_retry_after_is_read(headers: list[str], seconds: float | None) -> None:
    refusal = http(b"slow down", "429 Too Many Requests", *headers)
    async with gateway(saying(refusal)) as server, at_noon(server.url, Bearer("t"), Gate()) as api:
        reply = (await api.delete(CHUNK)).reply
    assert (reply.answer, reply.status, reply.message) == (Answer.THROTTLED, 429, "slow down")
    assert reply.retry_after == (seconds if seconds is None else pytest.approx(seconds))


async def test_what_headers_say_of_limits_comes_with_every_answer() -> None:
    said = http(DELETED, "200 OK", "x-ratelimit-limit: 100", "X-RateLimit-Remaining: 7", "X-RateLimit-Reset: 3")
    async with gateway(saying(said, http(DELETED))) as server, at_noon(server.url, Bearer("t"), Gate()) as api:
        first, second = await api.delete(CHUNK), await api.delete(CHUNK)
    assert first.reply.limits == (Told(100, None, 7, 3),)
    assert (first.reply.retry_after, second.reply.limits) == (None, ())
