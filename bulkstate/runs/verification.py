"""What is read back: requests drawn at random, each whole; the pairs that had state before; those that must outlive it.

What still has state makes its request `suspect`: the run isn't clean, and `resume` sends it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from random import Random

import anyio
import structlog

from bulkstate.config import Sample
from bulkstate.engine import readback
from bulkstate.engine.readback import draw, read_all
from bulkstate.engine.reads import ReadFailed
from bulkstate.errors import CheckFailed, NotVerified
from bulkstate.model import KEPT, Chunk, LookedAt, Outcome, Pair, Stage, Verdict, Verification
from bulkstate.pairs.chunks import Chunks, holders
from bulkstate.pairs.relation import of_pairs
from bulkstate.planner.planner import plan as plan_requests
from bulkstate.policy.sampling import at_most
from bulkstate.policy.spot_checks import affordable_again
from bulkstate.runs.canary import reads_of_canaries
from bulkstate.runs.prepare import Witnesses
from bulkstate.runs.session import Session

log = structlog.get_logger()

# ── the witnesses ─────────────────────────────────────────────────────────────────────────────────────────────────


async def keep_witnesses(session: Session, witnesses: Witnesses) -> None:
    """Remember which of the witnesses have state before the run. CheckFailed if the gateway doesn't say."""
    try:
        found = await _with_state(session, witnesses)
    except ReadFailed as failure:
        raise CheckFailed(f"the witnesses can't be read: {failure}", hint="nothing was deleted") from failure
    session.journal.keep_witnesses(found)
    if len(found) < len(witnesses):
        log.warning("witnesses without state", asked_for=len(witnesses), with_state=len(found))


async def _with_state(session: Session, pairs: Witnesses) -> Witnesses:
    """Those of the pairs that have state now."""
    stages = {stage for stage, _ in pairs}
    relations = [of_pairs(stage, [pair for of, pair in pairs if of == stage]) for stage in sorted(stages)]
    limits = session.settings.limits
    reads = plan_requests(
        relations, pairs_per_request=limits.pairs_per_request, bytes_per_request=limits.bytes_per_request
    )
    return await readback.with_state(session.connection.reads, reads.chunks())


# ── after the run ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _SpotRead:
    """Pairs that had state before the run, each with the deleted request that holds it, to be read again at once."""

    chunk: Chunk
    holders: Mapping[Pair, int]


class _Findings:
    """Where state was found, while reads are answered: first those of whole requests, then those of spots."""

    def __init__(self, whole: Sequence[int], spots: Sequence[_SpotRead]) -> None:
        self._whole = whole
        self._spots = spots
        self.requests: dict[int, frozenset[Pair]] = {}
        self.spots: list[tuple[_SpotRead, frozenset[Pair]]] = []
        self.failures: list[ReadFailed] = []

    def heard(self, place: int, found: frozenset[Pair] | ReadFailed) -> None:
        """The read at this place was answered, or given up."""
        if isinstance(found, ReadFailed):
            self.failures.append(found)
        elif place < len(self._whole):
            if found:
                self.requests[self._whole[place]] = found
        else:
            spots = self._spots[place - len(self._whole)]
            if still := found & spots.holders.keys():
                self.spots.append((spots, still))

    @property
    def suspects(self) -> dict[int, set[Pair]]:
        """The requests that hold state, and which pairs of theirs do."""
        found = {number: set(pairs) for number, pairs in self.requests.items()}
        for spots, pairs in self.spots:
            for pair in pairs:
                found.setdefault(spots.holders[pair], set()).add(pair)
        return found


async def read_back(session: Session, sample: Sample) -> Verification:
    """Read back as many of the deleted requests as `sample` says, each whole, what had state before the run, and the
    witnesses. What is found goes into the journal; a request with state in it becomes suspect.

    NotVerified if the gateway doesn't say.
    """
    journal = session.journal
    chunks, deleted = journal.chunks(), journal.deleted()
    drawn = draw(chunks, deleted, sample, Random())
    suspected = journal.once_suspect().intersection(deleted).difference(drawn.chunks)
    whole = (*drawn.chunks, *sorted(suspected))
    before = [each for each in journal.looked_at() if each.state]
    held = holders(chunks, deleted, ((each.stage, each.pair) for each in before))
    spots = _affordable(session, _spot_reads(before, held, frozenset(whole)))
    found, failures = await _found(session, chunks, whole, spots)
    suspects = found.suspects
    await journal.record([_suspect(number, len(pairs)) for number, pairs in sorted(suspects.items())])
    journal.keep_look(time.time(), list(_again(before, held, whole, spots, suspects)), after=True)
    witnesses, lost = await _witnesses_lost(session, failures)
    kept, kept_lost = await _kept_lost(session, before, failures)
    if failures:
        raise NotVerified(f"what is left could not be read back: {failures[0]}")
    remaining = sum(number in suspects for number in drawn.chunks)
    verified = Verification(
        sampled=sum(map(chunks.pairs, whole)) + sum(len(each.holders) for each in spots),
        remaining=sum(map(len, suspects.values())),
        witnesses=witnesses + kept,
        witnesses_lost=lost + kept_lost,
        requests=len(drawn.chunks),
        of_requests=len(deleted),
        requests_remaining=remaining,
        at_most=at_most(drawn.strata, remaining) if drawn.chunks else len(deleted),
    )
    journal.verified(time.time(), verified)
    return verified


