"""What Hypothesis draws: answers, scripts of them, and the settings of a run."""

from __future__ import annotations

from hypothesis import strategies as st

from bulkstate.gateway.wire import Code
from bulkstate.model import Answer
from bulkstate.policy.retry import RetryPolicy
from bulkstate.rates import Rate

from .gateway import OK, Say
from .session import Settings

LATENCIES = st.sampled_from([0.0, 0.013, 0.05, 0.4, 2.9])
WISHES = st.none() | st.sampled_from([0.0, 0.5, 1.0, 7.25, 120.0])


def _say(answer: Answer, code: int | None = None, applied: bool = False) -> st.SearchStrategy[Say]:
    return st.builds(Say, st.just(answer), LATENCIES, st.just(code), st.just(applied))


throttled = st.builds(Say, st.just(Answer.THROTTLED), LATENCIES, retry_after=WISHES)
unanswered = _say(Answer.UNANSWERED) | _say(Answer.UNANSWERED, applied=True)
doubtful = _say(Answer.UNDECIDED, Code.OTHER)
answered_badly = doubtful | _say(Answer.UNDECIDED, Code.OK) | _say(Answer.UNAVAILABLE) | _say(Answer.UNDECIDED, 77)
transient = st.one_of(throttled, unanswered, _say(Answer.UNREACHED), answered_badly)
refused = _say(Answer.REFUSED, Code.MISSING_PARAMETER) | _say(Answer.TOO_LARGE, Code.TOO_MANY_POINTS)
credentials = _say(Answer.CREDENTIALS)
stage_refused = _say(Answer.STAGE_REFUSED, Code.WRONG_PIPELINE)
gateway_refused = _say(Answer.GATEWAY_REFUSED)
deleted = _say(Answer.OK, Code.OK, True)

ends_well = st.one_of(transient, deleted)
"""Answers after which a chunk goes on to be deleted."""

anything = st.one_of(transient, transient, deleted, deleted, refused, credentials, stage_refused, gateway_refused)


def scripts(chunks: int, answers: st.SearchStrategy[Say], most: int) -> st.SearchStrategy[dict[int, list[Say]]]:
    """For some of the chunks, what their first calls are answered."""
    return st.dictionaries(st.integers(0, chunks - 1), st.lists(answers, max_size=most), max_size=chunks)


reads = st.lists(st.just(OK) | _say(Answer.OK) | throttled | _say(Answer.UNAVAILABLE) | credentials, max_size=6)

policies = st.builds(RetryPolicy, st.integers(1, 4), st.sampled_from([0.0, 0.5]), st.sampled_from([0.5, 20.0]))

times = st.floats(0.0, 12.0).map(lambda seconds: round(seconds, 3) + 0.000_7)
"""Moments that rarely fall together with anything that a script does."""

intervals = st.lists(st.tuples(times, times), max_size=1)

windows = st.lists(
    st.builds(Rate, st.integers(1, 40), st.sampled_from([1.0, 2.0, 10.0, 60.0, 3600.0])), min_size=1, max_size=3
).map(tuple)

settings = st.builds(
    Settings,
    workers=st.integers(1, 6),
    retry=policies,
    windows=st.just((Rate(1000, 1.0),)) | st.just((Rate(8, 1.0), Rate(60, 60.0))),
    status_every=st.none() | st.sampled_from([0.7, 5.0]),
    seed=st.integers(0, 3),
)
