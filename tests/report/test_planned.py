"""The plan, and what is different from an older one, for people and for scripts."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import numpy as np
import orjson
from rich.console import Console

from bulkstate.model import Pair, Plan, Rectangle, Stage
from bulkstate.planner.difference import Comparison, Difference, OnlyThere
from bulkstate.policy.pacing import Forecast
from bulkstate.rates import Rate
from bulkstate.report.differences import show_comparison
from bulkstate.report.planned import plan_to_json, show_plan
from tests.disk.runs import grid

NAMES = """plan target approval reproducible effort requests lower_bound pairs unlisted_pairs kept_pairs assets points
    body_bytes forecast_seconds binding_limit stages remarks where inputs guards looked pipelines before"""
STAGE = Stage("pipe", "[red]One")
FORECAST = Forecast(12.54, Rate(20, 1.0))
DIFFERENT = Difference(
    STAGE, OnlyThere(4, (Pair("a", "p"), Pair("[b]", "q\x1b"))), OnlyThere(1, (Pair("c", "p"),)), 1_000
)


def counted(unlisted: int = 0, kept: int = 0) -> Plan:
    plan = grid(10, 10, 5, 5)
    beyond = (Rectangle(np.arange(unlisted, dtype=np.int32), np.zeros(1, np.int32)),)
    return Plan((replace(plan.stages[0], unlisted=beyond, kept_pairs=kept),), plan.digest, 0)


def page(plan: Plan) -> str:
    text = StringIO()
    show_plan(plan, FORECAST, Console(file=text, width=100))
    return text.getvalue()


def compared(*found: Difference) -> str:
    text = StringIO()
    show_comparison(Comparison("0123456789", found), Console(file=text, width=100))
    return text.getvalue()


def test_names_and_figures() -> None:
    found = orjson.loads(plan_to_json(counted(7, 3), FORECAST))
    assert list(found) == NAMES.split()
    assert (found["pairs"], found["unlisted_pairs"], found["kept_pairs"]) == (100, 7, 3)
    assert (found["forecast_seconds"], found["binding_limit"]) == (12.5, "20/s")


def test_how_long_it_takes_is_said_with_the_limit_that_binds() -> None:
    assert "about 12.5 s at the limits that are known, of which 20/s binds" in page(counted())
    found = orjson.loads(plan_to_json(counted(), None))
    assert (found["forecast_seconds"], found["binding_limit"]) == (None, None)


def test_ids_count_if_a_chunk_names_them_each_once() -> None:
    plan = grid(10, 10, 5, 5)
    (stage,) = plan.stages
    few = replace(stage, stage=Stage("p", "Few"), rectangles=stage.rectangles[:1])
    other = replace(few, stage=Stage("p", "Other"), assets=tuple(f"X{id_}" for id_ in stage.assets))
    found = [orjson.loads(plan_to_json(Plan(each, "", 0), None)) for each in ((few,), (few, stage), (stage, other))]
    assert [(each["assets"], each["points"]) for each in found] == [(5, 5), (10, 10), (15, 10)]


def test_what_is_beyond_the_selection_and_what_is_kept_is_said() -> None:
    assert "and 1,007 pairs beyond the selection, which nobody keeps" in page(counted(1_007))
    assert "1 pair kept, though selected" in page(counted(kept=1))
    assert "beyond" not in page(counted())
    assert "kept" not in page(counted())


def test_the_difference_is_part_of_the_document() -> None:
    found = orjson.loads(plan_to_json(counted(), None, comparison=Comparison("0123", (DIFFERENT,))))
    pairs = {"only_old": 4, "only_new": 1, "both": 1_000}
    assert found["diff"]["old"] == "0123"
    assert found["diff"]["pairs"] == pairs
    (stage,) = found["diff"]["stages"]
    assert (stage["pipeline"], stage["stage"], stage["pairs"]) == ("pipe", "[red]One", pairs)
    assert stage["examples"]["only_new"] == [{"asset": "c", "point": "p"}]


def test_the_difference_in_words() -> None:
    text = compared(DIFFERENT, Difference(Stage("pipe", "Two"), OnlyThere(0, ()), OnlyThere(0, ()), 5))
    assert "1 pair more, 4 less, 1,005 as before" in text
    assert "pipe/[red]One" in text
    assert "Two" not in text
    assert "+ 1 pair: c p\n" in "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    assert "- 4 pairs: a p, [b] q\ufffd, …" in text


def test_no_difference_in_words() -> None:
    same = Difference(STAGE, OnlyThere(0, ()), OnlyThere(0, ()), 1_000)
    assert "nothing else is deleted: 1,000 pairs, as before" in compared(same)
