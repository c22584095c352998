"""How tests wait for what happens elsewhere: for the thing itself, never for a time."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PATIENCE = 180.0
"""Seconds after which something isn't late but will not come, however busy the machine is."""


def until(true: Callable[[], bool]) -> None:
    """Another process or thread does it: there is nothing to wait for but the clock."""
    ends = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends, "waited for in vain"
        time.sleep(0.02)


def _signals(pid: int, field: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith(f"{field}:"))


def is_heard(pid: int, number: signal.Signals) -> bool:
    """Whether the process catches this signal, or ignores it; a process that is gone does neither."""
    with suppress(OSError, StopIteration):
        return bool((_signals(pid, "SigCgt") | _signals(pid, "SigIgn")) >> (number - 1) & 1)
    return False


def until_delivered(pid: int, number: signal.Signals) -> None:
    """Until a signal that was sent has reached the process: of two at once it would see one."""
    until(lambda: not _signals(pid, "ShdPnd") >> (number - 1) & 1)
