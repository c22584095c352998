"""Faults: each does what it says to the call, and to the state, and when the rule says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import inf
from pathlib import Path
from time import monotonic, time
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.emulator.calls import CallKind
from bulkstate.emulator.effects import (
    Close,
    ClosedPort,
    Coded,
    Delay,
    Effect,
    Endless,
    Garbage,
    HttpStatus,
    Interim,
    Late,
    ManyHeaders,
    Odd,
    Pretend,
    ReflectToken,
    Restart,
    Truncate,
    Twice,
    Unasked,
    Unpause,
    When,
    Where,
)
from bulkstate.emulator.faults import Faults, Rule, load_faults
from bulkstate.errors import InputError
from tests.emulator.callers import PIPELINES, STAGE_STATE, Caller, caller, raw_exchange, small_world
from tests.emulator.test_golden import DELETE

pytestmark = pytest.mark.anyio

ON_DELETE = frozenset({CallKind.DELETE})
BODY = {"pipelineId": "p-1", "stageInstanceName": "LastRecordAppender_01", "assetIds": "A1", "pointIds": "P1"}


def on_delete(effect: Effect, after: int = 0, times: float = inf) -> Faults:
    """An effect on deletes only."""
    return Faults((Rule(effect, on=ON_DELETE, after=after, times=times),))


async def delete(someone: Caller) -> tuple[int, aiohttp.ClientResponse, bytes]:
    url = f"{someone.emulator.url}{STAGE_STATE}?action=delete&orgId=o1"
    headers = {"Authorization": someone.token}
    async with someone.session.post(url, data=json.dumps(BODY), headers=headers, allow_redirects=False) as response:
        return response.status, response, await response.read()


@dataclass
class Connection:
    """A bare connection, to see what comes on it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, someone: Caller, assets: str) -> dict[str, Any]:
        body = json.dumps({**BODY, "assetIds": assets}).encode()
        head = f"POST {STAGE_STATE}?action=delete&orgId=o1 HTTP/1.1\r\nHost: x\r\nAuthorization: {someone.token}\r\n"
        self.writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        document: dict[str, Any] = json.loads(await self.reader.readexactly(length))
        return document

    def holds_more(self) -> bool:
        return bool(self.reader._buffer)  # type: ignore[attr-defined]


