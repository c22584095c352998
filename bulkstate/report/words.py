"""Numbers and times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: float) -> str:
    """UNIX seconds as a date and a time of day, such as `2025-11-22 02:30:00 UTC`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float) -> str:
    """A span of time as people say it, such as `4.2 s`, `3 min 12 s` or `1 h 04 min`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number and what it counts, such as `1 pair` or `2,000 pairs`; `plural` where an s doesn't make one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"
