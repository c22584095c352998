"""Draws the README's picture of a run: the report, as a terminal shows it.

python docs/picture.py RUN_DIR > docs/run.svg
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from bulkstate.disk.journal import Record
from bulkstate.report import fold, show


def main(directory: Path) -> None:
    """Write the SVG to stdout, without the fonts that rich would have a browser fetch."""
    console = Console(record=True, width=84, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print("[bold]$ bulkstate run config.example.yaml[/bold]\n")
    with Record.open(directory) as record:
        show(fold(record), console)
    print(re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="bulkstate"), flags=re.DOTALL))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
