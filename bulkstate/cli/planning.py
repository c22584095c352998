"""`bulkstate plan`: shows what would be sent, and saves it. Calls nobody."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import typer

from bulkstate.cli.agreement import show_question
from bulkstate.cli.page import Page
from bulkstate.cli.terminal import produce, producing, to_write
from bulkstate.disk import saved_plan
from bulkstate.model import LookAhead
from bulkstate.planner.difference import compare
from bulkstate.report.briefing import show_briefing
from bulkstate.report.differences import show_comparison
from bulkstate.report.explained import explanation_to_json
from bulkstate.report.planned import plan_to_json, show_plan
from bulkstate.runs.briefing import briefing, seen_ahead
from bulkstate.runs.host import Host, Question
from bulkstate.runs.prepare import Prepared, forecast_of, load, prepare, save
from bulkstate.runs.provenance import plan_stored, settings_in


def plan(
    config_file: Path,
    output: Path | None,
    old_file: Path | None,
    explain: Path | None,
    budget: float | None,
    look: bool,
    state: Path | None,
    json: bool,
) -> None:
    """Plan, look if that is wanted, and write what was asked for."""
    settings = load(config_file, os.environ)
    old = None if old_file is None else saved_plan.read(old_file).plan
    folder = config_file.parent
    if output is not None:
        saved_plan.refuse_to_overwrite(output)
    prepared = prepare(settings, budget, folder)
    if look and prepared.plan.requests:
        prepared = replace(prepared, ahead=_look(prepared))
    if output is not None:
        save(prepared, output)
    made, known = prepared.plan, briefing(prepared.plan, settings, len(prepared.witnesses), prepared.inputs)
    known = seen_ahead(replace(known, target=prepared.target, approval=prepared.approval), prepared.ahead)
    if explain is not None:
        with to_write(explain, config_file):
            explain.write_bytes(explanation_to_json(made))
    forecast = forecast_of(made, settings, state)
    comparison = None if old is None else compare(old, made)
    if json:
        produce(plan_to_json(made, forecast, known, comparison))
        return
    with producing():
        if made.requests:
            show_briefing(made, known, Page())
        show_plan(made, forecast, Page())
        if comparison is not None:
            show_comparison(comparison, Page())
        if output is not None:
            typer.echo(f" Saved. To carry it out: bulkstate apply {shlex.quote(str(output))}")


def _look(prepared: Prepared) -> LookAhead:
    # What calls a gateway takes long to import, and a plan calls nobody.
    from bulkstate.cli.signals import attend
    from bulkstate.runs.look_ahead import look_ahead

    return attend(lambda stopping: look_ahead(prepared, Host(os.environ, stopping)))


def show(plan_file: Path, state: Path | None, json: bool) -> None:
    """What an approver needs to know of a saved plan, wherever its secrets are."""
    saved = saved_plan.read(plan_file)
    stored = plan_stored(saved, plan_file)
    asked = Question(saved.plan, target=stored.target, approval=stored.seal, inputs=saved.inputs, ahead=saved.ahead)
    show_question(asked, settings_in(stored.what, stored.configuration), len(saved.witnesses), state, json)
