"""The page that says which test holds which promise names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:tests|benchmarks)/[\w/.]+\.py)`", (ROOT / "docs" / "reliability.md").read_text("utf-8"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).is_file()] == []
