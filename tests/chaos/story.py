"""A seed's story: what is selected, how it is planned and limited, what goes wrong, who is killed when, and how it is
judged: by what the gateway wrote down, and by sets of pairs that were made without the project's code."""

from __future__ import annotations

import csv
import json
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.gateway import KINDS, Gateway, Pair, Trouble, serving
from tests.forked import Command, Done, bulkstate

STOPS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
NEVER_BEGUN = "nobody ever agreed"
"""Said of a run that was killed before its first delete: it is to be started anew."""

_ENDINGS = {0, 3, 4, 5, 130, 143, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT}
"""Of what is judged here. A signal may come before the command has asked for it; 1 is a bug, 2 a wrong story."""


@dataclass
class Selected:
    """What is asked for, by stage. Every other pair of the world has to keep its state, but for those that may go."""

    text: str
    files: dict[str, str]
    target: set[Pair]
    kept: set[Pair]
    may_go: bool
    world: set[Pair] = field(default_factory=set)


def _table(pairs: set[tuple[str, str]]) -> str:
    return "asset_id,point_id\n" + "".join(f"{asset},{point}\n" for asset, point in sorted(pairs))


def selected(chance: random.Random) -> Selected:
    """One pipeline, one or two stages, blocks and single pairs that may overlap, and pairs that may not go."""
    assets = [f"A{number:02}" for number in range(chance.randint(2, 24))]
    points = [f"P{number}" for number in range(chance.randint(1, 9))]
    stages = [f"S_{number:02}" for number in range(1, chance.randint(2, 3))]
    chosen: set[tuple[str, str]] = set()
    sources, files = [], {}
    for number in range(chance.randint(1, 3)):
        if chance.random() < 0.5:
            some = chance.sample(assets, chance.randint(1, len(assets)))
            of = chance.sample(points, chance.randint(1, len(points)))
            chosen |= {(asset, point) for asset in some for point in of}
            sources.append(f"{{assets: {json.dumps(some)}, points: {json.dumps(of)}}}")
        else:
            some_pairs = {pair for pair in _crossed(assets, points) if chance.random() < 0.4} or {
                (assets[0], points[0])
            }
            chosen |= some_pairs
            files[f"pairs{number}.csv"] = _table(some_pairs)
            sources.append(f"{{pairs: pairs{number}.csv}}")
    may_go = chance.random() < 0.3
    keep = {pair for pair in _crossed(assets, points) if chance.random() < 0.15} if chance.random() < 0.5 else set()
    if not chosen - keep:
        keep = set()
    text = f"  - pipeline: p1\n    stages: [{', '.join(stages)}]\n    where: [{', '.join(sources)}]\n"
    text += "    unlisted: may_delete\n" if may_go else ""
    if not may_go:
        keep &= chosen
    if keep:
        files["keep.csv"] = _table(keep)
        text += "    keep: keep.csv\n"
    world = {(stage, asset, point) for stage in [*stages, "S_99"] for asset, point in _crossed(assets, points)}
    return Selected(
        text,
        files,
        {(stage, *pair) for stage in stages for pair in chosen - keep},
        {(stage, *pair) for stage in stages for pair in keep},
        may_go,
        world,
    )


def _crossed(assets: list[str], points: list[str]) -> list[tuple[str, str]]:
    return [(asset, point) for asset in assets for point in points]


def _poisoned(chance: random.Random, chosen: Selected) -> list[Pair]:
    """What can't be deleted for the time being: a pair, or all of an asset or of a point."""
    bad = chance.choice(sorted(chosen.target))
    place = chance.choice((None, 1, 2))
    return [bad] if place is None else [pair for pair in chosen.world if pair[place] == bad[place]]


@dataclass
class Story:
    """Everything that a seed decides before anything happens."""

    seed: int

    def __post_init__(self) -> None:
        self.chance = chance = random.Random(f"chaos/{self.seed}")
        self.selected = selected(chance)
        kinds = chance.sample(KINDS, chance.randint(0, 5))
        # What hangs costs seconds.
        rates = {kind: chance.uniform(0.01, 0.05 if "hang" in kind else 0.25) for kind in kinds}
        poisoned = _poisoned(chance, self.selected) if chance.random() < 0.25 else []
        self.trouble = Trouble(
            seed=self.seed,
            rates=rates,
            calls=chance.randint(10, 150),
            most_pairs=chance.choice([1_000_000, 1_000_000, 1_000_000, 4]),
            poison=frozenset(poisoned),
        )
        self.stops = [
            (chance.choice(STOPS), chance.randint(1, 60)) if chance.random() < 0.6 else None
            for _ in range(chance.randint(0, 3))
        ]
        self.starts_pipeline = chance.randint(5, 40) if chance.random() < 0.15 else None
        self.text = self._configuration()

    def _configuration(self) -> str:
        chance = self.chance
        limits = {
            "pairs_per_request": chance.choice([1, 3, 10, 50, 1000]),
            "rate": chance.choice(["auto", "1000/s", "[400/s, 5000/min]", "[auto, 300/s]"]),
            "concurrency": chance.choice(["auto", 1, 4, 16]),
        }
        retry = {
            "attempts": chance.choice([1, 2, 4, 8]),
            "first_delay": "1ms",
            "max_delay": chance.choice(["5ms", "50ms"]),
            "outage": "5s",
            "split": chance.choice(["true", "true", "false"]),
        }
        more = f"verify: {{sample: {chance.choice(['none', '20', 'all'])}}}\n"
        more += "plan: {effort: quick}\nsafety: {max_pairs: 10000}\n"
        return (
            'version: 1\ngateway: {url: "URL", org_id: o1, auth: {bearer: "${TOKEN}"}, timeout: 1s}\n'
            f"delete:\n{self.selected.text}"
            f"limits: {{{', '.join(f'{key}: {value}' for key, value in limits.items())}}}\n"
            f"retry: {{{', '.join(f'{key}: {value}' for key, value in retry.items())}}}\n{more}"
        )


