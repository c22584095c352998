"""The arguments and options that several commands share, and the words that they take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from bulkstate.errors import InputError, Problem

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration, a YAML file.", show_default=False)]
RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A run directory.", show_default=False)]
LatestRunDir = Annotated[
    Path, typer.Argument(metavar="[RUN_DIR]", help="A run directory; unless named, the newest.", show_default=False)
]
LATEST: Final = Path("bulkstate-runs", ".latest")
NewRunDir = Annotated[
    Path | None, typer.Option("--run-dir", help="Where the run keeps its journal.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask: the plan is agreed to.")]
StateFile = Annotated[
    Path | None,
    typer.Option(
        "--state",
        dir_okay=False,
        readable=False,  # it isn't asked here: a file that can't be read is ignored, which is said
        help="What is known of the gateway from other runs, if not in the usual place.",
    ),
]
Continue = Annotated[
    bool,
    typer.Option(
        "--continue", help="Go on with the run in --run-dir if there is one: resume it, or tell how it ended."
    ),
]
Reference = Annotated[
    str,
    typer.Option(
        "--reference", metavar="TEXT", help="What people call the reason, such as CHG123.", show_default=False
    ),
]
OwnConfig = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="CONFIG",
        help="Your own configuration: gateway, credentials and report files come from there, for what others made.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, and nothing else there.")]

ASKED_HELP: Final = "status, rate 10/s, concurrency 4 (or configured), hold, release or stop."


def named(run_dir: Path) -> Path:
    """The run directory itself, where a link names it. InputError where the newest is wanted, and there is none."""
    if run_dir == LATEST and not run_dir.is_symlink():
        hint = "name the run directory; where there are none, `bulkstate run CONFIG` makes the first"
        raise InputError(Problem(f"no run was begun here yet that {run_dir} would name", hint=hint))
    return run_dir.parent / run_dir.readlink() if run_dir.is_symlink() else run_dir


class LogStyle(StrEnum):
    """How log lines look: for people, or one JSON object a line."""

    CONSOLE = "console"
    JSON = "json"


class ReportFormat(StrEnum):
    """How `report` writes: as a page, as one document, or a row a record of a chunk."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


class SchemaOf(StrEnum):
    """What `schema` describes."""

    CONFIG = "config"
    PLAN = "plan"
    REPORT = "report"
    CERTIFICATE = "certificate"


class ControlWord(StrEnum):
    """What `ctl` is for."""

    STATUS = "status"
    RATE = "rate"
    CONCURRENCY = "concurrency"
    HOLD = "hold"
    RELEASE = "release"
    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
