"""What is said of the way to the gateway while it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bulkstate import config
from bulkstate.runs.check import check
from bulkstate.runs.host import Host
from bulkstate.runs.prepare import prepare
from tests.gateway.servers import gateway, http, saying

pytestmark = pytest.mark.anyio

CONFIGURATION = """\
version: 1
gateway: {{url: "{url}", org_id: o1, auth: {{bearer: "${{TOKEN}}"}}}}
delete: [{{pipeline: p1, stages: [S], where: [{{assets: [a], points: [b]}}]}}]
limits: {{rate: {rate}}}
"""
REFUSED = http(b"", "429 Too Many Requests")
LISTED = http(b'{"code": 0, "data": {"count": 1, "pipelines": [{"pipelineId": "p1", "status": "PAUSED"}]}}')
STORED = http(b'{"code": 0, "data": {"items": [{"assetId": "a", "pointId": "b", "value": 1}]}}')


@pytest.mark.parametrize(("rate", "pauses"), [("auto", []), ("20/s", [1.0])])
async def test_a_refused_read_is_said_where_it_takes_time(tmp_path: Path, rate: str, pauses: list[float]) -> None:
    async with gateway(saying(REFUSED, LISTED, STORED)) as ours:
        (tmp_path / "config.yaml").write_text(CONFIGURATION.format(url=ours.url, rate=rate))
        settings = config.load(tmp_path / "config.yaml", {"TOKEN": "t"})
        with capture_logs() as said:
            findings = await check(prepare(settings), None, Host({"TOKEN": "t"}))
    assert all(finding.passed for finding in findings)
    assert [line["seconds"] for line in said if line["event"] == "paused"] == pauses
