"""Whole runs through random trouble. Nothing missing, nothing extra, nothing kept lost; what is called deleted, is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.story import Story, Tale

pytestmark = pytest.mark.chaos

FELL: tuple[int, ...] = ()
"""Seeds that once fell. They stay for ever."""

SEEDS = sorted({*range(50), *FELL})


@pytest.mark.parametrize("seed", SEEDS)
def test_a_story_ends_well(seed: int, tmp_path: Path) -> None:
    Tale(Story(seed), tmp_path).tell()
