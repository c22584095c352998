"""The API's bytes: paths, bodies and their exact size, signatures, and what an answer means.

Pure: no clock, no socket. Facts are the vendor's, as gathered in docs/enos-api.md; client and emulator both stand on
this page, and each is also tested against golden bytes that were written down separately.

It is one long page on purpose: a call's path, body and codes are read side by side with the vendor's documents, call by
call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import IntEnum
from functools import lru_cache, partial
from hashlib import sha256
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote

import orjson

from bulkstate.model import Answer, Chunk, Pair, Pipeline, PipelinePage, Reply, Stage, Start, Token
from bulkstate.text import one_line, shortened

T = TypeVar("T")

STAGE_STATE: Final = "/streaming/v2.0/stage-state"
PIPELINES: Final = "/streaming/v2.0/streaming/pipelines"
PIPELINE: Final = "/streaming/v2.0/streaming/pipeline/"
TOKEN_GET: Final = "/apim-token-service/v2.0/token/get"  # noqa: S105 - a path, not a password
TOKEN_REFRESH: Final = "/apim-token-service/v2.0/token/refresh"  # noqa: S105 - a path, not a password

_TOGETHER: Final = 10_000
"""IDs that are looked at in one go: hardly any needs escapes."""

PAIRS_PER_REQUEST: Final = 100_000
"""Most pairs (assets × points) that one call may name."""


class Code(IntEnum):
    """The codes that the vendor documents, of the streaming API and of the token service."""

    OK = 0
    REPEATED_ENCRYPTION = 1001
    NO_SUCH_APP_KEY = 1002
    WRONG_ENCRYPTION = 1003
    INVALID_PARAMETER = 1004
    INTERNAL_ERROR = 1005
    EMPTY_PARAMETER = 1202
    TOKEN_EXPIRED = 1203
    REFRESH_FAILED = 1204
    BAD_CONFIGURATION = 61100
    MISSING_PARAMETER = 61102
    TOO_MANY_POINTS = 61105
    WRONG_PIPELINE = 61106
    UNSUPPORTED_STAGE = 61107
    NO_SUCH_PIPELINE = 61108
    START_CONTENDED = 61121
    STOP_FAILED = 61122
    NOT_REQUESTED = 61128
    NOT_PAUSABLE = 61152
    NOT_STARTABLE = 61165
    NOT_RESETTABLE = 61168
    NOT_RELEASABLE = 61169
    OTHER = 61199
    NOT_RUNNING = 99000


class ApimStatus(IntEnum):
    """The gateway's own word on a token, in a JSON body at HTTP 200."""

    ACCESS_TOKEN_EXPIRED = 4011
    REFRESH_TOKEN_EXPIRED = 4012


# ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Request:
    """A call before anybody signed it. `query` is in the order in which it is sent; its values aren't yet encoded.

    The body is kept out of the repr: a token request's holds a digest of the secret.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


def delete_stage_state(org: str, chunk: Chunk) -> Request:
    """Delete Stage State for the chunk's cross product."""
    return _stage_state("delete", org, chunk)


def get_stage_state(org: str, chunk: Chunk) -> Request:
    """Get Stage State for the chunk's cross product."""
    return _stage_state("get", org, chunk)


def _stage_state(action: str, org: str, chunk: Chunk) -> Request:
    return Request("POST", STAGE_STATE, (("action", action), ("orgId", org)), stage_state_body(chunk))


def list_pipelines(org: str, page: int, page_size: int = 100) -> Request:
    """List Pipelines, `page` counted from 1: the development version of the organisation's own pipelines."""
    query = (("orgId", org), ("pageSize", str(page_size)), ("pageNo", str(page)))
    return Request("GET", PIPELINES, (*query, ("isSystem", "false"), ("ifReleased", "false")))


def pipeline_path(pipeline: str) -> str:
    """The path of one pipeline's details and of its pause, start and stop."""
    return PIPELINE + quote(pipeline, safe="")


def pipeline_details(org: str, pipeline: str) -> Request:
    """Get Pipeline Details, of the development version."""
    return Request("GET", pipeline_path(pipeline), (("orgId", org), ("ifReleased", "false")))


def pause_pipeline(org: str, pipeline: str) -> Request:
    """Pause a pipeline that runs."""
    return _command("pause", org, pipeline)


def start_pipeline(org: str, pipeline: str, start: Start) -> Request:
    """Start a pipeline that is paused or stopped."""
    resources = {"resourceConfig": orjson.loads(start.resource_config)} if start.resource_config else {}
    body = orjson.dumps({"executionMode": start.execution_mode, "kafkaRate": start.kafka_rate, **resources})
    return replace(_command("start", org, pipeline), body=body)


