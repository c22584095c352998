"""How a run ended, in one sentence: what is first in every report, and what somebody woken at three reads.

No sentence says more than was seen. What the gateway answered is called its answer; what was read back is said with
how much of it was; a pipeline is called safe to start only where all that was asked for is deleted and was looked at.
The next command is one that can work: what the API refuses for good is never sent again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log10
from typing import Final

from bulkstate.errors import (
    BulkstateError,
    CertificateDiffers,
    JournalDamaged,
    NothingThere,
    NotVerified,
    Refused,
)
from bulkstate.gateway.wire import Code
from bulkstate.model import THIS_RUN, PipelineSeen, PipelineStatus, Report, Verdict, Verification
from bulkstate.policy.presence import had_nothing, presence
from bulkstate.report.failures import kinds
from bulkstate.report.remarks import nothing_kept
from bulkstate.text import counted, moment, printable

_PIPELINES_NAMED: Final = 3


class ReasonCode(StrEnum):
    """Which ending it is: the closed list that `reason_code` is one of."""

    DELETED = "deleted"
    """All of it, and every request was read back whole; or there was nothing to delete."""
    DELETED_SAMPLED = "deleted_sampled"
    DELETED_UNVERIFIED = "deleted_unverified"
    """By the gateway's word alone."""
    NOTHING_THERE = "nothing_there"
    PARTIAL = "partial"
    STATE_REMAINS = "state_remains"
    WITNESSES_LOST = "witnesses_lost"
    NOT_VERIFIED = "not_verified"
    """It was to be read back, and couldn't be."""
    NOT_RESTARTED = "not_restarted"
    """All is well but that a pipeline that the run paused couldn't be started again."""

    REFUSED = "refused"
    GUARD_EXCEEDED = "guard_exceeded"
    KEEP_UNMATCHED = "keep_unmatched"
    CHECK_FAILED = "check_failed"
    STAGE_UNKNOWN = "stage_unknown"
    DEADLINE_TOO_SOON = "deadline_too_soon"
    NOT_CONFIRMED = "not_confirmed"
    NOT_ALLOWED = "not_allowed"
    DIGEST_DIFFERS = "digest_differs"
    PLAN_ALTERED = "plan_altered"
    PLAN_STALE = "plan_stale"
    PLAN_OUTDATED = "plan_outdated"
    RUN_EXISTS = "run_exists"
    RUN_IN_USE = "run_in_use"
    WRONG_INPUT = "wrong_input"

    CANARY = "canary"
    UNPAUSED = "unpaused"
    STATUS_UNREAD = "status_unread"
    DEADLINE = "deadline"
    TOO_MANY_FAILED = "too_many_failed"
    OUTAGE = "outage"
    CREDENTIALS = "credentials"
    GATEWAY_REFUSED = "gateway_refused"
    JOURNAL = "journal"
    DAMAGED = "damaged"
    CERTIFICATE_DIFFERS = "certificate_differs"
    STOPPED_BY_HAND = "stopped_by_hand"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    BUG = "bug"


_AT_AN_END: Final = frozenset({ReasonCode.DELETED, ReasonCode.DELETED_SAMPLED, ReasonCode.DELETED_UNVERIFIED})
_REMAINS: Final = frozenset({ReasonCode.PARTIAL, ReasonCode.STATE_REMAINS, ReasonCode.WITNESSES_LOST})
_AT_REST: Final = frozenset({PipelineStatus.PAUSED, PipelineStatus.STOPPED, PipelineStatus.PUBLISHED})


class Safe(StrEnum):
    """Whether a pipeline may be started."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class StartAdvice:
    """Whether a pipeline is safe to start, and why that is said."""

    pipeline: PipelineSeen
    safe: Safe
    because: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The first line of every report, the code that names the ending, and the command to go on with, if any.

    `reason_code` is None where no ending is recorded.
    """

    reason_code: ReasonCode | None
    sentence: str
    next: str = ""


def concluded(report: Report) -> Conclusion:
    """How a run with a journal ended, or how it stands."""
    code = _reason(report)
    said = (_what(code, report), *_caveats(report), _pipelines(code, report))
    return Conclusion(code, " ".join(part for part in said if part), _next(code, report))


