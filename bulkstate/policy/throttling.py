"""What a 429 means to a run whose limits are configured, without `auto`: how long everybody pauses, and which windows
are kept to afterwards.

The pause is as long as the gateway asks for, or a little longer each time it doesn't say. Nobody tries here whether a
`Retry-After` is true, as the pilot does: whoever names the gateway's limits is hardly ever refused, and then it is
believed, up to an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bulkstate.model import Told
from bulkstate.policy.pacing import Pacer
from bulkstate.rates import Rate

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
LONGEST_WISH: Final = 3600.0
"""A `Retry-After` beyond an hour is tried again after an hour: it may be a slip, or a quota renewed."""

LONGEST_WINDOW: Final = 86_400.0
MOST_CALLS: Final = 1_000_000
"""Windows of more seconds, or calls, that headers tell of aren't kept to: nobody could say within the run whether they
are true, and no run meets them by chance."""


class Throttling:
    """Counts refusals in a row. Calls that were under way when the pause began are one refusal with it, not many.

    What headers tell of the gateway's windows is kept to, beside the configured ones, once a 429 has shown that those
    are not the whole truth: until then the user knows better. Times are seconds of the caller's clock.
    """

    def __init__(self) -> None:
        self._in_a_row = 0
        self._since = float("-inf")
        self._held_until = float("-inf")
        self._heeds = False
        self._told = Pacer()

    @property
    def rate(self) -> float:
        """Calls a second at the most: as many as may be, unless windows were told."""
        return self._told.rate

    def ready_at(self, now: float) -> float:
        """When the pause ends, or a window that was told has room; in the past if neither holds a call back. A pause is
        never shortened by another."""
        return max(self._held_until, self._told.ready_at(now))

    def sent(self, now: float) -> None:
        """A call starts."""
        self._told.sent(now)

    def answered(
        self,
        now: float,
        sent_at: float,
        throttled: bool,
        retry_after: float | None = None,
        told: Sequence[Told] = (),
        date: float | None = None,
    ) -> None:
        """A call was answered, by a 429 or by anything else; `told` is what its headers say of windows."""
        if throttled:
            self._held_until = max(self._held_until, self.refused(now, sent_at, retry_after))
            self._heeds = True
        else:
            self.accepted(sent_at)
        if told and self._heeds:
            self._heed(told)

    def _heed(self, told: Sequence[Told]) -> None:
        windows = tuple(window for window in map(_window, told) if window is not None)
        if windows and windows != self._told.windows:
            self._told = Pacer(windows)

    def lost(self, now: float, sent_at: float) -> None:
        """A call will never be answered: nothing follows from that."""

    def expect(self, calls: int) -> None:
        """So many calls are left to be made: nothing follows from that."""

    @property
    def searches(self) -> bool:
        """Never: limits are told."""
        return False

    def binds(self, now: float) -> str:
        """Which limit of the gateway's it is, if that was told."""
        window = self._told.binds(now) if self._told.ready_at(now) > self._held_until else None
        return "" if window is None else str(window)

    def refused(self, now: float, sent_at: float, retry_after: float | None) -> float:
        """A call that started at `sent_at` was refused: until when to pause."""
        if sent_at >= self._since:
            self._since = now
            self._in_a_row += 1
        if retry_after is None or (retry_after < FIRST_PAUSE and self._in_a_row > 1):  # at once, it says, and refuses
            return self._since + self._guess()
        return now + min(retry_after, LONGEST_WISH)

    def accepted(self, sent_at: float) -> None:
        """A call that started at `sent_at` was let through."""
        if sent_at >= self._since:
            self._in_a_row = 0

    def _guess(self) -> float:
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._in_a_row - 1, 16))


def _window(told: Told) -> Rate | None:
    """What can be kept to of what was told."""
    if told.limit is None or told.seconds is None:
        return None
    if not (1.0 <= told.limit <= MOST_CALLS and 1.0 <= told.seconds <= LONGEST_WINDOW):
        return None
    return Rate(int(told.limit), told.seconds)
