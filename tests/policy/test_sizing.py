"""What a run learns of the size of requests, and where it cuts: covered exactly, and never larger than may be sent."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.gateway import wire
from bulkstate.model import Answer, Chunk, Reply, Stage, Verdict
from bulkstate.policy.retry import Again, RetryPolicy, Settle, Split, Tries, decide
from bulkstate.policy.sizing import SizeBound, Sizing

STAGE = Stage("pipeline", "LastRecordAppender_01")
TOO_MANY: Reply[bool] = Reply(Answer.TOO_LARGE, 200, 61105)
TOO_LONG: Reply[bool] = Reply(Answer.TOO_LARGE, 413)
DOUBT: Reply[bool] = Reply(Answer.UNDECIDED, 200, 61199)

ids = st.lists(st.text('aé"\\ü0', min_size=1, max_size=9), min_size=1, max_size=12, unique=True).map(tuple)
chunks = st.builds(Chunk, st.just(0), st.just(STAGE), ids, ids).filter(lambda chunk: chunk.pairs > 1)
answers = st.sampled_from([TOO_MANY, TOO_LONG, Reply(Answer.OK), DOUBT])


def size(chunk: Chunk) -> int:
    return len(wire.stage_state_body(chunk))


@given(chunks, st.lists(st.tuples(answers, chunks), max_size=8))
def test_a_cut_covers_the_chunk_exactly_and_each_part_may_be_sent_or_is_one_pair(
    chunk: Chunk, past: list[tuple[Reply[bool], Chunk]]
) -> None:
    sizing = Sizing()
    for reply, other in past:
        sizing = sizing.heard(reply, other.pairs, size(other))
    parts = [
        Chunk(0, STAGE, chunk.assets[a.start : a.end], chunk.points[p.start : p.end]) for a, p in sizing.cut(chunk)
    ]
    pairs = [pair for part in parts for pair in product(part.assets, part.points)]
    assert len(parts) > 1
    assert sorted(pairs) == sorted(product(chunk.assets, chunk.points))
    assert all(part.pairs == 1 or sizing.fits(part) for part in parts)


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_the_largest_that_is_sent_comes_down_to_what_the_gateway_takes_and_no_further(first: int, limit: int) -> None:
    bound, asked, refusals = SizeBound(), first, 0
    while asked > limit:
        bound, refusals = bound.turned_down(asked, asked == 1), refusals + 1
        assert bound.most is not None
        assert bound.most < asked
        asked = max(1, bound.most)
    assert asked >= min(first, 0.8 * limit - 1)
    assert bound.took(asked).fits(asked)
    assert refusals <= 60


def test_what_was_taken_is_never_cut() -> None:
    bound = SizeBound().took(950).turned_down(1_000, False)
    assert bound.most == 950
    assert bound.turned_down(900, False).most == 720


def test_where_not_even_a_single_pair_is_taken_no_cut_helps() -> None:
    sizing = Sizing().heard(TOO_MANY, 8, 100).heard(TOO_MANY, 1, 60)
    assert not sizing.divides(Answer.TOO_LARGE)
    assert Sizing().heard(Reply(Answer.OK), 4, 90).heard(TOO_LONG, 1, 160).divides(Answer.TOO_LARGE)


def tries(*replies: Reply[bool]) -> Tries:
    found = Tries()
    for reply in replies:
        found = found.after(reply)
    return found


@pytest.mark.parametrize(
    ("replies", "splits"),
    [
        ((DOUBT,), False),
        ((DOUBT, DOUBT), True),
        ((DOUBT, Reply(Answer.THROTTLED, 429), DOUBT), True),
        ((DOUBT, Reply(Answer.UNAVAILABLE, 503), DOUBT), False),
        ((DOUBT, Reply(Answer.UNDECIDED, 200, 0)), False),
        ((Reply(Answer.UNAVAILABLE, 503), Reply(Answer.UNAVAILABLE, 503)), False),
        ((TOO_MANY,), True),
        ((TOO_LONG,), True),
    ],
)
def test_when_a_chunk_is_split(replies: tuple[Reply[bool], ...], splits: bool) -> None:
    policy = RetryPolicy(split=True)
    decision = decide(policy, tries(*replies), replies[-1], 0.5, pairs=2)
    assert isinstance(decision, Split) == splits
    assert not isinstance(decide(policy, tries(*replies), replies[-1], 0.5, pairs=1), Split)
    assert not isinstance(decide(RetryPolicy(), tries(*replies), replies[-1], 0.5, pairs=2), Split)


def test_a_single_pair_is_tried_until_its_attempts_are_used_up() -> None:
    policy = RetryPolicy(attempts=3, split=True)
    assert isinstance(decide(policy, tries(DOUBT, DOUBT), DOUBT, 0.5), Again)
    assert decide(policy, tries(DOUBT, DOUBT, DOUBT), DOUBT, 0.5) == Settle(Verdict.EXHAUSTED)
    assert decide(policy, tries(TOO_MANY), TOO_MANY, 0.5) == Settle(Verdict.REFUSED)
