"""What one answer teaches beside what becomes of its chunk: whom the gateway refuses, how large bodies may be."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bulkstate.model import Absence, Answer, Attempt, Chunk, Reply, Stage, Verdict
from bulkstate.policy.answers import LARGE, REFUSALS, Answers, Look, NextStep, Wait
from bulkstate.policy.pacing import Pacer
from bulkstate.policy.retry import Again, RetryPolicy, Settle, Split, StopRun, Tries
from bulkstate.policy.turns import Admission

DELETED: Reply[bool] = Reply(Answer.OK, 200, 0, data=True)
FORBIDDEN: Reply[bool] = Reply(Answer.GATEWAY_REFUSED, 403)
SILENT: Reply[bool] = Reply(Answer.UNANSWERED, absence=Absence.SILENT)


@dataclass
class Run:
    """Answers to chunks of as many assets with one point, one a second; many more are left."""

    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(split=True))
    in_flight: int = 1
    left: int = 1_000
    untried: bool = True
    others: bool = True
    now: float = 0.0

    def __post_init__(self) -> None:
        self.answers = Answers(self.retry, Admission(Pacer(), retry=self.retry), 4)
        self.tries: dict[int, Tries] = {}

    def hears(self, reply: Reply[bool], number: int, body: int = 100, sent_at: float | None = None) -> NextStep:
        self.now += 1.0
        chunk = Chunk(number, Stage("p", "s"), tuple(f"asset{n:032}" for n in range(max(2, body // 40))), ("point",))
        attempt = Attempt(reply, self.now - 0.5 if sent_at is None else sent_at, 0.5, body)
        tries = self.tries.get(number, Tries())
        self.tries[number], step = self.answers.heard(self.now, attempt, tries, chunk, self, 0.5)
        return step


@pytest.mark.parametrize("reply", [FORBIDDEN, Reply(Answer.GATEWAY_REFUSED, 404), Reply(Answer.GATEWAY_REFUSED, 302)])
def test_who_was_never_let_in_is_refused_at_once(reply: Reply[bool]) -> None:
    assert Run().hears(reply, 1) == StopRun()


def test_who_was_let_in_is_refused_the_third_time_in_a_row() -> None:
    run = Run()
    run.hears(DELETED, 0)
    for number in range(1, REFUSALS):
        assert isinstance(run.hears(FORBIDDEN, number), Again)
    run.hears(DELETED, 9)
    for number in range(10, 9 + REFUSALS):
        assert isinstance(run.hears(FORBIDDEN, number), Again)
    assert run.hears(FORBIDDEN, 30) == StopRun()


def test_what_was_under_way_when_a_refusal_came_is_one_with_it() -> None:
    run = Run()
    run.hears(DELETED, 0)
    for number in range(1, 3 * REFUSALS):
        assert isinstance(run.hears(FORBIDDEN, number, sent_at=0.9), Again)


def test_a_large_body_that_is_answered_by_silence_twice_is_split_while_smaller_ones_pass() -> None:
    run = Run()
    run.hears(DELETED, 0, body=LARGE // 2)
    assert isinstance(run.hears(SILENT, 1, body=4 * LARGE), Again)
    run.hears(DELETED, 2, body=LARGE // 2)
    assert isinstance(run.hears(SILENT, 1, body=4 * LARGE), Split)
    large = Chunk(3, Stage("p", "s"), tuple(f"asset{n:032}" for n in range(4 * LARGE // 40)), ("point",))
    assert run.answers.cut_before(large) is not None, "no larger one is sent for the rest of the run"


@pytest.mark.parametrize(("taken", "body"), [(LARGE // 2, LARGE // 4), (8 * LARGE, 4 * LARGE), (LARGE // 2, LARGE - 1)])
def test_silence_says_nothing_of_small_bodies_nor_of_sizes_that_were_taken(taken: int, body: int) -> None:
    run = Run()
    run.hears(DELETED, 0, body=taken)
    assert all(isinstance(run.hears(SILENT, 1, body=body), Again) for _ in range(4))


def test_where_nothing_passes_the_halves_of_what_is_large_are_tried() -> None:
    run = Run()
    steps = [run.hears(SILENT, number, body=4 * LARGE) for _ in range(3) for number in range(25)]
    assert any(isinstance(step, Split) for step in steps)


OTHER: Reply[bool] = Reply(Answer.UNDECIDED, 200, 61199)


def test_before_a_chunk_is_blamed_for_61199_the_pipelines_are_looked_at() -> None:
    run = Run()
    run.hears(DELETED, 0)
    assert isinstance(run.hears(OTHER, 1), Again)
    looked = run.hears(OTHER, 1)
    assert isinstance(looked, Look)
    assert isinstance(looked.then, Split)
    assert not isinstance(run.hears(Reply(Answer.UNDECIDED, 200, 4711), 2), Look)


def test_where_nothing_is_split_they_are_looked_at_again_at_the_end() -> None:
    run = Run(RetryPolicy(attempts=4))
    run.hears(DELETED, 0)
    steps = [run.hears(OTHER, 1) for _ in range(4)]
    assert [isinstance(step, Look) for step in steps] == [False, True, False, True]
    assert steps[-1] == Look(Settle(Verdict.EXHAUSTED))


def test_a_part_waits_for_its_siblings_whatever_its_code_is() -> None:
    run = Run()
    run.hears(DELETED, 0)
    run.hears(OTHER, 1)
    looked = run.hears(OTHER, 1)
    assert isinstance(looked, Look)
    run.answers.was_cut(1, [11, 12])
    assert isinstance(run.hears(OTHER, 11), Again)
    assert isinstance(run.hears(OTHER, 11), Wait)


def test_who_asks_whether_all_fails_is_answered_by_yes_or_no() -> None:
    admission = Admission(Pacer(), retry=RetryPolicy())
    assert (admission.failing, admission.doubtful) == (False, False)
