"""What can be proved of a run: an in-toto Statement (v1) about its target, to be signed by what signs such statements.

The same journal always makes the same bytes: every time in it is the journal's, and nothing is said that isn't there.
Whoever keeps the head of the journal's chain can tell whether the journal was written anew. docs/certificate.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import orjson

from bulkstate.errors import InputError, Problem
from bulkstate.model import Chain, Guard, InputFile, Report, Verdict, Verification
from bulkstate.policy.presence import presence
from bulkstate.policy.sampling import CONFIDENCE
from bulkstate.report.conclusion import ReasonCode, at_the_end, concluded
from bulkstate.report.document import reference_of
from bulkstate.report.parts import rfc_3339
from bulkstate.report.schema import schema_of

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "urn:bulkstate:certificate:v1"
"""Ours. The number is its major version: fields are added within one, never renamed or taken away."""

TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
"""in-toto's own, for policy engines that know no predicate of ours."""

SUBJECT: Final = "bulkstate deletion target"

METHOD: Final = "Delete Stage State API: logical deletion as answered by the platform, not media sanitisation"

LIMITS: Final = (
    "The gateway's answers are taken as honest: what it calls deleted, and what it finds when it is read back.",
    "Backups, replicas, logs and downstream copies of the state aren't covered.",
    "State that a pipeline writes after the last reading back isn't covered.",
)


class Erasure(StrEnum):
    """What is certified."""

    ERASED = "erased"
    """All of it was answered "deleted", and was read back, whole or as a sample, and found gone."""
    WITH_EXCEPTIONS = "erased_with_exceptions"
    """What was deleted was read back and found gone; something else isn't as it was asked for."""
    NOT_ERASED = "not_erased"


_TITLES: Final = {Erasure.ERASED: "Certificate of deletion"}
_NO_CERTIFICATE: Final = "Record of a partial deletion: not a certificate"
_REHEARSAL: Final = "Record of a rehearsal: not a certificate"


@dataclass(frozen=True, slots=True)
class _Issuer:
    tool: str
    version: str
    host: str


@dataclass(frozen=True, slots=True)
class _Pipeline:
    id: str
    name: str
    version: str
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AssetList:
    """The asset IDs that the plan names, ascending, a line each: they may be personal data, so only their digest."""

    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Counts:
    assets: int
    points: int
    pairs: int
    kept_pairs: int
    unlisted_pairs: int
    requests: int


@dataclass(frozen=True, slots=True)
class _Scope:
    gateway: str
    organisation: str
    pipelines: tuple[_Pipeline, ...]
    target: str
    counts: _Counts
    asset_list: AssetList | None


@dataclass(frozen=True, slots=True)
class _Digests:
    plan: str
    approval: str
    configuration: str


@dataclass(frozen=True, slots=True)
class _Approval:
    how: str
    by: str
    at: str | None
    reference: str


@dataclass(frozen=True, slots=True)
class _Before:
    pairs: int
    with_state: int
    read_again: int
    with_state_again: int


@dataclass(frozen=True, slots=True)
class _Verified:
    """`kind` is full, sample or none. Of `of` requests so many were read back whole, and `found` of them hold state;
    with that confidence at most `at_most` of all do."""

    kind: str
    unit: str
    n: int
    of: int
    found: int
    confidence: float | None
    at_most: int | None
    at: str | None


@dataclass(frozen=True, slots=True)
class _Exception:
    outcome: str
    code: int | None
    requests: int
    pairs: int


@dataclass(frozen=True, slots=True)
class _Witnesses:
    with_state_before: int
    lost: int


@dataclass(frozen=True, slots=True)
class _Journal:
    """`published` are the jobs whose logs hold the head, as far as they said where they are found."""

    format: int
    links: int
    head: str
    published: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Predicate:
    """The fields, in the order in which they are written. Times are RFC 3339, UTC, and those of the journal."""

    id: str
    title: str
    status: Erasure
    conclusion: str
    reason_code: str | None
    time: str | None
    issuer: _Issuer
    scope: _Scope
    method: str
    digests: _Digests
    inputs: tuple[InputFile, ...]
    performed_by: str
    approved_by: str
    verified_by: str
    approval: _Approval
    started: str | None
    ended: str | None
    before: _Before
    verification: _Verified
    deleted_pairs: int
    exceptions: tuple[_Exception, ...]
    guards_off: tuple[Guard, ...]
    witnesses: _Witnesses
    journal: _Journal
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Digest:
    sha256: str


