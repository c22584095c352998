"""Who agrees to a plan, and who watches while it is carried out."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final

import anyio
from rich.console import Console

from bulkstate import config
from bulkstate.cli.page import Page
from bulkstate.cli.terminal import produce, producing
from bulkstate.engine.ports import Observer
from bulkstate.errors import NotConfirmed
from bulkstate.model import Plan
from bulkstate.pairs.chunks import Chunks
from bulkstate.policy.pacing import Forecast
from bulkstate.report.briefing import Briefing, show_briefing
from bulkstate.report.planned import plan_to_json, show_plan
from bulkstate.report.progress import LineProgress, LiveProgress
from bulkstate.report.remarks import nothing_kept
from bulkstate.runs.briefing import briefing, seen_ahead
from bulkstate.runs.host import Agree, Question
from bulkstate.runs.prepare import forecast_of

MANY: Final = 1_000_000
"""Pairs beyond which their number has to be typed: a `y` is typed too easily."""


def agreement(
    settings: config.Settings, yes: bool, state: Path | None, witnesses: int = 0, digest: bool = False
) -> Agree:
    """Who agrees to the plan: `--yes`, somebody at the terminal, or nobody, which is refused at once.

    Off a terminal `--yes` alone isn't enough: somebody has to have said how much is meant, or, by a digest, what.
    """
    if isinstance(settings.gateway, config.Embedded):
        return _unasked
    if yes and not sys.stdin.isatty() and settings.safety.max_pairs is None and not digest:
        hint = "say how many pairs you mean: safety: {max_pairs: N}; or apply a saved plan by its --digest"
        raise NotConfirmed("--yes off a terminal needs safety.max_pairs in the configuration", hint=hint)
    if yes:
        return _agreed
    if not sys.stdin.isatty():
        raise NotConfirmed("nobody is there to agree to the plan", hint="say --yes to delete without a question")
    return lambda question: _ask(question, settings, forecast_of(question.plan, settings, state), witnesses)


async def _agreed(_question: Question) -> str:
    return "with --yes"


async def _unasked(_question: Question) -> str:
    return "without a question (embedded gateway)"


def show_question(
    asked: Question, settings: config.Settings, witnesses: int, state: Path | None, json: bool = False
) -> None:
    """What would be asked, on stdout."""
    known, forecast = _known(asked, settings, witnesses), forecast_of(asked.plan, settings, state)
    if json:
        produce(plan_to_json(asked.plan, forecast, known))
        return
    with producing():
        _show(asked.plan, known, forecast, Page())


def _known(asked: Question, settings: config.Settings, witnesses: int) -> Briefing:
    known = briefing(asked.plan, settings, witnesses, asked.inputs)
    seen = replace(known, pipelines=asked.pipelines, found=asked.found, left_out=asked.left_out)
    seen = seen_ahead(seen, asked.ahead)
    if witnesses and asked.witnesses is not None:
        seen = replace(seen, read_back=f"{seen.read_back}, {_of_which(asked.witnesses)}")
    return replace(seen, target=asked.target, approval=asked.approval)


def _of_which(witnesses: int) -> str:
    """How many of the witnesses have state: only those can be seen to lose it."""
    if not witnesses:
        return "none of which has state now: they tell nothing"
    return f"{witnesses:,} of which {'has' if witnesses == 1 else 'have'} state now"


def _show(plan: Plan, known: Briefing, forecast: Forecast | None, console: Console) -> None:
    if plan.requests:
        show_briefing(plan, known, console)
    show_plan(plan, forecast, console)


async def _ask(asked: Question, settings: config.Settings, forecast: Forecast | None, witnesses: int) -> str:
    console, plan = Console(stderr=True), asked.plan
    known = _known(asked, settings, witnesses)
    _show(plan, known, forecast, console)
    unlisted = f", and of {plan.unlisted_pairs:,} that nobody listed" if plan.unlisted_pairs else ""
    pairs = plan.pairs + plan.unlisted_pairs
    answers = f"[{pairs} to delete them]" if pairs > MANY else "[yes/no]"
    unkept = f"{said} " if (said := nothing_kept(plan.remarks)) else ""
    question = f"Delete the state of these {plan.pairs:,} pairs{unlisted} at {known.place}? It can't be brought back."
    console.print(f"{unkept}{question} {answers} ", markup=False, highlight=False, soft_wrap=True, end="")
    await anyio.wait_readable(sys.stdin)
    if not _means_yes(sys.stdin.readline().strip().lower(), pairs):
        raise NotConfirmed("not agreed to: nothing was deleted")
    return "at the terminal"


def _means_yes(answer: str, pairs: int) -> bool:
    """Whether somebody agrees; to very many pairs by their number, however its digits are grouped."""
    return re.sub(r"[ ,._']", "", answer) == str(pairs) if pairs > MANY else answer in ("y", "yes")


def audience(chunks: Chunks, numbers: Sequence[int]) -> AbstractContextManager[Observer]:
    """Who watches: a bar on a terminal, else a log line now and then."""
    pairs = sum(map(chunks.pairs, numbers))
    if sys.stderr.isatty():
        return LiveProgress(len(numbers), pairs, time.monotonic, Console(stderr=True))
    return LineProgress(len(numbers), pairs, time.monotonic)
