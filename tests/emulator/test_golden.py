"""The API's bytes as its page shows them, sent over a bare socket."""

from __future__ import annotations

import json
from hashlib import sha256
from time import time

import pytest

from bulkstate.emulator.app import serve
from tests.emulator.callers import STAGE_STATE, caller, raw_exchange, small_world

pytestmark = pytest.mark.anyio

DELETE = (
    b"POST /streaming/v2.0/stage-state?action=delete&orgId=o1 HTTP/1.1\r\n"
    b"Host: localhost\r\n"
    b"Content-Type: application/json\r\n"
    b"Authorization: %b\r\n"
    b"Content-Length: 107\r\n"
    b"Connection: close\r\n"
    b"\r\n"
    b'{"pipelineId":"p-1","stageInstanceName":"LastRecordAppender_01","assetIds":"A1,A3,unknown","pointIds":"P2"}'
)

GET_TOKEN = (
    b"POST /apim-token-service/v2.0/token/get HTTP/1.1\r\n"
    b"Host: localhost\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 124\r\n"
    b"Connection: close\r\n"
    b"\r\n"
    b'{"appKey":"key","encryption":"%b","timestamp":"1572574909697"}'
)

VECTOR_BODY = '{\n  "count": 20,\n  "page": 1,\n  "desc": "描述"\n}'
VECTOR = "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981"


async def test_a_delete_is_acknowledged_as_the_sample_shows() -> None:
    async with caller(small_world()) as someone:
        answer = await raw_exchange(someone.emulator.url, DELETE % someone.token.encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Type: application/json" in head
        document = json.loads(body)
        assert list(document) == ["code", "msg", "requestId", "data"]
        assert (document["code"], document["msg"], document["data"]) == (0, "OK", True)
        assert await someone.pairs() == {("A1", "P1"), ("A2", "P1"), ("A2", "P2"), ("A3", "P1")}


async def test_a_token_is_given_as_the_sample_shows() -> None:
    proof = sha256(b"key1572574909697secret").hexdigest()
    async with serve(small_world(), database=None) as emulator:
        request = GET_TOKEN % proof.encode()
        document = json.loads((await raw_exchange(emulator.url, request)).partition(b"\r\n\r\n")[2])
    assert (document["status"], document["msg"], document["business"]) == (0, "SUCCESS", "apim-token-service")
    assert document["data"]["expire"] == 7200
    assert document["data"]["accessToken"]


async def test_a_token_may_be_asked_for_with_a_number() -> None:
    """The timestamp is a Long: a number in the vendor's samples."""
    proof = sha256(b"key1572574909697secret").hexdigest()
    request = (GET_TOKEN % proof.encode()).replace(b'"1572574909697"', b"1572574909697").replace(b": 124", b": 122")
    async with serve(small_world(), database=None) as emulator:
        document = json.loads((await raw_exchange(emulator.url, request)).partition(b"\r\n\r\n")[2])
    assert (document["status"], document["data"]["expire"]) == (0, 7200)


async def test_a_get_names_every_field_of_the_generic_type() -> None:
    async with caller(small_world()) as someone:
        answer = await someone.stage_call("get", assetIds="A1", pointIds="P1")
    [item] = answer["data"]["items"]
    assert list(item) == ["modelId", "modelIdPath", "assetId", "pointId", "time", "value", "quality", "dq", "attr"]
    assert (item["modelId"], item["assetId"], item["pointId"]) == ("M", "A1", "P1")
    assert abs(item["time"] / 1000 - time()) < 60
    assert isinstance(item["value"], str)


async def test_pipelines_are_listed_with_their_status() -> None:
    async with caller(small_world()) as someone:
        query = "orgId=o1&pageSize=10&pageNo=1&isSystem=false&ifReleased=false"
        _, answer = await someone.send("GET", f"/streaming/v2.0/streaming/pipelines?{query}")
    [row] = answer["data"]["pipelines"]
    assert answer["data"]["count"] == 1
    assert (row["pipelineId"], row["pipelineName"], row["orgId"], row["status"]) == ("p-1", "First", "o1", "PAUSED")
    assert {"version", "templateType", "alarmConfig", "updateTime"} <= set(row)
    assert isinstance(row["updateTime"], str)


async def test_the_stages_are_in_the_details() -> None:
    async with caller(small_world()) as someone:
        _, answer = await someone.send("GET", "/streaming/v2.0/streaming/pipeline/p-1?orgId=o1&ifReleased=false")
    details = answer["data"]
    assert "status" not in details
    assert {"desc", "version", "templateType", "templateName", "messageChannel"} <= set(details)
    stages = [stage["instanceName"] for stage in details["pipelineJson"]["stages"]]
    assert stages == ["PointSelector_00", "LastRecordAppender_01", "LatestRecordMerger_02"]


async def test_a_signed_call_is_let_in_by_the_signature_and_no_other() -> None:
    """The recipe is checked on the vendor's example first, then used on a call of ours."""
    assert _signature("xxxxaaaxxxx", "k1v1k2v2k3v3" + VECTOR_BODY, "1572574909697", "xxxappSecretxxx") == VECTOR
    body = '{"pipelineId": "p-1", "stageInstanceName": "LastRecordAppender_01", "assetIds": "Ä 1", "pointIds": "P1"}'
    async with caller(small_world()) as someone:
        proof = _signature(someone.token, "actiondeleteorgIdo1" + body, "1572574909697", "secret")
        headers = {"apim-accesstoken": someone.token, "apim-timestamp": "1572574909697", "apim-signature": proof}
        path = f"{STAGE_STATE}?orgId=o1&action=delete"
        status, answer = await someone.send("POST", path, body.encode(), headers)
        assert (status, answer["code"], answer["data"]) == (200, 0, True)
        for name, wrong in (("apim-signature", proof.upper()), ("apim-timestamp", "1"), ("apim-accesstoken", "x")):
            status, _ = await someone.send("POST", path, body.encode(), {**headers, name: wrong})
            assert status == 401
        status, _ = await someone.send("POST", path, body.replace("P1", "P2").encode(), headers)
        assert status == 401


def _signature(token: str, parameters_and_body: str, timestamp: str, secret: str) -> str:
    return sha256(f"{token}{parameters_and_body}{timestamp}{secret}".encode()).hexdigest()
