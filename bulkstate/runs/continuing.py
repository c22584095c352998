"""A step that can be pressed twice: what there is to do for a plan, in a run directory that may be there already."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from shutil import rmtree

from bulkstate.disk.journal import FILE_NAME, Record
from bulkstate.disk.locks import lock_run
from bulkstate.errors import DigestDiffers
from bulkstate.model import RunResult
from bulkstate.report.conclusion import concluded
from bulkstate.runs.account import account_of
from bulkstate.runs.operations import Finished


class Press(StrEnum):
    """What pressing it does."""

    START = "start"
    RESUME = "resume"


def press(directory: Path, target: str) -> Press | Finished:
    """Start where there is no run, or one that nobody ever agreed to, which is taken away; resume where something is
    left that may fare better; else how the run there has ended. DigestDiffers where it is of another target; InputError
    and JournalDamaged as for any report."""
    if not (directory / FILE_NAME).is_file():
        return Press.START
    with Record.open(directory) as record:
        if record.facts.target != target:
            message = f"the run in {directory} is of another target: {record.facts.target or 'nobody knows which'}"
            raise DigestDiffers(message, hint=f"this one is {target}: name another run directory; nothing was sent")
        agreed, report = record.agreed_at is not None, account_of(record)
        ending = record.sessions[-1].ending if record.sessions else None
    if not agreed:
        with lock_run(directory):  # nobody is being asked just now
            rmtree(directory, ignore_errors=True)
        return Press.START
    next_step = concluded(report).next
    if ending is None or next_step == f"bulkstate resume {shlex.quote(report.run_dir)}":
        return Press.RESUME
    clean = report.result is RunResult.DELETED
    return Finished(report, ending.exit_code if ending.exit_code or clean else 3)
