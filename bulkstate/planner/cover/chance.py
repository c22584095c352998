"""Choices that look random and are the same in every version of Python and numpy, on every machine."""

from __future__ import annotations

from typing import Final, TypeVar

T = TypeVar("T")

_STEP: Final = 0x9E3779B97F4A7C15
_WORD: Final = (1 << 64) - 1


class Chance:
    """SplitMix64 (Steele, Lea and Flood, 2014): a counter, and a hash of it. Methods are those of `random.Random`."""

    def __init__(self, seed: int) -> None:
        self._counter = seed

    def random(self) -> float:
        """From 0 up to 1, exclusive."""
        return (self._word() >> 11) / (1 << 53)

    def randrange(self, stop: int) -> int:
        """From 0 up to `stop`, exclusive."""
        return self._word() * stop >> 64

    def randint(self, first: int, last: int) -> int:
        """From `first` up to `last`, inclusive."""
        return first + self.randrange(last - first + 1)

    def shuffle(self, items: list[T]) -> None:
        """Put the items into another order (Fisher and Yates)."""
        for place in range(len(items) - 1, 0, -1):
            other = self.randrange(place + 1)
            items[place], items[other] = items[other], items[place]

    def sample(self, items: list[T], count: int) -> list[T]:
        """`count` different ones of the items, in any order."""
        drawn = list(items)
        self.shuffle(drawn)
        return drawn[:count]

    def _word(self) -> int:
        self._counter = (self._counter + _STEP) & _WORD
        word = self._counter
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _WORD
        word = (word ^ word >> 27) * 0x94D049BB133111EB & _WORD
        return word ^ word >> 31
