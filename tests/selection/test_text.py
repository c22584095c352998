"""Text in blocks of whole lines, wherever the pieces of a file end."""

from __future__ import annotations

import gzip
import io
import sys
import tracemalloc
from itertools import count
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkstate.errors import InputError
from bulkstate.selection.files import NamedFile
from bulkstate.selection.lists import read_files
from bulkstate.selection.text import LONGEST_LINE, blocks
from tests.selection.spoken import ids

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

numbers = count()
PACKED = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress}
texts = st.lists(st.sampled_from(["a", "bc", "\n", "\r", "\r\n", "風", "\x85", "\u2028", "\x0c", '"']), min_size=1)


@given(parts=texts, bom=st.booleans(), piece=st.integers(3, 9), packed=st.sampled_from(list(PACKED)))
@example(parts=["a", "\r", "\r\n", "\n", "b", "\r"], bom=True, piece=4, packed="")
def test_lines_are_those_of_a_text_file(
    parts: list[str], bom: bool, piece: int, packed: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = ("\ufeff" * bom + "".join(parts)).encode()
    path = tmp_path_factory.getbasetemp() / f"text{next(numbers)}.txt{packed}"
    path.write_bytes(PACKED[packed](content))
    expected = list(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=None))
    found = [pair for block in blocks(NamedFile.of(path, "", ""), piece) for pair in block.lines()]
    assert [number for number, _ in found] == list(range(1, len(expected) + 1))
    assert [line.decode() for _, line in found] == [line.removesuffix("\n") for line in expected]


@pytest.mark.parametrize("piece", [1 << 10, 3 << 20])
@pytest.mark.parametrize(("length", "fits"), [(LONGEST_LINE, True), (LONGEST_LINE + 1, False)])
def test_a_line_is_too_long_wherever_it_stands(tmp_path: Path, piece: int, length: int, fits: bool) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"a\n" + b"x" * length + b"\nb\n")
    if fits:
        assert sum(1 for block in blocks(NamedFile.of(path, "", ""), piece) for _ in block.lines()) == 3
    else:
        with pytest.raises(InputError, match=r"long\.txt:2: the line is longer than 1,048,576 bytes"):
            list(blocks(NamedFile.of(path, "", ""), piece))


@pytest.mark.parametrize("packed", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["x.csv", "x.ndjson", "x.txt"])
def test_an_endless_line_is_told_before_it_is_in_memory(tmp_path: Path, name: str, packed: str) -> None:
    path = tmp_path / f"{name}{packed}"
    path.write_bytes(PACKED[packed](b"asset_id,point_id\n" + b"x" * (64 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r":2: the line is longer than 1,048,576 bytes"):
            list(blocks(NamedFile.of(path, "", "")))
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_lines_without_an_id_are_counted_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.txt.gz"
    path.write_bytes(gzip.compress(b"a\n" + b"\n" * 1_000_000 + b"b\n"))
    with pytest.raises(InputError) as refused:
        read_files(ids(file=path), [NamedFile.of(path, "", "")], "asset_id")
    assert "x.txt.gz:2: the ID is empty" in str(refused.value)
    assert "and 999,980 more such mistakes" in str(refused.value)
