"""Commands that are ended from outside at any moment, and what has to be true whichever moment it was.

A moment is a share of the time that the same command takes when nobody disturbs it, so that all of them together lie
between its first byte and its last, on fast machines and slow ones.
"""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.chaos.gateway import Gateway, Trouble, serving
from tests.chaos.story import NEVER_BEGUN, has_journal
from tests.forked import Command, Done, bulkstate
from tests.waiting import PATIENCE, is_heard, until

ASSETS = [f"A{number:02}" for number in range(30)]
PAIRS = {("S_01", asset, point) for asset in ASSETS for point in ("P1", "P2")}
WORLD = PAIRS | {("S_01", asset, "P3") for asset in ASSETS}

CONFIGURATION = """\
version: 1
gateway: {{url: "{url}", org_id: o1, auth: {{bearer: "${{TOKEN}}"}}}}
delete:
  - {{pipeline: p1, stages: [S_01], where: [{{assets: assets.txt, points: [P1, P2]}}]}}
limits: {{pairs_per_request: 2, rate: 1000/s, concurrency: 4}}
retry: {{first_delay: 1ms, max_delay: 5ms}}
verify: {{sample: all}}
safety: {{max_pairs: 1000}}
report: {{json: report.json}}
"""

COMMANDS = ("plan", "run", "apply", "resume", "verify")
ENDERS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT, "HUP": signal.SIGHUP}
CPU_SECONDS = 1.0
"""What may be used up after a signal."""


@dataclass(frozen=True)
class Moment:
    """`share` of the command's usual time passes, and then it is sent a signal."""

    command: str
    ender: str
    share: float

    def __str__(self) -> str:
        return f"{self.command}-{self.ender}-{self.share:.3f}"


def moments(count: int, seed: str) -> list[Moment]:
    """So many, spread over commands and signals: half of them kill -9."""
    chance = random.Random(f"crash/{seed}")
    enders = ("KILL", "TERM", "KILL", "INT", "KILL", "HUP")
    return [
        Moment(COMMANDS[number % len(COMMANDS)], enders[number % len(enders)], chance.uniform(0.0, 1.05))
        for number in range(count)
    ]


@contextmanager
def scene(folder: Path) -> Iterator[Gateway]:
    """A gateway with state, and a configuration that selects two thirds of it."""
    with serving(Gateway(set(WORLD), Trouble(0))) as gateway:
        (folder / "assets.txt").write_text("\n".join(ASSETS) + "\n", encoding="utf-8")
        (folder / "config.yaml").write_text(CONFIGURATION.format(url=gateway.url), encoding="utf-8")
        yield gateway


def prepared(command: str, folder: Path, gateway: Gateway) -> tuple[str, ...]:
    """Bring the folder to where `command` begins; its arguments."""
    if command == "plan":
        return ("plan", "config.yaml", "-o", "p.plan")
    if command == "apply":
        assert bulkstate(folder, "plan", "config.yaml", "-o", "p.plan").exit_code == 0
        return ("apply", "p.plan", "--yes", "--run-dir", "r", "--json")
    if command == "run":
        return ("run", "config.yaml", "--yes", "--run-dir", "r", "--json")
    if command == "resume":
        _killed_run(folder, gateway, 8)
        return ("resume", "r", "--json")
    assert bulkstate(folder, "run", "config.yaml", "--yes", "--run-dir", "r", "--json").exit_code == 0
    return ("verify", "r", "--sample", "all", "--json")


def _killed_run(folder: Path, gateway: Gateway, deletes: int) -> None:
    """A run that is killed when so many deletes have arrived."""
    started: list[Command] = []
    known = threading.Event()

    def arrived(kind: str) -> None:
        if len(gateway.deletes) == deletes:
            known.wait()
            started[0].signal(signal.SIGKILL)

    gateway.arrived = arrived
    started.append(Command(folder, "run", "config.yaml", "--yes", "--run-dir", "r", "--json"))
    known.set()
    assert started[0].ended().exit_code == -signal.SIGKILL
    gateway.arrived = lambda kind: None


@cache
def usual_seconds(command: str, folder: Path) -> float:
    """How long the command takes here when nobody disturbs it."""
    with scene(folder) as gateway:
        arguments = prepared(command, folder, gateway)
        begun = time.monotonic()
        assert Command(folder, *arguments).ended().exit_code == 0
        return time.monotonic() - begun