class Tale:
    """A story that is being told, in a folder of its own, and its judge."""

    def __init__(self, story: Story, folder: Path) -> None:
        self.story, self.folder = story, folder
        self.gateway = Gateway(set(story.selected.world), story.trouble)
        self.said: list[Done] = []
        self.run = "r"

    def tell(self) -> None:
        """From the first run to the end of what is selected. AssertionError where a promise isn't kept."""
        with serving(self.gateway):
            self._write()
            for stop in [*self.story.stops, None]:
                self._session(stop)
            self._heal()
            for _ in range(5):
                if self._session(None, "--retry-failed").exit_code == 0:
                    break
            else:
                raise AssertionError("a healthy gateway, and the run doesn't end well")
        self._judge_end()

    def _write(self) -> None:
        for name, text in self.story.selected.files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        text = self.story.text.replace("URL", self.gateway.url)
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")

    def _heal(self) -> None:
        self.gateway.status = "PAUSED"
        self.gateway.trouble = Trouble(self.story.seed)

    def _session(self, stop: tuple[int, int] | None, *options: str) -> Done:
        before = len(self.gateway.deletes)
        begun = has_journal(self.folder / self.run)
        arguments = ("resume", self.run, *options) if begun else ("run", "config.yaml", "--yes", "--run-dir", self.run)
        with self._trouble_makers(stop) as makers:
            command = Command(self.folder, *arguments)
            makers(command)
            done = command.ended()
        self.said.append(done)
        assert done.exit_code in _ENDINGS, done
        assert "Traceback" not in done.err, done
        if has_journal(self.folder / self.run):
            self._judge(done)
        if not has_journal(self.folder / self.run) or NEVER_BEGUN in done.err:
            assert len(self.gateway.deletes) == before, "deletes that nobody agreed to, or without a journal"
            self.run = f"r{len(self.said)}"
        self.gateway.status = "PAUSED"
        return done

    @contextmanager
    def _trouble_makers(self, stop: tuple[int, int] | None) -> Iterator[Callable[[Command], None]]:
        """Who kills the command, and who starts its pipeline, after so many calls of this session."""
        started: list[Command] = []
        known = threading.Event()
        count = 0

        def arrived(kind: str) -> None:
            nonlocal count
            count += 1
            if stop is not None and count == stop[1]:
                known.wait()
                started[0].signal(stop[0])
            if self.story.starts_pipeline == len(self.gateway.deletes) and kind == "delete":
                self.gateway.status = "RUNNING"

        def begin(command: Command) -> None:
            started.append(command)
            known.set()

        self.gateway.arrived = arrived
        yield begin
        self.gateway.arrived = lambda kind: None

    # ── the judge ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _judge(self, done: Done) -> None:
        """After each session: nothing but the selection was sent, and what is called deleted is."""
        chosen, sent = self.story.selected, set[Pair]().union(*(each.pairs for each in self.gateway.deletes))
        assert not sent & chosen.kept, "kept pairs were sent"
        assert chosen.may_go or sent <= chosen.target, "pairs that nobody selected were sent"
        assert sent <= {pair for pair in chosen.world if pair[0] != "S_99"}
        report, left = self._report()
        assert left <= chosen.target
        called_deleted = chosen.target - left
        assert called_deleted <= self.gateway.performed(), "called deleted, and wasn't"
        assert report["pairs"] == {"planned": len(chosen.target), "deleted": len(called_deleted)}
        if done.exit_code == 0:
            assert not left, "ended well, and pairs are left"

    def _report(self) -> tuple[dict[str, Any], set[Pair]]:
        """What the report says, and the pairs that it exports as not deleted."""
        done = bulkstate(self.folder, "report", self.run, "--format", "json", "--failed", "failed.csv")
        assert done.exit_code == 0, done
        document: dict[str, Any] = json.loads(done.out)
        only_stage = min(self.story.selected.target)[0]
        rows = csv.DictReader((self.folder / "failed.csv").read_text(encoding="utf-8").splitlines())
        return document, {(row.get("stage", only_stage), row["asset_id"], row["point_id"]) for row in rows}

    def _judge_end(self) -> None:
        chosen, gateway = self.story.selected, self.gateway
        assert not gateway.state & chosen.target, "missing: selected pairs still have state"
        assert chosen.kept <= gateway.state, "kept pairs have lost their state"
        beside = chosen.world - chosen.target
        if not chosen.may_go:
            assert gateway.state == beside, "extra: pairs beside the selection have lost their state"
        assert {pair for pair in chosen.world if pair[0] == "S_99"} <= gateway.state


def has_journal(directory: Path) -> bool:
    return (directory / "journal.sqlite").exists()
