"""Shared settings of the whole suite: how many cases Hypothesis tries, and which tests run only where asked for."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, Phase, settings

_COMMON = {
    # No test may depend on how fast the machine is.
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
    # New cases are for those who can look at them: in CI the same ones come every time.
    "derandomize": "CI" in os.environ,
}
settings.register_profile("house", max_examples=20, **_COMMON)
settings.register_profile("thorough", max_examples=200, **_COMMON)
# For benchmarks/mutation.py: that something is found is enough.
settings.register_profile("mutants", max_examples=20, phases=(Phase.explicit, Phase.generate), **_COMMON)
settings.load_profile("house")

# Whoever runs the suite under nohup: commands that tests start would go on ignoring the hang-up that they are sent.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

SUITES = ("chaos", "crash", "fuzz", "mistakes", "browser", "docs")
"""Markers of tests that take minutes, or need what not every machine has: they run where `-m` names them."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave a suite out unless `-m` names it: an expression in `addopts` would be forgotten with every other `-m`."""
    asked: str = config.getoption("markexpr")
    left_out = {suite for suite in SUITES if suite not in asked}
    out = [item for item in items if left_out.intersection(mark.name for mark in item.iter_markers())]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in set(out)]