def _caveats(report: Report) -> Iterator[str]:
    """What was deleted, kept or watched to no purpose: whoever reads no more than the conclusion has to know it."""
    if not _sent_any(report):
        return
    yield had_nothing(presence(report.before))
    yield nothing_kept(report.remarks)
    if report.witness_less:
        yield "None of the witnesses had state before: they tell nothing."


def refused(error: BulkstateError) -> Conclusion:
    """How a command ended that didn't come to the first delete."""
    code = ReasonCode(error.reason_code)
    if isinstance(error, Refused):
        return Conclusion(code, f"Refused, nothing deleted: {printable(error.message)}.")
    if isinstance(error, (NotVerified, JournalDamaged, CertificateDiffers)):  # earlier commands may have sent much
        return Conclusion(code, f"{printable(error.message)}.")
    if isinstance(error, NothingThere):
        return Conclusion(code, printable(error.message))
    return Conclusion(code, f"{printable(error.message.splitlines()[0])}. Nothing was sent.")


# ── which ending ──────────────────────────────────────────────────────────────────────────────────────────────────


def _reason(report: Report) -> ReasonCode | None:
    if report.ended.by is None:
        return None
    return ReasonCode(report.ended.by) if report.ended.by else at_the_end(report)


def at_the_end(report: Report) -> ReasonCode:
    """Which ending it is of a run that nothing ended early."""
    found = report.verified or Verification()
    if found.remaining and _only_suspects_left(report):
        return ReasonCode.STATE_REMAINS
    if report.chunks.deleted < report.chunks.unsplit:
        return ReasonCode.PARTIAL
    if found.witnesses_lost:
        return ReasonCode.WITNESSES_LOST
    if report.ended.unread:
        return ReasonCode.NOT_VERIFIED
    if not report.chunks.planned:
        return ReasonCode.DELETED
    if not found.requests:
        return ReasonCode.DELETED_UNVERIFIED
    return ReasonCode.DELETED if found.requests >= report.chunks.deleted else ReasonCode.DELETED_SAMPLED


def _only_suspects_left(report: Report) -> bool:
    chunks = report.chunks
    return chunks.deleted + chunks.suspect == chunks.unsplit


# ── what is said ──────────────────────────────────────────────────────────────────────────────────────────────────


def _what(code: ReasonCode | None, report: Report) -> str:
    pairs, found = counted(report.pairs_planned, "pair"), report.verified or Verification()
    everything = f"all {pairs}" if report.pairs_planned > 1 else pairs
    match code:
        case None:
            return _unfinished(report)
        case ReasonCode.DELETED if not report.chunks.planned:
            return "Done: there was nothing to delete, and nothing was sent."
        case ReasonCode.DELETED:
            return f"Deleted: {everything}; every request was read back whole, none holds state."
        case ReasonCode.DELETED_SAMPLED:
            return f"Deleted: {everything}; {_sampled(found)}."
        case ReasonCode.DELETED_UNVERIFIED:
            word = "nothing was read back: this is the gateway's word alone"
            return f'Answered "deleted" for {everything}; {word}.'
        case ReasonCode.NOT_VERIFIED:
            return f'Answered "deleted" for {everything}, but not to be read back: {printable(report.ended.unread)}.'
        case ReasonCode.STATE_REMAINS:
            return f'Not clean: every request was answered "deleted", but {_holding(found)}.'
        case ReasonCode.WITNESSES_LOST:
            lost = f"{found.witnesses_lost:,} of {found.witnesses:,} witness pairs have lost their state"
            return f"Deleted: {everything}; but {lost}, and nobody asked for that."
        case ReasonCode.PARTIAL:
            return _partly(report, found)
        case ReasonCode.NOT_RESTARTED:
            return f"{_what(at_the_end(report), report)} But {printable(report.reason)}."
        case ReasonCode.CHECK_FAILED if not _sent_any(report):
            return f"Refused, nothing deleted: {printable(report.reason)}."
        case ReasonCode.DEADLINE:
            return f"Stopped in time for {printable(report.reason)}: {_so_far(report)}."
        case ReasonCode.INTERRUPTED:
            return f"Interrupted ({printable(report.reason)}): {_so_far(report)}."
    return f"Stopped: {printable(report.reason)}. So far {_so_far(report)}."


