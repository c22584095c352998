"""What is read back: a sample of what was deleted, and pairs outside the target that must outlive the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import structlog

from bulkstate.config import Sample
from bulkstate.disk.journal import Journal
from bulkstate.engine import readback
from bulkstate.engine.reads import ReadFailed
from bulkstate.errors import CheckFailed, NotVerified
from bulkstate.model import Chunk, Verification
from bulkstate.pairs.relation import of_pairs
from bulkstate.planner.planner import plan as plan_requests
from bulkstate.runs.prepare import Witnesses
from bulkstate.runs.session import Session

log = structlog.get_logger()


async def keep_witnesses(session: Session, witnesses: Witnesses) -> None:
    """Remember which of the witnesses have state before the run. CheckFailed if the gateway doesn't say."""
    try:
        found = await _with_state(session, witnesses)
    except ReadFailed as failure:
        raise CheckFailed(f"the witnesses can't be read: {failure}", hint="nothing was deleted") from failure
    session.journal.keep_witnesses(found)
    if len(found) < len(witnesses):
        log.warning("witnesses without state", asked_for=len(witnesses), with_state=len(found))


async def read_back(session: Session, sample: Sample) -> Verification:
    """Read back about `sample` deleted pairs, or all, and the witnesses; what is found goes into the journal.

    NotVerified if the gateway doesn't say.
    """
    journal, reads = session.journal, session.connection.reads
    try:
        sampled, remaining = await readback.read_back(reads, _sample(journal, sample))
        witnesses = journal.witnesses()
        kept = await _with_state(session, witnesses)
    except ReadFailed as failure:
        raise NotVerified(f"what is left could not be read back: {failure}") from failure
    found = Verification(sampled, remaining, len(witnesses), len(witnesses) - len(kept))
    journal.verified(time.time(), found)
    return found


async def read_back_or_say(session: Session) -> str:
    """Read back as configured, if anything. Returns why that could not be done; empty if it could."""
    sample, witnesses = session.settings.verify.sample, session.journal.witnesses()
    if not sample and not witnesses:
        return ""
    log.info("reading back", pairs=sample, witnesses=len(witnesses))
    try:
        await read_back(session, sample)
    except NotVerified as failure:
        return failure.message
    return ""


async def _with_state(session: Session, witnesses: Witnesses) -> Witnesses:
    """Those of the witnesses that have state now."""
    stages = {stage for stage, _ in witnesses}
    relations = [of_pairs(stage, [pair for of, pair in witnesses if of == stage]) for stage in sorted(stages)]
    limits = session.settings.limits
    reads = plan_requests(
        relations, pairs_per_request=limits.pairs_per_request, bytes_per_request=limits.bytes_per_request
    )
    return await readback.with_state(session.connection.reads, reads.chunks())


def _sample(journal: Journal, sample: Sample) -> Iterator[Chunk]:
    """The parts of deleted chunks to read back."""
    if not sample:
        return iter(())
    chunks, deleted = journal.chunks(), journal.deleted()
    return map(chunks.chunk, deleted) if sample == "all" else readback.sample(chunks, deleted, sample, Random())
