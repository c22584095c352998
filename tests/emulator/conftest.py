from __future__ import annotations

import pytest


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The two event loops that a run may be on: they differ in how connections end."""
    return "asyncio", {"use_uvloop": request.param}
