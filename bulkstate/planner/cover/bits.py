"""Sets of small integers as Python integers: bit i is set where i is a member."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

_FEW = 24  # below this many members, peeling off the lowest bit beats unpacking the whole integer


def bit_set(members: Iterable[int]) -> int:
    """The bit set of the given members."""
    bits = 0
    for member in members:
        bits |= 1 << member
    return bits


def from_array(members: np.ndarray, size: int) -> int:
    """The bit set of an integer array whose values lie in `range(size)`."""
    flags = np.zeros(size, dtype=np.uint8)
    flags[members] = 1
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def members(bits: int) -> Iterator[int]:
    """The members of a bit set, ascending."""
    if bits.bit_count() > _FEW:
        yield from to_list(bits)
        return
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def to_list(bits: int) -> list[int]:
    """The members of a bit set as a list, ascending."""
    raw = np.frombuffer(bits.to_bytes((bits.bit_length() + 7) // 8, "little"), dtype=np.uint8)
    found: list[int] = np.flatnonzero(np.unpackbits(raw, bitorder="little")).tolist()
    return found


def transpose(rows: Iterable[int], width: int) -> list[int]:
    """The columns of a 0/1 matrix given by rows: `width` bit sets of row numbers."""
    columns: list[list[int]] = [[] for _ in range(width)]
    for number, row in enumerate(rows):
        for column in members(row):
            columns[column].append(number)
    return [bit_set_sorted(column) for column in columns]


def bit_set_sorted(members: list[int]) -> int:
    """The bit set of an ascending list, in time linear in its largest member."""
    if not members:
        return 0
    if len(members) <= _FEW:
        return bit_set(members)
    return from_array(np.asarray(members), members[-1] + 1)
