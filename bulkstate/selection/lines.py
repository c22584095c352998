"""The lines of a text file, compressed or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, Final, cast

from bulkstate.selection.files import NamedFile

LONGEST_LINE: Final = 1_048_576
"""Most bytes of a line: a file of one endless line is told at once, not read into memory."""

_BOM: Final = b"\xef\xbb\xbf"


def lines(file: NamedFile) -> Iterator[bytes]:
    """The file's lines, each with its end; a byte order mark is taken off.

    InputError names the line if one is too long or the compressed data ends there, and says so if the first line isn't
    text at all.
    """
    raw = _raw_lines(file)
    first = next(raw, b"")
    if not first:
        raise file.error("the file is empty")
    if b"\0" in first:
        raise file.error("is binary (it holds a NUL byte), and text is needed")
    for number, line in enumerate(chain([first.removeprefix(_BOM)], raw), 1):
        if len(line) > LONGEST_LINE:
            raise file.line_error(number, f"the line is longer than {LONGEST_LINE:,} bytes")
        yield line


def _raw_lines(file: NamedFile) -> Iterator[bytes]:
    with file.open() as stream:
        match file.compression:
            case ".zst":
                yield from _zstd_lines(file)
            case ".gz":
                yield from _gzip_lines(file, stream)
            case _:
                yield from _plain_lines(stream)


def _plain_lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(LONGEST_LINE + 1):
        yield line


def _gzip_lines(file: NamedFile, stream: BinaryIO) -> Iterator[bytes]:
    number = 1
    try:
        for line in _plain_lines(cast(BinaryIO, gzip.GzipFile(fileobj=stream))):
            yield line
            number += 1
    except (EOFError, OSError, zlib.error) as error:
        raise file.line_error(number, f"the gzip data is cut off or damaged: {error}") from None


def _zstd_lines(file: NamedFile) -> Iterator[bytes]:
    """Python has no Zstandard before 3.14; Polars has."""
    import polars as pl

    try:
        for frame in pl.scan_lines(file.path, glob=False).collect_batches():
            for line in frame.to_series():
                yield f"{line}\n".encode()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise file.error(f"the zstd data is cut off or damaged, or isn't UTF-8: {error}") from None
