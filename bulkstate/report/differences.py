"""What two plans delete differently, for people and machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bulkstate.model import Pair
from bulkstate.planner.difference import Comparison, Difference, OnlyThere
from bulkstate.text import counted, printable


@dataclass(frozen=True, slots=True)
class PairCounts:
    """How many pairs only the old plan deletes, only the new one, and both."""

    only_old: int
    only_new: int
    both: int


@dataclass(frozen=True, slots=True)
class Examples:
    """A few of the pairs that only one of the plans deletes."""

    only_old: tuple[Pair, ...]
    only_new: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class StageDocument:
    """One stage of `DifferenceDocument`."""

    pipeline: str
    stage: str
    pairs: PairCounts
    examples: Examples


@dataclass(frozen=True, slots=True)
class DifferenceDocument:
    """The fields of `diff`, in the order in which they are written: named in docs/architecture.md."""

    old: str
    pairs: PairCounts
    stages: tuple[StageDocument, ...]


def document(comparison: Comparison) -> DifferenceDocument:
    """The comparison, to be written as JSON."""
    return DifferenceDocument(comparison.old, _sum(comparison.stages), tuple(map(_stage, comparison.stages)))


def _sum(found: Sequence[Difference]) -> PairCounts:
    return PairCounts(
        only_old=sum(each.only_old.pairs for each in found),
        only_new=sum(each.only_new.pairs for each in found),
        both=sum(each.both for each in found),
    )


def _stage(found: Difference) -> StageDocument:
    examples = Examples(found.only_old.examples, found.only_new.examples)
    return StageDocument(found.stage.pipeline, found.stage.name, _sum([found]), examples)


def show_comparison(comparison: Comparison, console: Console) -> None:
    """Print the comparison on `console`, in colour where it has some."""
    console.print(Padding(Text("\n").join(_lines(comparison)), (0, 1, 1, 1)), highlight=False)


def _lines(comparison: Comparison) -> Iterator[Text]:
    pairs = _sum(comparison.stages)
    yield Text(f"Compared with plan {printable(comparison.old[:8])}", "bold")
    if not pairs.only_old and not pairs.only_new:
        yield Text(f"  nothing else is deleted: {counted(pairs.both, 'pair')}, as before")
        return
    yield Text(f"  {counted(pairs.only_new, 'pair')} more, {pairs.only_old:,} less, {pairs.both:,} as before")
    for each in comparison.stages:
        if each.only_old.pairs or each.only_new.pairs:
            yield Text(f"  {printable(str(each.stage))}")
            yield from _share("+", each.only_new)
            yield from _share("-", each.only_old)


def _share(sign: str, share: OnlyThere) -> Iterator[Text]:
    if share.pairs:
        named = [f"{printable(pair.asset)} {printable(pair.point)}" for pair in share.examples]
        more = ["…"] if share.pairs > len(named) else []
        yield Text(f"  {sign} {counted(share.pairs, 'pair')}: {', '.join(named + more)}")
