"""Configurations to spoil, and what reading them says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from bulkstate.config import Settings, load
from bulkstate.errors import InputError

ENVIRON: Final = {
    "ENOS_APP_KEY": "key-canary-7361",
    "ENOS_APP_SECRET": "secret-canary-7361",
    "ENOS_TOKEN": "token-canary-7361",
}

GOOD: Final = """\
version: 1
gateway:
  url: https://apim.example.com
  org_id: o15504722874071
  auth: {app_key: "${ENOS_APP_KEY}", app_secret: "${ENOS_APP_SECRET}"}
delete:
  - pipeline: 8a81b5f0-2c5e
    stages: [LastRecordAppender_01, LatestRecordMerger_02]
    where:
      - {assets: ["WTG{0001..2000}", A1], points: points.txt}
      - {pairs: stale.csv}
limits:
  rate: [20/s, 1000/min]
"""


def spoilt(old: str, new: str) -> str:
    """The good configuration with one thing in it replaced."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def loaded(folder: Path, text: str | bytes, environ: Mapping[str, str] = ENVIRON) -> Settings:
    """What a configuration with this text, in `folder`, is read as."""
    file = folder / "config.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file, environ)


def mistakes(folder: Path, text: str | bytes, environ: Mapping[str, str] = ENVIRON) -> list[str]:
    """What is said of a configuration that is wrong, without the name of its folder."""
    with pytest.raises(InputError) as caught:
        loaded(folder, text, environ)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]
