"""How long everybody pauses after a 429: as the gateway asks, or a little longer each time it doesn't say."""

from __future__ import annotations

from typing import Final

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
LONGEST_WISH: Final = 3600.0
"""A `Retry-After` beyond an hour is tried again after an hour, by one probe: it may be a slip, or a quota renewed."""


class Throttling:
    """Counts refusals in a row. Calls that were under way when the pause began are one refusal with it, not many.

    Times are seconds of the caller's clock.
    """

    def __init__(self) -> None:
        self._in_a_row = 0
        self._since = float("-inf")

    def refused(self, now: float, sent_at: float, retry_after: float | None) -> float:
        """A call that started at `sent_at` was refused: until when to pause."""
        if sent_at >= self._since:
            self._since = now
            self._in_a_row += 1
        wish = self._guess() if retry_after is None else min(retry_after, LONGEST_WISH)
        return (self._since if retry_after is None else now) + wish

    def accepted(self, sent_at: float) -> None:
        """A call that started at `sent_at` was let through."""
        if sent_at >= self._since:
            self._in_a_row = 0

    def _guess(self) -> float:
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._in_a_row - 1, 16))
