"""What callers are told, as JSON. Every reply carries a `requestId`."""

from __future__ import annotations

from collections.abc import Iterable
from secrets import token_hex

import orjson
from aiohttp import web

from bulkstate.emulator.calls import Declined
from bulkstate.emulator.store import StoredPipeline, StoredState
from bulkstate.gateway.wire import ApimStatus
from bulkstate.model import Token


def json(body: bytes, status: int = 200) -> web.Response:
    """An answer of JSON."""
    return web.Response(body=body, status=status, content_type="application/json")


def succeeded(data: object) -> bytes:
    """A call of the streaming API that did what was asked."""
    return orjson.dumps({"code": 0, "msg": "OK", "requestId": token_hex(16), "data": data})


def declined(reason: Declined, data: object = None) -> bytes:
    """A call that was declined, in the words of the streaming API, or of the gateway in front of it."""
    code = "apim_status" if reason.code in tuple(ApimStatus) else "code"
    return orjson.dumps({code: reason.code, "msg": reason.message, "requestId": token_hex(16), "data": data})


def token_given(token: Token) -> bytes:
    """The token service's answer. `expire` is rounded down: a token is never told to live longer than it does."""
    return _token_service(0, "SUCCESS", {"accessToken": token.value, "expire": int(token.expire)})


def token_declined(reason: Declined, data: object = None) -> bytes:
    """The token service's refusal."""
    return _token_service(reason.code, reason.message, data)


def _token_service(status: int, message: str, data: object) -> bytes:
    document = {"status": status, "msg": message, "business": "apim-token-service", "requestId": token_hex(16)}
    return orjson.dumps({**document, "data": data})


def states(found: Iterable[StoredState]) -> dict[str, object]:
    """`data` of Get Stage State, for the generic operators."""
    return {"items": [_state(state) for state in found]}


def _state(state: StoredState) -> dict[str, object]:
    return {
        "modelId": state.model,
        "modelIdPath": f"/{state.model}",
        "assetId": state.asset,
        "pointId": state.point,
        "time": state.time,
        "value": state.value,
        "quality": 0,
        "dq": 0,
        "attr": {},
    }


def page(organisation: str, count: int, pipelines: Iterable[StoredPipeline]) -> dict[str, object]:
    """`data` of List Pipelines."""
    return {"count": count, "pipelines": [_row(pipeline, organisation) for pipeline in pipelines]}


def _row(pipeline: StoredPipeline, organisation: str) -> dict[str, object]:
    return {
        "pipelineId": pipeline.id,
        "pipelineName": pipeline.name,
        "orgId": organisation,
        "status": pipeline.status.value,
        "version": "1.0.0",
        "templateType": 1,
        "updateTime": pipeline.updated,
    }


def details(pipeline: StoredPipeline, stages: Iterable[str]) -> dict[str, object]:
    """`data` of Get Pipeline Details. What is inside `pipelineJson` isn't documented beyond the stages being there."""
    named = [{"instanceName": stage, "stageName": stage.rpartition("_")[0]} for stage in stages]
    return {
        "desc": "",
        "pipelineId": pipeline.id,
        "pipelineName": pipeline.name,
        "version": "1.0.0",
        "templateType": 1,
        "templateName": "Origin Template",
        "messageChannel": 0,
        "pipelineJson": {"stages": named},
    }
