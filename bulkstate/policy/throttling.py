"""How long everybody pauses after a 429: as the gateway asks, or a little longer each time it doesn't say.

For configured rates without `auto`. Nobody tries here whether a `Retry-After` is true, as the pilot does: whoever names
the gateway's limits is hardly ever refused, and then it is believed, up to an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bulkstate.model import Told

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
        self._held_until = float("-inf")

    @property
    def rate(self) -> float:
        """Calls a second at the most: as many as may be."""
        return float("inf")

    def ready_at(self, now: float) -> float:
        """When the pause ends; in the past if there is none. A pause is never shortened by another."""
        return self._held_until

    def sent(self, now: float) -> None:
        """A call starts: nothing follows from that."""

    def answered(
        self, now: float, sent_at: float, throttled: bool, retry_after: float | None = None, told: Sequence[Told] = ()
    ) -> None:
        """A call was answered, by a 429 or by anything else. What the gateway tells of its limits isn't looked at."""
        if throttled:
            self._held_until = max(self._held_until, self.refused(now, sent_at, retry_after))
        else:
            self.accepted(sent_at)

    def lost(self, now: float, sent_at: float) -> None:
        """A call will never be answered: nothing follows from that."""

    def expect(self, calls: int) -> None:
        """So many calls are left to be made: nothing follows from that."""

    def binds(self, now: float) -> str:
        """Which limit of the gateway's it is: nobody knows."""
        return ""

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
