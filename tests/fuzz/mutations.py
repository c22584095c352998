"""Bytes that are nearly right: good ones, some of them flipped, cut, doubled, moved, or replaced by awkward words."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

AWKWARD = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\n", b"'", b'"', b"\\", b"{", b"}", b"[", b"]", b":",
    b",", b"&a *a", b"<<: ", b"!!python/object:os.system", b"-1", b"1e999", b"NaN", b"null", b"true", b"9" * 20, b"-",
    b"${TOKEN}", b"{0001..9999999}", b"../../etc/passwd", b"/dev/zero", b"\x1b[31m", b"a" * 5000, b"[" * 3000,
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, changed in up to four places."""
    content = draw(st.sampled_from(list(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        match draw(st.sampled_from(["flip", "cut", "drop", "double", "insert", "bytes", "move"])):
            case "flip" if start < len(content):
                flipped = bytes([content[start] ^ draw(st.integers(1, 255))])
                content = content[:start] + flipped + content[start + 1 :]
            case "cut":
                content = content[:start]
            case "drop":
                content = content[:start] + content[end:]
            case "double":
                content = content[:end] + content[start:]
            case "insert":
                content = content[:start] + draw(st.sampled_from(AWKWARD)) + content[start:]
            case "bytes":
                content = content[:start] + draw(st.binary(max_size=20)) + content[end:]
            case _:
                content = content[end:] + content[:start]
    return content
