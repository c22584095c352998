"""`bulkstate plan`: shows what would be sent, and saves it. Calls nobody."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import typer

from bulkstate.cli.agreement import show_question
from bulkstate.cli.page import Page
from bulkstate.cli.terminal import printing, to_write, write
from bulkstate.disk import saved_plan
from bulkstate.planner.difference import compare
from bulkstate.report.briefing import show_briefing
from bulkstate.report.differences import show_comparison
from bulkstate.report.explained import explanation_to_json
from bulkstate.report.planned import plan_to_json, show_plan
from bulkstate.runs.briefing import briefing
from bulkstate.runs.host import Question
from bulkstate.runs.prepare import forecast_of, load, prepare, save
from bulkstate.runs.provenance import plan_stored, settings_in


def plan(
    config_file: Path,
    output: Path | None,
    old_file: Path | None,
    explain: Path | None,
    budget: float | None,
    state: Path | None,
    json: bool,
) -> None:
    """Plan, and write what was asked for."""
    settings = load(config_file, os.environ)
    old = None if old_file is None else saved_plan.read(old_file).plan
    folder = config_file.parent
    prepared = prepare(settings, budget, folder) if output is None else save(settings, output, budget, folder)
    made, known = prepared.plan, briefing(prepared.plan, settings, len(prepared.witnesses), prepared.inputs)
    known = replace(known, target=prepared.target, approval=prepared.approval)
    if explain is not None:
        with to_write(explain):
            explain.write_bytes(explanation_to_json(made))
    forecast = forecast_of(made, settings, state)
    comparison = None if old is None else compare(old, made)
    if json:
        write(plan_to_json(made, forecast, known, comparison))
        return
    with printing():
        if made.requests:
            show_briefing(made, known, Page())
        show_plan(made, forecast, Page())
        if comparison is not None:
            show_comparison(comparison, Page())
    if output is not None:
        typer.echo(f" Saved. To carry it out: bulkstate apply {shlex.quote(str(output))}")


def show(plan_file: Path, state: Path | None, json: bool) -> None:
    """What an approver needs to know of a saved plan, wherever its secrets are."""
    saved = saved_plan.read(plan_file)
    stored = plan_stored(saved, plan_file)
    asked = Question(saved.plan, target=stored.target, approval=stored.seal, inputs=saved.inputs)
    show_question(asked, settings_in(stored.what, stored.configuration), len(saved.witnesses), state, json)
