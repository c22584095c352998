"""The text of a file, compressed or not, in blocks of whole lines: only a block or two of it is ever in memory."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import chain
from typing import BinaryIO, Final

from bulkstate.selection.files import NamedFile
from bulkstate.selection.foreign import refuse_foreign

LONGEST_LINE: Final = 1_048_576
"""Most bytes of a line: a file of one endless line is told at once, not read into memory."""

PIECE: Final = 8 << 20
"""Bytes that are read at a time."""

_GZIP: Final = re.compile(rb"\x1f\x8b")
_ZSTD: Final = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # the latter to be skipped, says RFC 8878
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Whole lines without NUL bytes, each ended by a line feed; `line` is the number of the first, from 1."""

    line: int
    data: bytes

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line, without its end, and its number."""
        return enumerate(self.data[:-1].split(b"\n"), self.line)


def blocks(file: NamedFile, piece: int = PIECE) -> Iterator[TextBlock]:
    """The file's text, without a byte order mark. Lines may end in LF, CR LF or CR, and come with LF.

    `piece` is how many unpacked bytes are read at a time.

    InputError names the line that is too long or holds a NUL byte, or where compressed data is damaged; and says so if
    the file can't be read, is empty, or is of another format.
    """
    empty = True
    for block in _whole_lines(file, _line_fed(_text(file, piece))):
        if (nul := block.data.find(b"\0")) >= 0:
            message = "holds a NUL byte: the file is binary, or of another encoding"
            raise file.line_error(_line_at(block, nul), message, "save it as UTF-8")
        _refuse_long_lines(file, block)
        empty = False
        yield block
    if empty:
        raise file.error("the file is empty")


def decoded(file: NamedFile, block: TextBlock) -> str:
    """A block as text. InputError names the line that isn't UTF-8."""
    try:
        return block.data.decode()
    except UnicodeDecodeError as error:
        message = "isn't UTF-8: the file may be binary, or of another encoding"
        raise file.line_error(_line_at(block, error.start), message, "save it as UTF-8") from None


# ── bytes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(file: NamedFile, piece: int) -> Iterator[bytes]:
    """The unpacked bytes, once it is clear that they are text."""
    pieces = _pieces(file, piece)
    first = next(pieces, b"")
    refuse_foreign(file, first)
    yield from chain([first.removeprefix(_BOM)], pieces)


def _pieces(file: NamedFile, size: int) -> Iterator[bytes]:
    match file.compression:
        case ".zst":
            return _zstd_pieces(file, size)
        case ".gz":
            return _gzip_pieces(file, size)
    return _plain_pieces(file, size)


def _plain_pieces(file: NamedFile, size: int) -> Iterator[bytes]:
    with file.open() as stream:
        try:
            while piece := stream.read(size):
                yield piece
        except OSError as error:
            raise file.error(f"can't be read: {error.strerror}") from None


def _gzip_pieces(file: NamedFile, size: int) -> Iterator[bytes]:
    with _packed(file, "gzip", _GZIP) as stream, gzip.GzipFile(fileobj=stream) as unpacked:
        yield from _unpacked(file, unpacked, "gzip", size, (EOFError, OSError, zlib.error))


def _zstd_pieces(file: NamedFile, size: int) -> Iterator[bytes]:
    """With windows of 128 MiB at most, which is what readers promise (RFC 8878 asks for 8 MiB)."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    with _packed(file, "zstd", _ZSTD) as stream, zstd.ZstdFile(stream) as unpacked:
        yield from _unpacked(file, unpacked, "zstd", size, (EOFError, OSError, zstd.ZstdError))


def _packed(file: NamedFile, what: str, magic: re.Pattern[bytes]) -> BinaryIO:
    """The packed bytes. InputError if they begin otherwise."""
    stream = file.open()
    if not magic.match(stream.read(4)):
        stream.close()
        suffix = file.compression
        raise file.error(
            f"is called {suffix}, and holds no {what} data", f"take {suffix} off its name if it isn't compressed"
        )
    stream.seek(0)
    return stream


def _unpacked(
    file: NamedFile, stream: BufferedIOBase, what: str, size: int, damage: tuple[type[Exception], ...]
) -> Iterator[bytes]:
    line = 1
    try:
        while piece := stream.read(size):
            line += piece.count(b"\n")
            yield piece
    except damage as error:
        if "memory" in str(error):
            raise file.error("the zstd data wants a window of over 128 MiB", "compress it without --long") from None
        raise file.line_error(line, f"the {what} data is cut off or damaged: {error}", "copy the file anew") from None


# ── lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _line_fed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same with LF in place of CR LF and CR."""
    held = b""
    for piece in pieces:
        text = held + piece
        held = b"\r" if text.endswith(b"\r") else b""  # half of CR LF, perhaps
        yield text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text
    if held:
        yield b"\n"


def _whole_lines(file: NamedFile, pieces: Iterator[bytes]) -> Iterator[TextBlock]:
    line, rest = 1, b""
    for piece in pieces:
        text = rest + piece
        end = text.rfind(b"\n") + 1
        if end:
            yield TextBlock(line, text[:end])
            line += text.count(b"\n", 0, end)
        rest = text[end:]
        if len(rest) > LONGEST_LINE:
            raise _too_long(file, line)
    if rest:
        yield TextBlock(line, rest + b"\n")


def _refuse_long_lines(file: NamedFile, block: TextBlock) -> None:
    start = 0
    while len(block.data) - start > LONGEST_LINE:
        end = block.data.rfind(b"\n", start, start + LONGEST_LINE + 1)
        if end < 0:
            raise _too_long(file, _line_at(block, start))
        start = end + 1


def _too_long(file: NamedFile, line: int) -> Exception:
    return file.line_error(line, f"the line is longer than {LONGEST_LINE:,} bytes")


def _line_at(block: TextBlock, position: int) -> int:
    return block.line + block.data.count(b"\n", 0, position)
