"""The API as the emulator serves it, as an OpenAPI document: what callers may send, and what they are answered.

Refusals of the API's own come at HTTP 200 with a code; statuses are the gateway's in front. Fields that the vendor's
pages don't document are left open.
"""

from __future__ import annotations

from typing import Any, Final

from bulkstate.emulator.streaming import MOVES
from bulkstate.gateway.wire import PAIRS_PER_REQUEST, PIPELINE, PIPELINES, STAGE_STATE, TOKEN_GET, TOKEN_REFRESH

JsonObject = dict[str, Any]

PATH: Final = "/openapi.json"


def document() -> JsonObject:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "EnOS stream pipelines, emulated",
            "version": "1",
            "description": "Delete Stage State and what belongs to it, over a real store. Refusals are in `code`.",
        },
        "paths": {
            STAGE_STATE: {"post": _stage_state()},
            PIPELINES: {"get": _list()},
            PIPELINE + "{pipelineId}": {"get": _details(), "post": _operate()},
            PIPELINE + "{pipelineId}/offset-lag": {"get": _of_pipeline("Offset lag", "offsetLag", _LAG)},
            PIPELINE + "{pipelineId}/offset": {"post": _reset_offset()},
            TOKEN_GET: {"post": _token("Get an access token", "getToken", ())},
            TOKEN_REFRESH: {"post": _token("Refresh an access token", "refreshToken", ("accessToken",))},
            PATH: {"get": _this()},
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "An access token, with or without `Bearer` before it; a call may be signed instead.",
                }
            },
        },
    }


# ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _stage_state() -> JsonObject:
    return {
        **_call("Delete or read the state of assets × points", "stageState", [_action("delete", "get"), _ORGANISATION]),
        "requestBody": _body(_ref("StageCall")),
        "responses": _answers({"oneOf": [{"type": "boolean"}, _ref("States"), {"type": "null"}]}),
    }


def _list() -> JsonObject:
    flags = [_query(name, {"type": "boolean", "default": False}) for name in ("isSystem", "ifReleased")]
    numbers = [_query(name, {"type": "integer", "minimum": 1, "maximum": 10**9 - 1}) for name in ("pageNo", "pageSize")]
    return {
        **_call("List pipelines", "listPipelines", [_ORGANISATION, *numbers, *flags]),
        "responses": _answers({"oneOf": [_ref("Page"), {"type": "null"}]}),
    }


def _details() -> JsonObject:
    return _of_pipeline("Get a pipeline's details", "pipelineDetails", _ref("Details"))


def _operate() -> JsonObject:
    operation = _call("Pause, start, stop, release or save a pipeline", "operatePipeline", _PIPELINE_PARAMETERS)
    operation["parameters"] = [*_PIPELINE_PARAMETERS, _action(*MOVES)]
    return {
        **operation,
        "requestBody": _body({"oneOf": [_ref("Start"), {"type": "object"}]}, required=False),
        "responses": _answers({"type": ["string", "null"]}),
    }


def _reset_offset() -> JsonObject:
    return {
        **_of_pipeline("Reset a pipeline's offset", "resetOffset", {"type": "string"}),
        "requestBody": _body({"type": "object"}, required=False),
    }


def _of_pipeline(summary: str, name: str, data: JsonObject) -> JsonObject:
    return {
        **_call(summary, name, _PIPELINE_PARAMETERS),
        "responses": _answers({"oneOf": [data, {"type": "null"}]}),
    }


def _token(summary: str, name: str, more: tuple[str, ...]) -> JsonObject:
    required = ["appKey", "encryption", "timestamp", *more]
    texts = {field: {"type": "string", "minLength": 1} for field in required}
    stamp = {"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}]}
    body = {"type": "object", "properties": {**texts, "timestamp": stamp}, "required": required}
    answers = _answers({})
    answers["200"] = _json("Given, or refused with a `status`.", _ref("TokenAnswer"))
    return {"summary": summary, "operationId": name, "requestBody": _body(body), "responses": answers}


def _this() -> JsonObject:
    answers = {**_answers({}), "200": _json("It.", {"type": "object"})}
    return {"summary": "This document", "operationId": "openapi", "responses": answers}


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _ref(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def _query(name: str, schema: JsonObject, *, required: bool = False) -> JsonObject:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _action(*names: str) -> JsonObject:
    return _query("action", {"enum": list(names)}, required=True)


_ORGANISATION: Final = _query("orgId", {"type": "string", "minLength": 1}, required=True)
_PIPELINE_PARAMETERS: Final = [
    {"name": "pipelineId", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
    _ORGANISATION,
]


def _call(summary: str, name: str, parameters: list[JsonObject]) -> JsonObject:
    return {"summary": summary, "operationId": name, "security": [{"token": []}], "parameters": parameters}


def _body(schema: JsonObject, *, required: bool = True) -> JsonObject:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _json(description: str, schema: JsonObject) -> JsonObject:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_STATUSES: Final = {
    "400": "The body can't be processed.",
    "401": "No token that is good, or no signature that holds.",
    "404": "There is no such path.",
    "405": "There is no such method.",
    "408": "The body didn't come in time.",
    "413": "The body is over the size limit.",
    "429": "Over a limit of calls.",
}


def _answers(data: JsonObject) -> JsonObject:
    """What a call of the streaming API is answered, `data` being what there is where it did what was asked."""
    good = {"allOf": [_ref("Answer"), {"properties": {"data": data}}]}
    refusals = {status: _json(description, _ref("Answer")) for status, description in _STATUSES.items()}
    return {"200": _json("Done, or refused with a `code`.", good), **refusals}


def _object(required: tuple[str, ...], **properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties, "required": list(required)}


_TEXT: Final = {"type": "string"}
_IDS: Final = {"type": "string", "minLength": 1, "description": "IDs joined by commas."}
_LAG: Final = {"type": "object"}
_SCHEMAS: Final[JsonObject] = {
    "Answer": {
        **_object(("msg", "requestId"), code={"type": "integer"}, apim_status={"type": "integer"}, msg=_TEXT),
        "anyOf": [{"required": ["code"]}, {"required": ["apim_status"]}],
    },
    "TokenAnswer": _object(
        ("status", "msg", "business", "requestId"),
        status={"type": "integer"},
        data={"oneOf": [_object(("accessToken", "expire"), expire={"type": "integer"}), {"type": "null"}]},
    ),
    "StageCall": {
        **_object(
            ("pipelineId", "stageInstanceName", "assetIds", "pointIds"),
            pipelineId={"type": "string", "minLength": 1},
            stageInstanceName={"type": "string", "minLength": 1},
            assetIds=_IDS,
            pointIds=_IDS,
        ),
        "description": f"Every asset with every point: {PAIRS_PER_REQUEST:,} pairs at the most.",
    },
    "States": _object(("items",), items={"type": "array", "items": _object(("assetId", "pointId"))}),
    "Page": _object(
        ("count", "pipelines"),
        count={"type": "integer"},
        pipelines={
            "type": "array",
            "items": _object(
                ("pipelineId", "pipelineName", "orgId", "status", "version", "templateType", "updateTime"),
                status={"enum": ["PUBLISHED", "RUNNING", "PAUSED", "STOPPED"]},
                updateTime=_TEXT,
            ),
        },
    ),
    "Details": _object(("pipelineId", "pipelineName", "version", "templateType", "pipelineJson")),
    "Start": _object(
        ("executionMode", "kafkaRate"), executionMode={"enum": [0, 1]}, kafkaRate={"type": "integer", "minimum": 1}
    ),
}
