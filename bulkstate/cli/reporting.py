"""`bulkstate report`: tells how a run went, or how it stands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import typer

from bulkstate.cli.options import ReportFormat
from bulkstate.cli.page import Page
from bulkstate.cli.terminal import as_json, produce, producing, to_write
from bulkstate.disk.journal import FILE_NAME, Record
from bulkstate.errors import BulkstateError, InputError, JournalDamaged, Problem
from bulkstate.report import fold, show, to_json, to_text, write_failed_blocks, write_failures
from bulkstate.report.conclusion import concluded
from bulkstate.report.document import times_of
from bulkstate.report.outcomes import write_outcomes
from bulkstate.runs.account import account_of
from bulkstate.text import printable


def report(run_dir: Path, form: ReportFormat, output: Path | None, failed: Path | None, failed_blocks: bool) -> None:
    """Write the report, and with `failed` what isn't deleted, as pairs or as blocks."""
    if failed_blocks and failed is None:
        raise InputError(Problem("--failed-blocks needs --failed FILE", hint="it says how that file is written"))
    with Record.open(run_dir) as record, _verified_beside(record):
        folded = account_of(record)
        if failed is not None:
            with to_write(failed):
                if failed_blocks:
                    write_failed_blocks(record, failed)
                else:
                    write_failures(record, failed, folded.blamed)
            typer.echo(f"what isn't deleted: {printable(str(failed))}", err=True)
        if form is ReportFormat.CSV:
            _write_outcomes(record, output)
            return
    if output is not None:
        with to_write(output):
            output.write_bytes(to_json(folded) if form is ReportFormat.JSON else to_text(folded).encode())
    elif form is ReportFormat.JSON:
        produce(to_json(folded))
    else:
        with producing():
            show(folded, Page())


def _write_outcomes(record: Record, output: Path | None) -> None:
    if output is None:
        with producing():
            write_outcomes(record, sys.stdout)
        return
    with to_write(output), output.open("w", encoding="utf-8", newline="") as table:
        write_outcomes(record, table)


@contextmanager
def _verified_beside(record: Record) -> Iterator[None]:
    """Verify what opening the record left out of its chain in a thread, while this block goes on. JournalDamaged."""
    found: list[BulkstateError] = []

    def verify() -> None:
        try:
            record.verify_older()
        except (JournalDamaged, InputError) as damage:
            found.append(damage)

    thread = Thread(target=verify)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if found:
        raise JournalDamaged(found[0].message, hint=found[0].hint)


@dataclass(frozen=True, slots=True)
class _Listed:
    run: str
    run_dir: str
    conclusion: str
    reason_code: str | None
    next: str
    started: str | None
    ended: str | None


def runs(folder: Path, json: bool) -> None:
    """List the runs in a folder, the oldest first."""
    if not folder.is_dir():
        raise InputError(Problem("no such folder", str(folder), hint="runs go into ./bulkstate-runs unless named"))
    journals = sorted(folder.glob(f"*/{FILE_NAME}"))
    found = [_listed(journal.parent) for journal in journals if not journal.parent.is_symlink()]
    if json:
        produce(as_json({"runs": found}))
        return
    with producing():
        for each in found:
            typer.echo(f"{printable(each.run)}  {each.conclusion}")
            if each.next:
                typer.echo(f"  {printable(each.next)}")


def _listed(directory: Path) -> _Listed:
    try:
        with Record.open(directory) as record:
            report = fold(record)
    except (InputError, JournalDamaged) as error:
        return _Listed(
            directory.name, str(directory), f"Can't be read: {printable(error.message)}", None, "", None, None
        )
    conclusion, times = concluded(report), times_of(report)
    return _Listed(report.run, str(directory), conclusion.sentence, conclusion.reason_code, conclusion.next, *times)