async def read_back_or_say(session: Session) -> str:
    """Read back as configured, if anything. Returns why that could not be done; empty if it could."""
    sample = session.settings.verify.sample
    if not sample and not session.journal.witnesses() and not session.journal.looked_at():
        return ""
    log.info("reading back", requests=str(sample))
    try:
        await read_back(session, sample)
    except NotVerified as failure:
        return failure.message
    return ""


async def _found(
    session: Session, chunks: Chunks, whole: Sequence[int], spots: Sequence[_SpotRead]
) -> tuple[_Findings, list[ReadFailed]]:
    """Where there is state, also when it is read once more a little later; and which reads were given up."""
    found = await _read(session, chunks, whole, spots)
    if not found.suspects:
        return found, found.failures
    settle = session.settings.verify.settle
    log.warning("state was found where it was deleted: it is read once more", requests=len(found.suspects), in_=settle)
    await anyio.sleep(settle)
    again = await _read(session, chunks, tuple(found.requests), [each for each, _ in found.spots])
    return again, found.failures + again.failures


async def _read(session: Session, chunks: Chunks, whole: Sequence[int], spots: Sequence[_SpotRead]) -> _Findings:
    findings = _Findings(whole, spots)
    reads = chain(map(chunks.chunk, whole), (each.chunk for each in spots))
    await read_all(session.connection.reads, reads, findings.heard)
    return findings


def _spot_reads(
    before: Sequence[LookedAt], held: Mapping[tuple[Stage, Pair], int], whole: frozenset[int]
) -> list[_SpotRead]:
    """The reads of the look once more, without what isn't deleted, and what is read with a whole request."""
    by_read: dict[tuple[int, Stage], dict[Pair, int]] = {}
    for each in before:
        holder = held.get((each.stage, each.pair))
        if holder is not None and holder not in whole:
            by_read.setdefault((each.read, each.stage), {})[each.pair] = holder
    return [_spot_read(stage, of) for (_, stage), of in sorted(by_read.items(), key=itemgetter(0))]


def _spot_read(stage: Stage, of: Mapping[Pair, int]) -> _SpotRead:
    assets, points = {pair.asset for pair in of}, {pair.point for pair in of}
    return _SpotRead(Chunk(min(of.values()), stage, tuple(sorted(assets)), tuple(sorted(points))), of)


def _affordable(session: Session, spots: Sequence[_SpotRead]) -> Sequence[_SpotRead]:
    """As many of them as may be read, after those of the look."""
    plan = session.journal.plan
    reads = len({each.read for each in session.journal.looked_at()})
    reads += len({each.read for each in session.journal.looked_at() if each.entry == KEPT})
    reads += reads_of_canaries(session) if reads else 0
    return spots[: affordable_again(reads, len(plan.stages), plan.requests)]


def _again(
    before: Sequence[LookedAt],
    held: Mapping[tuple[Stage, Pair], int],
    whole: Sequence[int],
    spots: Sequence[_SpotRead],
    suspects: Mapping[int, set[Pair]],
) -> Iterator[LookedAt]:
    """What had state before, as far as it was read again, and whether it has any now."""
    numbers = frozenset(whole)
    read = {(each.chunk.stage, pair) for each in spots for pair in each.holders}
    for each in before:
        holder = held.get((each.stage, each.pair))
        if holder is not None and (holder in numbers or (each.stage, each.pair) in read):
            yield replace(each, state=each.pair in suspects.get(holder, ()))


def _suspect(number: int, pairs: int) -> Outcome:
    still = "1 pair still has" if pairs == 1 else f"{pairs:,} pairs still have"
    return Outcome(number, Verdict.SUSPECT, message=f"read back: {still} state")


async def _witnesses_lost(session: Session, failures: list[ReadFailed]) -> tuple[int, int]:
    """How many witnesses there are, and how many of them have lost their state."""
    witnesses = session.journal.witnesses()
    try:
        return len(witnesses), len(witnesses) - len(await _with_state(session, witnesses))
    except ReadFailed as failure:
        failures.append(failure)
        return len(witnesses), 0


async def _kept_lost(session: Session, before: Sequence[LookedAt], failures: list[ReadFailed]) -> tuple[int, int]:
    """How many kept pairs are known to have had state before, and how many of them have lost it."""
    by_read: dict[tuple[int, Stage], set[Pair]] = {}
    for each in before:
        if each.entry == KEPT:
            by_read.setdefault((each.read, each.stage), set()).add(each.pair)
    lost = 0
    for (_, stage), pairs in sorted(by_read.items(), key=itemgetter(0)):
        assets, points = {pair.asset for pair in pairs}, {pair.point for pair in pairs}
        try:
            found = await session.connection.reads.state(Chunk(0, stage, tuple(sorted(assets)), tuple(sorted(points))))
        except ReadFailed as failure:
            failures.append(failure)
        else:
            lost += len(pairs - found)
    return sum(map(len, by_read.values())), lost
