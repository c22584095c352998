"""The state machine, against a model of it that is written another way: what each action needs and leaves behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ("stop", "STOPPED"): 61199,
    ("stop", "PUBLISHED"): 61199,
}
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
            assert answer["data"] == (None if code else "")
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