def _command(action: str, org: str, pipeline: str) -> Request:
    return Request("POST", pipeline_path(pipeline), (("action", action), ("orgId", org)))


def get_token(app_key: str, app_secret: str, timestamp: int) -> Request:
    """Ask the token service for an access token; `timestamp` is in UNIX milliseconds."""
    return Request("POST", TOKEN_GET, body=_token_body(app_key, app_secret, timestamp))


def refresh_token(app_key: str, app_secret: str, timestamp: int, token: str) -> Request:
    """Ask the token service to renew `token`; `timestamp` is in UNIX milliseconds."""
    return Request("POST", TOKEN_REFRESH, body=_token_body(app_key, app_secret, timestamp, accessToken=token))


def _token_body(app_key: str, app_secret: str, timestamp: int, **more: str) -> bytes:
    encryption = token_encryption(app_key, app_secret, str(timestamp))
    return orjson.dumps({"appKey": app_key, "encryption": encryption, "timestamp": timestamp, **more})


# ── bodies and their size ─────────────────────────────────────────────────────────────────────────────────────────


def stage_state_body(chunk: Chunk) -> bytes:
    """The JSON body of delete and get: four strings, IDs joined by commas, UTF-8 without escapes it doesn't need."""
    return _stage_state_json(chunk.stage, ",".join(chunk.assets), ",".join(chunk.points))


def _stage_state_json(stage: Stage, assets: str, points: str) -> bytes:
    return orjson.dumps(
        {"pipelineId": stage.pipeline, "stageInstanceName": stage.name, "assetIds": assets, "pointIds": points}
    )


def frame_size(stage: Stage) -> int:
    """Bytes of a stage-state body around its IDs. A body of m assets and n points has `frame_size(stage)` bytes,
    the `id_size` of each ID, and m - 1 + n - 1 commas."""
    return len(_stage_state_json(stage, "", ""))


def id_sizes(ids: Iterable[str]) -> Iterator[int]:
    """Bytes that each ID takes inside a JSON string, in order. UnicodeEncodeError for a lone surrogate."""
    left = iter(ids)
    while some := list(islice(left, _TOGETHER)):
        yield from map(len if _is_plain("".join(some)) else _id_size, some)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


def _id_size(id_: str) -> int:
    return len(id_) if _is_plain(id_) else len(orjson.dumps(id_)) - 2


# ── signatures ────────────────────────────────────────────────────────────────────────────────────────────────────


def token_encryption(app_key: str, app_secret: str, timestamp: str) -> str:
    """What proves an application to the token service: sha256(appKey + timestamp + appSecret), lower-case hex."""
    return sha256(f"{app_key}{timestamp}{app_secret}".encode()).hexdigest()


def signature(query: Iterable[tuple[str, str]], body: bytes, token: str, app_secret: str, timestamp: str) -> str:
    """The `apim-signature` of a call: sha256(token + paramsData + timestamp + appSecret), lower-case hex.

    paramsData is the query parameters sorted by name, each as name followed by value with nothing between, then the
    body's exact bytes. `timestamp` is in UNIX milliseconds.
    """
    parameters = "".join(name + value for name, value in sorted(query))
    return sha256(b"".join((f"{token}{parameters}".encode(), body, f"{timestamp}{app_secret}".encode()))).hexdigest()


def signed_headers(request: Request, token: str, app_secret: str, timestamp: int) -> dict[str, str]:
    """The headers of a signed call made at `timestamp` (UNIX milliseconds)."""
    proof = signature(request.query, request.body, token, app_secret, str(timestamp))
    return {"apim-accesstoken": token, "apim-timestamp": str(timestamp), "apim-signature": proof}


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────

Clean: TypeAlias = Callable[[str], str]
"""The door for whatever a server says in words: what comes out may be shown, to anybody and anywhere."""

_BY_STATUS: Final = {
    400: Answer.REFUSED,
    401: Answer.CREDENTIALS,
    403: Answer.GATEWAY_REFUSED,
    404: Answer.GATEWAY_REFUSED,
    408: Answer.UNANSWERED,
    413: Answer.TOO_LARGE,
    429: Answer.THROTTLED,
    430: Answer.THROTTLED,
    497: Answer.GATEWAY_REFUSED,
    498: Answer.GATEWAY_REFUSED,
    499: Answer.UNANSWERED,
}
"""Statuses that need no look at the body: the gateway in front speaks, and promises no JSON. 408 and 499 are timeouts
that somebody between here and the service ran into."""


