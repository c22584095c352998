"""`bulkstate report`: tells how a run went, or how it stands."""

from __future__ import annotations

from pathlib import Path

import typer

from bulkstate.cli.page import Page
from bulkstate.cli.terminal import printing, to_write, write
from bulkstate.disk.journal import Record
from bulkstate.report import fold, show, to_json, to_text, write_failures
from bulkstate.text import printable


def report(run_dir: Path, json: bool, output: Path | None, failed: Path | None) -> None:
    """Write the report, and with `failed` what isn't deleted."""
    with Record.open(run_dir) as record:
        folded = fold(record)
        if failed is not None:
            with to_write(failed):
                files = write_failures(record, failed)
            for stage, file in files.items():
                typer.echo(f"what isn't deleted of {printable(str(stage))}: {file}", err=True)
    if output is not None:
        with to_write(output):
            output.write_bytes(to_json(folded) if json else to_text(folded).encode())
    elif json:
        write(to_json(folded))
    else:
        with printing():
            show(folded, Page())
