"""Limits that nobody told, and gateways that tell nonsense: the installed command, in real time."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bulkstate.disk.gateway_file import StateFile
from bulkstate.policy.auto.learnt import Learnt
from tests.cli.conftest import COMMAND, Bulkstate, ended
from tests.cli.gateway import Answer, Call, Gateway, deleted, reply
from tests.forked import Done
from tests.waiting import until

pytestmark = pytest.mark.slow

LATE = 0.25
"""Seconds by which a busy machine may shift two arrivals, one against the other."""

MANY = 70
"""Calls that no two seconds of 30 hold: who searches for such a limit meets it."""


@dataclass
class Limited:
    """Refuses all deletes but so many in each second; with what it says beside a refusal, and beside every answer."""

    calls: int
    refusing: dict[str, str] = field(default_factory=dict)
    always: dict[str, str] = field(default_factory=dict)
    _accepted: Counter[int] = field(default_factory=Counter)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call: Call, number: int) -> Answer:
        with self._counting:
            self._accepted[int(call.at)] += 1
            refused = self._accepted[int(call.at)] > self.calls
        status, headers, body = reply({}, 429, **self.refusing) if refused else deleted()
        return status, {**headers, **self.always}, body


def configure(bulkstate: Bulkstate, gateway: Gateway, rate: str, calls: int = MANY, share: str = "100%") -> None:
    """As many deletes, of a pair each."""
    bulkstate.configure(gateway.url, rate=rate)
    path = bulkstate.folder / "config.yaml"
    text = path.read_text().replace("A{01..20}", f"A{{1..{calls}}}").replace("P{1..5}", "P")
    path.write_text(text.replace("pairs_per_request: 10", "pairs_per_request: 1, share: " + share))


def all_deleted(done: Done, gateway: Gateway, calls: int = MANY) -> None:
    assert (done.exit_code, done.document["result"]) == (0, "deleted"), done.err
    assert done.document["pairs"] == {"planned": calls, "deleted": calls}
    assert len(gateway.deleted_pairs()) == calls


def forecast(bulkstate: Bulkstate, *options: str) -> float | None:
    seconds = bulkstate("plan", "config.yaml", "--json", *options).document["forecast_seconds"]
    assert seconds is None or isinstance(seconds, float)
    return seconds


def kept(bulkstate: Bulkstate) -> list[Path]:
    """The state files in the usual place."""
    return list((bulkstate.folder / "state").rglob("*.json"))


def most_in(seconds: float, times: Sequence[float]) -> int:
    return max(sum(at <= other < at + seconds for other in times) for at in times)


# ── what is found out, and kept ───────────────────────────────────────────────────────────────────────────────────


def test_a_limit_is_found_and_the_next_run_knows_it(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = Limited(30)
    configure(bulkstate, gateway, "auto")
    cold = bulkstate("run", "config.yaml", "--yes", "--json")
    all_deleted(cold, gateway)
    refused = cold.document["throttled"]
    assert 0 < refused <= 20
    (file,) = kept(bulkstate)
    assert json.loads(file.read_text())["gateways"][0]["learnt"]["rate"] <= 40
    assert forecast(bulkstate) is not None
    gateway.calls.clear()
    warm = bulkstate("run", "config.yaml", "--yes", "--json")
    all_deleted(warm, gateway)
    assert warm.document["throttled"] <= max(1, refused - 1), "a look over the limit may cost one"


def test_the_state_file_can_be_named(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = Limited(30)
    configure(bulkstate, gateway, "auto")
    all_deleted(bulkstate("run", "config.yaml", "--yes", "--json", "--state", "known.json"), gateway)
    assert kept(bulkstate) == []
    assert forecast(bulkstate) is None
    assert forecast(bulkstate, "--state", "known.json") is not None


def test_a_configured_rate_is_never_passed_though_the_gateway_takes_more(
    bulkstate: Bulkstate, gateway: Gateway
) -> None:
    gateway.answer = Limited(1000)
    configure(bulkstate, gateway, "[auto, 20/s]", 50)
    all_deleted(bulkstate("run", "config.yaml", "--yes", "--json"), gateway, 50)
    times = [call.at for call in gateway.calls]
    assert most_in(1.0 - LATE, times) <= 20
    assert len(times) - 1 <= 20 * (times[-1] - times[0] + LATE)


def test_a_share_leaves_the_rest_to_others(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.answer = Limited(40)
    StateFile(bulkstate.folder / "known.json", gateway.url, "o1").keep_learnt(Learnt(40.0).as_dict())
    configure(bulkstate, gateway, "auto", 30, share="50%")
    all_deleted(bulkstate("run", "config.yaml", "--yes", "--json", "--state", "known.json"), gateway, 30)
    times = [call.at for call in gateway.deletes()]
    assert (len(times) - 1) / (times[-1] - times[0]) <= 0.75 * 40


# ── a state file that nobody can understand ───────────────────────────────────────────────────────────────────────

SPOILT = {
    "no JSON": "{",
    "another version": '{"version": 99, "gateways": []}',
    "something else": '{"version": 1, "gateways": [{"gateway": 5}]}',
}


@pytest.mark.parametrize("text", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_state_file_is_ignored_said_once_and_left_alone(
    bulkstate: Bulkstate, gateway: Gateway, text: str
) -> None:
    gateway.answer = Limited(5)
    configure(bulkstate, gateway, "[auto, 100000/h]", 10)
    file = bulkstate.folder / "known.json"
    file.write_text(text)
    done = bulkstate("run", "config.yaml", "--yes", "--json", "--state", "known.json")
    all_deleted(done, gateway, 10)
    assert done.err.count("known.json") == done.err.count("the state file is ignored") == 1
    assert file.read_text() == text
    done = bulkstate("plan", "config.yaml", "--json", "--state", "known.json")
    assert done.exit_code == 0
    assert done.err.count("the state file is ignored") == 1


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends: the user's, and the program's."""
    ends = pty.openpty()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def test_a_spoilt_state_file_is_said_once_though_the_question_needs_it_too(
    bulkstate: Bulkstate, gateway: Gateway
) -> None:
    configure(bulkstate, gateway, "auto", 3)
    (bulkstate.folder / "known.json").write_text("{")
    with terminal() as (user, program):
        process = subprocess.Popen(
            [COMMAND, "run", "config.yaml", "--json", "--state", "known.json"],
            cwd=bulkstate.folder,
            env=bulkstate.environment(),
            stdin=program,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.write(user, b"yes\n")
        done = ended(process)
    all_deleted(done, gateway, 3)
    assert "It can't be brought back." in done.err
    assert done.err.count("the state file is ignored") == 1


# ── gateways that tell nonsense ───────────────────────────────────────────────────────────────────────────────────

WISHES = {"past": "Wed, 21 Oct 2015 07:28:00 GMT", "nonsense": "nonsense", "negative": "-5", "empty": ""}


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES)
@pytest.mark.parametrize("rate", ["auto", "100/s"])
def test_a_wish_that_means_nothing(bulkstate: Bulkstate, gateway: Gateway, rate: str, wish: str) -> None:
    gateway.answer = Limited(30, {"Retry_After": wish})
    configure(bulkstate, gateway, rate, 40)
    all_deleted(bulkstate("run", "config.yaml", "--yes", "--json"), gateway, 40)


