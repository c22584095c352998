"""Whatever bytes a gateway answers, an answer has a meaning, and only `code 0` with `data true` means deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkstate.gateway.wire import read_delete, read_pipelines, read_state, read_token
from bulkstate.model import Answer
from tests.fuzz.mutations import mutated

pytestmark = pytest.mark.fuzz

DELETED = b'{"code":0,"msg":" OK","requestId":"5f1b","data":true}'
STATE = b'{"code":0,"msg":"OK","data":{"items":[{"assetId":"a","pointId":"p","value":1,"localtime":"x"}]}}'
PIPELINES = b'{"code":0,"data":{"count":2,"pipelines":[{"pipelineId":"p1","pipelineName":"P","status":"PAUSED"}]}}'
TOKEN = b'{"status":0,"msg":"SUCCESS","data":{"accessToken":"t","expire":7200}}'
READERS: dict[str, tuple[Callable[[int, bytes], Any], bytes]] = {
    "delete": (read_delete, DELETED),
    "get": (read_state, STATE),
    "pipelines": (read_pipelines, PIPELINES),
    "token": (read_token, TOKEN),
}
statuses = st.sampled_from([200, 200, 200, 400, 401, 403, 404, 413, 429, 430, 500, 503]) | st.integers(100, 999)


def an_object(body: bytes) -> dict[str, Any]:
    """The answer as Python's own reader finds it; empty where it isn't a JSON object."""
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=300)
@given(data=st.data())
def test_every_answer_has_a_meaning(kind: str, data: st.DataObject) -> None:
    read, good = READERS[kind]
    status, body = data.draw(statuses), data.draw(mutated([good, DELETED, STATE]) | st.binary(max_size=60))
    reply = read(status, body)
    assert isinstance(reply.answer, Answer)
    assert reply.message.isprintable()
    assert (reply.data is not None) is (reply.answer is Answer.OK)
    assert len(reply.message) < 2_000


@settings(max_examples=500)
@given(statuses, mutated([DELETED]) | st.binary(max_size=60))
def test_nothing_else_means_deleted(status: int, body: bytes) -> None:
    if read_delete(status, body).answer is Answer.OK:
        said = an_object(body)
        assert (said.get("code"), said.get("data")) == (0, True)
        assert type(said["code"]) is int
        assert type(said["data"]) is bool
        assert 200 <= status < 300