@dataclass(frozen=True, slots=True)
class _Subject:
    name: str
    digest: _Digest


@dataclass(frozen=True, slots=True)
class Statement:
    """An in-toto Statement, v1, with a predicate of ours."""

    _type: str
    subject: tuple[_Subject, ...]
    predicateType: str  # noqa: N815 - in-toto's spelling
    predicate: Predicate


def certificate(report: Report, assets: AssetList | None = None) -> bytes:
    """The statement as JSON, UTF-8, ending in a newline. InputError for a run that was begun by a bulkstate that made
    no chain, or no digest of the target."""
    return _written(asdict(Statement(STATEMENT, (_subject(report),), PREDICATE, _predicate(report, assets))))


def asset_list(ids: Sequence[str]) -> tuple[bytes, AssetList]:
    """A list of asset IDs as a file, and what a certificate says of it."""
    content = "".join(f"{each}\n" for each in ids).encode()
    return content, AssetList(len(ids), sha256(content).hexdigest())


def _written(statement: dict[str, Any]) -> bytes:
    return orjson.dumps(statement, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _subject(report: Report) -> _Subject:
    _chain(report)
    return _Subject(SUBJECT, _Digest(report.origin.target))


def _chain(report: Report) -> Chain:
    chain = report.origin.chain
    if chain is None or not chain.links or not report.origin.target:
        message = "an earlier bulkstate began this run: its journal has no chain, and nothing can be certified by it"
        raise InputError(Problem(message, report.run_dir))
    return chain


# ── what is said ──────────────────────────────────────────────────────────────────────────────────────────────────


def status_of(report: Report) -> Erasure:
    """What can be said of the run as a whole: no more than was seen."""
    code, found = concluded(report).reason_code, report.verified or Verification()
    if code is ReasonCode.NOT_RESTARTED:
        code = at_the_end(report)
    if _is_rehearsal(report) or not (report.chunks.planned and found.requests) or found.remaining:
        return Erasure.NOT_ERASED
    if code in (ReasonCode.DELETED, ReasonCode.DELETED_SAMPLED):
        return Erasure.ERASED
    ended = code in (ReasonCode.PARTIAL, ReasonCode.WITNESSES_LOST)
    return Erasure.WITH_EXCEPTIONS if ended and report.pairs_deleted else Erasure.NOT_ERASED


def _is_rehearsal(report: Report) -> bool:
    return not report.origin.gateway.startswith(("https://", "http://"))


def _title(report: Report, status: Erasure) -> str:
    return _REHEARSAL if _is_rehearsal(report) else _TITLES.get(status, _NO_CERTIFICATE)


def _predicate(report: Report, assets: AssetList | None) -> Predicate:
    origin, status, conclusion, chain = report.origin, status_of(report), concluded(report), _chain(report)
    first, agreed = next(iter(origin.circumstances), None), origin.agreed
    at_terminal = agreed is not None and agreed.how == "at the terminal"
    times = [*(phase.at for phase in origin.phases), *(each.at for each in origin.circumstances)]
    return Predicate(
        id=f"urn:uuid:{uuid5(NAMESPACE_URL, f'{PREDICATE}/{report.run}/{origin.target}/{chain.head}')}",
        title=_title(report, status),
        status=status,
        conclusion=conclusion.sentence,
        reason_code=conclusion.reason_code,
        time=rfc_3339(max(times, default=None)),
        issuer=_Issuer("bulkstate", origin.version, first.host if first else ""),
        scope=_scope(report, assets),
        method=METHOD,
        digests=_Digests(report.plan, origin.approval, origin.configuration),
        inputs=origin.inputs,
        performed_by=first.who if first else "",
        approved_by=agreed.by if agreed is not None and at_terminal else "",
        verified_by=origin.verified_by,
        approval=_approval(report),
        started=rfc_3339(origin.started),
        ended=None if report.ended.by is None else rfc_3339(report.ended.at),
        before=_before(report),
        verification=_verified(report),
        deleted_pairs=report.pairs_deleted,
        exceptions=tuple(_exceptions(report)),
        guards_off=tuple(each for each in report.guards if not each.on),
        witnesses=_witnesses(report.verified or Verification()),
        journal=_Journal(chain.format, chain.links, chain.head, _published(report)),
        limits=LIMITS,
    )


def _scope(report: Report, assets: AssetList | None) -> _Scope:
    seen = {each.id: each for each in report.ended.pipelines}
    stages: dict[str, list[str]] = {}
    for each in report.stages:
        stages.setdefault(each.stage.pipeline, []).append(each.stage.name)
    pipelines = (
        _Pipeline(id_, seen[id_].name if id_ in seen else "", seen[id_].version if id_ in seen else "", tuple(names))
        for id_, names in stages.items()
    )
    asked = report.asked
    counts = _Counts(
        asked.assets,
        asked.points,
        report.pairs_planned,
        asked.kept_pairs,
        report.unlisted_pairs,
        report.chunks.planned,
    )
    place = report.origin.gateway, report.origin.organisation
    return _Scope(*place, tuple(pipelines), report.origin.target, counts, assets)


def _approval(report: Report) -> _Approval:
    agreed, reference = report.origin.agreed, reference_of(report)
    return (
        _Approval("", "", None, reference)
        if agreed is None
        else _Approval(agreed.how, agreed.by, rfc_3339(agreed.at), reference)
    )


def _before(report: Report) -> _Before:
    found, again = presence(report.before), presence(report.after)
    return _Before(found.looked_at, found.with_state, again.looked_at, again.with_state)


def _verified(report: Report) -> _Verified:
    found = report.verified or Verification()
    if not found.requests:
        return _Verified("none", "request", 0, report.chunks.deleted, 0, None, None, None)
    full = found.requests >= found.of_requests
    at = next((phase.at for phase in report.origin.phases if phase.name == "read_back"), None)
    kind, confidence = ("full", None) if full else ("sample", CONFIDENCE)
    counts = found.requests, found.of_requests, found.requests_remaining
    return _Verified(kind, "request", *counts, confidence, found.at_most, rfc_3339(at))


def _exceptions(report: Report) -> Iterator[_Exception]:
    """What isn't deleted, by outcome and code."""
    found: dict[tuple[str, int | None], list[int]] = {}
    for failure in report.failures:
        found.setdefault((failure.outcome.verdict.value, failure.outcome.code), []).append(failure.pairs)
    for (outcome, code), pairs in sorted(found.items(), key=lambda item: (item[0][0], str(item[0][1]))):
        yield _Exception(outcome, code, len(pairs), sum(pairs))
    recorded = sum(failure.outcome.verdict is Verdict.NOT_SENT for failure in report.failures)
    if unreached := report.chunks.not_sent - recorded:
        left = report.pairs_planned - report.pairs_deleted - sum(failure.pairs for failure in report.failures)
        yield _Exception("no_record", None, unreached, max(0, left))


def _witnesses(found: Verification) -> _Witnesses:
    return _Witnesses(found.witnesses, found.witnesses_lost)


def _published(report: Report) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.job for each in report.origin.circumstances if each.job))


