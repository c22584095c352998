"""What a look found: how many of the pairs have state, of which entries too few do, and which assets have none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from bulkstate.forms.values import Share
from bulkstate.model import KEPT, LookedAt, Pair, Stage
from bulkstate.text import counted

T = TypeVar("T")

_EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class EntryPresence:
    """One entry of `where`, in all its stages: of `looked_at` pairs, so many have state. `first` is one of them all."""

    entry: str
    looked_at: int
    with_state: int
    first: Pair

    def has(self, share: Share | None) -> bool:
        """Whether so large a share of the pairs has state; None: any of them."""
        return self.with_state > 0 and (share is None or 100 * self.with_state >= share.percent * self.looked_at)


@dataclass(frozen=True, slots=True)
class Presence:
    """All of a look: pairs that several entries select count once. Of `assets`, those of `without` have no state."""

    looked_at: int = 0
    with_state: int = 0
    unread: int = 0
    entries: tuple[EntryPresence, ...] = ()
    assets: int = 0
    assets_without: int = 0
    without: tuple[str, ...] = ()
    empty_stages: tuple[Stage, ...] = ()
    """Stages in which no pair that was looked at has state."""

    @property
    def words(self) -> str:
        """It in one line, such as `of 1,000 pairs looked at 964 have state; assets without any: 12 of 40, e.g. A1`."""
        if not self.looked_at:
            return "nothing was looked at" if not self.unread else "nobody could say what has state"
        have = "has" if self.with_state == 1 else "have"
        of = f"of {self.looked_at:,} pairs looked at {self.with_state:,} {have} state"
        if not self.assets_without:
            return of
        return f"{of}; assets without any: {self.assets_without:,} of {self.assets:,}, e.g. {', '.join(self.without)}"


NOTHING_LOOKED_AT: Final = Presence()


def presence(looked_at: Sequence[LookedAt]) -> Presence:
    """What a look found of the target, summed up."""
    looked_at = [each for each in looked_at if each.entry != KEPT]
    read = [each for each in looked_at if each.state is not None]
    states = {(each.stage, each.pair): bool(each.state) for each in read}
    assets = _any((pair.asset, state) for (_, pair), state in states.items())
    stages = _any((stage, state) for (stage, _), state in states.items())
    without = sorted(asset for asset, state in assets.items() if not state)
    return Presence(
        looked_at=len(states),
        with_state=sum(states.values()),
        unread=len({(each.stage, each.pair) for each in looked_at if each.state is None}),
        entries=tuple(_entries(read)),
        assets=len(assets),
        assets_without=len(without),
        without=tuple(without[:_EXAMPLES]),
        empty_stages=tuple(sorted(stage for stage, state in stages.items() if not state)),
    )


def _any(found: Iterable[tuple[T, bool]]) -> dict[T, bool]:
    """For each thing whether any of what was found of it is true."""
    merged: dict[T, bool] = {}
    for thing, state in found:
        merged[thing] = merged.get(thing, False) or state
    return merged


def _entries(read: Iterable[LookedAt]) -> Iterator[EntryPresence]:
    by_entry: dict[str, dict[tuple[Stage, Pair], bool]] = {}
    for each in read:
        by_entry.setdefault(each.entry, {})[each.stage, each.pair] = bool(each.state)
    for entry, states in by_entry.items():
        yield EntryPresence(entry, len(states), sum(states.values()), min(pair for _, pair in states))


def nothing_there(found: Presence, share: Share | None) -> str:
    """Why a run must not start: an entry of which none of the pairs has state, or too few; empty if there is none."""
    pairs = counted(found.looked_at, "pair")
    if not found.with_state and found.looked_at:
        first = min(entry.first for entry in found.entries)
        return f"Nothing was there: none of the {pairs} looked at has state ({_first(first)})."
    lacking = [entry for entry in found.entries if not entry.has(share)]
    if not lacking:
        return ""
    said = "; ".join(_lacking(entry, share) for entry in lacking[:_EXAMPLES])
    more = f"; and {len(lacking) - _EXAMPLES:,} more entries" if len(lacking) > _EXAMPLES else ""
    return f"Nothing was there: {said}{more}. Of all {pairs} looked at {found.with_state:,} have state."


def had_nothing(found: Presence) -> str:
    """What a run that was let pass deletes though nothing was seen there, in a sentence; empty if there was something.

    So that "deleted" isn't read as if there had been anything.
    """
    lacking = [entry for entry in found.entries if not entry.has(None)]
    if not lacking:
        return ""
    if not found.with_state:
        return f"None of the {counted(found.looked_at, 'pair')} looked at before had state."
    others = len(lacking) - 1
    more = f", nor any of {others:,} more {'entry' if others == 1 else 'entries'}" if others else ""
    first = lacking[0]
    return f"None of the {counted(first.looked_at, 'pair')} looked at before of {first.entry} had state{more}."


def _lacking(entry: EntryPresence, share: Share | None) -> str:
    pairs = counted(entry.looked_at, "pair")
    if not entry.with_state or share is None:
        return f"none of the {pairs} looked at of {entry.entry} has state ({_first(entry.first)})"
    asked = f"safety.require_state asks for {share}"
    return f"{entry.with_state:,} of the {pairs} looked at of {entry.entry} have state, and {asked}"


def _first(pair: Pair) -> str:
    return f"first: {pair.asset}, {pair.point}"
