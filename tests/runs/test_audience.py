"""Whoever only watches can do anything: the run goes on, and ends as its deletes deserve (law 7)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from bulkstate import config
from bulkstate.disk.journal import Record
from bulkstate.model import RunResult
from bulkstate.runs import operations
from bulkstate.runs.audience import Aside, within
from bulkstate.runs.host import Host, Question, Silence
from bulkstate.runs.operations import Finished
from bulkstate.runs.prepare import prepare

from ..cli.gateway import serving
from ..waiting import PATIENCE

CONFIGURATION = """\
version: 1
gateway: {{url: "{url}", org_id: o1, auth: {{bearer: "${{TOKEN}}"}}}}
delete: [{{pipeline: p1, stages: [S_01], where: [{{assets: ["A{{1..20}}"], points: [p]}}]}}]
limits: {{rate: 1000/s, pairs_per_request: 1}}
verify: {{before: none, sample: none}}
{more}
"""


async def agree(_question: Question) -> str:
    return "in a test"


BESIDES = [
    "calls go to",
    "the journal's chain",
    "the run begins",
    "checked before",
    "how to stop it",
    "the journal's chain",
]
"""What is said of a run whose audience does no harm."""


def run(folder: Path, audience: Any, more: str = "") -> tuple[Finished, list[Any]]:
    """A whole run of 20 chunks that is watched by `audience`, and what is said meanwhile."""
    environ = {"TOKEN": "t"}
    host = Host(environ, agree=agree, audience=audience, state=folder / "state.json")
    with serving() as gateway, capture_logs() as said:
        (folder / "config.yaml").write_text(CONFIGURATION.format(url=gateway.url, more=more))
        prepared = prepare(config.load(folder / "config.yaml", environ))
        finished = anyio.run(operations.start, prepared, folder / "run", host, backend="asyncio")
    return finished, said


def is_whole(finished: Finished, folder: Path) -> bool:
    """The run deleted everything, says so, and its ending is on record."""
    with Record.open(folder / "run") as record:
        on_record = record.ending[0] is RunResult.DELETED and not record.undeleted()
    return on_record and finished.exit_code == 0 and finished.report.chunks.deleted == 20


class Troublesome(Silence):
    """Does the same to whatever it is told."""

    def __init__(self, trouble: Callable[[], object]) -> None:
        self._trouble = trouble
        self.calls = 0

    def attempted(self, attempt: object) -> None:
        self.calls += 1
        self._trouble()

    def settled(self, outcome: object, pairs: int) -> None:
        self._trouble()

    def paused(self, seconds: float, reason: str) -> None:
        self._trouble()

    def held(self, holding: object) -> None:
        self._trouble()


def raising(error: BaseException) -> Callable[[], object]:
    def trouble() -> None:
        raise error

    return trouble


@pytest.mark.parametrize(
    "error",
    [RuntimeError("no"), OSError(28, "No space left on device"), SystemExit(7), KeyboardInterrupt(), MemoryError()],
)
def test_an_observer_that_raises_is_said_once(tmp_path: Path, error: BaseException) -> None:
    finished, said = run(tmp_path, lambda *_: nullcontext(Troublesome(raising(error))))
    assert is_whole(finished, tmp_path)
    assert [line["what"] for line in said if "only shows" in line["event"]] == ["progress"]


@contextmanager
def raising_at(enter: bool) -> Iterator[Silence]:
    if enter:
        raise RuntimeError("no")
    yield Silence()
    raise RuntimeError("no")


def no_audience(*_: object) -> None:
    raise RuntimeError("no")


@pytest.mark.parametrize("audience", [lambda *_: raising_at(True), lambda *_: raising_at(False), no_audience])
def test_an_audience_that_cannot_come_or_go(tmp_path: Path, audience: Any) -> None:
    finished, said = run(tmp_path, audience)
    assert is_whole(finished, tmp_path)
    assert len([line for line in said if "only shows" in line["event"]]) == 1


def test_an_observer_that_never_returns_is_left_behind(tmp_path: Path) -> None:
    never = threading.Event()
    observer = Troublesome(never.wait)
    finished, said = run(tmp_path, lambda *_: nullcontext(observer))
    assert is_whole(finished, tmp_path)
    assert any("left behind" in line["event"] for line in said)
    never.set()
    assert observer.calls <= 1, "nobody is called once the run is over"


def test_an_observer_hears_everything_that_it_can(tmp_path: Path) -> None:
    observer = Troublesome(lambda: None)
    finished, said = run(tmp_path, lambda *_: nullcontext(observer))
    assert is_whole(finished, tmp_path)
    assert observer.calls == 20
    assert [line["event"] for line in said] == BESIDES


def test_a_status_file_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    @contextmanager
    def audience(_chunks: object, _numbers: Sequence[int]) -> Iterator[Silence]:
        (tmp_path / "run" / "status.json" / "in the way").mkdir(parents=True)
        yield Silence()

    finished, said = run(tmp_path, audience, "retry: {first_delay: 10ms}")
    assert is_whole(finished, tmp_path)
    assert [line["what"] for line in said if "only shows" in line["event"]] == ["the status file"]


@pytest.mark.parametrize("file", ["/dev/full", "fifo"])
@pytest.mark.slow
def test_a_report_that_cannot_be_written(tmp_path: Path, file: str) -> None:
    """A FIFO that nobody reads makes whoever opens it wait for ever."""
    os.mkfifo(tmp_path / "fifo")
    finished, said = run(tmp_path, lambda *_: nullcontext(Silence()), f"report: {{json: {file}}}")
    assert is_whole(finished, tmp_path)
    assert [Path(line["file"]).name for line in said if "report" in line["event"]] == [Path(file).name]


@pytest.mark.anyio
async def test_what_does_not_fit_is_dropped_and_counted() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []
    with capture_logs() as said:
        async with Aside("watching", most=3) as aside:
            aside.post(lambda: (begun.set(), go_on.wait()))
            await anyio.to_thread.run_sync(begun.wait)
            for number in range(10):
                aside.post(lambda number=number: done.append(number))  # type: ignore[misc]
            aside.post_last(lambda: done.append("last"))
            go_on.set()
    assert done == [0, 1, 2, "last"]
    assert aside.dropped == 7
    assert [line["calls_dropped"] for line in said] == [7]


@pytest.mark.anyio
async def test_what_has_hung_for_long_is_not_waited_for_at_the_end() -> None:
    now, begun, never = [0.0], threading.Event(), threading.Event()
    with capture_logs() as said:
        async with Aside("watching", grace=PATIENCE, clock=lambda: now[0]) as aside:
            aside.post(lambda: (begun.set(), never.wait()))
            await anyio.to_thread.run_sync(begun.wait)
            now[0] = PATIENCE + 1
    assert [line["event"].rpartition(" ")[2] for line in said] == ["behind"]
    never.set()


@pytest.mark.anyio
async def test_work_that_takes_too_long_is_not_waited_for() -> None:
    never = threading.Event()
    assert await within(0.01, never.wait) == "not done within 0.01 s"
    never.set()
    assert await within(10, lambda: None) == ""
    assert await within(10, raising(OSError(28, "No space left on device"))) == "No space left on device"
    assert await within(10, raising(SystemExit())) == "SystemExit"


@pytest.mark.parametrize("to", ["precious", "nowhere"])
def test_a_report_file_that_is_a_link_is_not_followed(tmp_path: Path, to: str) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "report.json").symlink_to(to)
    finished, said = run(tmp_path, lambda *_: nullcontext(Silence()), "report: {json: report.json}")
    assert is_whole(finished, tmp_path)
    assert [line["reason"] for line in said if "can't be written" in line["event"]] == [
        "it is a link, which isn't followed"
    ]
    assert (tmp_path / "precious").read_text() == "kept"
    assert not (tmp_path / "nowhere").exists()