# ── in-toto's predicate ───────────────────────────────────────────────────────────────────────────────────────────


def as_test_result(report: Report) -> bytes:
    """The same verdict as in-toto's test-result, about the same subject: its tests are what a certificate stands on."""
    tests = {
        "all-deleted": report.pairs_deleted == report.pairs_planned > 0,
        "read-back": bool(report.verified and report.verified.requests),
        "none-holds-state": not (report.verified and report.verified.remaining),
        "witnesses-kept": not (report.verified and report.verified.witnesses_lost),
        "guards-on": all(each.on for each in report.guards),
    }
    failed = [name for name, passed in tests.items() if not passed and name != "guards-on"]
    warned = [name for name, passed in tests.items() if not passed and name == "guards-on"]
    status = status_of(report)
    result = "FAILED" if status is not Erasure.ERASED else "WARNED" if warned else "PASSED"
    subject = asdict(_subject(report))
    configuration = {"name": "configuration", "digest": {"sha256": report.origin.configuration}}
    predicate: dict[str, object] = {"result": result, "configuration": [configuration]}
    if published := _published(report):
        predicate["url"] = published[-1]
    predicate |= {
        "passedTests": [name for name, passed in tests.items() if passed],
        "warnedTests": warned,
        "failedTests": failed or ([] if status is Erasure.ERASED else ["erased"]),
    }
    statement = {"_type": STATEMENT, "subject": [subject], "predicateType": TEST_RESULT, "predicate": predicate}
    return _written(statement)


def schema() -> dict[str, Any]:
    """The JSON Schema of a certificate."""
    return schema_of(Statement, PREDICATE)