def _sampled(found: Verification) -> str:
    were = "was" if found.requests == 1 else "were"
    seen = f"{found.requests:,} of {counted(found.of_requests, 'request')} {were} read back whole, none holds state"
    return f"{seen} (95 %: {share_at_most(found)} of them do)"


def share_at_most(found: Verification) -> str:
    """The largest share of the requests that may hold state, rounded up to two digits, as in `at most 1.0 %`."""
    if not found.at_most:
        return "none"
    percent = 100 * found.at_most / max(1, found.of_requests)
    digits = max(0, 1 - int(log10(percent) // 1))
    return f"at most {ceil(round(percent * 10**digits, 6)) / 10**digits:.{digits}f} %"


def _holding(found: Verification) -> str:
    hold = "holds" if found.remaining == 1 else "hold"
    return f"{found.remaining:,} of {counted(found.sampled, 'pair')} read back {hold} state"


def _partly(report: Report, found: Verification) -> str:
    left = report.pairs_planned - report.pairs_deleted
    doubtful = report.chunks.unknown or report.chunks.suspect
    remain = "may remain" if doubtful else "remains" if left == 1 else "remain"
    deleted = "Nothing deleted" if not report.pairs_deleted else f"Partly deleted: {report.pairs_deleted:,}"
    cause = _cause(report)
    said = f"{deleted} of {counted(report.pairs_planned, 'pair')}; {left:,} {remain}{f' ({cause})' if cause else ''}"
    return f"{said}; {_holding(found)}." if found.remaining else f"{said}."


def _cause(report: Report) -> str:
    """What most of the chunks that aren't deleted were answered."""
    found = kinds(report.failures)
    if not found:
        return ""
    first = found[0]
    code = first.code if first.code is not None else f"HTTP {first.status}" if first.status is not None else ""
    what = f"{first.verdict.value.replace('_', ' ')}: {code}" if code else first.verdict.value.replace("_", " ")
    return f"{counted(first.chunks, 'request')} {what}"


def _so_far(report: Report) -> str:
    """How much is deleted, never rounded up, and what became of the rest."""
    planned = max(1, report.pairs_planned)
    counts = (
        (report.chunks.unknown, "unknown"),
        (report.chunks.suspect, "suspect"),
        (report.chunks.refused + report.chunks.exhausted, "failed"),
        (report.chunks.not_sent, "not sent"),
    )
    rest = [f"{counted(number, 'request')} {what}" for number, what in counts if number]
    return ", ".join((f"{100 * report.pairs_deleted // planned} % deleted", *rest))


def _unfinished(report: Report) -> str:
    heard = f", last heard of {moment(report.ended.at)}" if report.ended.at is not None else ""
    if report.ended.running:
        return f"Still running{heard}. So far {_so_far(report)}."
    return f"No ending recorded: killed, or no longer able to write{heard}. So far {_so_far(report)}."


# ── the pipelines ─────────────────────────────────────────────────────────────────────────────────────────────────


def start_advice(report: Report) -> tuple[StartAdvice, ...]:
    """For each pipeline whether it is safe to start."""
    code = _reason(report)
    if code is ReasonCode.NOT_RESTARTED:
        code = at_the_end(report)
    return tuple(StartAdvice(seen, *_safe(code, report, seen)) for seen in report.ended.pipelines)


def _sent_any(report: Report) -> bool:
    return bool(report.attempts + report.throttled)


def _safe(code: ReasonCode | None, report: Report, seen: PipelineSeen) -> tuple[Safe, str]:
    if not _sent_any(report) and code not in _AT_AN_END:
        return Safe.UNKNOWN, "no delete was sent: it has the state that it had"
    stages = [stage for stage in report.stages if stage.stage.pipeline == seen.id]
    left = sum(stage.pairs_planned - stage.pairs_deleted for stage in stages)
    if left:
        return Safe.NO, f"{counted(left, 'pair')} may still have state"
    if code in (ReasonCode.STATE_REMAINS, ReasonCode.WITNESSES_LOST):
        return Safe.NO, "what was read back isn't as it should be"
    if code not in (ReasonCode.DELETED, ReasonCode.DELETED_SAMPLED):
        return Safe.UNKNOWN, "it was not read back"
    if not seen.now:
        return Safe.UNKNOWN, "nobody could say what it is in now"
    if seen.started_again:
        return Safe.YES, "all that was asked for is deleted, and the run has started it again"
    if seen.now not in _AT_REST:
        return Safe.UNKNOWN, f"it is {seen.now}: it may have written state while it was deleted"
    return Safe.YES, "all that was asked for is deleted, and none was found where it was read back"


def _pipelines(code: ReasonCode | None, report: Report) -> str:
    """What the pipelines are in now, and whether they are safe to start; nothing where nothing was deleted."""
    advice = start_advice(report)
    back = [each for each in advice if each.pipeline.started_again and each.pipeline.now not in _AT_REST]
    stay = [each for each in advice if each.pipeline.paused_by and each.pipeline.now in _AT_REST]
    advice = tuple(each for each in advice if each not in back) if _sent_any(report) else ()
    safe, unsafe = ([each for each in advice if each.safe is which] for which in (Safe.YES, Safe.NO))
    unclear = [each for each in advice if each.safe is Safe.UNKNOWN]
    said = (
        f"{_named(safe)} {_are(safe)} and safe to start." if safe else "",
        f"{_named(unclear)} {_are(unclear)}." if unclear else "",
        f"Don't start {_named(unsafe)}{_running(unsafe)}." if unsafe else "",
        f"{_named(stay)} ran before this run and {'stays' if len(stay) == 1 else 'stay'} paused." if stay else "",
        f"{_named(back)} {'was' if len(back) == 1 else 'were'} started again." if back else "",
    )
    return " ".join(part[:1].upper() + part[1:] for part in said if part)


def _named(advice: Sequence[StartAdvice]) -> str:
    names = [f'"{printable(each.pipeline.name or each.pipeline.id)}"' for each in advice]
    if len(names) > _PIPELINES_NAMED:
        return f"{len(names)} pipelines"
    noun = "pipeline" if len(names) == 1 else "pipelines"
    return f"{noun} {' and '.join((', '.join(names[:-1]), names[-1])) if len(names) > 1 else names[0]}"


def _are(advice: Sequence[StartAdvice]) -> str:
    found = sorted({each.pipeline.now for each in advice})
    verb = "is" if len(advice) == 1 else "are"
    return f"{verb} {' or '.join(printable(status).lower() or 'in a state that nobody could read' for status in found)}"


def _running(advice: Sequence[StartAdvice]) -> str:
    running = [each for each in advice if each.pipeline.now and each.pipeline.now not in _AT_REST]
    return f" ({_named(running)} {_are(running)}: pause it)" if running else ""


# ── what to do ────────────────────────────────────────────────────────────────────────────────────────────────────


def _next(code: ReasonCode | None, report: Report) -> str:
    """The command to go on with; empty where there is nothing to do."""
    directory = shlex.quote(report.run_dir)
    if code in (ReasonCode.DELETED, ReasonCode.DELETED_SAMPLED, ReasonCode.DAMAGED):
        return ""  # a damaged journal is gone on with by nothing but an earlier copy of it
    if report.ended.running:
        return f"bulkstate ctl {directory} status"
    held = any(each.paused_by == THIS_RUN and not each.started_again for each in report.ended.pipelines)
    if code is ReasonCode.NOT_RESTARTED or (held and code in (None, ReasonCode.NOT_VERIFIED)):
        return f"bulkstate resume {directory}"  # which reads back, and starts again what the run has paused
    chunks = report.chunks
    if chunks.deleted == chunks.unsplit:
        everything = " --sample all" if code is ReasonCode.WITNESSES_LOST else ""
        return f"bulkstate verify {directory}{everything}"
    if not _resumable(report) and code in _REMAINS:
        retry = chunks.exhausted > 0
        return (
            f"bulkstate resume {directory} --retry-failed"
            if retry
            else f"bulkstate report {directory} --failed failed.csv"
        )
    return f"bulkstate resume {directory}"


def _resumable(report: Report) -> bool:
    """Whether `resume` has something to send that may fare better: not where the stage itself was refused."""
    hopeless = sum(
        failure.outcome.verdict is Verdict.NOT_SENT
        and failure.outcome.code in (Code.WRONG_PIPELINE, Code.UNSUPPORTED_STAGE)
        for failure in report.failures
    )
    chunks = report.chunks
    return chunks.not_sent + chunks.unknown + chunks.suspect > hopeless
