"""Faults: each does what it says to the call, and to the state, and when the rule says so."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from math import inf
from pathlib import Path
from time import monotonic, time

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.emulator.calls import CallKind
from bulkstate.emulator.faults import (
    Close,
    Coded,
    Delay,
    Effect,
    Endless,
    Faults,
    Garbage,
    HttpStatus,
    Pretend,
    ReflectToken,
    Rule,
    Truncate,
    Unpause,
    load_faults,
)
from bulkstate.errors import InputError
from tests.emulator.callers import STAGE_STATE, Caller, caller, small_world

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
        assert monotonic() - begun >= 0.2


@pytest.mark.parametrize(("effect", "left"), [(Close(performed=False), 6), (Close(performed=True), 5), (Truncate(), 5)])
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
        assert monotonic() - begun >= 0.1


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
"""


def test_a_file_of_faults(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(EVERYTHING)
    assert load_faults(path) == Faults(
        (
            Rule(HttpStatus(503), ON_DELETE, rate=0.05),
            Rule(HttpStatus(429, retry_after=2.0, as_date=True), after=100, times=3),
            Rule(Coded(61199, "busy"), frozenset({CallKind.DELETE, CallKind.GET}), rate=0.01),
            *(Rule(effect, ON_DELETE) for effect in (Delay(1.5), Close(performed=True), Truncate(), Garbage())),
            *(Rule(effect, ON_DELETE) for effect in (Endless(), Unpause(), Pretend(), ReflectToken())),
        ),
        seed=7,
    )


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{on: delete}", "expected exactly one of status, code, delay"),
        ("{status: 500, code: 1}", "expected exactly one of"),
        ("{on: everything, status: 500}", r"expected delete, get, pipelines, token or other"),
        ("{statsu: 500}", "unknown key .did you mean status"),
        ("{rate: 120%, status: 500}", "expected a share from 0 to 1"),
        ("{after: -1, status: 500}", "expected a whole number of at least 0"),
        ("{status: ok}", "expected a whole number from 200 to 999"),
        ("{delay: fast}", "expected a duration"),
        ("{body: big}", "expected truncated, garbage or endless"),
    ],
)
def test_a_mistake_in_a_file_of_faults(tmp_path: Path, rule: str, message: str) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(f"rules:\n  - {{status: 500}}\n  - {rule}\n")
    with pytest.raises(InputError, match=message) as raised:
        load_faults(path)
    assert f"{path}:3: rules[1]" in str(raised.value)
