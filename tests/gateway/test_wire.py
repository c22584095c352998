"""The API's bytes, written down from docs/enos-api.md; and that no answer, however odd, can do harm."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkstate.gateway import wire
from bulkstate.model import Answer, Chunk, Pair, Pipeline, PipelinePage, Reply, Stage, Start

STAGE = Stage("8a81b5f0-2c5e", "LastRecordAppender_01")
CHUNK = Chunk(0, STAGE, ("8byS3cuc", "8byS3cud"), ("INV.GenActivePW", "INV.State"))
BODY = (
    b'{"pipelineId":"8a81b5f0-2c5e","stageInstanceName":"LastRecordAppender_01",'
    b'"assetIds":"8byS3cuc,8byS3cud","pointIds":"INV.GenActivePW,INV.State"}'
)

IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=","), min_size=1, max_size=12)
SOME_IDS = st.lists(IDS, min_size=1, max_size=8)
READERS = [
    wire.read_delete,
    wire.read_state,
    wire.read_pipelines,
    wire.read_command,
    wire.read_details,
    wire.read_token,
]


# ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_delete_and_get_differ_in_one_word() -> None:
    for make, action in ((wire.delete_stage_state, "delete"), (wire.get_stage_state, "get")):
        request = make("o1", CHUNK)
        assert (request.method, request.path) == ("POST", "/streaming/v2.0/stage-state")
        assert request.query == (("action", action), ("orgId", "o1"))
        assert request.body == BODY


def test_pipelines_are_asked_for_page_by_page() -> None:
    request = wire.list_pipelines("o1", 2, 10)
    assert (request.method, request.path, request.body) == ("GET", "/streaming/v2.0/streaming/pipelines", b"")
    expected = {"orgId": "o1", "pageSize": "10", "pageNo": "2", "isSystem": "false", "ifReleased": "false"}
    assert dict(request.query) == expected


def test_a_pipeline_in_a_path_is_one_segment() -> None:
    assert wire.pipeline_path("a/b?c") == "/streaming/v2.0/streaming/pipeline/a%2Fb%3Fc"


def test_the_token_service_is_asked_with_a_digest_of_the_secret() -> None:
    encryption = sha256(b"key1572574909697secret").hexdigest()
    got = wire.get_token("key", "secret", 1572574909697)
    assert (got.method, got.path, got.query) == ("POST", "/apim-token-service/v2.0/token/get", ())
    assert got.body == f'{{"appKey":"key","encryption":"{encryption}","timestamp":1572574909697}}'.encode()
    refreshed = wire.refresh_token("key", "secret", 1572574909697, "tok")
    assert refreshed.path == "/apim-token-service/v2.0/token/refresh"
    assert orjson.loads(refreshed.body) == orjson.loads(got.body) | {"accessToken": "tok"}
    assert encryption not in repr(got)


def test_the_vendors_example_of_a_signature() -> None:
    body = '{\n  "count": 20,\n  "page": 1,\n  "desc": "描述"\n}'.encode()
    query = (("k3", "v3"), ("k1", "v1"), ("k2", "v2"))
    expected = "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981"
    assert wire.signature(query, body, "xxxxaaaxxxx", "xxxappSecretxxx", "1572574909697") == expected
    request = wire.Request("POST", "/anywhere", query, body)
    assert wire.signed_headers(request, "xxxxaaaxxxx", "xxxappSecretxxx", 1572574909697) == {
        "apim-accesstoken": "xxxxaaaxxxx",
        "apim-timestamp": "1572574909697",
        "apim-signature": expected,
    }


def test_pause_and_start_are_commands_to_one_pipeline() -> None:
    paused = wire.pause_pipeline("o1", "a/b")
    assert (paused.method, paused.path, paused.body) == ("POST", "/streaming/v2.0/streaming/pipeline/a%2Fb", b"")
    assert paused.query == (("action", "pause"), ("orgId", "o1"))
    started = wire.start_pipeline("o1", "p", Start(1, 1000, '{"cu": 2}'))
    assert (started.path, started.query[0]) == ("/streaming/v2.0/streaming/pipeline/p", ("action", "start"))
    assert orjson.loads(started.body) == {"executionMode": 1, "kafkaRate": 1000, "resourceConfig": {"cu": 2}}
    bare = wire.start_pipeline("o1", "p", Start(0, 5))
    assert orjson.loads(bare.body) == {"executionMode": 0, "kafkaRate": 5}


def test_the_vendors_codes() -> None:
    """As the documents have them: whatever is written by name elsewhere stands on these numbers."""
    token_service = {1001, 1002, 1003, 1004, 1005, 1202, 1203, 1204}
    streaming = {61100, 61102, 61105, 61106, 61107, 61108, 61121, 61122, 61128, 61152, 61165, 61168, 61169, 61199}
    assert {int(code) for code in wire.Code} == {0, 99000} | token_service | streaming
    assert (wire.Code.OTHER, wire.Code.START_CONTENDED, wire.Code.BAD_CONFIGURATION) == (61199, 61121, 61100)
    assert (wire.Code.INTERNAL_ERROR, wire.Code.NOT_STARTABLE, wire.Code.NOT_RESETTABLE) == (1005, 61165, 61168)
    assert {int(status) for status in wire.ApimStatus} == {4011, 4012}
    assert wire.PAIRS_PER_REQUEST == 100_000


# ── bodies ────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(pipeline=IDS, name=IDS, assets=SOME_IDS, points=SOME_IDS)
@example('"', "\\", ["\n", "é"], ["𐍈", "\x7f"])
def test_a_bodys_size_is_the_sum_of_its_parts(pipeline: str, name: str, assets: list[str], points: list[str]) -> None:
    stage = Stage(pipeline, name)
    body = wire.stage_state_body(Chunk(0, stage, tuple(assets), tuple(points)))
    ids = sum(wire.id_sizes(assets)) + sum(wire.id_sizes(points))
    assert len(body) == wire.frame_size(stage) + ids + len(assets) - 1 + len(points) - 1
    read = orjson.loads(body)
    assert (read["pipelineId"], read["stageInstanceName"]) == (pipeline, name)
    assert (read["assetIds"].split(","), read["pointIds"].split(",")) == (assets, points)


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def reply(code: object, data: object = None, **more: object) -> bytes:
    return orjson.dumps({"code": code, "msg": "m", "data": data, **more})


@pytest.mark.parametrize(
    ("status", "body", "answer", "code"),
    [
        (200, reply(0, True), Answer.OK, 0),
        (202, reply(0, True), Answer.OK, 0),
        (200, reply(0, False), Answer.UNDECIDED, 0),
        (200, b'{"code":0}', Answer.UNDECIDED, 0),
        (200, reply(0, "true"), Answer.UNDECIDED, 0),
        (200, reply(0, 1), Answer.UNDECIDED, 0),
        (200, reply("0", True), Answer.UNDECIDED, None),
        (200, reply(False, True), Answer.UNDECIDED, None),
        (200, b'{"data":true}', Answer.UNDECIDED, None),
        (200, b'{"status":0,"data":true}', Answer.UNDECIDED, None),
        (200, b'{"apim_status":0,"data":true}', Answer.UNDECIDED, None),
        (200, reply(61199), Answer.UNDECIDED, 61199),
        (200, reply(1005), Answer.UNDECIDED, 1005),
        (200, reply(4711), Answer.UNDECIDED, 4711),
        (200, reply(61102), Answer.REFUSED, 61102),
        (200, reply(61105), Answer.TOO_LARGE, 61105),
        (200, reply(61106), Answer.STAGE_REFUSED, 61106),
        (200, reply(61107), Answer.STAGE_REFUSED, 61107),
        (200, reply(1203), Answer.CREDENTIALS, 1203),
        (200, b'{"apim_status":4011,"apim_refreshtoken":"r"}', Answer.CREDENTIALS, 4011),
        (200, b'{"apim_status":4012}', Answer.CREDENTIALS, 4012),
        (200, reply(0, True, apim_status=4011), Answer.CREDENTIALS, 0),
        (200, reply(0, True, apim_status=[4011]), Answer.OK, 0),
        (200, reply(-1, True), Answer.UNDECIDED, -1),
        (200, reply(2**31 - 1, True), Answer.UNDECIDED, 2**31 - 1),
        (200, reply(2**31, True), Answer.UNDECIDED, None),
        (200, reply(1 - 2**31, True), Answer.UNDECIDED, 1 - 2**31),
        (200, reply(-(2**31), True), Answer.UNDECIDED, None),
        (199, reply(0, True), Answer.UNDECIDED, 0),
        (299, reply(0, True), Answer.OK, 0),
        (300, reply(0, True), Answer.GATEWAY_REFUSED, 0),
        (399, b"", Answer.GATEWAY_REFUSED, None),
        (200, b"", Answer.UNAVAILABLE, None),
        (200, b"[]", Answer.UNAVAILABLE, None),
        (200, b"<html>", Answer.UNAVAILABLE, None),
        (200, reply(0, True)[:-1], Answer.UNAVAILABLE, None),
        (200, b"\xff\xfe", Answer.UNAVAILABLE, None),
        (302, reply(0, True), Answer.GATEWAY_REFUSED, 0),
        (400, b"", Answer.REFUSED, None),
        (400, reply(61105), Answer.TOO_LARGE, 61105),
        (400, reply(0, True), Answer.REFUSED, 0),
        (401, b"", Answer.CREDENTIALS, None),
        (403, b"", Answer.GATEWAY_REFUSED, None),
        (404, b"", Answer.GATEWAY_REFUSED, None),
        (413, b"", Answer.TOO_LARGE, None),
        (418, reply(0, True), Answer.UNDECIDED, 0),
        (429, reply(0, True), Answer.THROTTLED, 0),
        (402, b"pay", Answer.UNDECIDED, None),
        (402, reply(61102), Answer.REFUSED, 61102),
        (408, b"", Answer.UNANSWERED, None),
        (408, reply(0, True), Answer.UNANSWERED, 0),
        (410, b"", Answer.UNDECIDED, None),
        (430, b"", Answer.THROTTLED, None),
        (497, b"", Answer.GATEWAY_REFUSED, None),
        (498, reply(0, True), Answer.GATEWAY_REFUSED, 0),
        (499, b"", Answer.UNANSWERED, None),
        (500, reply(0, True), Answer.UNAVAILABLE, 0),
        (500, reply(500), Answer.UNAVAILABLE, 500),
        (500, reply(61199), Answer.UNDECIDED, 61199),
        (500, reply(61105), Answer.TOO_LARGE, 61105),
        (500, reply(61106), Answer.STAGE_REFUSED, 61106),
        (500, reply(61999, True), Answer.UNDECIDED, 61999),
        (500, reply(61000), Answer.UNDECIDED, 61000),
        (500, reply(60999), Answer.UNAVAILABLE, 60999),
        (500, reply(62000), Answer.UNAVAILABLE, 62000),
        (400, reply(61199), Answer.REFUSED, 61199),
        (400, reply(1203), Answer.CREDENTIALS, 1203),
        (405, b"", Answer.UNDECIDED, None),
        (499, reply(61102), Answer.UNANSWERED, 61102),
        (501, reply(0, True), Answer.UNAVAILABLE, 0),
        (503, reply(61199), Answer.UNAVAILABLE, 61199),
        (520, reply(0, True), Answer.UNAVAILABLE, 0),
        (200, reply(2**40, True), Answer.UNDECIDED, None),
        (502, b"", Answer.UNAVAILABLE, None),
        (503, b"", Answer.UNAVAILABLE, None),
        (504, b"", Answer.UNAVAILABLE, None),
    ],
)
def test_what_an_answer_to_delete_means(status: int, body: bytes, answer: Answer, code: int | None) -> None:
    read = wire.read_delete(status, body)
    assert (read.answer, read.status, read.code) == (answer, status, code)
    assert read.data is (True if answer is Answer.OK else None)


def test_an_error_of_http_alone_is_undecided_below_500_and_unavailable_otherwise() -> None:
    known = {400, 401, 403, 404, 408, 413, 429, 430, 497, 498, 499}
    for status in {*range(400, 500)} - known:
        assert wire.read_delete(status, b"<html>").answer is Answer.UNDECIDED
    for status in range(500, 600):
        assert wire.read_delete(status, b"<html>").answer is Answer.UNAVAILABLE
    for status in range(100, 300):
        assert wire.read_delete(status, b"<html>").answer is Answer.UNAVAILABLE


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (0, Answer.OK),
        (1203, Answer.CREDENTIALS),
        (61100, Answer.REFUSED),
        (61102, Answer.REFUSED),
        (61105, Answer.UNDECIDED),
        (61106, Answer.REFUSED),
        (61107, Answer.UNDECIDED),
        (61108, Answer.REFUSED),
        (61121, Answer.UNAVAILABLE),
        (61128, Answer.REFUSED),
        (61152, Answer.REFUSED),
        (61165, Answer.REFUSED),
        (61199, Answer.UNDECIDED),
    ],
)
@pytest.mark.parametrize("data", [{"data": ""}, {}, {"data": None}])
def test_what_an_answer_to_pause_or_start_means(code: int, answer: Answer, data: dict[str, object]) -> None:
    read = wire.read_command(200, orjson.dumps({"code": code, **data}))
    assert read.answer is answer
    assert read.data is (True if answer is Answer.OK else None)


def test_430_to_a_read_is_a_result_that_is_too_large() -> None:
    assert wire.read_state(430, b"").answer is Answer.TOO_LARGE
    assert wire.read_pipelines(430, b"").answer is Answer.THROTTLED


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (reply("0", True), 'its code is the text "0", not a number: m'),
        (reply(0.0, True), "its code is 0, not a number: m"),
        (reply(True, True), "its code is true, not a number: m"),
        (b'{"data":true}', "it holds no code"),
        (reply(0, False), "code 0, but its data is false: m"),
        (reply(0), "code 0, but its data is missing: m"),
        (reply(0, "true"), 'code 0, but its data is the text "true": m'),
        (reply(0, [True]), "code 0, but its data can't be read: m"),
        (reply(0, {}), "code 0, but its data can't be read: m"),
        (reply(0, 1.5), "code 0, but its data is 1.5: m"),
        (reply(None, True), "its code is missing, not a number: m"),
        (reply([0], True), "its code is a list, not a number: m"),
        (reply({}, True), "its code is an object, not a number: m"),
        (reply("12345678", True), 'its code is the text "12345678", not a number: m'),
        (reply("123456789", True), "its code is text, not a number: m"),
        (reply("0 0", True), "its code is text, not a number: m"),
        (reply("é", True), "its code is text, not a number: m"),
        (b'{"code":0,"message":"in other words"}', "code 0, but its data is missing: in other words"),
        ("\ufeff{}".encode("utf-16-be"), "the answer isn't JSON: it begins like UTF-16"),
        (b"\xef\xbb\xbf" + reply(0, True), "the answer isn't JSON, which has no byte order mark: "),
        ("\ufeff{}".encode("utf-16-le"), "the answer isn't JSON: it begins like UTF-16"),
        (b" \r\n", "the answer is empty"),
        (b"true", "the answer is JSON, but not an object: true"),
        (b"OK", "the answer isn't JSON: OK"),
        (reply(0, True)[:-1], "the answer isn't JSON: "),
        (reply(61199), "m"),
    ],
)
def test_an_odd_answer_is_told_what_is_wrong_with_it(body: bytes, message: str) -> None:
    assert wire.read_delete(200, body).message.startswith(message)


@pytest.mark.parametrize(
    ("body", "twice"),
    [
        (b'{"code":0,"data":false,"data":true}', "data"),
        (b'{"code":61199,"data":true,"code":0}', "code"),
        (b'{"code":0,"data":true,"data":true}', "data"),
    ],
)
def test_what_is_said_twice_is_not_believed(body: bytes, twice: str) -> None:
    reply = wire.read_delete(200, body)
    assert (reply.answer, reply.data) == (Answer.UNDECIDED, None)
    assert reply.message == f"it says {twice} twice"


def test_what_an_answer_says_inside_of_something_else_is_not_said_twice() -> None:
    assert wire.read_delete(200, b'{"code":0,"data":true,"more":{"data":false,"code":1}}').answer is Answer.OK
    assert wire.read_delete(200, b'{"code":0,"data":true,"msg":"\\"data\\" \\"data\\""}').answer is Answer.OK


def test_a_token_services_odd_answer_is_told_in_its_own_words() -> None:
    assert wire.read_token(200, b'{"status":0}').message == "status 0, but its data is missing"
    assert wire.read_token(200, b'{"stauts":"0","code":0,"data":{}}').message == "status 0, but its data can't be read"
    assert wire.read_token(200, b'{"stauts":"0","code":[]}').message == 'its stauts is the text "0", not a number'
    assert wire.read_token(200, b"{}").message == "it holds no status"


def test_so_much_of_a_long_answer_is_looked_at() -> None:
    said: list[str] = []

    def clean(text: str) -> str:
        said.append(text)
        return text[:5]

    wire.read_delete(200, b"x" * (wire.LONGEST_TEXT + 1), clean)
    wire.read_delete(200, reply(61199, msg="y" * (wire.LONGEST_TEXT + 1)), clean)
    assert [len(text) for text in said if text] == [65_536, 65_536]


def test_message_and_request_id_are_one_printable_line() -> None:
    body = orjson.dumps({"code": 61199, "msg": " a\x1b[31m\r\nb ", "requestId": "id\n\u202e" + "x" * 300})
    read = wire.read_delete(200, body)
    assert read.message == "a [31m b"
    assert read.request_id is not None
    assert read.request_id.startswith("id xxx")
    assert len(read.request_id) == 200


ITEM = {"modelId": "m", "assetId": "a", "pointId": "p", "time": 1, "value": 2.5}


@pytest.mark.parametrize(
    ("data", "pairs"),
    [
        ({"items": [ITEM]}, {Pair("a", "p")}),
        ([ITEM, ITEM], {Pair("a", "p")}),
        ({"items": []}, set()),
        ({"items": [ITEM, {"assetId": "a"}]}, None),
        ({"items": [{"assetId": 1, "pointId": "p"}]}, None),
        ({"items": None}, None),
        (None, None),
        (True, None),
    ],
)
def test_what_an_answer_to_get_means(data: object, pairs: set[Pair] | None) -> None:
    read = wire.read_state(200, reply(0, data))
    assert read.answer is (Answer.UNDECIDED if pairs is None else Answer.OK)
    assert read.data == pairs


def test_what_a_pipeline_is_listed_with() -> None:
    row = {"pipelineId": "1", "status": "PAUSED", "version": 3, "updateTime": "17:00", "pipelineName": "a\nb"}
    read = wire.read_pipelines(200, reply(0, {"count": 1, "pipelines": [row]}))
    assert read.data == PipelinePage(1, (Pipeline("1", "a b", "PAUSED", "3", "17:00"),))
    assert wire.read_pipelines(200, reply(0, {"count": "1", "pipelines": []})).answer is Answer.UNDECIDED
    assert wire.list_pipelines("o1", 1).query[1] == ("pageSize", "100")


def test_a_page_of_pipelines() -> None:
    rows = [{"pipelineId": "1", "pipelineName": "n", "status": "PAUSED"}, {"pipelineId": "2", "status": "NEW"}, None]
    read = wire.read_pipelines(200, reply(0, {"count": 3, "pipelines": rows}))
    assert read.data == PipelinePage(3, (Pipeline("1", "n", "PAUSED"), Pipeline("2", "", "NEW")))


@pytest.mark.parametrize("name", ["status", "stauts", "code"])
def test_a_token_is_read_however_the_code_is_spelt(name: str) -> None:
    body = orjson.dumps({name: 0, "msg": "SUCCESS", "data": {"accessToken": "secret-tok", "expire": 7200}})
    read = wire.read_token(200, body)
    assert read.answer is Answer.OK
    assert read.data is not None
    assert (read.data.value, read.data.expire) == ("secret-tok", 7200.0)
    assert "secret-tok" not in repr(read)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (1001, Answer.UNDECIDED),
        (1002, Answer.REFUSED),
        (1003, Answer.REFUSED),
        (1004, Answer.REFUSED),
        (1005, Answer.UNDECIDED),
        (1202, Answer.REFUSED),
        (1203, Answer.CREDENTIALS),
        (1204, Answer.CREDENTIALS),
    ],
)
def test_what_the_token_service_means(code: int, answer: Answer) -> None:
    assert wire.read_token(200, orjson.dumps({"status": code, "msg": "no"})).answer is answer


@pytest.mark.parametrize(
    ("code", "answer"),
    [(1000, Answer.UNAVAILABLE), (1001, Answer.UNDECIDED), (1204, Answer.CREDENTIALS), (1205, Answer.UNAVAILABLE)],
)
def test_which_codes_of_a_500_are_the_token_services(code: int, answer: Answer) -> None:
    assert wire.read_token(500, orjson.dumps({"status": code})).answer is answer


@pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "a\0", "tök", "a\x7f"])
def test_a_token_that_no_header_can_hold_is_none(token: str) -> None:
    body = orjson.dumps({"status": 0, "data": {"accessToken": token, "expire": 7200}})
    assert wire.read_token(200, body).answer is Answer.UNDECIDED


@pytest.mark.parametrize("expire", [0.5, 1, 7200])
def test_a_tokens_life_is_in_seconds(expire: float) -> None:
    read = wire.read_token(200, orjson.dumps({"status": 0, "data": {"accessToken": "t", "expire": expire}}))
    assert read.data is not None
    assert read.data.expire == expire


@pytest.mark.parametrize("expire", [0, -1, None, "7200"])
def test_a_token_without_a_life_is_none(expire: object) -> None:
    body = orjson.dumps({"status": 0, "data": {"accessToken": "t", "expire": expire}})
    assert wire.read_token(200, body).answer is Answer.UNDECIDED


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=300)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["items", "count", "pipelines", "assetId", "pointId", "pipelineId"]), inner)
    ),
    max_leaves=8,
)
NAMES = ["code", "status", "stauts", "apim_status", "msg", "message", "requestId", "data", "accessToken", "expire"]
DOCUMENTS = st.dictionaries(st.sampled_from(NAMES), VALUES).map(orjson.dumps)


@given(status=st.integers(100, 599), body=st.binary(max_size=600) | DOCUMENTS)
@example(200, b'{"code":1' + b"0" * 400 + b"}")
@example(200, b'{"code":1e999}')
@example(200, b'{"code":"\\ud800"}')
@example(200, b"[" * 100_000)
def test_no_answer_raises_and_only_a_good_one_carries_data(status: int, body: bytes) -> None:
    for read in READERS:
        got: Reply[object] = read(status, body)
        assert got.status == status
        assert (got.data is not None) == (got.answer is Answer.OK)
        assert got.answer is not Answer.OK or 200 <= status < 300
        for text in (got.message, got.request_id or ""):
            assert len(text) <= 200
            assert text.isprintable()


@given(status=st.integers(100, 599), body=DOCUMENTS)
def test_only_code_0_with_data_true_is_deleted(status: int, body: bytes) -> None:
    document = orjson.loads(body)
    good = document.get("code") == 0 and type(document["code"]) is int and document.get("data") is True
    if wire.read_delete(status, body).answer is Answer.OK:
        assert good
        assert 200 <= status < 300


# ── Retry-After ───────────────────────────────────────────────────────────────────────────────────────────────────

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30.0),
        ("Sun Mar  1 12:00:30 2026", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("tomorrow", None),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert wire.retry_after(value, None, NOON.timestamp()) == seconds


def test_no_more_of_a_header_is_read_than_a_date_needs() -> None:
    assert wire.retry_after(" " * 63 + "57", None, 0.0) == 5.0
    assert wire.retry_after(" " * 64 + "57", None, 0.0) is None
    assert wire.retry_after("1" * 40, None, 0.0) == 111_111_111_111.0


def test_a_date_is_measured_against_the_answers_own() -> None:
    assert wire.retry_after("Sun, 01 Mar 2026 12:00:30 GMT", "Sun, 01 Mar 2026 12:00:10 GMT", 0.0) == 20.0
    assert wire.retry_after("Sun, 01 Mar 2026 12:00:30 GMT", "yesterday", NOON.timestamp()) == 30.0


@given(value=st.text(max_size=40), date=st.none() | st.text(max_size=40))
@example("9" * 400, None)
@example("Sun, 01 Mar 99999 12:00:30 GMT", None)
@example("Sun, 01 Mar 0001 00:00:00 +2359", "Sun, 01 Mar 9999 00:00:00 -2359")
@example("²", None)
def test_retry_after_never_raises_and_is_never_negative(value: str, date: str | None) -> None:
    seconds = wire.retry_after(value, date, NOON.timestamp())
    assert seconds is None or 0.0 <= seconds < 1e12


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)))
def test_every_http_date_is_read(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    expected = max(0.0, moment.timestamp() - NOON.timestamp())
    assert wire.retry_after(format_datetime(moment, usegmt=True), None, NOON.timestamp()) == expected
