"""Draws the README's picture of a run: the report, as a terminal shows it.

python docs/picture.py RUN_DIR > docs/run.svg
"""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bulkstate.disk.journal import Record
from bulkstate.model import Report
from bulkstate.report import show
from bulkstate.runs.account import account_of


def main(directory: Path) -> None:
    """Write the SVG to stdout, without the fonts that rich would have a browser fetch."""
    console = Console(record=True, width=84, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print("[bold]$ bulkstate run config.example.yaml[/bold]\n")
    with Record.open(directory) as record:
        show(_anywhere(account_of(record)), console)
    print(re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="bulkstate"), flags=re.DOTALL))


def _anywhere(report: Report) -> Report:
    """Without whose machine it was."""
    agreed = report.origin.agreed
    origin = replace(
        report.origin,
        gateway="the embedded gateway",
        circumstances=(),
        agreed=None if agreed is None else replace(agreed, by=""),
    )
    return replace(report, origin=origin)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
