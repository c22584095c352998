"""Where a Parquet file's row groups begin, from its footer: Polars doesn't tell, and a message about a row should.

The footer is a Thrift struct in the compact protocol (https://github.com/apache/parquet-format, parquet.thrift;
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any, Final

_ROW_GROUPS: Final = 4
"""`FileMetaData.row_groups`"""
_NUM_ROWS: Final = 3
"""`RowGroup.num_rows`"""


def row_group_ends(path: Path) -> list[int]:
    """How many rows the file has up to the end of each row group. The file must be one that can be read."""
    with path.open("rb") as file:
        file.seek(-8, 2)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, 2)
        footer = _Compact(file.read(length)).struct()
    return list(accumulate(group[_NUM_ROWS] for group in footer[_ROW_GROUPS]))


class _Compact:
    """Reads values of Thrift's compact protocol, a struct as its fields by number."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._field(head & 15)
        return fields

    def _field(self, kind: int) -> Any:
        """Booleans of a struct are in the kind itself (1 and 2)."""
        return kind == 1 if kind in (1, 2) else self._value(kind)

    def _value(self, kind: int) -> Any:
        match kind:
            case 1 | 2 | 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._integer()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._varint())
            case 9 | 10:
                return self._list()
            case 12:
                return self.struct()
        raise ValueError(f"no such kind of value: {kind}")

    def _list(self) -> list[Any]:
        head = self._byte()
        length = head >> 4 if head >> 4 < 15 else self._varint()
        return [self._value(head & 15) for _ in range(length)]

    def _integer(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]
