"""The page for people: it fits, it says what to do, and nothing that a server sends can steer the terminal."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from bulkstate.model import Report, RunResult, Stage, StageReport, Verdict, Verification
from bulkstate.report import duration, show, to_text
from tests.report.examples import PARTIAL, WHOLE, failed

WHOLE_PAGE = """\
 ✓ Deleted: all 1,200,000 pairs; 20 of 120 requests were read back whole, none
 holds state (95 %: at most 13 % of them do). Pipeline "Wind-prod" is paused
 and safe to start.
   ending: deleted_sampled

 Pipelines
   “Wind-prod” (8a81b5f0-2c5e), version 3: PAUSED before, PAUSED at 2025-11-22
   02:30:05 UTC; safe to start: yes, because all that was asked for is deleted,
   and none was found where it was read back

 Where, when, who
   https://apim.example.com as o1 (credentials from ENOS_APP_KEY,
   ENOS_APP_SECRET)
   2025-11-22 02:30:00 UTC to 2025-11-22 02:30:05 UTC
   looked 02:29:58, agreed 02:29:59, first delete 02:30:00, last answer
   02:30:04, read back 02:30:04, ended 02:30:05
   ada@ops-7, gitlab https://ci/1, commit c0ffee, zone +0000 UTC, clock 3 s
   ahead of the gateway's
   agreed to at the terminal by ada@ops-7 at 2025-11-22 02:29:59 UTC
   reference CHG123
   target   abababababababababababababababababababababababababababababababab
   plan     abcdef0123456789
   approval cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd
   from points.txt, 60 rows, SHA-256
   1212121212121212121212121212121212121212121212121212121212121212

 Asked for
   1,200,000 pairs: 20,000 assets, 60 points
   500 pairs kept, though selected

 Before the run: of 20 pairs looked at 19 have state; assets without any: 1 of
 20, e.g. A3.
   of those that had state 19 were read again: none has any now.

 Outcome: all 1,200,000 pairs deleted, in all 120 chunks
 ✓ 8a81b5f0-2c5e/LastRecordAppender_01
   all 1,000,000 pairs   all 100 chunks   2 retries, 3 throttled
 ✓ 8a81b5f0-2c5e/LatestRecordMerger_02
   all 200,000 pairs     all 20 chunks    0 retries, 0 throttled

 20 of 120 requests read back whole: none holds state; 95 %: at most 13 % of
 all do.
 50 witness pairs outside the target: all still have state.

 Course
   125 requests in 5.0 s, 25.0 a second; 2 retries, 3 throttled
   half the answers within 50 ms, 99 of 100 within 200 ms at the worst second

 Guards
   turned off: safety.max_pairs none
   in force: safety.require_paused true
 bulkstate 0.1.0, run 2026-11-22T02:30:00Z-abcdef01
 journal of 321 links to
 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f
"""

PARTIAL_PAGE = """\
 ! Partly deleted: 1,100,000 of 1,200,000 pairs; 100,000 may remain (4 requests
 exhausted: 61199); 3 of 200,000 pairs read back hold state. Don't start
 pipeline "Wind-prod".
   ending: partial
   next: bulkstate resume bulkstate-runs/tonight

 Pipelines
   “Wind-prod” (8a81b5f0-2c5e), version 3: PAUSED before, PAUSED at 2025-11-22
   02:30:05 UTC; safe to start: no, because 100,000 pairs may still have state

 Where, when, who
   https://apim.example.com as o1 (credentials from ENOS_APP_KEY,
   ENOS_APP_SECRET)
   2025-11-22 02:30:00 UTC to 2025-11-22 02:30:05 UTC
   looked 02:29:58, agreed 02:29:59, first delete 02:30:00, last answer
   02:30:04, read back 02:30:04, ended 02:30:05
   ada@ops-7, gitlab https://ci/1, commit c0ffee, zone +0000 UTC, clock 3 s
   ahead of the gateway's
   agreed to at the terminal by ada@ops-7 at 2025-11-22 02:29:59 UTC
   reference CHG123
   target   abababababababababababababababababababababababababababababababab
   plan     abcdef0123456789
   approval cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd
   from points.txt, 60 rows, SHA-256
   1212121212121212121212121212121212121212121212121212121212121212

 Asked for
   1,200,000 pairs: 20,000 assets, 60 points
   500 pairs kept, though selected

 Before the run: of 20 pairs looked at 19 have state; assets without any: 1 of
 20, e.g. A3.

 Outcome: 1,100,000 of 1,200,000 pairs deleted, in 110 of 120 chunks
 ✓ 8a81b5f0-2c5e/LastRecordAppender_01
   all 1,000,000 pairs        all 100 chunks    2 retries, 3 throttled
 ! 8a81b5f0-2c5e/LatestRecordMerger_02
   100,000 of 200,000 pairs   10 of 20 chunks   30 retries, 0 throttled

 4 chunks exhausted
   40,000 pairs; all attempts used up, every one answered
   HTTP 200, code 61199, “busy”
   chunk 102 (request r-102), chunk 103 (request r-103), chunk 104 (request
   r-104), …

 1 chunk refused
   10,000 pairs; the API said no, and will again
   HTTP 200, code 61199, “no such asset”
   chunk 101 (request r-101)

 1 chunk unknown
   10,000 pairs; an attempt may have arrived, and was never answered
   HTTP 200, code 61199
   chunk 106

 1 chunk not sent
   10,000 pairs; held back
   HTTP 200, code 61199, “the stage is not supported”
   chunk 107

 3 chunks not sent: their turn never came.

 20 of 110 requests read back whole: 2 of them hold state; 95 %: at most 30 %
 of all do.
 3 of 200,000 pairs read back still have state.
 1 of 50 witness pairs lost their state. They are outside the target.

 Course
   125 requests in 5.0 s, 25.0 a second; 2 retries, 3 throttled
   half the answers within 50 ms, 99 of 100 within 200 ms at the worst second

 Guards
   turned off: safety.max_pairs none
   in force: safety.require_paused true
 bulkstate 0.1.0, run 2026-11-22T02:30:00Z-abcdef01
 journal of 321 links to
 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f

 Next:
   bulkstate resume bulkstate-runs/tonight