def test_a_wish_for_a_year_can_be_ended_and_the_run_goes_on_later(bulkstate: Bulkstate, gateway: Gateway) -> None:
    """With configured limits it is a pause, which is said; nobody has to wait for its end."""
    gateway.answer = lambda call, number: reply({}, 429, Retry_After="31536000") if number > 3 else deleted()
    configure(bulkstate, gateway, "100/s", 10)
    process = bulkstate.start("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    until(lambda: "the gateway's limit" in bulkstate("ctl", "r", "status").out)
    process.signal(signal.SIGTERM)
    done = process.ended()
    assert (done.exit_code, done.document["chunks"]["deleted"]) == (143, 3)
    assert "paused_for" in done.err
    gateway.answer = lambda call, number: deleted()
    all_deleted(bulkstate("resume", "r", "--json"), gateway, 10)


def told(limit: int, left: int, seconds: int) -> dict[str, str]:
    return {"RateLimit-Policy": f'"d";q={limit};w={seconds}', "RateLimit": f'"d";r={left};t={seconds}'}


LIES = {
    "nothing left": told(30, 0, 1),
    "nothing left, older header": {"X-RateLimit-Limit": "30", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"},
    "a million a second": told(1_000_000, 999_999, 1),
    "a million a minute": told(1_000_000, 999_999, 60),
    "a million, older header": {"X-RateLimit-Limit": "1000000", "X-RateLimit-Remaining": "999999"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("rate", ["auto", "100/s"])
def test_headers_that_lie(bulkstate: Bulkstate, gateway: Gateway, rate: str, lie: dict[str, str]) -> None:
    gateway.answer = Limited(30, always=lie)
    configure(bulkstate, gateway, rate, 40)
    all_deleted(bulkstate("run", "config.yaml", "--yes", "--json"), gateway, 40)
