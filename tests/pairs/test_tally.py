"""What became of chunks, against records that are counted one by one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import Verdict
from bulkstate.pairs.tally import VERDICTS, ChunkTally

CHUNKS = 6
ROW = [("verdict", np.int64), ("chunk", np.int64), ("attempts", np.int64), ("throttled", np.int64)]
Row = tuple[int, int, int, int]

rows = st.lists(
    st.tuples(st.integers(0, len(VERDICTS) - 1), st.integers(0, CHUNKS - 1), st.integers(0, 9), st.integers(0, 9)),
    max_size=20,
)


def tally(told: list[Row], chunks: int = CHUNKS) -> ChunkTally:
    return ChunkTally.of(chunks, np.array(told, ROW))


@given(rows, st.sets(st.sampled_from(Verdict)), st.sets(st.integers(0, CHUNKS - 1)))
def test_the_last_verdict_and_the_sums_of_each_chunk(told: list[Row], asked: set[Verdict], some: set[int]) -> None:
    last = {chunk: VERDICTS[verdict] for verdict, chunk, _, _ in told}
    sent = Counter[int]()
    throttled = Counter[int]()
    for _, chunk, attempts, refused in told:
        sent[chunk] += attempts
        throttled[chunk] += refused
    found = tally(told)
    every = range(CHUNKS)
    assert len(found) == CHUNKS
    assert [found.verdict(chunk) for chunk in every] == [last.get(chunk, Verdict.NOT_SENT) for chunk in every]
    assert found.unrecorded().tolist() == [chunk not in last for chunk in every]
    assert found.ended(*asked).tolist() == [last.get(chunk) in asked for chunk in every]
    assert found.attempts.tolist() == [sent[chunk] for chunk in every]
    assert found.throttled.tolist() == [throttled[chunk] for chunk in every]
    assert found.retries == sum(max(0, sent[chunk] - 1) for chunk in every)
    assert found.counts() == Counter(last.get(chunk, Verdict.NOT_SENT) for chunk in every)
    of_some = found[np.array(sorted(some), np.int64)]
    assert (len(of_some), of_some.attempts.tolist()) == (len(some), [sent[chunk] for chunk in sorted(some)])
    assert of_some.counts() == Counter(last.get(chunk, Verdict.NOT_SENT) for chunk in some)
    assert found[2:4].throttled.tolist() == [throttled[2], throttled[3]]


def test_what_ended_is_told_from_what_has_no_record() -> None:
    found = tally([(VERDICTS.index(Verdict.NOT_SENT), 1, 0, 0)], 2)
    assert found.counts() == {Verdict.NOT_SENT: 2}
    assert found.ended(Verdict.NOT_SENT).tolist() == [False, True]


@pytest.mark.parametrize("row", [(0, -1, 0, 0), (0, CHUNKS, 0, 0), (0, 0, -1, 0), (0, 0, 0, -1)])
def test_what_nobody_can_have_written_is_refused(row: Row) -> None:
    assert tally([(0, CHUNKS - 1, 0, 0), (0, 0, 0, 0)]).retries == 0
    with pytest.raises(ValueError, match="isn't in the plan, or a negative count"):
        tally([row])


def test_tallies_hold_arrays_and_are_compared_by_identity() -> None:
    assert tally([]) != tally([])
