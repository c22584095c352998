"""What is certified is no more than what was seen, and the same report makes the same bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.errors import InputError
from bulkstate.model import Chain, ChunkCounts, Ended, Report, StageReport, Verification
from bulkstate.report.certificate import as_test_result, asset_list, certificate, schema
from bulkstate.report.document import schema as report_schema
from bulkstate.report.planned import schema as plan_schema

from .examples import FIRST, PARTIAL, WHOLE


def told(report: Report) -> Any:
    return orjson.loads(certificate(report))["predicate"]


def by_policy(report: Report) -> Any:
    return orjson.loads(as_test_result(report))["predicate"]


NOT_A_CERTIFICATE = "Record of a partial deletion: not a certificate"


@pytest.mark.parametrize(
    ("report", "status", "title", "result"),
    [
        (WHOLE, "erased", "Certificate of deletion", "WARNED"),
        (replace(WHOLE, guards=()), "erased", "Certificate of deletion", "PASSED"),
        (PARTIAL, "not_erased", NOT_A_CERTIFICATE, "FAILED"),
        (replace(WHOLE, verified=None), "not_erased", NOT_A_CERTIFICATE, "FAILED"),
        (replace(WHOLE, ended=Ended("interrupted")), "not_erased", NOT_A_CERTIFICATE, "FAILED"),
        (
            replace(PARTIAL, verified=replace(PARTIAL.verified or Verification(), remaining=0, requests_remaining=0)),
            "erased_with_exceptions",
            NOT_A_CERTIFICATE,
            "FAILED",
        ),
        (
            replace(WHOLE, origin=replace(WHOLE.origin, gateway="embedded:/runs/r")),
            "not_erased",
            "Record of a rehearsal: not a certificate",
            "FAILED",
        ),
    ],
)
def test_what_it_is_called(report: Report, status: str, title: str, result: str) -> None:
    found = told(report)
    assert (found["status"], found["title"], by_policy(report)["result"]) == (status, title, result)


def test_what_it_holds() -> None:
    statement = orjson.loads(certificate(WHOLE))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "bulkstate deletion target", "digest": {"sha256": "ab" * 32}}]
    found = statement["predicate"]
    people = (found["performed_by"], found["approved_by"], found["verified_by"])
    assert people == ("ada@ops-7", "ada@ops-7", "ada@ops-7")
    assert found["approval"] == {
        "how": "at the terminal",
        "by": "ada@ops-7",
        "at": "2025-11-22T02:29:59.000Z",
        "reference": "CHG123",
    }
    assert found["scope"]["counts"]["pairs"] == 1_200_000
    assert found["scope"]["asset_list"] is None
    assert found["scope"]["pipelines"][0]["version"] == "3"
    assert found["verification"] == {
        "kind": "sample",
        "unit": "request",
        "n": 20,
        "of": 120,
        "found": 0,
        "confidence": 0.95,
        "at_most": 15,
        "at": "2025-11-22T02:30:04.500Z",
    }
    assert found["guards_off"] == [{"key": "safety.max_pairs", "value": "none", "on": False}]
    assert found["journal"] == {"format": 3, "links": 321, "head": "0f" * 32, "published": ["https://ci/1"]}
    assert "logical deletion" in found["method"]
    assert any("Backups" in each for each in found["limits"])


def test_exceptions_are_told_by_outcome_and_name_no_asset() -> None:
    found = told(PARTIAL)["exceptions"]
    assert [(each["outcome"], each["code"], each["requests"]) for each in found] == [
        ("exhausted", 61199, 4),
        ("not_sent", 61199, 1),
        ("refused", 61199, 1),
        ("unknown", 61199, 1),
        ("no_record", None, 3),
    ]
    assert b"A3" not in certificate(WHOLE)


def test_nobody_is_invented() -> None:
    found = told(replace(WHOLE, origin=replace(WHOLE.origin, agreed=None, circumstances=(), verified_by="")))
    assert (found["performed_by"], found["approved_by"], found["verified_by"]) == ("", "", "")
    agreed = WHOLE.origin.agreed
    assert agreed is not None
    by_a_job = replace(WHOLE.origin, agreed=replace(agreed, how="with --yes"))
    assert told(replace(WHOLE, origin=by_a_job))["approved_by"] == "", "whoever starts a job hasn't approved it"


def test_a_list_of_assets_stands_by_its_digest() -> None:
    content, listed = asset_list(("A1", "A2"))
    assert content == b"A1\nA2\n"
    found = orjson.loads(certificate(WHOLE, listed))["predicate"]["scope"]["asset_list"]
    assert found == {"count": 2, "sha256": listed.sha256}


@pytest.mark.parametrize("chain", [None, Chain(2)])
def test_what_has_no_chain_is_not_certified(chain: Chain | None) -> None:
    with pytest.raises(InputError, match="nothing can be certified"):
        certificate(replace(WHOLE, origin=replace(WHOLE.origin, chain=chain)))


def test_the_same_report_makes_the_same_bytes_wherever_it_lies() -> None:
    assert certificate(WHOLE) == certificate(replace(WHOLE, run_dir="/elsewhere/tonight"))


counts = st.builds(
    ChunkCounts,
    planned=st.integers(1, 30),
    deleted=st.integers(0, 3),
    refused=st.integers(0, 1),
    exhausted=st.integers(0, 1),
    unknown=st.integers(0, 1),
    suspect=st.integers(0, 1),
    not_sent=st.integers(0, 1),
)
verifications = st.none() | st.builds(
    Verification,
    sampled=st.integers(0, 9),
    remaining=st.integers(0, 2),
    witnesses=st.just(3),
    witnesses_lost=st.integers(0, 2),
    requests=st.integers(0, 5),
    of_requests=st.integers(5, 9),
    at_most=st.integers(0, 5),
)


@given(counts, verifications, st.sampled_from(["", None, "outage", "interrupted"]), st.sampled_from(["", "HTTP 403"]))
def test_erased_only_if_complete_and_read_back(
    chunks: ChunkCounts, verified: Verification | None, by: str | None, unread: str
) -> None:
    whole = chunks.deleted == chunks.unsplit
    deleted = 1_000 if whole else 10 * chunks.deleted
    stage = StageReport(FIRST, chunks, 1_000, deleted, 9, 0, 0)
    ran = replace(
        WHOLE,
        chunks=chunks,
        stages=(stage,),
        pairs_planned=1_000,
        pairs_deleted=deleted,
        verified=verified,
        ended=Ended(by, 1.0, unread),
    )
    found = told(ran)
    if found["status"] == "erased":
        assert whole and by == "" and not unread
        assert verified is not None and verified.requests and not verified.remaining and not verified.witnesses_lost
    else:
        assert found["title"] == NOT_A_CERTIFICATE
    assert (by_policy(ran)["result"] == "FAILED") == (found["status"] != "erased")


def fits(value: Any, form: dict[str, Any]) -> bool:
    """Whether a value is as a schema says, as far as ours say anything."""
    if "anyOf" in form:
        return any(fits(value, each) for each in form["anyOf"])
    if "enum" in form:
        return value in form["enum"]
    match form["type"]:
        case "object" if not isinstance(value, dict):
            return False
        case "object":
            names = form["properties"]
            return list(value) == list(names) and all(fits(value[name], names[name]) for name in names)
        case "array":
            return isinstance(value, list) and all(fits(each, form["items"]) for each in value)
    kinds: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    return isinstance(value, kinds[form["type"]])


@pytest.mark.parametrize("report", [WHOLE, PARTIAL])
def test_what_is_written_is_as_its_schema_says(report: Report) -> None:
    from bulkstate.report import to_json

    assert fits(orjson.loads(certificate(report)), schema())
    assert fits(orjson.loads(to_json(report)), report_schema())


def test_a_plan_has_a_schema() -> None:
    assert {"plan", "target", "approval", "where", "inputs", "guards", "effort"} <= plan_schema()["properties"].keys()
