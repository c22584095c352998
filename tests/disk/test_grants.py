"""Law 5 across a kill: the calls that a resumed run counts are never fewer than those that were made."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.disk.journal import sent_history
from bulkstate.model import Grant
from tests.disk.runs import grid, new_journal

LONGEST = 60.0
"""Seconds of the longest window."""

spans = st.floats(0, 40)


@dataclass(frozen=True)
class Session:
    """Grants that were put on disk, and the calls that were made under them until the process was killed."""

    starts: float
    grants: list[Grant]
    calls: list[float]
    killed: float


@st.composite
def sessions(draw: st.DrawFn, starts: float) -> Session:
    now, spent = starts, 0
    grants, calls = [], []
    for allowed in draw(st.lists(st.integers(1, 6), max_size=5)):
        grants.append(Grant(now, allowed, spent))
        ends = now + draw(spans)
        spent = draw(st.integers(0, allowed))
        calls += [draw(st.floats(now, ends)) for _ in range(spent)]
        now = ends
    return Session(starts, grants, calls, now)


@st.composite
def runs(draw: st.DrawFn) -> list[Session]:
    found: list[Session] = []
    for _ in range(draw(st.integers(1, 3))):
        found.append(draw(sessions(found[-1].killed + draw(spans) if found else 1000.0)))
    return found


@given(runs(), spans, st.floats(0, 50), st.floats(0.1, LONGEST))
def test_no_window_holds_fewer_than_were_made(run: list[Session], pause: float, later: float, window: float) -> None:
    async def write() -> None:
        for session in run:
            journal.settle_grants(session.starts)
            for grant in session.grants:
                await journal.grant(grant)

    resumed = run[-1].killed + pause
    with new_journal(grid(2, 2, 2, 2)) as journal:
        anyio.run(write)
        history = sent_history(journal.grants(since=resumed - LONGEST), resumed)
    ends = resumed + later
    made = sum(ends - window < at <= ends for session in run for at in session.calls)
    assert made <= sum(calls for at, calls in history if ends - window < at <= ends)
    assert history == sorted(history)
    assert all(at <= resumed for at, _ in history)


def test_what_was_not_spent_is_not_counted() -> None:
    grants = [Grant(10.0, 100, 0), Grant(12.0, 100, 7), Grant(14.0, 0, 20)]
    assert sent_history(grants, 20.0) == [(12.0, 7), (14.0, 20)]


def test_of_the_last_grant_all_is_counted_as_made_now() -> None:
    assert sent_history([Grant(10.0, 100, 0)], 20.0) == [(20.0, 100)]
    assert sent_history([], 20.0) == []


def test_a_clock_that_was_set_back_makes_no_call_of_the_future() -> None:
    assert sent_history([Grant(50.0, 3, 4)], 20.0) == [(20.0, 3), (20.0, 4)]
