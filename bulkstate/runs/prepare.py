"""Before a run: what a configuration or a saved plan asks for, planned, within its guards, and kept for later."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import structlog

from bulkstate import __version__, config
from bulkstate.config import Settings
from bulkstate.disk.saved_plan import SavedPlan, write
from bulkstate.errors import GuardExceeded, InputError, Problem
from bulkstate.model import Effort, LookAhead, Pair, Plan, Remark, RemarkKind, Stage
from bulkstate.pairs.relation import Relation
from bulkstate.pairs.target import target_digest
from bulkstate.planner.planner import plan as plan_requests
from bulkstate.policy.pacing import Forecast, forecast
from bulkstate.policy.spot_checks import (
    Room,
    SpotCheck,
    closer_checks,
    kept_checks,
    overlooked,
    spot_checks,
)
from bulkstate.rates import Rate
from bulkstate.runs.allowed import require_allowed
from bulkstate.runs.memory import known_limits
from bulkstate.runs.provenance import approval_digest, place_of, remember
from bulkstate.selection import Fingerprint, Inputs, PairSource, read_pairs, select, strangers

log = structlog.get_logger()


Witnesses: TypeAlias = Sequence[tuple[Stage, Pair]]
"""Pairs outside the target that must outlive the run."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a configuration asks for. `configuration` is the document of it that is kept, `inputs` what was read.
    `ahead` is what somebody saw of it when it was planned, None if nobody looked."""

    settings: Settings
    plan: Plan
    witnesses: Witnesses
    configuration: str
    inputs: tuple[Fingerprint, ...]
    spot_checks: Sequence[SpotCheck] = ()
    ahead: LookAhead | None = None

    @cached_property
    def target(self) -> str:
        """The digest of what is deleted, and where, whatever the cover."""
        return target_digest(*place_of(self.settings), self.plan.stages)

    @cached_property
    def approval(self) -> str:
        """The digest of all that somebody agrees to."""
        return approval_digest(self.plan, self.configuration, self.witnesses, self.inputs, self.spot_checks)


def load(file: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of a configuration, if what they name is allowed. InputError, NotAllowed."""
    settings = config.load(file, environ)
    require_allowed(settings, {entry.pipeline for entry in settings.delete}, environ)
    return settings


def prepare(settings: Settings, budget: float | None = None, folder: Path = Path()) -> Prepared:
    """Select and plan, and hold the plan against the guards. InputError, KeepUnmatched, GuardExceeded.

    What is read is remembered by its path from `folder`, the configuration's.

    With a budget, in seconds, the search for fewer requests takes about so long, whatever the effort in the settings.
    """
    for name in ("json", "certificate"):
        _check_report_file(name, getattr(settings.report, name))
    with Inputs() as inputs:
        relations = select(settings.delete, inputs)
        witnesses = _witness_pairs(settings.verify.witness, relations, inputs)
        fingerprints = inputs.fingerprints(folder)
    targets = [relation.keeping(witnesses) for relation in relations]
    plan = _planned(settings, targets, budget)
    checks = _spot_checks(settings, targets, relations, plan)
    remarks = *_remarks(settings.verify.witness, witnesses, relations), *(overlooked(targets, checks) if checks else ())
    plan = replace(plan, remarks=remarks)
    _guard(plan, settings.safety)
    for remark in plan.remarks:
        say = log.warning if remark.kind is RemarkKind.KEEPS_NOTHING else log.info
        say(remark.kind.replace("_", " "), entry=remark.entry, count=remark.count, of=remark.of)
    outside = tuple((stage.stage, pair) for pair in witnesses for stage in plan.stages)
    return Prepared(settings, plan, outside, config.to_document(settings), fingerprints, checks)


