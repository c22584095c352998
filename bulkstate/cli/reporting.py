"""`bulkstate report`: tells how a run went, or how it stands."""

from __future__ import annotations

from pathlib import Path

import typer

from bulkstate.cli.page import Page
from bulkstate.cli.terminal import printing, to_write, write
from bulkstate.disk.journal import Record
from bulkstate.errors import InputError, Problem
from bulkstate.report import fold, show, to_json, to_text, write_failed_blocks, write_failures
from bulkstate.text import printable


def report(run_dir: Path, json: bool, output: Path | None, failed: Path | None, failed_blocks: bool) -> None:
    """Write the report, and with `failed` what isn't deleted, as pairs or as blocks."""
    if failed_blocks and failed is None:
        raise InputError(Problem("--failed-blocks needs --failed FILE", hint="it says how that file is written"))
    with Record.open(run_dir) as record:
        folded = fold(record)
        if failed is not None:
            with to_write(failed):
                (write_failed_blocks if failed_blocks else write_failures)(record, failed)
            typer.echo(f"what isn't deleted: {printable(str(failed))}", err=True)
    if output is not None:
        with to_write(output):
            output.write_bytes(to_json(folded) if json else to_text(folded).encode())
    elif json:
        write(to_json(folded))
    else:
        with printing():
            show(folded, Page())
