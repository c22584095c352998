"""The picture of the house is that of the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.docs
def test_the_picture_of_the_house_is_drawn_from_the_imports_as_they_are() -> None:
    drawn = subprocess.run([sys.executable, "docs/house.py"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert drawn.stdout == (ROOT / "docs/house.svg").read_text(), "python docs/house.py > docs/house.svg"