def _spot_checks(
    settings: Settings, targets: Sequence[Relation], relations: Sequence[Relation], plan: Plan
) -> Sequence[SpotCheck]:
    """What is looked at before the first delete: the same pairs for the same plan, on every machine. What is kept is
    that of the selection, without witnesses."""
    if not settings.verify.before or not targets:
        return ()
    room = Room(settings.limits.pairs_per_request, settings.limits.bytes_per_request)
    chance = np.random.default_rng(int(plan.digest, 16))
    checks = spot_checks(targets, plan.requests, settings.verify.before, room, chance)
    kept = kept_checks(relations, len(checks), plan.requests, room, chance)
    if unseen := sum(len(relation.kept) > 0 for relation in relations) - len(kept):
        log.info("kept pairs aren't looked at everywhere: so small a plan affords no more reads", stages=unseen)
    return (*checks, *kept, *closer_checks(targets, checks, room, chance))


def _check_report_file(name: str, file: Path | None) -> None:
    """A night's work shouldn't end with a report that nobody gets."""
    if file is not None and not (file.parent.is_dir() and os.access(file.parent, os.W_OK) and not file.is_dir()):
        raise InputError(Problem("can't be written: its folder is missing or read-only", str(file), f"report.{name}"))


def save(made: Prepared, path: Path) -> None:
    """Put what was prepared into the file at `path`, to be restored. InputError."""
    spots, witnesses = tuple(made.spot_checks), tuple(made.witnesses)
    kept = (made.plan, made.configuration, witnesses, made.inputs, time.time(), __version__, spots, made.ahead)
    write(SavedPlan(*kept), path)
    remember(f"the plan {path}", made.approval)


def restore(saved: SavedPlan, settings: Settings) -> Prepared:
    """What was saved, to be carried out with its settings, as far as they are believed. GuardExceeded."""
    _guard(saved.plan, settings.safety)
    kept = (saved.plan, saved.witnesses, saved.configuration, saved.inputs, saved.spot_checks, saved.ahead)
    return Prepared(settings, *kept)


def _witness_pairs(source: PairSource | None, targets: Sequence[Relation], inputs: Inputs) -> Sequence[Pair]:
    """The pairs of a witness file. InputError if one of them is to be deleted itself."""
    pairs = read_pairs(source, inputs) if source else ()
    selected = [pair for pair in pairs for target in targets if target.holds(pair)]
    if source and selected:
        message = f"{selected[0].asset}, {selected[0].point} is selected for deletion: a witness stands outside"
        raise InputError(Problem(message, source.where, source.field))
    return pairs


def _remarks(source: PairSource | None, witnesses: Sequence[Pair], relations: Sequence[Relation]) -> tuple[Remark, ...]:
    """What in the selection does nothing, and which witnesses have nothing to do with it, each said once."""
    found = dict.fromkeys(remark for relation in relations for remark in relation.remarks)
    if source is not None:
        found |= dict.fromkeys(strangers(source, witnesses, relations))
    return tuple(found)


def _planned(settings: Settings, relations: Sequence[Relation], budget: float | None = None) -> Plan:
    limits = settings.limits
    return plan_requests(
        relations,
        pairs_per_request=limits.pairs_per_request,
        bytes_per_request=limits.bytes_per_request,
        effort=settings.plan.effort if budget is None else Effort.THOROUGH,
        expired=None if budget is None else _deadline(budget),
        pace=_pace(limits.windows),
    )


def _pace(windows: Sequence[Rate]) -> Callable[[int], float] | None:
    """How long sending takes at the configured rates: never at learnt ones, so that all who plan come to one plan."""
    return (lambda requests: forecast(windows, requests).seconds) if windows else None


def _deadline(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _guard(plan: Plan, safety: config.Safety) -> None:
    for amount, most, what in (
        (plan.pairs + plan.unlisted_pairs, safety.max_pairs, "pairs"),
        (plan.requests, safety.max_requests, "requests"),
    ):
        if most is not None and amount > most:
            raise GuardExceeded(
                f"the plan has {amount:,} {what}, and safety.max_{what} allows {most:,}",
                hint="narrow the selection or, if it is right, raise the guard: nothing was sent",
            )


def forecast_of(plan: Plan, settings: Settings, state: Path | None = None) -> Forecast | None:
    """How long sending the plan takes at the limits that are configured, or were learnt by earlier runs, if every call
    succeeds at once; None if none is known. `state` is the file of what was learnt, unless the usual one."""
    known = known_limits(settings, state)
    return forecast(known, plan.requests) if known else None
