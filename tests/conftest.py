"""Shared settings of the whole suite."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house",
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
    # New cases are for those who can look at them: in CI the same ones come every time.
    derandomize="CI" in os.environ,
)
settings.load_profile("house")
