"""What is known of gateways from one run to the next: a small file, and no secret in it.

Calls made in windows of an hour and more count for the next run as well; and whoever finds out a gateway's limits may
keep here what was learnt, in words of its own. A file that can't be understood, or is of another version, is ignored
and left as it is, which is said once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
import structlog
from filelock import FileLock, Timeout

from bulkstate.disk import small_file
from bulkstate.model import Grant

VERSION: Final = 1
MOST_SPANS: Final = 1_000
"""Calls of a run are kept in so many sums at the most."""

SHORTEST_SPAN: Final = 60.0

Json: TypeAlias = Any
"""Whatever JSON can say: a learner's own words, which this room never looks into."""


@dataclass(frozen=True, slots=True)
class Calls:
    """So many calls that a run made until `at` (UNIX seconds), since its calls before."""

    run: str
    at: float
    calls: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of one gateway, as one organisation."""

    gateway: str
    organisation: str
    calls: tuple[Calls, ...] = ()
    learnt: Json = None

    def grants(self, run: str, now: float, longest: float) -> tuple[Grant, ...]:
        """The calls that other runs made in the `longest` seconds before `now`, as a journal would have them."""
        known = sorted(self._others(run, now, longest), key=lambda each: each.at)
        return tuple(Grant(each.at, 0, each.calls) for each in known)

    def with_calls(self, run: str, calls: Iterable[tuple[float, int]], now: float, longest: float) -> Memory:
        """With the calls of a run, as (UNIX seconds, how many), in place of what was known of it. Nothing is kept for
        longer than `longest` seconds before `now`."""
        sums = _sums(run, calls, max(SHORTEST_SPAN, longest / MOST_SPANS))
        return replace(self, calls=(*self._others(run, now, longest), *sums))

    def _others(self, run: str, now: float, longest: float) -> Iterator[Calls]:
        return (each for each in self.as_of(now).calls if each.run != run and now - longest <= each.at)

    def as_of(self, now: float) -> Memory:
        """The same, where calls made after `now`, by a clock that was set since, count as made now (law 5)."""
        if all(each.at <= now for each in self.calls):
            return self
        return replace(self, calls=tuple(replace(each, at=min(each.at, now)) for each in self.calls))


def _sums(run: str, calls: Iterable[tuple[float, int]], span: float) -> Iterator[Calls]:
    """Calls added up by the spans they were made in, as made at the last of each: that is the careful choice."""
    sums: dict[int, Calls] = {}
    for at, number in calls:
        place = int(at // span)
        before = sums.get(place)
        sums[place] = Calls(run, max(at, before.at), number + before.calls) if before else Calls(run, at, number)
    yield from sums.values()


def default_path(gateway: str, organisation: str) -> Path:
    """Where it is unless somebody names a file. OSError if there is no place for it."""
    name = sha256(f"{gateway}\0{organisation}".encode()).hexdigest()
    return small_file.state_folder("gateways") / f"{name}.json"


class StateFile:
    """The file at `path`, of which only what is said of one gateway and organisation is ever changed."""

    def __init__(self, path: Path, gateway: str, organisation: str) -> None:
        self.path = path
        self._nothing = Memory(gateway, organisation)
        self._said = False

    def read(self) -> Memory:
        """What is known."""
        try:
            return self._of_gateway(self._memories())
        except (OSError, ValueError) as error:
            self._say(error)
            return self._nothing

    def settled(self, now: float) -> Memory:
        """What is known `now`. Calls that a clock ahead of it wrote down are kept as made now, and forgotten."""
        memory = self.read()
        if memory.as_of(now) != memory:
            self._change(lambda kept: kept.as_of(now))
        return memory

    def keep_calls(self, run: str, calls: Sequence[tuple[float, int]], now: float, longest: float) -> None:
        """Remember what a run called: see `Memory.with_calls`."""
        self._change(lambda memory: memory.with_calls(run, calls, now, longest))

    def keep_learnt(self, learnt: Json) -> None:
        """Remember what was learnt of the gateway."""
        self._change(lambda memory: replace(memory, learnt=learnt))

    def _change(self, change: Callable[[Memory], Memory]) -> None:
        try:
            with FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=5, mode=0o600, fallback_to_soft=False):
                memories = self._memories()
                before = self._of_gateway(memories)
                others = [memory for memory in memories if memory is not before]
                document = {"version": VERSION, "gateways": [asdict(memory) for memory in (*others, change(before))]}
                small_file.write(self.path, orjson.dumps(document))
        except (OSError, ValueError, Timeout) as error:
            self._say(error)

    def _memories(self) -> tuple[Memory, ...]:
        content = small_file.read(self.path)
        return () if content is None else _memories(orjson.loads(content))

    def _of_gateway(self, memories: Iterable[Memory]) -> Memory:
        gateway, organisation = self._nothing.gateway, self._nothing.organisation
        found = (m for m in memories if (m.gateway, m.organisation) == (gateway, organisation))
        return next(found, self._nothing)

    def _say(self, error: Exception) -> None:
        if not self._said:
            reason = error.strerror if isinstance(error, OSError) else error
            structlog.get_logger().warning("the state file is ignored", file=str(self.path), reason=str(reason))
        self._said = True


# ── what stands in it ─────────────────────────────────────────────────────────────────────────────────────────────


def _memories(document: object) -> tuple[Memory, ...]:
    match document:
        case {"version": int(version), "gateways": list(rows)}:
            small_file.check_version(version, VERSION)
            return tuple(map(_memory, rows))
    raise ValueError("it isn't a state file")


def _memory(row: object) -> Memory:
    match row:
        case {"gateway": str(gateway), "organisation": str(organisation), "calls": list(rows), "learnt": learnt}:
            return Memory(gateway, organisation, tuple(map(_calls, rows)), learnt)
    raise ValueError("it holds something else than what is known of a gateway")


def _calls(row: object) -> Calls:
    match row:
        case {"run": str(run), "at": float(at) | int(at), "calls": int(calls)} if isfinite(at) and 0 < calls < 1 << 40:
            return Calls(run, float(at), calls)
    raise ValueError("it holds calls that nobody can have made")
