"""What in a selection does nothing, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bulkstate.model import Remark, RemarkKind
from bulkstate.text import printable

REMARKS_SHOWN: Final = 10

_WORDS: Final[Mapping[RemarkKind, str]] = {
    RemarkKind.NO_ASSET: "name no selected asset",
    RemarkKind.NO_POINT: "name no selected point",
    RemarkKind.NO_PAIR: "name no selected pair",
    RemarkKind.REPEATED: "are selected more than once",
    RemarkKind.NOTHING_NEW: "are selected by other entries already: it selects nothing new",
    RemarkKind.OVERLOOKED: "are not looked at before the first delete: one request in ten may be a read",
}


def remark_lines(remarks: Sequence[Remark]) -> Iterator[str]:
    """A line for each of the first remarks, and how many more there are."""
    for remark in remarks[:REMARKS_SHOWN]:
        examples = "; ".join((*remark.examples, *("…",) * (remark.count > len(remark.examples) > 0)))
        line = f"{remark.entry}: {remark.count:,} of {remark.of:,} {_WORDS[remark.kind]}"
        yield printable(f"{line} ({examples})" if examples else line)
    if len(remarks) > REMARKS_SHOWN:
        yield f"… and {len(remarks) - REMARKS_SHOWN:,} more such remarks"
