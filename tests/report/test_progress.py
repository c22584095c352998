"""What is seen of a run while it goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO
from time import monotonic

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bulkstate.cli.logs import LogStyle, log_style, set_up_logging
from bulkstate.engine.ports import Observer
from bulkstate.model import Answer, Attempt, Outcome, Reply, Verdict
from bulkstate.report.progress import Headway, LineProgress, LiveProgress
from tests.waiting import until

ATTEMPT: Attempt[bool] = Attempt(Reply(Answer.OK), sent_at=0.0, seconds=0.1)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def delete(observer: Observer, chunk: int, verdict: Verdict = Verdict.DELETED) -> None:
    observer.attempted(ATTEMPT)
    observer.settled(Outcome(chunk, verdict), pairs=10)


@pytest.mark.parametrize(
    ("environment", "style"),
    [({}, LogStyle.CONSOLE), ({"CI": ""}, LogStyle.CONSOLE), ({"CI": "true"}, LogStyle.JSON)],
)
def test_a_ci_system_gets_json(environment: dict[str, str], style: LogStyle) -> None:
    assert log_style(environment) is style


def test_json_lines_go_to_stderr_alone(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogStyle.JSON)
    structlog.get_logger().info("started", chunks=3, note="\x1b[31m")
    structlog.get_logger().debug("not seen")
    logging.getLogger("aiohttp.client").warning("slow %s", "answer")
    logging.getLogger("aiohttp.client").info("not seen")
    seen = capsys.readouterr()
    assert seen.out == ""
    ours, theirs = map(orjson.loads, seen.err.splitlines())
    assert (ours["event"], ours["chunks"], ours["level"], ours["note"]) == ("started", 3, "info", "\x1b[31m")
    assert (theirs["event"], theirs["library"], theirs["level"]) == ("slow answer", "aiohttp.client", "warning")
    assert "\x1b" not in seen.err


def test_lines_for_people_hold_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogStyle.CONSOLE)
    structlog.get_logger().warning("an answer \x1b[2J", message="a\nb\x07")
    seen = capsys.readouterr().err
    assert seen.count("\n") == 1
    assert "\x1b[2J" not in seen
    assert "\x07" not in seen


def test_a_traceback_of_a_library_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogStyle.CONSOLE)
    logging.getLogger("asyncio").error("it broke", exc_info=RuntimeError("inner"))
    seen = capsys.readouterr().err
    assert "it broke" in seen
    assert "RuntimeError" not in seen


@given(st.lists(st.sampled_from(Verdict), max_size=30))
def test_counts(verdicts: list[Verdict]) -> None:
    standing = Headway(30, 300, Clock())
    for chunk, verdict in enumerate(verdicts):
        if verdict is Verdict.SUSPECT:
            delete(standing, chunk)
            standing.settled(Outcome(chunk, verdict), pairs=10)
        else:
            delete(standing, chunk, verdict)
    deleted, split = verdicts.count(Verdict.DELETED), verdicts.count(Verdict.SPLIT)
    assert standing.settled_chunks == standing.calls == len(verdicts)
    assert standing.deleted_pairs == 10 * deleted
    assert standing.failed_chunks == len(verdicts) - deleted - split


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    clock = Clock()
    standing = Headway(10_000, 100_000, clock)
    assert (standing.rate, standing.seconds_left) == (0.0, None)
    for second in range(100):
        for chunk in range(50 if second < 50 else 10):
            delete(standing, chunk)
        clock.now += 1.0
    assert standing.rate == pytest.approx(10, rel=0.1)
    assert standing.seconds_left == pytest.approx((10_000 - 3_000) / 10, rel=0.1)


def test_a_pause_passes() -> None:
    clock = Clock()
    standing = Headway(1, 1, clock)
    assert standing.pause is None
    standing.paused(5.0, "429")
    clock.now += 2.0
    assert standing.pause == (3.0, "429")
    clock.now += 3.0
    assert standing.pause is None


def test_a_pause_of_a_moment_is_not_worth_a_word() -> None:
    standing = Headway(1, 1, Clock())
    seen = []
    for seconds, reason in ((0.0, "429"), (0.4, "429"), (5.0, "Retry-After"), (0.0, "429")):
        standing.paused(seconds, reason)
        seen.append(standing.pause)
    assert seen == [None, None, (5.0, "Retry-After"), (5.0, "Retry-After")]


def test_a_line_every_ten_seconds_and_one_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogStyle.JSON)
    clock = Clock()
    with LineProgress(100, 1_000, clock) as progress:
        for chunk in range(100):
            clock.now += 0.25
            delete(progress, chunk)
            progress.tick()
    lines = [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["settled"] for line in lines] == [40, 80, 100]
    assert lines[-1]["pairs_deleted"] == 1_000
    assert lines[-1]["calls_per_second"] == pytest.approx(4, abs=0.1)
    assert lines[-1]["seconds_left"] == 0


def test_lines_come_while_nothing_happens(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogStyle.JSON)
    said: list[str] = []

    def twice() -> bool:
        said.extend(capsys.readouterr().err.splitlines())
        return len(said) >= 2

    with LineProgress(100, 1_000, monotonic, every=0.5):
        until(twice)


def test_a_long_pause_is_said_at_once_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogStyle.JSON)
    clock = Clock()
    progress = LineProgress(100, 1_000, clock)
    progress.paused(1.0, "429")
    assert capsys.readouterr().err == ""
    clock.now += 2.0
    progress.paused(60.0, "Retry-After")
    progress.paused(60.0, "Retry-After")
    (line,) = map(orjson.loads, capsys.readouterr().err.splitlines())
    assert (line["paused_for"], line["pause"], line["seconds_left"]) == (60.0, "Retry-After", None)
    clock.now += 10.0
    progress.tick()
    assert orjson.loads(capsys.readouterr().err)["paused_for"] == 50.0


def bar(width: int) -> Console:
    return Console(file=StringIO(), force_terminal=True, color_system=None, width=width, legacy_windows=False)


def test_the_bar_shows_where_the_run_stands(capsys: pytest.CaptureFixture[str]) -> None:
    clock, console = Clock(), bar(80)
    with LiveProgress(1_200, 12_000, clock, console) as progress:
        delete(progress, 0)
        clock.now += 1.0
        delete(progress, 1, Verdict.EXHAUSTED)
        left = progress.seconds_left
        progress.paused(7.0, "429 [red]\x1b[31m")
        with console.capture() as drawn:
            console.print(progress)
        frame = drawn.get()
    assert "2/1,200 chunks" in frame
    assert "10 pairs" in frame
    assert "2.0/s" in frame
    assert left == pytest.approx(599.0)
    assert "-:-- left" in frame, "nobody can tell in a pause"
    assert "chunks not deleted: 1" in frame
    assert "paused for 7 s: 429 [red]\ufffd[31m" in frame
    assert all(len(line) <= 80 for line in frame.splitlines())
    assert capsys.readouterr().out == ""


def test_log_lines_are_printed_above_the_bar() -> None:
    set_up_logging(LogStyle.JSON)
    console = bar(200)
    with LiveProgress(10, 100, Clock(), console):
        structlog.get_logger().info("said meanwhile")
    assert isinstance(console.file, StringIO)
    assert '"event": "said meanwhile"' in console.file.getvalue()
