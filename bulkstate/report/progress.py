"""What a person or a log collector sees of a run while it goes on: all of it on stderr."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from math import ceil
from types import TracebackType
from typing import Final, Self

import structlog
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bulkstate.model import Attempt, Outcome, Verdict
from bulkstate.policy.bottleneck import SHORTEST_PAUSE, By, Holding
from bulkstate.text import printable

_WINDOW: Final = 30.0
"""Seconds over which the rate is taken: long enough to be calm, short enough to follow a change."""

_SAMPLE_EVERY: Final = 1.0

_SHORTEST: Final = 1.0
"""Seconds that a rate is taken over at the least: one call in a millisecond is none."""

_STANDS_STILL: Final = (By.PAUSE, By.STATUS)
"""While these hold a run, nobody can say for how long."""

_HEARTBEAT: Final = 1.0
"""Seconds between two looks at whether it is time for a line."""


class Headway:
    """Where a run stands, counted from what its observer is told: `chunks` of `pairs` pairs are to be sent.

    `clock` gives seconds; it is also read by the thread that draws the bar.
    """

    def __init__(self, chunks: int, pairs: int, clock: Callable[[], float]) -> None:
        self.chunks = chunks
        self.pairs = pairs
        self.settled_chunks = 0
        self.deleted_pairs = 0
        self.failed_chunks = 0
        self.calls = 0
        self._clock = clock
        self._samples = deque([(clock(), 0, 0)])
        self._paused_until = 0.0
        self._pause_reason = ""
        self.held_by: Holding | None = None

    def attempted(self, attempt: Attempt[bool]) -> None:
        """A delete was sent and answered, or was not."""
        self.calls += 1
        self._sample()

    def settled(self, outcome: Outcome, pairs: int) -> None:
        """A chunk of `pairs` pairs has an outcome, and it is on disk. Parts are more chunks to settle."""
        if outcome.takes_back:
            self.deleted_pairs -= pairs
            self.failed_chunks += 1
            return
        self.settled_chunks += 1
        self.chunks += len(outcome.parts)
        if outcome.verdict is Verdict.DELETED:
            self.deleted_pairs += pairs
        elif outcome.verdict is not Verdict.SPLIT:
            self.failed_chunks += 1
        self._sample()

    def paused(self, seconds: float, reason: str) -> None:
        """No call will start for so many seconds. What holds a run back for a moment is told by `held`."""
        if seconds < SHORTEST_PAUSE:
            return
        self._paused_until = self._clock() + seconds
        self._pause_reason = reason

    def held(self, holding: Holding) -> None:
        """This is what holds the run back now."""
        self.held_by = holding

    def _sample(self) -> None:
        now = self._clock()
        if now - self._samples[-1][0] < _SAMPLE_EVERY:
            return
        self._samples.append((now, self.calls, self.settled_chunks))
        while now - self._samples[0][0] > _WINDOW:
            self._samples.popleft()

    @property
    def rate(self) -> float:
        """Calls a second, lately."""
        since, calls, _ = self._samples[0]
        return _ratio(self.calls - calls, max(self._clock() - since, _SHORTEST))

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take if it goes on as lately, None while nobody can tell: in a pause, for instance."""
        if self.pause is not None or (self.held_by is not None and self.held_by.by in _STANDS_STILL):
            return None
        since, _, settled = self._samples[0]
        speed = _ratio(self.settled_chunks - settled, self._clock() - since)
        return (self.chunks - self.settled_chunks) / speed if speed else None

    @property
    def pause(self) -> tuple[float, str] | None:
        """The seconds that a pause still takes, and its reason; None if there is none."""
        left = self._paused_until - self._clock()
        return (left, self._pause_reason) if left > 0 else None


def _ratio(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0


class LiveProgress(Headway):
    """A bar at the foot of the terminal, drawn four times a second, whatever the rate of events."""

    def __init__(self, chunks: int, pairs: int, clock: Callable[[], float], console: Console) -> None:
        super().__init__(chunks, pairs, clock)
        self._live = Live(console=console, get_renderable=self.__rich__, transient=True, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __rich__(self) -> Group:
        """What is drawn."""
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(ratio=1)
        bar = ProgressBar(total=max(self.chunks, 1), completed=self.settled_chunks)
        figures = (
            f"{self.settled_chunks:,}/{self.chunks:,} chunks",
            f"{self.deleted_pairs:,} pairs",
            f"{self.rate:,.1f}/s",
            _clock_time(self.seconds_left),
        )
        line.add_row(bar, *(Text(figure, no_wrap=True) for figure in figures))
        return Group(line, *self._remarks())

    def _remarks(self) -> list[Text]:
        remarks = []
        if self.failed_chunks:
            remarks.append(Text(f"chunks not deleted: {self.failed_chunks:,}", "yellow"))
        if self.held_by is not None and not self.pause:
            remarks.append(Text(f"held back by {printable(str(self.held_by))}", "dim"))
        if self.pause:
            seconds, reason = self.pause
            remarks.append(Text(f"paused for {ceil(seconds):,} s: {printable(reason)}", "yellow"))
        return remarks


def _clock_time(seconds: float | None) -> str:
    if seconds is None:
        return "-:-- left"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} left" if hours else f"{minutes}:{rest:02} left"


class LineProgress(Headway):
    """A log line every so many seconds, for a run that nobody watches."""

    def __init__(self, chunks: int, pairs: int, clock: Callable[[], float], every: float = 10.0) -> None:
        super().__init__(chunks, pairs, clock)
        self._every = every
        self._said_at = clock()
        self._over = threading.Event()
        # A thread, because a gateway that hangs makes no event, and neither does a long pause.
        self._heart = threading.Thread(target=self._beat, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._heart.join()
        self._say()

    def _beat(self) -> None:
        while not self._over.wait(_HEARTBEAT):
            self.tick()

    def paused(self, seconds: float, reason: str) -> None:
        """No call will start for so many seconds. A long pause is said at once: nothing else may happen in it."""
        starts = self.pause is None
        super().paused(seconds, reason)
        if starts and seconds >= self._every:
            self._say()

    def held(self, holding: Holding) -> None:
        """This is what holds the run back now."""
        super().held(holding)
        self.tick()

    def tick(self) -> None:
        """Log where the run stands, if it is time to."""
        if self._clock() - self._said_at >= self._every:
            self._say()

    def _say(self) -> None:
        self._said_at = self._clock()
        left, pause = self.seconds_left, self.pause
        structlog.get_logger().info(
            "progress",
            chunks=self.chunks,
            settled=self.settled_chunks,
            not_deleted=self.failed_chunks,
            pairs=self.pairs,
            pairs_deleted=self.deleted_pairs,
            calls=self.calls,
            calls_per_second=round(self.rate, 1),
            seconds_left=None if left is None else round(left),
            held_by=None if self.held_by is None else str(self.held_by),
            **({"paused_for": round(pause[0], 1), "pause": pause[1]} if pause else {}),
        )
