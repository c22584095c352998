"""`bulkstate certificate`: what can be proved of a run, and whether a certificate is what its journal says."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import orjson
import typer

from bulkstate.cli.terminal import printing, produce, to_write
from bulkstate.disk.journal import Record
from bulkstate.errors import CertificateDiffers, InputError, JournalDamaged, Problem
from bulkstate.report.asked import asset_ids
from bulkstate.report.certificate import as_test_result, asset_list, certificate
from bulkstate.runs.account import account_of
from bulkstate.text import printable

LEAST_DIGITS: Final = 16
"""Hex digits of a kept head that are enough to know it by."""


def certify(
    run_dir: Path, output: Path | None, ids_file: Path | None, tests_file: Path | None, expect_head: str
) -> None:
    """Write a run's certificate, and what else was asked for, once all of its chain was verified."""
    with Record.open(run_dir) as record:
        _verify(record, expect_head)
        ids, listed = (b"", None) if ids_file is None else asset_list(asset_ids(record.plan))
        report = account_of(record)
        made = certificate(report, listed)
        for file, content in ((ids_file, ids), (tests_file, as_test_result(report)), (output, made)):
            if file is not None:
                with to_write(file):
                    file.write_bytes(content)
    if output is None:
        produce(made)


def check(run_dir: Path, file: Path, expect_head: str) -> None:
    """Make the certificate anew, and compare it with a file, byte by byte. CertificateDiffers."""
    found = _read(file)
    with Record.open(run_dir) as record:
        _verify(record, expect_head)
        told = _told(found)
        listed = asset_list(asset_ids(record.plan))[1] if _at(told, "scope", "asset_list") else None
        made = certificate(account_of(record), listed)
        if found != made:
            head = _at(told, "journal", "head")
            goes_on = isinstance(head, str) and len(head) == 64 and record.holds_link(head)
            raise _differs(file, goes_on and head != orjson.loads(made)["predicate"]["journal"]["head"])
    predicate = orjson.loads(made)["predicate"]
    with printing():
        typer.echo(f"{printable(str(file))} is what the journal says, byte for byte.")
        typer.echo(f"{predicate['title']} ({predicate['status']}): {predicate['conclusion']}")


def _differs(file: Path, goes_on: bool) -> CertificateDiffers:
    if goes_on:
        message = f"{file} isn't what the journal says now: the journal has gone on since it was made"
        return CertificateDiffers(message, hint="make it anew: bulkstate certificate RUN_DIR -o FILE")
    hint = "it was changed, or is another run's: believe the journal, if a kept head is among its links"
    return CertificateDiffers(f"{file} isn't what the journal says", hint=hint)


def _verify(record: Record, expect_head: str) -> None:
    record.verify_chain(None)
    if not expect_head:
        return
    head = expect_head.lower()
    if len(head) < LEAST_DIGITS or not set(head) <= set("0123456789abcdef"):
        problem = f"expected at least {LEAST_DIGITS} hex digits of a head, as a job's log has them"
        raise InputError(Problem(problem, "--expect-head"))
    if not record.holds_link(head):
        message = f"the journal is damaged: the head {head[:LEAST_DIGITS]}… isn't among its links"
        raise JournalDamaged(message, hint="it was written anew, or its tail was cut: go on from an earlier copy")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(Problem(f"can't be read: {error.strerror}", str(file))) from error


def _told(content: bytes) -> object:
    """The predicate of a file that may hold anything."""
    try:
        return _at(orjson.loads(content), "predicate")
    except orjson.JSONDecodeError:
        return None


def _at(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
