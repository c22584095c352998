"""The state machine, against a model of it that is written another way: what each action needs and leaves behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.emulator.world import Application, PipelineSeed, StateBlock, World
from bulkstate.model import PipelineStatus
from tests.emulator.callers import PIPELINE, caller, small_world

pytestmark = pytest.mark.anyio

CODES = {
    ("pause", "PUBLISHED"): 61152,
    ("pause", "PAUSED"): 61152,
    ("pause", "STOPPED"): 61152,
    ("start", "RUNNING"): 61165,
    ("release", "RUNNING"): 61169,
    ("release", "PUBLISHED"): 61169,
    ("stop", "STOPPED"): 61152,
    ("stop", "PUBLISHED"): 61152,
}
SAYS = {"pause": "", "start": "", "stop": "none", "release": "none", "save": "p-1"}
LEADS_TO = {"pause": "PAUSED", "start": "RUNNING", "stop": "STOPPED", "release": "PUBLISHED"}


@given(
    status=st.sampled_from(PipelineStatus),
    actions=st.lists(st.sampled_from(["pause", "start", "stop", "release", "save", "delete"]), max_size=12),
)
async def test_any_sequence_of_actions_goes_as_the_model_says(status: PipelineStatus, actions: list[str]) -> None:
    expected: str = status.value
    async with caller(small_world(status)) as someone:
        for action in actions:
            if action == "delete":
                answer = await someone.stage_call("delete")
                assert (answer["code"], answer["data"]) == ((0, True) if expected == "PAUSED" else (61199, None))
                continue
            answer = await someone.operate(action)
            code = CODES.get((action, expected), 0)
            assert answer["code"] == code
            assert answer.get("data", "none") == (None if code else SAYS[action])
            expected = expected if code else LEADS_TO.get(action, expected)
            assert await someone.status() == expected


async def test_a_delete_says_why_it_is_declined_while_the_pipeline_runs() -> None:
    async with caller(small_world(PipelineStatus.RUNNING)) as someone:
        answer = await someone.stage_call("delete")
        assert answer["code"] == 61199
        assert "RUNNING, not PAUSED" in answer["msg"]
        assert len(await someone.pairs()) == 6


@pytest.mark.parametrize("action", ["pause", "start", "stop", "release", "save"])
async def test_nobody_moves_a_pipeline_that_is_not_there(action: str) -> None:
    async with caller(small_world()) as someone:
        assert (await someone.operate(action, "no%2Fsuch%20one"))["code"] == 61108


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b'{"executionMode": 2, "kafkaRate": 1}', b'{"executionMode": 0, "kafkaRate": 0}'),
        *(
            b'{"executionMode": 0}',
            b'{"executionMode": "0", "kafkaRate": 1}',
            b'{"executionMode": 0, "kafkaRate": "1"}',
        ),
    ],
)
async def test_a_start_needs_a_configuration(body: bytes) -> None:
    async with caller(small_world()) as someone:
        status, answer = await someone.send("POST", f"{PIPELINE}p-1?action=start&orgId=o1", body)
        assert (status, answer["code"]) == (200, 61100)
        assert await someone.status() == "PAUSED"


async def test_details_of_no_pipeline() -> None:
    async with caller(small_world()) as someone:
        _, answer = await someone.send("GET", f"{PIPELINE}nobody?orgId=o1")
        assert answer["code"] == 61108


async def test_an_offset_is_asked_for_while_the_pipeline_runs_and_reset_while_it_does_not() -> None:
    async with caller(small_world()) as someone:
        for status, lag, reset in (("RUNNING", 0, 61168), ("STOPPED", 99000, 0), ("PAUSED", 99000, 0)):
            await someone.emulator.set_status("p-1", PipelineStatus(status))
            _, answer = await someone.send("GET", f"{PIPELINE}p-1/offset-lag?orgId=o1")
            assert answer["code"] == lag
            _, answer = await someone.send("POST", f"{PIPELINE}p-1/offset?orgId=o1", b"{}")
            assert answer["code"] == reset
            assert await someone.status() == status
        _, answer = await someone.send("GET", f"{PIPELINE}nobody/offset-lag?orgId=o1")
        assert answer["code"] == 61108


async def test_saving_null_makes_a_pipeline() -> None:
    async with caller(small_world()) as someone:
        body = b'{"pipelineName": "Another"}'
        _, answer = await someone.send("POST", f"{PIPELINE}null?action=save&orgId=o1", body)
        _, details = await someone.send("GET", f"{PIPELINE}{answer['data']}?orgId=o1")
        assert (answer["code"], details["data"]["pipelineName"]) == (0, "Another")
        _, answer = await someone.send("POST", f"{PIPELINE}p-1?action=save&orgId=o1", b"[]")
        assert answer["code"] == 61100


@pytest.mark.parametrize(
    ("kind", "more"), [("LatePointTagger", "latestTime"), ("SlidingTimeWindowAggregator", "windows")]
)
async def test_other_types_of_stage_tell_their_state_in_other_shapes(kind: str, more: str) -> None:
    stage = f"{kind}_01"
    state = StateBlock((stage,), ("A1",), ("P1", "P2"))
    world = World(
        "o1", Application("key", "secret"), (PipelineSeed("p-1", "P", PipelineStatus.PAUSED, (stage,), (state,)),)
    )
    async with caller(world) as someone:
        answer = await someone.stage_call("get", stageInstanceName=stage, assetIds="A1", pointIds="P1,P2")
        assert [set(item) for item in answer["data"]["items"]] == [{"assetId", "pointId", more}] * 2
        assert (await someone.stage_call("delete", stageInstanceName=stage))["data"] is True
        assert await someone.pairs(stage) == {("A1", "P2")}