@asynccontextmanager
async def connected(someone: Caller) -> AsyncIterator[Connection]:
    address = urlsplit(someone.emulator.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


@pytest.mark.parametrize("status", [302, 401, 403, 413, 429, 500, 503])
async def test_a_status_instead_of_doing_it(status: int) -> None:
    faults = on_delete(HttpStatus(status, retry_after=1.5, location="http://elsewhere.invalid/"))
    async with caller(small_world(), faults=faults) as someone:
        answered, response, _ = await delete(someone)
        assert (answered, response.headers["Retry-After"]) == (status, "2")
        assert response.headers["Location"] == "http://elsewhere.invalid/"
        assert len(await someone.pairs()) == 6


async def test_a_wish_as_a_date() -> None:
    async with caller(small_world(), faults=on_delete(HttpStatus(429, retry_after=30, as_date=True))) as someone:
        _, response, _ = await delete(someone)
    assert 29 <= parsedate_to_datetime(response.headers["Retry-After"]).timestamp() - time() <= 32


@pytest.mark.parametrize(("code", "name"), [(0, "code"), (61199, "code"), (4012, "apim_status")])
async def test_a_code_with_data_false(code: int, name: str) -> None:
    async with caller(small_world(), faults=on_delete(Coded(code, "busy"))) as someone:
        answer = await someone.stage_call("delete")
        assert (answer[name], answer["msg"], answer["data"]) == (code, "busy", False)
        assert len(await someone.pairs()) == 6


async def test_a_code_of_the_token_service() -> None:
    faults = Faults((Rule(Coded(1005), on=frozenset({CallKind.TOKEN}), after=1),))
    async with caller(small_world(), faults=faults) as someone:
        assert (await someone.token_call("get"))["status"] == 1005


async def test_a_delay() -> None:
    async with caller(small_world(), faults=on_delete(Delay(0.2))) as someone:
        begun = monotonic()
        assert (await someone.stage_call("delete"))["data"] is True
        assert monotonic() - begun >= 0.195  # uvloop rounds timers to whole milliseconds


@pytest.mark.parametrize(("effect", "left"), [(Close(When.BEFORE), 6), (Close(When.AFTER), 5), (Truncate(), 5)])
async def test_a_connection_that_is_closed_too_early(
    effect: Effect, left: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with caller(small_world(), faults=on_delete(effect)) as someone:
        with pytest.raises(aiohttp.ClientError):
            await delete(someone)
        assert len(await someone.pairs()) == left
    assert caplog.records == []


async def test_an_answer_that_is_no_json() -> None:
    async with caller(small_world(), faults=on_delete(Garbage())) as someone:
        status, _, body = await delete(someone)
        assert status == 200
        with pytest.raises(ValueError, match="decode"):
            json.loads(body)
        assert len(await someone.pairs()) == 5


async def test_an_answer_without_end_stops_when_the_caller_hangs_up(caplog: pytest.LogCaptureFixture) -> None:
    async with caller(small_world(), faults=on_delete(Endless())) as someone:
        url = f"{someone.emulator.url}{STAGE_STATE}?action=delete&orgId=o1"
        async with someone.session.post(url, json=BODY, headers={"Authorization": someone.token}) as response:
            assert len(await response.content.readexactly(2_000_000)) == 2_000_000
        assert len(await someone.pairs()) == 5
    assert caplog.records == []


async def test_a_pipeline_that_somebody_starts_after_two_deletes() -> None:
    async with caller(small_world(), faults=on_delete(Unpause(), after=2, times=1)) as someone:
        codes = [(await someone.stage_call("delete"))["code"] for _ in range(4)]
        assert codes == [0, 0, 61199, 61199]
        assert await someone.status() == "RUNNING"


async def test_a_delete_that_is_acknowledged_and_not_done() -> None:
    async with caller(small_world(), faults=on_delete(Pretend())) as someone:
        assert (await someone.stage_call("delete"))["data"] is True
        assert len(await someone.pairs()) == 6


async def test_an_error_that_quotes_the_token() -> None:
    async with caller(small_world(), faults=on_delete(ReflectToken())) as someone:
        assert someone.token in (await someone.stage_call("delete"))["msg"]


async def test_a_poisoned_asset_with_a_code_at_a_status() -> None:
    faults = Faults((Rule(Coded(61199, status=500), on=ON_DELETE, asset="A2"),))
    async with caller(small_world(), faults=faults) as someone:
        path = f"{STAGE_STATE}?action=delete&orgId=o1"
        answers = []
        for assets in ("A1,A2", "A1", "A2", "A22"):
            status, answer = await someone.send("POST", path, json.dumps({**BODY, "assetIds": assets}).encode())
            answers.append((status, answer["code"]))
    assert answers == [(500, 61199), (200, 0), (500, 61199), (200, 0)]


async def test_a_rule_may_count_calls_of_another_kind() -> None:
    """The list of pipelines fails from the second delete on."""
    rule = Rule(HttpStatus(503), frozenset({CallKind.PIPELINES}), after=2, counting=ON_DELETE)
    async with caller(small_world(), faults=Faults((rule,))) as someone:
        for _ in range(2):
            assert await someone.status() == "PAUSED"
            await someone.stage_call("delete")
        url = f"{someone.emulator.url}{PIPELINES}?orgId=o1"
        async with someone.session.get(url, headers={"Authorization": someone.token}) as response:
            assert response.status == 503


async def test_a_rule_ends_when_it_has_lasted() -> None:
    faults = Faults((Rule(Coded(61199), on=ON_DELETE, after=1, lasts=0.3),))
    async with caller(small_world(), faults=faults) as someone:
        codes = [(await someone.stage_call("delete"))["code"] for _ in range(3)]
        await anyio.sleep(0.4)
        codes.append((await someone.stage_call("delete"))["code"])
    assert codes == [0, 61199, 61199, 0]


async def test_an_answer_that_is_late_was_done_at_once() -> None:
    async with caller(small_world(), faults=on_delete(Late(30.0))) as someone:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(delete(someone), 0.2)
        assert len(await someone.pairs()) == 5


@pytest.mark.parametrize("later", [False, True])
async def test_an_answer_that_comes_twice(later: bool) -> None:
    faults = on_delete(Twice(later=later), times=1)
    async with caller(small_world(), faults=faults) as someone, connected(someone) as connection:
        first = await connection.ask(someone, "A1")
        await anyio.sleep(0.05)
        assert connection.holds_more() != later
        if later:
            again = await connection.ask(someone, "nobody")
            assert again == first
            assert (await connection.answer())["requestId"] != first["requestId"]
        else:
            assert await connection.answer() == first


async def test_an_answer_that_nobody_asked_for() -> None:
    async with caller(small_world(), faults=on_delete(Unasked())) as someone, connected(someone) as connection:
        assert (await connection.ask(someone, "A1"))["data"] is True
        assert (await connection.reader.readline()).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("effect", [Interim(), ManyHeaders(bytes=7_000), ManyHeaders(many=90)])
async def test_a_head_that_is_unusual_and_right(effect: Effect) -> None:
    async with caller(small_world(), faults=on_delete(effect)) as someone:
        status, response, _ = await delete(someone)
        assert (status, len(await someone.pairs())) == (200, 5)
    assert len(response.headers.get("X-Long", "")) == (7_000 if effect == ManyHeaders(bytes=7_000) else 0)
    assert ("X-Many-89" in response.headers) == (effect == ManyHeaders(many=90))


@pytest.mark.parametrize(("byte_order_mark", "begins"), [(True, b"\xef\xbb\xbf{"), (False, b'{"code":"0",')])
async def test_odd_json(byte_order_mark: bool, begins: bytes) -> None:
    async with caller(small_world(), faults=on_delete(Odd(byte_order_mark=byte_order_mark))) as someone:
        _, _, body = await delete(someone)
    assert body.startswith(begins)


async def test_a_connection_that_is_closed_once_it_was_answered() -> None:
    faults = on_delete(Close(When.ANSWERED))
    async with caller(small_world(), faults=faults) as someone, connected(someone) as connection:
        assert (await connection.ask(someone, "A1"))["data"] is True
        assert await connection.reader.read() == b""


async def test_a_connection_that_is_reset() -> None:
    faults = on_delete(Close(When.RESET))
    async with caller(small_world(), faults=faults) as someone, connected(someone) as connection:
        with pytest.raises(ConnectionResetError):
            await connection.ask(someone, "A1")
        assert len(await someone.pairs()) == 6


async def test_a_pipeline_that_is_restarted_shows_it_by_its_time_alone() -> None:
    async def row(someone: Caller) -> dict[str, str]:
        _, answer = await someone.send("GET", f"{PIPELINES}?orgId=o1")
        found: dict[str, str] = answer["data"]["pipelines"][0]
        return found

    async with caller(small_world(), faults=on_delete(Restart())) as someone:
        before = await row(someone)
        await anyio.sleep(0.01)
        assert (await someone.stage_call("delete"))["data"] is True
        after = await row(someone)
    assert {name for name in before if before[name] != after[name]} == {"updateTime"}


async def test_a_port_that_is_closed_for_a_while() -> None:
    faults = on_delete(ClosedPort(0.5), times=1)
    async with caller(small_world(), faults=faults) as someone:
        with pytest.raises(aiohttp.ClientError):
            await delete(someone)
        with pytest.raises(aiohttp.ClientConnectorError):
            await delete(someone)
        while True:
            try:
                status, _, _ = await delete(someone)
                break
            except aiohttp.ClientConnectorError:
                await anyio.sleep(0.05)
        assert (status, len(await someone.pairs())) == (200, 5)


@pytest.mark.parametrize("where", Where)
async def test_where_a_token_is_quoted(where: Where) -> None:
    odd = b"Bearer canary\xff\xfe\xc3"
    async with caller(small_world(), faults=Faults((Rule(ReflectToken(where), after=1),))) as someone:
        request = DELETE % odd
        head, _, body = (await raw_exchange(someone.emulator.url, request)).partition(b"\r\n\r\n")
    assert b"canary" in (head if where is Where.REDIRECT else body)
    assert head.startswith(b"HTTP/1.1 302 " if where is Where.REDIRECT else b"HTTP/1.1 200 ")


@given(after=st.integers(0, 4), times=st.integers(0, 4), calls=st.integers(0, 8))
async def test_a_rule_fires_when_it_says(after: int, times: int, calls: int) -> None:
    faults = on_delete(Coded(61199), after=after, times=times)
    async with caller(small_world(), faults=faults) as someone:
        codes = [(await someone.stage_call("delete"))["code"] for _ in range(calls)]
    assert codes == ([0] * after + [61199] * times + [0] * calls)[:calls]


async def test_the_same_seed_makes_the_same_faults() -> None:
    async def codes(seed: int) -> list[int]:
        faults = Faults((Rule(Coded(61199), rate=0.5, on=ON_DELETE),), seed)
        async with caller(small_world(), faults=faults) as someone:
            return [(await someone.stage_call("delete"))["code"] for _ in range(40)]

    first = await codes(1)
    assert first == await codes(1)
    assert first != await codes(2)
    assert 5 < first.count(0) < 35


async def test_the_first_rule_is_the_outermost() -> None:
    faults = Faults((Rule(Delay(0.1), on=ON_DELETE), Rule(Coded(61199), on=ON_DELETE)))
    async with caller(small_world(), faults=faults) as someone:
        begun = monotonic()
        assert (await someone.stage_call("delete"))["code"] == 61199
        assert monotonic() - begun >= 0.095  # uvloop rounds timers to whole milliseconds


EVERYTHING = """
seed: 7
rules:
  - {on: delete, rate: 5%, status: 503}
  - {after: 100, times: 3, status: 429, retry_after: 2s, as_date: true}
  - {on: [delete, get], rate: 0.01, code: 61199, message: busy}
  - {on: delete, delay: 1500ms}
  - {on: delete, close: after}
  - {on: delete, body: truncated}
  - {on: delete, body: garbage}
  - {on: delete, body: endless}
  - {on: delete, unpause: true}
  - {on: delete, pretend: true}
  - {on: delete, reflect_token: true}
  - {on: delete, asset: WTG0042, point: WTG.GenSpd, stage: S_01, status: 500, code: 61199}
  - {on: pipelines, counting: delete, after: 60, status: 503, lasts: 90s}
  - {on: delete, larger_than: 64KiB, close: reset}
  - {on: delete, late: 20s}
  - {on: delete, twice: later}
  - {on: delete, unasked: true}
  - {on: delete, interim: true}
  - {on: delete, header: 16KiB}
  - {on: delete, headers: 300}
  - {on: delete, restart: true}
  - {on: delete, closed_port: 90s}
  - {on: delete, reflect_token: redirect}
  - {on: delete, body: byte_order_mark}
"""


def test_a_file_of_faults(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(EVERYTHING)
    assert load_faults(path) == Faults(
        (
            Rule(HttpStatus(503), ON_DELETE, rate=0.05),
            Rule(HttpStatus(429, retry_after=2.0, as_date=True), after=100, times=3),
            Rule(Coded(61199, "busy"), frozenset({CallKind.DELETE, CallKind.GET}), rate=0.01),
            *(Rule(effect, ON_DELETE) for effect in (Delay(1.5), Close(When.AFTER), Truncate(), Garbage())),
            *(Rule(effect, ON_DELETE) for effect in (Endless(), Unpause(), Pretend(), ReflectToken())),
            Rule(Coded(61199, status=500), ON_DELETE, asset="WTG0042", point="WTG.GenSpd", stage="S_01"),
            Rule(HttpStatus(503), frozenset({CallKind.PIPELINES}), after=60, lasts=90.0, counting=ON_DELETE),
            Rule(Close(When.RESET), ON_DELETE, larger_than=65_536),
            *(Rule(effect, ON_DELETE) for effect in (Late(20.0), Twice(later=True), Unasked(), Interim())),
            *(Rule(effect, ON_DELETE) for effect in (ManyHeaders(bytes=16_384), ManyHeaders(many=300), Restart())),
            *(Rule(effect, ON_DELETE) for effect in (ClosedPort(90.0), ReflectToken(Where.REDIRECT))),
            Rule(Odd(byte_order_mark=True), ON_DELETE),
        ),
        seed=7,
    )


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{on: delete}", "expected exactly one of status, code, delay"),
        ("{delay: 1s, code: 1}", "expected exactly one of"),
        ("{status: 500, code: 1, twice: later}", "expected exactly one of"),
        ("{on: everything, status: 500}", r"expected delete, get, pipelines, token or other"),
        ("{statsu: 500}", "unknown key .did you mean status"),
        ("{rate: 120%, status: 500}", "expected a share from 0 to 1"),
        ("{after: -1, status: 500}", "expected a whole number of at least 0"),
        ("{status: ok}", "expected a whole number from 200 to 999"),
        ("{delay: fast}", "expected a duration"),
        ("{body: big}", "expected truncated, garbage, endless, byte_order_mark or text_code"),
    ],
)
def test_a_mistake_in_a_file_of_faults(tmp_path: Path, rule: str, message: str) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(f"rules:\n  - {{status: 500}}\n  - {rule}\n")
    with pytest.raises(InputError, match=message) as raised:
        load_faults(path)
    assert f"{path}:3: rules[1]" in str(raised.value)
