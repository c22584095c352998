"""Files that hold something else than text: told by their first bytes, with what to do."""

from __future__ import annotations

from typing import Final

from bulkstate.selection.files import NamedFile

_UTF_16: Final = "is UTF-16, as Excel's “Unicode text” is", "save it as “CSV UTF-8”"
_KNOWN: Final = (
    (b"\xff\xfe\0\0", "is UTF-32", "save it as UTF-8"),
    (b"\0\0\xfe\xff", "is UTF-32", "save it as UTF-8"),
    (b"\xff\xfe", *_UTF_16),
    (b"\xfe\xff", *_UTF_16),
    (b"\x1f\x8b", "is gzip", "let its name end in .gz"),
    (b"\x28\xb5\x2f\xfd", "is Zstandard", "let its name end in .zst"),
    (b"PAR1", "is Parquet", "let its name end in .parquet"),
    (b"PK\x03\x04", "is a ZIP archive or an Excel workbook", "unpack it, or save the sheet as “CSV UTF-8”"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook", "save the sheet as “CSV UTF-8”"),
)
"""How a file begins, what that says, and what to do."""

_LOOKED_AT: Final = 1_000
_ENOUGH: Final = 8
"""So many bytes at the beginning tell, and fewer than so many don't."""


def refuse_foreign(file: NamedFile, start: bytes) -> None:
    """InputError if a file that begins so can't be UTF-8 text."""
    for magic, what, hint in _KNOWN:
        if start.startswith(magic):
            raise file.error(f"{what}, and UTF-8 text is needed", hint)
    head = start[:_LOOKED_AT]
    if b"\0" in head:
        # ASCII in UTF-16 without a byte order mark: every other byte is zero.
        what, hint = _UTF_16 if _half_zero(head) else ("is binary (it holds a NUL byte)", "")
        raise file.error(f"{what}, and UTF-8 text is needed", hint)


def _half_zero(head: bytes) -> bool:
    few, many = sorted((head[0::2].count(0), head[1::2].count(0)))
    return len(head) >= _ENOUGH and few < 0.1 * len(head) and many > 0.4 * len(head)