def _cpu(pid: int) -> float | None:
    """Seconds that a process has used up; None when it is gone."""
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100 if fields[0] != "Z" else None
    return None


def ended(command: Command, number: signal.Signals) -> tuple[Done, float]:
    """Send it, and wait; how it ended, and the CPU seconds that it took for it. A signal that can be heard is sent once
    the command listens: that is its first byte."""
    if number != signal.SIGKILL:
        until(lambda: not command.alive or is_heard(command.pid, number))
    before = last = _cpu(command.pid) or 0.0
    command.signal(number)
    ends = time.monotonic() + PATIENCE
    while command.alive and time.monotonic() < ends:
        last = _cpu(command.pid) or last
        time.sleep(0.005)
    return command.ended(), last - before


def _has_said_all(moment: Moment, folder: Path, done: Done) -> bool:
    """The command's work is done, and so is what it has to say."""
    return (folder / "p.plan").exists() if moment.command == "plan" else done.out.endswith("}\n")


def live(moment: Moment, folder: Path, seconds: float) -> float:
    """End a command at its moment, judge what it left, and go on until all is deleted. The CPU seconds of its end."""
    with scene(folder) as gateway:
        arguments = prepared(moment.command, folder, gateway)
        command = Command(folder, *arguments)
        time.sleep(moment.share * seconds)
        number = ENDERS[moment.ender]
        done, cpu = ended(command, number)
        if done.exit_code == -number:  # only SIGKILL needs nobody's leave
            assert number == signal.SIGKILL or _has_said_all(moment, folder, done), done
        else:
            assert done.exit_code in {0, 128 + number}, done
        assert "Traceback" not in done.err, done
        assert cpu < CPU_SECONDS, (cpu, done)
        _JUDGES[moment.command](folder, gateway, done)
        assert gateway.state == WORLD - PAIRS
        assert all(delete.pairs <= PAIRS for delete in gateway.deletes)
        return cpu


def _after_plan(folder: Path, gateway: Gateway, done: Done) -> None:
    """The plan is there and whole, or isn't there."""
    assert gateway.calls == {}, "a plan calls nobody"
    if done.exit_code == 0:
        assert (folder / "p.plan").exists()
    if not (folder / "p.plan").exists():
        assert bulkstate(folder, "plan", "config.yaml", "-o", "p.plan").exit_code == 0
    assert bulkstate(folder, "apply", "p.plan", "--yes").exit_code == 0


def _after_run(folder: Path, gateway: Gateway, done: Done) -> None:
    """What is on disk is true of the wire, and the rest is done by `resume`."""
    if not has_journal(folder / "r"):
        _anew(folder, gateway)
        return
    report = _report(folder)
    assert report["pairs"]["deleted"] <= len(gateway.performed() & PAIRS)
    if done.exit_code == 0:
        assert report["result"] == "deleted"
    sent = len(gateway.deletes)
    again = bulkstate(folder, "resume", "r", "--json")
    if NEVER_BEGUN in again.err:
        _anew(folder, gateway)
        return
    assert again.exit_code == 0, again
    owed = len(PAIRS) // 2 - report["chunks"]["deleted"]
    assert len(gateway.deletes) - sent == owed, "resume sends what has no record, and nothing else"


def _anew(folder: Path, gateway: Gateway) -> None:
    """A run that was killed before anybody agreed has sent nothing, and is started once more."""
    assert not gateway.deletes
    assert bulkstate(folder, "run", "config.yaml", "--yes", "--run-dir", "anew").exit_code == 0


def _after_verify(folder: Path, gateway: Gateway, done: Done) -> None:
    """A verification that didn't end changes nothing."""
    assert len(gateway.deletes) == len(PAIRS) // 2
    assert _report(folder)["result"] == "deleted"
    assert bulkstate(folder, "verify", "r", "--sample", "all").exit_code == 0


def _report(folder: Path) -> dict[str, Any]:
    done = bulkstate(folder, "report", "r", "--format", "json")
    assert done.exit_code == 0, done
    document: dict[str, Any] = json.loads(done.out)
    return document


_JUDGES: dict[str, Callable[[Path, Gateway, Done], None]] = {
    "plan": _after_plan,
    "run": _after_run,
    "apply": _after_run,
    "resume": _after_run,
    "verify": _after_verify,
}
