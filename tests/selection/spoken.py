"""Short ways to say what is selected, and to read what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkstate.errors import InputError
from bulkstate.pairs.relation import Relation
from bulkstate.selection import BlockSource, Entry, IdList, PairSource, Source, select

WHERE, FIELD = "config.yaml:12", "delete[0].where[0]"


def ids(*values: str, file: Path | None = None, field: str = "assets") -> IdList:
    return IdList(values, file, WHERE, f"{FIELD}.{field}")


def block(assets: IdList | str, points: IdList | str) -> BlockSource:
    return BlockSource(
        ids(assets) if isinstance(assets, str) else assets,
        ids(points, field="points") if isinstance(points, str) else points,
    )


def pairs(file: Path) -> PairSource:
    return PairSource(file, WHERE, f"{FIELD}.pairs")


def pairs_in_place(*values: tuple[str, str], literal: bool = False) -> PairSource:
    """Pairs that stand in the configuration."""
    return PairSource(None, WHERE, f"{FIELD}.pairs", literal=literal, values=values)


def one(*sources: Source) -> Relation:
    """The relation of a single stage."""
    (relation,) = select([Entry("pipe", ("stage",), sources)])
    return relation


def target(relation: Relation) -> set[tuple[str, str]]:
    """All pairs of a relation, spelt out."""
    crossed = {(a, p) for each in relation.blocks for a in each.assets.tolist() for p in each.points.tolist()}
    singles = {divmod(code, len(relation.points)) for code in relation.pairs.tolist()}
    return {(relation.assets[a], relation.points[p]) for a, p in crossed | singles}


def complaints(*sources: Source) -> list[str]:
    """The lines of the error that a selection ends in."""
    with pytest.raises(InputError) as caught:
        one(*sources)
    return [str(problem) for problem in caught.value.problems]
