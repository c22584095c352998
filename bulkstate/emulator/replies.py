"""What callers are told, as JSON. Every reply carries a `requestId`."""

from __future__ import annotations

from collections.abc import Iterable
from secrets import token_hex
from typing import Final

import orjson
from aiohttp import web

from bulkstate.emulator.calls import Declined
from bulkstate.emulator.store import StoredPipeline, StoredState
from bulkstate.emulator.world import AGGREGATORS, TAGGERS, type_of
from bulkstate.gateway.wire import ApimStatus
from bulkstate.model import Token


def json(body: bytes, status: int = 200) -> web.Response:
    """An answer of JSON."""
    return web.Response(body=body, status=status, content_type="application/json")


def succeeded(data: object) -> bytes:
    """A call of the streaming API that did what was asked; without `data` if that is `NO_DATA`."""
    document = {"code": 0, "msg": "OK", "requestId": token_hex(16)}
    return orjson.dumps(document if data is NO_DATA else {**document, "data": data})


NO_DATA: Final = object()
"""As in the samples of stop and release. (The sample of pause shows none either; its table has an empty string.)"""


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


def states(stage: str, found: Iterable[StoredState]) -> dict[str, object]:
    """`data` of Get Stage State of a stage, whose type decides what an item looks like.

    Of the types 2 and 3 only `assetId` and `pointId` are documented: what else there is here is made up.
    """
    item = _tagged if type_of(stage) in TAGGERS else _windows if type_of(stage) in AGGREGATORS else _state
    return {"items": [item(state) for state in found]}


def _tagged(state: StoredState) -> dict[str, object]:
    return {"assetId": state.asset, "pointId": state.point, "latestTime": state.time}


def _windows(state: StoredState) -> dict[str, object]:
    window = {"startTime": state.time - 60_000, "endTime": state.time, "count": 1, "sum": state.value}
    return {"assetId": state.asset, "pointId": state.point, "windows": [window]}


def _state(state: StoredState) -> dict[str, object]:
    return {
        "modelId": state.model,
        "modelIdPath": f"/{state.model}",
        "assetId": state.asset,
        "pointId": state.point,
        "time": state.time,
        "value": f"{state.value:g}",
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
        "alarmConfig": {},
        "updateTime": str(pipeline.updated),
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
