"""Whose answer is it? On a kept connection answers come in the order of requests, and nothing else tells them apart.

An answer that a gateway sends twice is taken for the next request's, whose own is taken for the one after that, and so
on: a chunk that was refused is reported deleted. Two things give it away. In the end there are bytes that nobody asked
for. And where a gateway numbers its answers, one number comes twice.

What was answered since the connection was last certainly in step is in doubt then. It is in step when it is opened, and
when it has been silent, with nothing asked, for so long that an answer too many would have come.

Pure: times are arguments, in seconds of any steady clock. A connection is named by a number.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

SHORTEST_SILENCE: Final = 1.0
SLOW: Final = 2.0
"""A connection is in step after a silence of so many times the slowest answer so far, at least the shortest one."""

LAST_SILENCE: Final = 0.2
"""That is the shortest in the end, when nothing more is asked: whoever waits for it has nothing else to do."""

MOST_ANSWERS: Final = 1_000
"""So many answers of a connection may come into doubt at once: then it is listened to, and used no more."""

MOST_IDS: Final = 4_096
"""So many request IDs are remembered: one that comes twice does so soon."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer that said that a chunk is deleted, with the number that the gateway gave it, if it gave one."""

    chunk: int
    request_id: str | None


@dataclass(slots=True)
class _Connection:
    """Chunks that were settled on it since it was last in step, and when it was last asked or heard."""

    settled: list[int] = field(default_factory=list)
    out_of_step: bool = False
    asked: bool = False
    at: float = 0.0


class ResponseOrder:
    """The answers of one gateway on all of its connections. `longest_silence` is in seconds: no answer takes longer."""

    def __init__(self, longest_silence: float = 30.0) -> None:
        self._longest_silence = longest_silence
        self._slowest = 0.0
        self._connections: dict[int, _Connection] = {}
        self._ids = _RequestIds()
        self._doubted: list[int] = []

    @property
    def silence(self) -> float:
        """After so many seconds without a byte a connection is in step."""
        return self._silence(SHORTEST_SILENCE)

    def _silence(self, shortest: float) -> float:
        return min(self._longest_silence, max(shortest, SLOW * self._slowest))

    def asked(self, connection: int, now: float) -> None:
        """A request is about to be sent."""
        state = self._connections.setdefault(connection, _Connection())
        self._notice_silence(state, now)
        state.asked, state.at = True, now

    def answered(self, connection: int, now: float, settled: Settled | None = None) -> bool:
        """The request was answered, for good if it `settled` a chunk. False: that can't be believed."""
        state = self._connections.get(connection)
        if state is None:
            return True  # it was closed with the answer's last byte
        self._slowest = max(self._slowest, now - state.at)
        state.asked, state.at = False, now
        if settled is None:
            return True
        state.settled.append(settled.chunk)
        others = self._ids.twice(connection, settled)
        if not others:
            return True
        self._doubt(state, others)
        return settled.chunk not in others

    def disturbed(self, connection: int, now: float) -> None:
        """Bytes came that nobody asked for."""
        state = self._connections.get(connection)
        if state is not None:
            self._notice_silence(state, now)
            self._doubt(state, [])

    def closed(self, connection: int) -> None:
        """Nothing will come any more."""
        self._connections.pop(connection, None)

    def is_out_of_step(self, connection: int) -> bool:
        """No answer on it could be believed any more."""
        state = self._connections.get(connection)
        return state is not None and state.out_of_step

    def is_worn(self, connection: int) -> bool:
        """So much would come into doubt at once that it should be used no more, and listened to for a `silence`."""
        state = self._connections.get(connection)
        return state is not None and len(state.settled) >= MOST_ANSWERS

    def take_doubted(self) -> list[int]:
        """The chunks that were settled by answers which have come into doubt since this was last asked."""
        doubted, self._doubted = self._doubted, []
        return doubted

    def unsure_for(self, now: float) -> float:
        """Seconds until all that was settled is beyond doubt, if nothing is asked and nothing comes; 0 or more."""
        unsure = [state.at for state in self._connections.values() if state.settled]
        return max(0.0, max(unsure) + self._silence(LAST_SILENCE) - now) if unsure else 0.0

    def _notice_silence(self, state: _Connection, now: float) -> None:
        if not state.asked and now - state.at >= self.silence:
            state.settled.clear()

    def _doubt(self, state: _Connection, others: list[int]) -> None:
        self._doubted += dict.fromkeys((*state.settled, *others))
        state.settled.clear()
        state.out_of_step = True


class _RequestIds:
    """The numbers that a gateway gives its answers, for as long as they tell two answers apart.

    They don't where one number comes on different connections, nor, as far as is known, where there was only one.
    """

    def __init__(self) -> None:
        self._given: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._different = 0
        self._twice: list[int] = []
        self._meaningless = False

    def twice(self, connection: int, settled: Settled) -> list[int]:
        """The chunks that were settled by two answers of one number: known now, or suspected before."""
        if self._meaningless or not settled.request_id:
            return []
        given = self._given.get(settled.request_id)
        if given is None:
            self._remember(settled.request_id, connection, settled.chunk)
        elif given[0] != connection:
            self._meaningless = True
            self._given.clear()
            return []
        else:
            self._twice += [given[1], settled.chunk]
        if self._different < 2:
            return []
        twice, self._twice = self._twice, []
        return twice

    def _remember(self, request_id: str, connection: int, chunk: int) -> None:
        self._different += 1
        self._given[request_id] = connection, chunk
        if len(self._given) > MOST_IDS:
            self._given.popitem(last=False)
