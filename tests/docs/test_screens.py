"""The screens that the documents show are those that people see, and every ending is among them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from bulkstate.report.conclusion import ReasonCode

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "screens.md"
NAMELESS = {ReasonCode.REFUSED, ReasonCode.STOPPED, ReasonCode.BUG}
"""Endings that nobody meets: each refusal and each stop has a name of its own."""


def test_they_are_drawn_by_what_draws_them() -> None:
    drawn = subprocess.run([sys.executable, "docs/screens.py"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert drawn.stdout == PAGE.read_text("utf-8"), "python docs/screens.py > docs/screens.md"


def test_every_ending_is_shown() -> None:
    shown = set(re.findall(r"^### `(\w+)`$", PAGE.read_text("utf-8"), re.MULTILINE))
    assert {code.value for code in ReasonCode} - shown == {code.value for code in NAMELESS}


def test_they_fit_their_columns() -> None:
    for width, screen in re.findall(r"^(\d+) columns:\n\n```text\n(.*?)\n```$", PAGE.read_text("utf-8"), re.M | re.S):
        lines = [line for line in screen.splitlines() if not line.startswith("   bulkstate ")]  # to be copied
        assert max(map(len, lines)) <= int(width), screen
