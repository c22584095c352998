"""Whenever a command ends from outside, what is on disk is true, and the next command goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.moments import Moment, live, moments, usual_seconds

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """How long each command takes when nobody disturbs it."""
    commands = {moment.command for moment in moments(20, "fixed")}
    return {command: usual_seconds(command, tmp_path_factory.mktemp(command)) for command in sorted(commands)}


@pytest.mark.parametrize("moment", moments(20, "fixed"), ids=str)
def test_it_goes_on(moment: Moment, tmp_path: Path, usual: dict[str, float]) -> None:
    live(moment, tmp_path, usual[moment.command])
