"""Text in blocks of whole lines, wherever the pieces of a file end."""

from __future__ import annotations

import gzip
import io
from itertools import count
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkstate.errors import InputError
from bulkstate.selection.files import NamedFile
from bulkstate.selection.text import LONGEST_LINE, blocks

numbers = count()
texts = st.lists(st.sampled_from(["a", "bc", "\n", "\r", "\r\n", "風", "\x85", "\u2028", "\x0c", '"']), min_size=1)


@given(parts=texts, bom=st.booleans(), piece=st.integers(3, 9), packed=st.booleans())
@example(parts=["a", "\r", "\r\n", "\n", "b", "\r"], bom=True, piece=4, packed=False)
def test_lines_are_those_of_a_text_file(
    parts: list[str], bom: bool, piece: int, packed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = ("\ufeff" * bom + "".join(parts)).encode()
    path = tmp_path_factory.getbasetemp() / f"text{next(numbers)}.txt{'.gz' * packed}"
    path.write_bytes(gzip.compress(content) if packed else content)
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
