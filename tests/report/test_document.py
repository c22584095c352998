"""The JSON report: the names that docs and scripts rely on."""

from __future__ import annotations

from dataclasses import replace

import orjson

from bulkstate.report import to_json
from tests.report.examples import ENTRY, PARTIAL, WHOLE

NAMES = """schema conclusion reason_code next pipelines where started ended deadline phases who agreed target plan
    approval configuration reference inputs remarks asked before result reason chunks pairs unlisted_pairs
    stages failures verified blamed held uses attempts retries throttled seconds requests_per_second latency
    guards version journal run run_dir"""
"""In the order in which somebody asks who wasn't there: the ending, then where, who, of what, what came of it."""


def test_names_and_figures() -> None:
    text = to_json(PARTIAL)
    assert text.endswith(b"}\n")
    found = orjson.loads(text)
    assert list(found) == NAMES.split()
    assert found["result"] == "partial"
    assert found["chunks"] == {
        "planned": 120,
        "deleted": 110,
        "refused": 1,
        "exhausted": 4,
        "unknown": 1,
        "suspect": 0,
        "not_sent": 4,
        "split": 0,
    }
    assert found["pairs"] == {"planned": 1_200_000, "deleted": 1_100_000}
    assert found["verified"] == {
        "sampled": 200_000,
        "remaining": 3,
        "witnesses": 50,
        "witnesses_lost": 1,
        "requests": 20,
        "of_requests": 110,
        "requests_remaining": 2,
        "at_most": 32,
    }
    assert found["reason_code"] == "partial"
    assert found["conclusion"].startswith("Partly deleted: 1,100,000 of 1,200,000 pairs; 100,000 may remain")
    assert found["next"] == "bulkstate resume bulkstate-runs/tonight"
    assert found["where"] == {
        "gateway": "https://apim.example.com",
        "organisation": "o1",
        "credentials": ["ENOS_APP_KEY", "ENOS_APP_SECRET"],
    }
    assert (found["started"], found["ended"]) == ("2025-11-22T02:30:00.000Z", "2025-11-22T02:30:05.000Z")
    assert found["before"]["entries"] == [{"entry": ENTRY, "looked_at": 20, "with_state": 19}]
    assert (found["before"]["assets_without"], found["before"]["examples_without"]) == (1, ["A3"])
    assert [each["safe_to_start"] for each in found["pipelines"]] == ["no"]
    assert found["requests_per_second"] == 25.0
    assert [stage["stage"] for stage in found["stages"]] == ["LastRecordAppender_01", "LatestRecordMerger_02"]
    assert found["stages"][1]["pairs"] == {"planned": 200_000, "deleted": 100_000}


def test_failures_come_in_kinds_the_most_frequent_first() -> None:
    found = orjson.loads(to_json(PARTIAL))["failures"]
    assert [(kind["verdict"], kind["chunks"], kind["pairs"]) for kind in found] == [
        ("exhausted", 4, 40_000),
        ("refused", 1, 10_000),
        ("unknown", 1, 10_000),
        ("not_sent", 1, 10_000),
    ]
    assert [example["request_id"] for example in found[0]["examples"]] == ["r-102", "r-103", "r-104"]


def test_verified_has_its_fields_even_where_nothing_was_read_back() -> None:
    found = orjson.loads(to_json(replace(WHOLE, verified=None)))
    assert (found["verified"]["sampled"], found["verified"]["remaining"]) == (0, 0)
