"""The token service, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from bulkstate.emulator.world import TokenPolicy
from tests.emulator.callers import PIPELINES, caller, small_world

pytestmark = pytest.mark.anyio


async def test_asking_again_gives_the_same_token_with_what_is_left_of_it() -> None:
    async with caller(small_world()) as someone:
        again = await someone.token_call("get")
        assert again["data"]["accessToken"] == someone.token
        assert again["data"]["expire"] <= 7200


async def test_asking_after_it_expired_gives_another_one() -> None:
    async with caller(small_world(token=TokenPolicy(0.0))) as someone:
        assert (await someone.token_call("get"))["data"]["accessToken"] != someone.token


async def test_the_same_encryption_twice() -> None:
    async with caller(small_world()) as someone:
        assert (await someone.token_call("get", "1572574909697"))["status"] == 0
        assert (await someone.token_call("get", "1572574909697"))["status"] == 1001
        assert (await someone.token_call("refresh", "1572574909697", accessToken=someone.token))["status"] == 1001


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"appKey": "nobody"}, 1002),
        ({"encryption": "0" * 64}, 1003),
        ({"encryption": "ü"}, 1003),
        ({"timestamp": "yesterday"}, 1004),
        ({"timestamp": ["1"]}, 1004),
        ({"appKey": ""}, 1202),
        ({"encryption": None}, 1202),
    ],
)
async def test_refusals_of_get(fields: dict[str, Any], code: int) -> None:
    async with caller(small_world()) as someone:
        answer = await someone.token_call("get", **({"timestamp": "1"} | fields))
        assert (answer["status"], answer["data"]) == (code, None)


async def test_a_body_that_is_no_object() -> None:
    async with caller(small_world()) as someone:
        _, answer = await someone.send("POST", "/apim-token-service/v2.0/token/get", b"[]")
        assert answer["status"] == 1004


async def test_a_refresh_gives_a_new_token_and_leaves_the_old_one_good() -> None:
    async with caller(small_world()) as someone:
        answer = await someone.token_call("refresh", accessToken=someone.token)
        new = answer["data"]["accessToken"]
        assert new != someone.token
        for token in (new, someone.token):
            status, _ = await someone.send("GET", f"{PIPELINES}?orgId=o1", headers={"Authorization": token})
            assert status == 200
        assert (await someone.token_call("get"))["data"]["accessToken"] == new


async def test_refusals_of_refresh() -> None:
    async with caller(small_world()) as someone:
        assert (await someone.token_call("refresh"))["status"] == 1202
        assert (await someone.token_call("refresh", accessToken="unknown"))["status"] == 1204
    async with caller(small_world(token=TokenPolicy(0.0))) as someone:
        assert (await someone.token_call("refresh", accessToken=someone.token))["status"] == 1203
