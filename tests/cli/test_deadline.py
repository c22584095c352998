"""A run that has to be done in time."""

from __future__ import annotations

import re
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from bulkstate.disk.journal import Deadline, Ending, Journal, Record
from bulkstate.model import RunResult
from tests.cli.conftest import PAIRS, Bulkstate
from tests.cli.gateway import Answer, Call, Gateway, deleted

pytestmark = pytest.mark.slow

READ = "{before: none, sample: all}"


def _slowly(call: Call, number: int) -> Answer:
    time.sleep(0.4)
    return deleted()


def test_it_is_refused_only_where_it_cannot_be_met(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify=READ, rate="1/s", more="safety: {deadline: 15s}")
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (4, "deadline_too_soon")
    assert "10 requests and what is read back take " in done.document["conclusion"]
    assert "would do" in done.err
    assert gateway.deletes() == []
    assert not (bulkstate.folder / "r").exists()
    assert "and it has to be done by 15s" in bulkstate("check", "config.yaml").out


def test_where_nobody_agreed_no_run_is_named_to_go_on_with(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, more="safety: {deadline: 0.000001ms}")
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (4, "deadline_too_soon")
    assert "name a later safety.deadline; nothing was sent" in done.err
    assert "resume" not in done.err
    assert not (bulkstate.folder / "r").exists()


def test_it_stops_early_enough_to_be_read_back_and_is_gone_on_with(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = _slowly
    bulkstate.configure(gateway.url, verify=READ, concurrency=1, more="safety: {deadline: 10s}")
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (5, "deadline"), done.err
    assert "Stopped in time for " in done.document["conclusion"]
    deletes = [call.at for call in gateway.deletes()]
    assert 0 < len(deletes) < 10
    reads = [call.at for call in gateway.calls if call.kind == "get"]
    assert len(reads) == len(deletes)
    assert done.document["verified"]["remaining"] == 0
    gateway.answer = lambda call, number: deleted()
    done = bulkstate("resume", "r", "--json")
    assert done.exit_code == 0, done.err
    assert gateway.deleted_pairs() == PAIRS


def _began_with(folder: Path, at: float, words: str) -> None:
    """As if the run had begun with another deadline."""
    with closing(Journal.resume(folder)) as journal:
        journal.begin(at - 60.0)
        journal.set_deadline(Deadline(at, words))
        journal.finish(Ending(at, RunResult.STOPPED, "as asked", 5, "deadline"))


def test_a_resume_after_it_names_another(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = _slowly
    bulkstate.configure(gateway.url, verify=READ, concurrency=1, more='safety: {deadline: "05:00 Asia/Shanghai"}')
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    while len(gateway.deletes()) < 2:
        time.sleep(0.01)
    process.signal(15)
    assert process.ended().exit_code == 143
    with Record.open(bulkstate.folder / "r") as record:
        (kept,) = record.deadlines()
    assert kept.words == "05:00 Asia/Shanghai"
    assert 0 < kept.at - time.time() <= 86_400
    _began_with(bulkstate.folder / "r", datetime.fromisoformat("2026-01-01T21:00:00Z").timestamp(), kept.words)
    gateway.answer = lambda call, number: deleted()
    calls = len(gateway.calls)
    done = bulkstate("resume", "r", "--json")
    assert done.exit_code == 4
    assert "the deadline, 2026-01-02 05:00 CST, has passed" in done.err
    assert "name another: bulkstate resume r --deadline 1h; nothing was sent" in done.err
    assert len(gateway.calls) == calls
    assert bulkstate("resume", "r", "--deadline", "noon").exit_code == 2
    done = bulkstate("resume", "r", "--deadline", "1h", "--json")
    assert done.exit_code == 0, done.err
    assert "it has to be done in time" in done.err
    assert done.document["deadline"]["asked"] == "3600s"


def test_a_time_of_day_is_said_as_the_instant_that_it_is(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify=READ, more='safety: {deadline: "05:00 Asia/Shanghai"}')
    when = r"\d{4}-\d\d-\d\d 05:00 CST \(\d{4}-\d\d-\d\d 21:00 UTC\), (\d+ h \d\d|\d+) min.* from now"
    words = " ".join(bulkstate("run", "config.yaml", "--dry-run").out.split())
    assert re.search(f"to be done by {when}", words), words
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r")
    assert re.search(f"it has to be done in time.*{when}", done.err), done.err
    ended = r"05:00 CST \(\d{4}-\d\d-\d\d 21:00 UTC\), ended .* before that"
    assert re.search(f"to be done by .* {ended}", " ".join(done.out.split())), done.out
