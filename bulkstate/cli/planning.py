"""`bulkstate plan`: shows what would be sent, and saves it. Calls nobody."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import typer

from bulkstate import config
from bulkstate.cli.page import Page
from bulkstate.cli.terminal import printing, to_write, write
from bulkstate.disk import saved_plan
from bulkstate.planner.difference import compare
from bulkstate.report.differences import show_comparison
from bulkstate.report.explained import explanation_to_json
from bulkstate.report.planned import plan_to_json, show_plan
from bulkstate.runs.prepare import forecast_of, prepare, save


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
    settings = config.load(config_file, os.environ)
    old = None if old_file is None else saved_plan.read(old_file).plan
    folder = config_file.parent
    prepared = prepare(settings, budget, folder) if output is None else save(settings, output, budget, folder)
    made = prepared.plan
    if explain is not None:
        with to_write(explain):
            explain.write_bytes(explanation_to_json(made))
    forecast = forecast_of(made, settings, state)
    comparison = None if old is None else compare(old, made)
    if json:
        write(plan_to_json(made, forecast, comparison, prepared.target, prepared.approval))
        return
    with printing():
        show_plan(made, forecast, Page())
        typer.echo(f" Target    {prepared.target}\n Approval  {prepared.approval}\n")
        if comparison is not None:
            show_comparison(comparison, Page())
    if output is not None:
        typer.echo(f" Saved. To carry it out: bulkstate apply {shlex.quote(str(output))}")
