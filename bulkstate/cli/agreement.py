"""Who agrees to a plan, and who watches while it is carried out."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import anyio
from rich.console import Console

from bulkstate import config
from bulkstate.engine.ports import Observer
from bulkstate.errors import NotConfirmed
from bulkstate.pairs.chunks import Chunks
from bulkstate.policy.pacing import Forecast
from bulkstate.report.planned import show_plan
from bulkstate.report.progress import LineProgress, LiveProgress
from bulkstate.runs.host import Agree, Question
from bulkstate.runs.prepare import forecast_of
from bulkstate.runs.provenance import place_of, variables_of
from bulkstate.text import printable


def agreement(settings: config.Settings, yes: bool, state: Path | None) -> Agree:
    """Who agrees to the plan: `--yes`, somebody at the terminal, or nobody, which is refused at once."""
    if yes or isinstance(settings.gateway, config.Embedded):
        return _agreed
    if not sys.stdin.isatty():
        raise NotConfirmed("nobody is there to agree to the plan", hint="say --yes to delete without a question")
    return lambda question: _ask(question, settings, forecast_of(question.plan, settings, state))


async def _agreed(_question: Question) -> None:
    return


async def _ask(asked: Question, settings: config.Settings, forecast: Forecast | None) -> None:
    console, plan = Console(stderr=True), asked.plan
    show_plan(plan, forecast, console)
    gateway, organisation = map(printable, place_of(settings))
    variables = " and ".join(variables_of(settings))
    console.print(f" At {gateway}, organisation {organisation}, with {variables}.", markup=False, highlight=False)
    unlisted = f", and of {plan.unlisted_pairs:,} that nobody listed" if plan.unlisted_pairs else ""
    question = f"Delete the state of these {plan.pairs:,} pairs{unlisted}? It can't be brought back. [yes/no] "
    console.print(question, markup=False, highlight=False, end="")
    await anyio.wait_readable(sys.stdin)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotConfirmed("not agreed to: nothing was deleted")


def audience(chunks: Chunks, numbers: Sequence[int]) -> AbstractContextManager[Observer]:
    """Who watches: a bar on a terminal, else a log line now and then."""
    pairs = sum(map(chunks.pairs, numbers))
    if sys.stderr.isatty():
        return LiveProgress(len(numbers), pairs, time.monotonic, Console(stderr=True))
    return LineProgress(len(numbers), pairs, time.monotonic)
