"""The pairs that aren't deleted, as CSV for the next run."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from bulkstate.disk.journal import Record
from bulkstate.model import Outcome, Plan, Stage, Verdict
from bulkstate.pairs.digest import digest
from bulkstate.report import write_failed_blocks, write_failures
from tests.disk.runs import fast_folder, grid, pair_set, stories, tell


@given(stories())
def test_the_target_pairs_that_no_chunk_deleted(story: tuple[Plan, list[list[list[Outcome]]]]) -> None:
    plan, sessions = story
    last = {outcome.chunk: outcome.verdict for batches in sessions for batch in batches for outcome in batch}
    with fast_folder() as folder:
        tell(plan, sessions, Path(folder))
        table, blocks = Path(folder, "failed.csv"), Path(folder, "failed.yaml")
        with Record.open(Path(folder)) as journal:
            write_failures(journal, table)
            write_failed_blocks(journal, blocks)
        header, *rows = csv.reader(table.read_text().splitlines())
        entries = yaml.safe_load(blocks.read_text())
    expected = sorted((stage, *pair) for stage, pairs in left(plan, last) for pair in pairs)
    if len(plan.stages) > 1:
        assert header == ["pipeline", "stage", "asset_id", "point_id", "blamed"]
        assert sorted((Stage(*row[:2]), *row[2:4]) for row in rows) == expected
    else:
        assert header == ["asset_id", "point_id", "blamed"]
        assert sorted((plan.stages[0].stage, *row[:2]) for row in rows) == expected
    assert sorted(pairs_of(entries)) == expected


def pairs_of(entries: list[dict[str, Any]]) -> Iterator[tuple[Stage, str, str]]:
    """What entries of `delete` select."""
    for entry in entries:
        assert entry["ids"] == "literal"
        (stage,) = entry["stages"]
        for source in entry["where"]:
            for asset, point in source.get("pairs") or product(source["assets"], source["points"]):
                yield Stage(entry["pipeline"], stage), asset, point


@given(id_=st.text(st.characters(exclude_categories=("Cs",), exclude_characters=","), min_size=1))
@example("a${HOME}")
@example("\x85\u2028\ufeff😀\\")
def test_any_id_comes_back_from_yaml(id_: str) -> None:
    plan = grid(1, 1, 1, 1)
    stage = replace(plan.stages[0], stage=Stage(id_, id_), assets=(id_,))
    with fast_folder() as folder:
        tell(replace(plan, stages=(stage,), digest=digest((stage,))), [], Path(folder))
        with Record.open(Path(folder)) as journal:
            write_failed_blocks(journal, Path(folder, "failed.yaml"))
        (entry,) = yaml.safe_load(Path(folder, "failed.yaml").read_text(encoding="utf-8"))
    escaped = id_.replace("${", "$${")
    assert (entry["pipeline"], entry["stages"], entry["where"]) == (
        escaped,
        [escaped],
        [{"pairs": [[escaped, plan.stages[0].points[0]]]}],
    )


def left(plan: Plan, last: dict[int, Verdict]) -> Iterator[tuple[Stage, list[tuple[str, str]]]]:
    """For each stage with chunks that aren't deleted: the target pairs that none deleted. A split one's parts tell."""
    verdicts = (last.get(number) for number in range(plan.requests))
    for of in plan.stages:
        chunks = [(each, next(verdicts)) for each in of.rectangles]
        deleted = pair_set(each for each, verdict in chunks if verdict is Verdict.DELETED)
        undeleted = pair_set(each for each, verdict in chunks if verdict not in (Verdict.DELETED, Verdict.SPLIT))
        pairs = undeleted - deleted - pair_set(of.unlisted)
        if undeleted:
            yield of.stage, [(of.assets[asset], of.points[point]) for asset, point in pairs]
