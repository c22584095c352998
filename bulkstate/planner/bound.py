"""How few requests any plan could need, and why."""

from __future__ import annotations

from bulkstate.model import LowerBound


def lower_bound(pairs: int, pairs_per_request: int) -> LowerBound:
    """By counting: every target pair is in a request, and a request holds at most `pairs_per_request` pairs."""
    proof = f"{pairs:,} pairs, of which no request holds more than {pairs_per_request:,}"
    return LowerBound(-(-pairs // pairs_per_request), proof)