@dataclass(frozen=True, slots=True)
class _Service:
    """Where a service puts its code, which codes are its own, and what each means. What isn't here is undecided.

    `statuses` mean something else for one of its calls than they do for the others.
    """

    names: tuple[str, ...]
    codes: range
    answers: dict[int, Answer]
    statuses: dict[int, Answer] = field(default_factory=dict)


_STREAMING: Final = _Service(
    ("code",),
    range(61_000, 62_000),
    {
        Code.TOKEN_EXPIRED: Answer.CREDENTIALS,
        Code.MISSING_PARAMETER: Answer.REFUSED,
        Code.TOO_MANY_POINTS: Answer.TOO_LARGE,
        Code.WRONG_PIPELINE: Answer.STAGE_REFUSED,
        Code.UNSUPPORTED_STAGE: Answer.STAGE_REFUSED,
    },
)

_STREAMING_STATE: Final = replace(_STREAMING, statuses={430: Answer.TOO_LARGE})
"""430 is "result too large" in the vendor's Java SDK: what asked for it can ask for less."""

_STREAMING_COMMANDS: Final = replace(
    _STREAMING,
    answers={
        Code.TOKEN_EXPIRED: Answer.CREDENTIALS,
        Code.BAD_CONFIGURATION: Answer.REFUSED,
        Code.MISSING_PARAMETER: Answer.REFUSED,
        Code.WRONG_PIPELINE: Answer.REFUSED,
        Code.NO_SUCH_PIPELINE: Answer.REFUSED,
        Code.START_CONTENDED: Answer.UNAVAILABLE,
        Code.NOT_REQUESTED: Answer.REFUSED,
        Code.NOT_PAUSABLE: Answer.REFUSED,
        Code.NOT_STARTABLE: Answer.REFUSED,
    },
)
"""Pause and start. Somebody else who is starting a job (61121) is done some time."""

_TOKEN_SERVICE: Final = _Service(
    ("status", "stauts", "code"),
    range(1_001, 1_205),
    {
        Code.NO_SUCH_APP_KEY: Answer.REFUSED,
        Code.WRONG_ENCRYPTION: Answer.REFUSED,
        Code.INVALID_PARAMETER: Answer.REFUSED,
        Code.EMPTY_PARAMETER: Answer.REFUSED,
        Code.TOKEN_EXPIRED: Answer.CREDENTIALS,
        Code.REFRESH_FAILED: Answer.CREDENTIALS,
    },
)

_APIM_STATUSES: Final = frozenset(ApimStatus)

JsonObject = dict[str, Any]


def read_delete(status: int, body: bytes, clean: Clean = one_line) -> Reply[bool]:
    """What the answer to Delete Stage State means. Only 2xx, `code` 0 and `data` true are `OK`."""
    return _read(status, body, _STREAMING, _deleted, clean)


def read_state(status: int, body: bytes, clean: Clean = one_line) -> Reply[frozenset[Pair]]:
    """What the answer to Get Stage State means: the pairs that have state, in the words of whoever answered."""
    return _read(status, body, _STREAMING_STATE, _items, clean)


def read_pipelines(status: int, body: bytes, clean: Clean = one_line) -> Reply[PipelinePage]:
    """What the answer to List Pipelines means."""
    return _read(status, body, _STREAMING, partial(_page, clean=clean), clean)


def read_command(status: int, body: bytes, clean: Clean = one_line) -> Reply[bool]:
    """What the answer to pause or start means. `data` is an empty string, or missing: `code` 0 says it all."""
    return _read(status, body, _STREAMING_COMMANDS, lambda document: True, clean)


def read_details(status: int, body: bytes, clean: Clean = one_line) -> Reply[frozenset[str]]:
    """What the answer to Get Pipeline Details means: the texts in `pipelineJson`, made safe to show. The names of the
    stages are among them; what else is there isn't documented."""
    return _read(status, body, _STREAMING_COMMANDS, partial(_texts, clean=clean), clean)


def _texts(document: JsonObject, clean: Clean) -> frozenset[str] | None:
    """As far as anybody may nest or write them: a text may be JSON itself."""
    match document.get("data"):
        case {"pipelineJson": described}:
            found: set[str] = set()
            left: list[object] = [described]
            while left and len(found) < MOST_TEXTS:
                match left.pop():
                    case dict() as inner:
                        left += inner.values()
                    case list() as items:
                        left += items
                    case str() as text if text[:1] in ("{", "["):
                        left.append(_json_in(text))
                    case str() as text if 0 < len(text) <= LONGEST_NAME:
                        found.add(clean(text))
            return frozenset(found)
    return None


