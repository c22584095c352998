"""Whom the pairs that can't be deleted speak against, by name."""

from __future__ import annotations

from csv import DictReader
from pathlib import Path

import anyio

from bulkstate.disk.journal import Journal, Record
from bulkstate.model import Blamed, Failure, Outcome, Part, Span, Verdict
from bulkstate.pairs.chunks import Chunks
from bulkstate.report import fold, write_failures
from bulkstate.report.blame import blamed
from tests.disk.runs import FACTS, grid

CODE = 61199
PLAN = grid(10, 6, 10, 6)
STAGE = PLAN.stages[0].stage
ASSETS, POINTS = PLAN.stages[0].assets, PLAN.stages[0].points


def cut(*parts: tuple[int, int, int, int]) -> tuple[Chunks, list[Failure]]:
    """Parts of the plan's only chunk, each exhausted: from and to which asset, from and to which point."""
    chunks = Chunks(PLAN)
    failures = []
    for number, (a, b, p, q) in enumerate(parts, 1):
        chunks.add(Part(number, 0, Span(a, b), Span(p, q)))
        outcome = Outcome(number, Verdict.EXHAUSTED, 1, 0, 200, CODE)
        failures.append(Failure(number, STAGE, (b - a) * (q - p), outcome))
    return chunks, failures


def test_parts_of_one_asset_speak_against_it() -> None:
    found = blamed(*cut((3, 4, 0, 2), (3, 4, 2, 4), (3, 4, 4, 6)))
    assert found == (Blamed(STAGE, ASSETS[3], None, CODE, 6),)


def test_so_do_single_pairs_against_what_they_share() -> None:
    singles = [(asset, asset + 1, 2, 3) for asset in range(4)]
    assert blamed(*cut(*singles, (9, 10, 0, 1))) == (
        Blamed(STAGE, None, POINTS[2], CODE, 4),
        Blamed(STAGE, ASSETS[9], POINTS[0], CODE, 1),
    )


def test_slivers_of_a_bad_asset_speak_against_it_though_each_is_part_of_a_column_too() -> None:
    found = blamed(*cut((3, 4, 0, 3), (3, 5, 3, 4), (3, 4, 4, 6)))
    assert found[0] == Blamed(STAGE, ASSETS[3], None, CODE, 6)


def test_what_was_cut_no_further_and_what_ended_otherwise_speak_against_nobody() -> None:
    chunks, (wide, line) = cut((0, 2, 0, 2), (5, 6, 0, 6))
    unknown = Failure(line.chunk, STAGE, line.pairs, Outcome(line.chunk, Verdict.UNKNOWN))
    assert blamed(chunks, [wide, unknown]) == ()


def test_an_asset_of_which_something_was_deleted_is_not_to_blame_for_bad_points() -> None:
    """Nineteen of twenty points are bad, and few assets are asked for: most pairs speak against each of the assets."""
    chunks, failures = cut((0, 2, 5, 6), *((asset, asset + 1, 0, 5) for asset in range(2)))
    by_pairs_alone = blamed(chunks, failures[1:])
    assert {each.asset for each in by_pairs_alone} == set(ASSETS[:2])
    found = blamed(chunks, failures[1:], [failures[0].chunk])
    assert found == tuple(Blamed(STAGE, None, point, CODE, 2) for point in POINTS[:5])


def test_the_table_of_what_failed_says_who_is_to_blame(tmp_path: Path) -> None:
    async def sent() -> None:
        with Journal.create(tmp_path, PLAN, FACTS) as journal:
            journal.begin(1.0)
            parts = (Part(1, 0, Span(0, 9), Span(0, 6)), Part(2, 0, Span(9, 10), Span(0, 6)))
            ended = (Verdict.NOT_SENT, Verdict.EXHAUSTED)
            outcomes = [
                Outcome(part.number, verdict, 1, 0, 200, CODE) for part, verdict in zip(parts, ended, strict=True)
            ]
            await journal.record([Outcome(0, Verdict.SPLIT, 1, parts=parts), *outcomes])

    anyio.run(sent)
    with Record.open(tmp_path) as record:
        write_failures(record, tmp_path / "failed.csv", fold(record).blamed)
    rows = list(DictReader((tmp_path / "failed.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 60
    assert {row["asset_id"] for row in rows if row["blamed"] == "asset"} == {ASSETS[9]}
    assert {row["asset_id"] for row in rows if not row["blamed"]} == set(ASSETS[:9])
