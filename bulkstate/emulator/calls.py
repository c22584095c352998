"""What callers ask for: requests read into frozen values, or declined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from bulkstate.gateway.wire import PIPELINE, PIPELINES, STAGE_STATE, TOKEN_GET, TOKEN_REFRESH, Code


class CallKind(StrEnum):
    """The kinds of call that faults and records tell apart."""

    DELETE = "delete"
    GET = "get"
    PIPELINES = "pipelines"
    """List, details, and everything that moves a pipeline."""
    TOKEN = "token"  # noqa: S105 - a kind of call, not a password
    OTHER = "other"


class Declined(Exception):
    """The call is answered with an error: a code of the API's, at an HTTP status."""

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class StageCall:
    """The body of delete and get."""

    pipeline: str
    stage: str
    assets: tuple[str, ...]
    points: tuple[str, ...]

    @property
    def pairs(self) -> int:
        """How many pairs the call names."""
        return len(self.assets) * len(self.points)


@dataclass(frozen=True, slots=True)
class ListCall:
    """The query of List Pipelines. `page` counts from 1."""

    page: int
    size: int
    system: bool


@dataclass(frozen=True, slots=True)
class TokenCall:
    """The body of the token service's calls; `token` is empty in a `get`."""

    app_key: str
    encryption: str = field(repr=False)
    timestamp: str
    token: str = field(repr=False, default="")


def kind_of(path: str, action: str | None) -> CallKind:
    """Which kind of call a path and its `action` parameter make."""
    if path == STAGE_STATE:
        return {"delete": CallKind.DELETE, "get": CallKind.GET}.get(action or "", CallKind.OTHER)
    if path == PIPELINES or path.startswith(PIPELINE):
        return CallKind.PIPELINES
    return CallKind.TOKEN if path in (TOKEN_GET, TOKEN_REFRESH) else CallKind.OTHER


def missing(name: str) -> Declined:
    """61102: a parameter is missing or malformed."""
    return Declined(Code.MISSING_PARAMETER, f"Missing param {name}")


def read_stage_call(body: bytes) -> StageCall:
    """The body of delete and get. Declined with 61102 for a field that isn't there, or has an empty ID in it."""
    document = read_object(body)
    names = ("pipelineId", "stageInstanceName", "assetIds", "pointIds")
    pipeline, stage, assets, points = (_text(document, name) for name in names)
    return StageCall(pipeline, stage, _ids(assets, "assetIds"), _ids(points, "pointIds"))


def read_list_call(query: Mapping[str, str]) -> ListCall:
    """The query of List Pipelines; every parameter but orgId may be left out (defaults: 10 a page, page 1)."""
    _flag(query, "ifReleased")
    return ListCall(_positive(query, "pageNo", 1), _positive(query, "pageSize", 10), _flag(query, "isSystem"))


def check_start(body: bytes) -> None:
    """Declined with 61100 unless the body can start a pipeline: executionMode 0 or 1, a kafkaRate, and no nonsense."""
    try:
        document = read_object(body)
    except Declined:
        document = {}
    match document:
        case {"executionMode": 0 | 1, "kafkaRate": int(rate)} if rate > 0:
            return
    raise Declined(Code.BAD_CONFIGURATION, "The Stream configuration JSON is invalid.")


def read_save(body: bytes) -> str:
    """The name in what is to be saved, if there is one. Declined with 61100 for what isn't a JSON object."""
    if not body:
        return ""
    try:
        name = read_object(body).get("pipelineName", "")
    except Declined:
        name = None
    if not isinstance(name, str):
        raise Declined(Code.BAD_CONFIGURATION, "The Stream configuration JSON is invalid.")
    return name


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object. Declined with HTTP 400 if the body isn't one."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Declined(400, "The body can't be processed: it isn't a JSON object", status=400)
    return document


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise missing(name)
    return value


def _ids(text: str, name: str) -> tuple[str, ...]:
    ids = tuple(text.split(","))
    if "" in ids:
        raise missing(name)
    return ids


def _positive(query: Mapping[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, str(otherwise))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise missing(name)
    return int(text)


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise missing(name)
    return text == "true"