def _json_in(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


MOST_TEXTS: Final = 10_000
LONGEST_NAME: Final = 200
"""So many texts of a pipeline's description are looked at, and how long a name may be."""


def read_token(status: int, body: bytes, clean: Clean = one_line) -> Reply[Token]:
    """What the token service's answer means. It calls its code `status` (the vendor's sample: `stauts`)."""
    return _read(status, body, _TOKEN_SERVICE, _token, clean)


def _read(
    status: int, body: bytes, service: _Service, payload: Callable[[JsonObject], T | None], clean: Clean
) -> Reply[T]:
    answer = _answer_of_status(status, service)
    document = _json_object(body)
    if document is None:
        message = clean(_excerpt(body))
        return Reply(answer or _without_document(status), status, message=message if answer else _odd(body, message))
    code = _code(document, service.names)
    data = None
    if answer is None or _service_spoke(status, code, service):
        answer, data = _answer_of_document(document, code, service, payload)
        if answer is Answer.OK and not 200 <= status < 300:
            answer, data = Answer.UNDECIDED, None
    message = clean(_message(document))
    if answer is Answer.UNDECIDED and code in (None, Code.OK):
        message = _doubt(document, code, service.names, message)
    if answer is Answer.OK and (twice := _said_twice(body, ("data", *service.names))):
        answer, data, message = Answer.UNDECIDED, None, f"it says {twice} twice"
    return Reply(answer, status, code, message, clean(_text(document.get("requestId")) or "") or None, data)


def _answer_of_status(status: int, service: _Service) -> Answer | None:
    """What a status means by itself; None where the body has to say it."""
    if status in service.statuses:
        return service.statuses[status]
    if 300 <= status < 400:
        return Answer.GATEWAY_REFUSED
    return Answer.UNAVAILABLE if status >= 500 else _BY_STATUS.get(status)


def _without_document(status: int) -> Answer:
    """What an answer without JSON means whose status says nothing by itself."""
    return Answer.UNDECIDED if 400 <= status < 500 else Answer.UNAVAILABLE


def _service_spoke(status: int, code: int | None, service: _Service) -> bool:
    """The service itself refused what the gateway in front made a bare 400 or 500 of."""
    return code is not None and (
        (status == 400 and code in service.answers) or (status == 500 and code in service.codes)
    )


def _answer_of_document(
    document: JsonObject, code: int | None, service: _Service, payload: Callable[[JsonObject], T | None]
) -> tuple[Answer, T | None]:
    if _integer(document.get("apim_status")) in _APIM_STATUSES:
        return Answer.CREDENTIALS, None
    if code is None:
        return Answer.UNDECIDED, None
    if code != Code.OK:
        return service.answers.get(code, Answer.UNDECIDED), None
    data = payload(document)
    return (Answer.UNDECIDED if data is None else Answer.OK), data


def _json_object(body: bytes) -> JsonObject | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _said_twice(body: bytes, names: Iterable[str]) -> str:
    """Which of these keys the object holds more than once, so that nobody can say what it means; empty if none."""
    for name in names:
        if body.count(f'"{name}"'.encode()) > 1:
            try:
                outermost: list[tuple[str, object]] = json.loads(body, object_pairs_hook=list)
            except (ValueError, RecursionError):  # orjson takes longer numbers, and nests deeper
                return name
            if sum(key == name for key, _ in outermost) > 1:
                return name
    return ""


def _code(document: JsonObject, names: tuple[str, ...]) -> int | None:
    """The service's own code; else the gateway's, to be shown: its 0 doesn't say that the service did anything."""
    for name in names:
        code = _integer(document.get(name))
        if code is not None:
            return code
    return _integer(document.get("apim_status")) or None


def _integer(value: object) -> int | None:
    """A number that can be a code: what has more than ten digits is none."""
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
    return value if fits and isinstance(value, int) else None


def _message(document: JsonObject) -> str:
    return _text(document.get("msg")) or _text(document.get("message")) or ""


def _text(value: object) -> str | None:
    return value[:LONGEST_TEXT] if isinstance(value, str) else None


LONGEST_TEXT: Final = 65_536
"""So much of a text is looked at, in characters or bytes: it ends as one short line."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def _excerpt(body: bytes) -> str:
    return body[:LONGEST_TEXT].decode("utf-8", "replace")


def _odd(body: bytes, excerpt: str) -> str:
    """What is wrong with a body that should have been a JSON object, and how it begins."""
    if not body.strip():
        return "the answer is empty"
    if body.startswith(_BYTE_ORDER_MARK):
        return shortened(f"the answer isn't JSON, which has no byte order mark: {excerpt}")
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "the answer isn't JSON: it begins like UTF-16"
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return shortened(f"the answer isn't JSON: {excerpt}")
    return shortened(f"the answer is JSON, but not an object: {excerpt}")


def _doubt(document: JsonObject, code: int | None, names: tuple[str, ...], message: str) -> str:
    """What keeps an answer that names no error from being a good one, and what else it says."""
    if code is not None:
        wrong = f"{names[0]} {code}, but its data {_unlike_data(document.get('data'))}"
    elif given := [name for name in names if name in document]:
        wrong = f"its {given[0]} is {_kind(document[given[0]])}, not a number"
    else:
        wrong = f"it holds no {names[0]}"
    return shortened(f"{wrong}: {message}" if message else wrong)


def _unlike_data(data: object) -> str:
    return "can't be read" if isinstance(data, dict | list) else f"is {_kind(data)}"


def _kind(value: object) -> str:
    match value:
        case None:
            return "missing"
        case bool():
            return str(value).lower()
        case str():
            return f'the text "{value}"' if value.isascii() and value.isalnum() and len(value) < 9 else "text"
        case int() | float():
            return f"{value:.12g}"
        case list():
            return "a list"
    return "an object"


def _deleted(document: JsonObject) -> bool | None:
    return True if document.get("data") is True else None


def _items(document: JsonObject) -> frozenset[Pair] | None:
    """The table says `data` is a list, the sample that it is an object with `items`: both are read."""
    data = document.get("data")
    items = data.get("items") if isinstance(data, dict) else data
    if not isinstance(items, list):
        return None
    pairs = [_pair(item) for item in items]
    return None if None in pairs else frozenset(pair for pair in pairs if pair)


def _pair(item: object) -> Pair | None:
    match item:
        case {"assetId": str(asset), "pointId": str(point)}:
            return Pair(asset, point)
    return None


def _page(document: JsonObject, clean: Clean) -> PipelinePage | None:
    match document.get("data"):
        case {"count": int(count), "pipelines": list(rows)}:
            pipelines = [_pipeline(row, clean) for row in rows]
            return PipelinePage(count, tuple(pipeline for pipeline in pipelines if pipeline))
    return None


def _pipeline(row: object, clean: Clean) -> Pipeline | None:
    match row:
        case {"pipelineId": str(pipeline), "status": str(status), **rest}:
            more = (_words(rest.get(name)) for name in ("pipelineName", "version", "updateTime"))
            name, version, updated = map(clean, more)
            return Pipeline(clean(pipeline), name, clean(status), version, updated)
    return None


def _words(value: object) -> str:
    """A text, or a number where the documents promise a text."""
    return str(value) if isinstance(value, int) else _text(value) or ""


def _token(document: JsonObject) -> Token | None:
    match document.get("data"):
        case {"accessToken": str(value), "expire": int(expire) | float(expire)} if _fits_header(value) and expire > 0:
            return Token(value, float(expire))
    return None


def _fits_header(value: str) -> bool:
    """A line end in a token would be a header of somebody else's making."""
    return bool(value) and value.isascii() and value.isprintable()


LONGEST_DATE: Final = 64
"""So many characters of a header that holds seconds or a date are read."""


def retry_after(value: str | None, date: str | None, now: float) -> float | None:
    """Seconds that a `Retry-After` header asks for, from the answer on; None if it is missing or can't be read.

    It holds seconds or an HTTP date (RFC 9110, 10.2.3). A date is measured against the answer's own `Date` header where
    there is one, else against `now` (UNIX seconds), so that a clock that is wrong here doesn't matter. Never negative.
    """
    if value is None:
        return None
    text = value[:LONGEST_DATE].strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    until = _http_date(text)
    if until is None:
        return None
    return max(0.0, until - said_at(date, now))


def said_at(date: str | None, now: float) -> float:
    """When an answer was made, in UNIX seconds: as its `Date` header says, `now` if that says nothing."""
    said = date_of(date)
    return now if said is None else said


@lru_cache(maxsize=8)
def date_of(header: str | None) -> float | None:
    """UNIX seconds that a `Date` header says; None if it is missing or can't be read. Many answers say the same."""
    return _http_date(header[:LONGEST_DATE]) if header else None


def _http_date(text: str) -> float | None:
    """UNIX seconds of an HTTP date; one without a zone is UTC (RFC 9110, 5.6.7)."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
