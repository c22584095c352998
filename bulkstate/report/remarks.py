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
    RemarkKind.KEEPS_NOTHING: "name nothing that is selected: it keeps nothing",
    RemarkKind.REPEATED: "are selected more than once",
    RemarkKind.NOTHING_NEW: "are selected by other entries already: it selects nothing new",
    RemarkKind.OVERLOOKED: "are not looked at before the first delete: one request in ten may be a read",
}


def remark_lines(remarks: Sequence[Remark]) -> Iterator[str]:
    """A line for each of the first remarks, the gravest first, and how many more there are."""
    for remark in sorted(remarks, key=lambda each: each.kind is not RemarkKind.KEEPS_NOTHING)[:REMARKS_SHOWN]:
        examples = "; ".join((*remark.examples, *("…",) * (remark.count > len(remark.examples) > 0)))
        line = f"{remark.entry}: {remark.count:,} of {remark.of:,} {_WORDS[remark.kind]}"
        yield printable(f"{line} ({examples})" if examples else line)
    if len(remarks) > REMARKS_SHOWN:
        yield f"… and {len(remarks) - REMARKS_SHOWN:,} more such remarks"


def nothing_kept(remarks: Sequence[Remark]) -> str:
    """A sentence on what was to be kept and is nothing that is selected; empty where there is no such thing."""
    useless = [remark for remark in remarks if remark.kind is RemarkKind.KEEPS_NOTHING]
    if not useless:
        return ""
    first = useless[0]
    rows = f"none of its {first.of:,} rows is" if first.of > 1 else "its only row isn't"
    more = f", and by {len(useless) - 1:,} more" if len(useless) > 1 else ""
    return printable(f"Nothing is kept by {first.entry}{more}: {rows} selected.")