"""


@pytest.mark.parametrize(("report", "page"), [(WHOLE, WHOLE_PAGE), (PARTIAL, PARTIAL_PAGE)])
def test_the_page(report: Report, page: str) -> None:
    assert to_text(report) == page


@given(st.text(max_size=300), st.integers(60, 120))
def test_nothing_that_was_sent_steers_the_terminal_or_breaks_the_page(text: str, width: int) -> None:
    stages = (StageReport(Stage(text, text), PARTIAL.chunks, 10, 5, 1, 0, 0),)
    hostile = replace(
        PARTIAL, reason=text, run=text, stages=stages, failures=(failed(1, Verdict.EXHAUSTED, text, text),)
    )
    page = to_text(hostile, width)
    assert all(character.isprintable() or character == "\n" for character in page)
    assert max(map(cell_len, page.splitlines())) <= width


def test_markup_is_text() -> None:
    page = to_text(replace(PARTIAL, failures=(failed(1, Verdict.EXHAUSTED, "[red]x[/red] [link=http://e]y"),)))
    assert "“[red]x[/red] [link=http://e]y”" in page


def test_a_command_stays_on_one_line_and_is_quoted() -> None:
    directory = "runs of " + "x" * 120
    assert f"\n   bulkstate resume '{directory}'\n" in to_text(replace(PARTIAL, run_dir=directory))


def test_colour_only_where_it_is_wanted() -> None:
    page = StringIO()
    show(WHOLE, Console(file=page, force_terminal=True, color_system="standard", width=80))
    assert "\x1b[1;32m✓ Deleted: all" in page.getvalue()
    assert "\x1b" not in to_text(WHOLE)


@pytest.mark.parametrize("result", RunResult)
def test_every_result_has_words(result: RunResult) -> None:
    assert to_text(replace(WHOLE, result=result, verified=None, attempts=0, throttled=0)).count("\n") > 3


def test_without_a_request_or_a_reading_back() -> None:
    page = to_text(replace(WHOLE, attempts=0, throttled=0, verified=None))
    assert "no request was sent" in page
    assert "Nothing was read back." in page
    assert "Nothing was read back." in to_text(replace(WHOLE, verified=Verification()))


def test_a_long_list_of_failures_is_cut() -> None:
    failures = tuple(failed(number, Verdict.REFUSED, f"reason {number}") for number in range(20))
    page = to_text(replace(PARTIAL, failures=failures))
    assert "And 12 other kinds of failure" in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0.0 s"), (4.24, "4.2 s"), (59.99, "1 min 00 s"), (192, "3 min 12 s"), (3840, "1 h 04 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_what_is_deleted_beyond_the_selection_is_said() -> None:
    assert "these chunks held 1,234 more pairs that nobody listed" in to_text(replace(WHOLE, unlisted_pairs=1_234))
    assert "nobody listed" not in to_text(WHOLE)
