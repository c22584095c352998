"""What is refused, with which code or status; and that nothing a caller sends makes the emulator stumble."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkstate.emulator.app import serve
from bulkstate.emulator.calls import CallKind
from bulkstate.emulator.world import GatewayLimits, TokenPolicy
from bulkstate.rates import Rate
from tests.emulator.callers import PIPELINES, STAGE_STATE, Caller, caller, raw_exchange, small_world

pytestmark = pytest.mark.anyio

HUNDRED_THOUSAND = {"assetIds": ",".join(f"a{n}" for n in range(1000)), "pointIds": ",".join(map(str, range(100)))}


@pytest.mark.parametrize("name", ["pipelineId", "stageInstanceName", "assetIds", "pointIds"])
@pytest.mark.parametrize("value", [None, "", 7, ["A1"], True])
async def test_a_missing_or_malformed_parameter_is_named(name: str, value: Any) -> None:
    async with caller(small_world()) as someone:
        for action in ("delete", "get"):
            answer = await someone.stage_call(action, **{name: value})
            assert (answer["code"], answer["msg"]) == (61102, f"Missing param {name}")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"assetIds": "A1,,A2"}, 61102),
        ({"pointIds": "P1,"}, 61102),
        ({"pipelineId": "nobody"}, 61106),
        ({"stageInstanceName": "LastRecordAppender_99"}, 61107),
        ({"stageInstanceName": "PointSelector_00"}, 61107),
        (HUNDRED_THOUSAND, 0),
        ({**HUNDRED_THOUSAND, "pointIds": HUNDRED_THOUSAND["pointIds"] + ",one more"}, 61105),
    ],
)
async def test_codes_of_delete_and_get(fields: dict[str, str], code: int) -> None:
    async with caller(small_world()) as someone:
        for action in ("delete", "get"):
            assert (await someone.stage_call(action, **fields))["code"] == code


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{PIPELINES}", 61102),
        (f"{PIPELINES}?orgId=another", 61106),
        (f"{PIPELINES}?orgId=o1&pageNo=0", 61102),
        (f"{PIPELINES}?orgId=o1&pageSize=99999999999999999999", 61102),
        (f"{PIPELINES}?orgId=o1&isSystem=perhaps", 61102),
        (f"{PIPELINES}?orgId=o1&isSystem=true&ifReleased=true", 0),
        (f"{PIPELINES}?orgId=o1&pageNo=999999999&pageSize=999999999", 0),
    ],
)
async def test_codes_of_list(path: str, code: int) -> None:
    async with caller(small_world()) as someone:
        status, answer = await someone.send("GET", path)
        assert (status, answer["code"]) == (200, code)
        if code == 0:
            assert answer["data"]["pipelines"] == []


async def test_a_wrong_organisation_and_an_unknown_action() -> None:
    async with caller(small_world()) as someone:
        for query, code in (
            ("action=delete&orgId=o2", 61106),
            ("action=delete", 61102),
            ("action=burn&orgId=o1", 61102),
        ):
            _, answer = await someone.send("POST", f"{STAGE_STATE}?{query}", b"{}")
            assert answer["code"] == code
        assert len(await someone.pairs()) == 6


async def test_statuses_of_the_gateway_in_front() -> None:
    async with caller(small_world()) as someone:
        expected = {
            ("POST", f"{STAGE_STATE}?action=delete&orgId=o1", b"[1]"): 400,
            ("POST", f"{STAGE_STATE}?action=delete&orgId=o1", b"\xff"): 400,
            ("GET", "/nothing/here", b""): 404,
            ("DELETE", STAGE_STATE, b""): 405,
        }
        for (method, path, body), status in expected.items():
            assert (await someone.send(method, path, body))[0] == status


async def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    async with caller(small_world(limits=GatewayLimits(body=300))) as someone:
        path = f"{STAGE_STATE}?action=delete&orgId=o1"
        assert (await someone.send("POST", path, b" " * 300))[0] == 400
        assert (await someone.send("POST", path, b" " * 301))[0] == 413
        assert (await someone.send("POST", path, b" " * 900_000))[0] == 413


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": ""}, {"Authorization": "Bearer x"}, {"apim-accesstoken": "x"}]
)
async def test_nobody_comes_in_without_a_good_token(headers: dict[str, str]) -> None:
    async with caller(small_world()) as someone:
        status, answer = await someone.send("GET", f"{PIPELINES}?orgId=o1", headers=headers)
        assert (status, answer["code"]) == (401, 401)


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer ", " Bearer  "])
async def test_the_prefix_of_a_token_does_not_matter(prefix: str) -> None:
    async with caller(small_world()) as someone:
        status, _ = await someone.send(
            "GET", f"{PIPELINES}?orgId=o1", headers={"Authorization": prefix + someone.token}
        )
        assert status == 200


@pytest.mark.parametrize(("shown_as", "status", "field"), [(401, 401, "code"), (4011, 200, "apim_status")])
async def test_an_expired_token(shown_as: int, status: int, field: str) -> None:
    async with caller(small_world(token=TokenPolicy(0.0, shown_as))) as someone:
        answered, answer = await someone.send("GET", f"{PIPELINES}?orgId=o1")
        assert (answered, answer[field]) == (status, shown_as)


async def test_the_vendors_encrypted_token_is_taken_on_trust_only_if_told_to() -> None:
    headers = {"apim-accesstoken": "encrypted", "apim-timestamp": "1", "apim-signature": "unreadable"}
    for trust, status in ((False, 401), (True, 200)):
        async with caller(small_world(), trust_vendor_token=trust) as someone:
            assert (await someone.send("GET", f"{PIPELINES}?orgId=o1", headers=headers))[0] == status
            forged = {**headers, "apim-accesstoken": someone.token}
            assert (await someone.send("GET", f"{PIPELINES}?orgId=o1", headers=forged))[0] == 401


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


async def _whatever(someone: Caller, path: str, body: bytes) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {someone.token}\r\nConnection: close\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode("utf-8", "surrogateescape") + body
    answer = await raw_exchange(someone.emulator.url, request)
    status = int(answer.split(b" ", 2)[1])
    assert status < 500, answer


@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["/streaming/v2.0/stage-state", "/streaming/v2.0/streaming/pipeline/%FF", "/x"]),
            st.binary(max_size=8),
            st.binary(max_size=60) | st.text(max_size=30).map(lambda text: f'{{"assetIds":"{text}"}}'.encode()),
        ),
        max_size=20,
    )
)
async def test_nothing_a_caller_sends_makes_it_stumble(calls: list[tuple[str, bytes, bytes]]) -> None:
    async with caller(small_world()) as someone:
        for path, action, body in calls:
            await _whatever(someone, f"{path}?orgId=o1&action={quote(action)}", body)
        await _whatever(someone, f"{STAGE_STATE}?orgId=o1&action=delete&x=\udcff", b"{}")
        assert len(await someone.pairs()) == 6


async def test_what_reached_the_wire_is_kept_if_asked_for() -> None:
    async with caller(small_world(), record=True) as someone:
        await someone.stage_call("delete", assetIds="A1,A2", pointIds="P1,P2")
        await someone.stage_call("delete", assetIds="")
        token, delete, unreadable = someone.emulator.record.calls
        assert (token.kind, token.stage_call) == (CallKind.TOKEN, None)
        assert delete.stage_call
        assert delete.stage_call.assets == ("A1", "A2")
        assert (delete.kind, delete.organisation, delete.stage_call.pairs) == (CallKind.DELETE, "o1", 4)
        assert (unreadable.kind, unreadable.stage_call) == (CallKind.DELETE, None)
        assert token.at <= delete.at <= unreadable.at
        assert someone.emulator.record.counts == {CallKind.TOKEN: 1, CallKind.DELETE: 2}
    async with caller(small_world()) as someone:
        assert someone.emulator.record.calls == []
        assert someone.emulator.record.counts.total() == 1


async def test_the_secret_is_in_no_repr() -> None:
    async with caller(small_world()) as someone:
        assert "secret'" not in repr(someone.emulator) + repr(small_world())


GARBAGE = [
    b"\x16\x03\x01 not HTTP\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nLong: " + b"x" * 100_000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /streaming/v2.0/stage-state HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n"
    b"Content-Encoding: gzip\r\nAuthorization: \xff\r\n\r\nabc",
    b"POST /streaming/v2.0/stage-state HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n"
    b"apim-accesstoken: \xff\r\napim-timestamp: \xff\r\napim-signature: \xff\r\n\r\n{}",
]


@pytest.mark.parametrize("request_bytes", GARBAGE)
async def test_what_is_no_request_is_refused_without_a_word(
    request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with caller(small_world()) as someone:
        answer = await raw_exchange(someone.emulator.url, request_bytes)
        assert answer.split(b" ", 2)[1] in (b"400", b"401")
        assert await someone.status() == "PAUSED"
    assert caplog.records == []


async def test_a_body_that_breaks_off_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with caller(small_world()) as someone:
        address = urlsplit(someone.emulator.url)
        head = f"POST {STAGE_STATE}?action=delete&orgId=o1 HTTP/1.1\r\nHost: x\r\nAuthorization: {someone.token}\r\n"
        async with await anyio.connect_tcp(str(address.hostname), int(address.port or 0)) as stream:
            await stream.send(f'{head}Content-Length: 100\r\n\r\n{{"pipelineId":'.encode())
        assert await someone.status() == "PAUSED"
        assert len(await someone.pairs()) == 6
    assert caplog.records == []


# ── callers that don't finish ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("begun", [b"", b"P", b"POST /anything HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_whose_headers_never_come_is_closed(begun: bytes) -> None:
    async with serve(small_world(), database=None, patience=0.3) as emulator:
        assert await raw_exchange(emulator.url, begun) == b""


async def test_a_body_that_never_comes_is_answered() -> None:
    head = b"POST /streaming/v2.0/stage-state?action=delete&orgId=o1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    async with serve(small_world(), database=None, patience=0.3) as emulator:
        answer = await raw_exchange(emulator.url, head)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":408' in answer


@pytest.mark.parametrize(("told_as", "status"), [(429, 429), (430, 430), (503, 503), (61199, 200)])
async def test_a_limit_may_be_told_in_other_words(told_as: int, status: int) -> None:
    limits = GatewayLimits(windows=(Rate(1, 3_600.0),), told_as=told_as)
    async with caller(small_world(limits=limits)) as someone:
        answered, answer = await someone.send("GET", "/streaming/v2.0/streaming/pipelines?orgId=o1")
        assert (answered, answer["code"]) == (status, told_as)
        assert someone.emulator.record.throttled == 1
