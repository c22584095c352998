"""Bad input gives one clear line and the right exit code, and nothing is sent."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.cli.conftest import Bulkstate
from tests.cli.gateway import Gateway

pytestmark = pytest.mark.slow


def refused(bulkstate: Bulkstate, gateway: Gateway, exit_code: int, *words: str, file: str = "config.yaml") -> None:
    done = bulkstate("run", file, "--yes")
    assert done.exit_code == exit_code, done
    assert done.out == ""
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err
    assert gateway.deletes() == []
    assert not (bulkstate.folder / "bulkstate-runs").exists() or not list(
        (bulkstate.folder / "bulkstate-runs").iterdir()
    )


def edit(bulkstate: Bulkstate, old: str, new: str) -> None:
    path = bulkstate.folder / "config.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


CASES = [
    ("unknown key", "limits:", "colour: red\nlimits:", "config.yaml:7: colour: unknown key"),
    ("misspelt key", "concurrency:", "concurency:", "did you mean concurrency?"),
    ("wrong type", "concurrency: 4", "concurrency: many", "config.yaml:7: limits.concurrency"),
    ("two auths", "{bearer:", '{app_key: "${TOKEN}", app_secret: "${TOKEN}", bearer:', "gateway.auth"),
    ("no auth", ', auth: {bearer: "${TOKEN}"}', "", "gateway.auth: is missing"),
    (
        "literal secret",
        '"${TOKEN}"',
        '"hunter2hunter2"',
        "gateway.auth.bearer: a secret comes from the environment only",
    ),
    ("unset variable", "${TOKEN}", "${UNSET_VARIABLE}", "UNSET_VARIABLE"),
    ("url without scheme", 'url: "http://', 'url: "', "gateway.url"),
    ("limit 0", "rate: 1000/s", "rate: 0/s", "limits.rate"),
    ("pairs 0", "pairs_per_request: 10", "pairs_per_request: 0", "limits.pairs_per_request"),
    ("rate 20/fortnight", "1000/s", "20/fortnight", "with the units s, min, h or d"),
    ("auto twice", "1000/s", "[auto, auto]", "limits.rate: says auto twice"),
    ("share 0", "rate: 1000/s", "share: 0%", "limits.share: expected a share from 1% to 100%"),
    ("share over 100", "rate: 1000/s", "share: 101%", "limits.share: expected a share from 1% to 100%"),
    ("comma in an ID", '"P{1..5}"', '"P,1"', "'P,1' holds a comma"),
    ("empty ID", '"P{1..5}"', '""', "delete[0].where[0].points[0]"),
    ("space before an ID", '"P{1..5}"', '" P"', "delete[0].where[0].points[0]"),
    ("empty list", '["P{1..5}"]', "[]", "points"),
    ("missing keep", "stages:", "keep: x.csv\n    stages:", "x.csv: there is no such file"),
    ("missing list", '["P{1..5}"]', "nowhere.txt", "nowhere.txt"),
]


@pytest.mark.parametrize(("old", "new", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_mistake_in_the_configuration(bulkstate: Bulkstate, gateway: Gateway, old: str, new: str, words: str) -> None:
    bulkstate.configure(gateway.url)
    edit(bulkstate, old, new)
    refused(bulkstate, gateway, 2, words)
    assert gateway.calls == []


def test_every_mistake_is_told_at_once(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    edit(bulkstate, "1000/s", "20/fortnight")
    edit(bulkstate, "pairs_per_request", "pairs_per_requst")
    edit(bulkstate, '"${TOKEN}"', "literal")
    done = bulkstate("run", "config.yaml", "--yes")
    assert len(done.err.strip().splitlines()) == 3
    assert "literal" not in done.err


def test_no_such_configuration(bulkstate: Bulkstate, gateway: Gateway) -> None:
    refused(bulkstate, gateway, 2, "nowhere.yaml", file="nowhere.yaml")


def test_an_empty_configuration(bulkstate: Bulkstate, gateway: Gateway) -> None:
    (bulkstate.folder / "config.yaml").touch()
    refused(bulkstate, gateway, 2, "config.yaml", "empty")


def test_a_directory_in_place_of_a_configuration(bulkstate: Bulkstate, gateway: Gateway) -> None:
    (bulkstate.folder / "config.yaml").mkdir()
    refused(bulkstate, gateway, 2, "config.yaml", "directory")


def of_pairs(bulkstate: Bulkstate, gateway: Gateway, content: bytes) -> Path:
    bulkstate.configure(gateway.url)
    edit(bulkstate, 'assets: ["A{01..20}"], points: ["P{1..5}"]', "pairs: pairs.csv")
    path = bulkstate.folder / "pairs.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (random.Random(1).randbytes(4096), "pairs.csv"),
        (b"asset_id,point_id\na,b\n\xff\xfe,c\n", "pairs.csv:3"),
        (b"asset_id,point_id\na,b\nc,\n", "pairs.csv:3"),
        (b'asset_id,point_id\n"a,1",b\n', "pairs.csv:2"),
        (b"asset_id,tag\na,b\n", "point_id"),
        (b"asset_id,point_id\n", "pairs.csv"),
        (b"asset_id,point_id\n" + b"a" * 10_000_000 + b",b\n", "pairs.csv:2"),
    ],
    ids=["empty", "binary", "not UTF-8", "empty ID", "comma", "no column", "no pairs", "10 MB in one line"],
)
def test_a_bad_table(bulkstate: Bulkstate, gateway: Gateway, content: bytes, words: str) -> None:
    of_pairs(bulkstate, gateway, content)
    refused(bulkstate, gateway, 2, words)
    assert gateway.calls == []


def test_a_directory_without_tables(bulkstate: Bulkstate, gateway: Gateway) -> None:
    of_pairs(bulkstate, gateway, b"").unlink()
    (bulkstate.folder / "pairs.csv").mkdir()
    refused(bulkstate, gateway, 2, "pairs.csv")


def test_a_selection_over_its_guard(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, more="safety: {max_pairs: 99}")
    refused(bulkstate, gateway, 4, "100 pairs", "safety.max_pairs allows 99")
    assert gateway.calls == []


def test_a_plan_over_its_guard(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, more="safety: {max_requests: 9}")
    refused(bulkstate, gateway, 4, "10 requests", "safety.max_requests allows 9")
    assert gateway.calls == []


def test_nobody_to_agree(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--json")
    assert done.exit_code == 4
    assert "--yes" in done.err
    assert done.document["result"] == "refused"
    assert gateway.calls == []


@pytest.mark.parametrize("command", ["resume", "report", "verify"])
def test_no_run_there(bulkstate: Bulkstate, command: str) -> None:
    assert bulkstate(command, "nowhere").exit_code == 2
    assert not (bulkstate.folder / "nowhere").exists()
    (bulkstate.folder / "r").mkdir()
    assert bulkstate(command, "r").exit_code == 2
    assert list((bulkstate.folder / "r").iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("apply", "night.plan", "--yes", "--digest", ""),
        ("apply", "night.plan", "--yes", "--digest="),
        ("certificate", "r", "--expect-head", ""),
        ("run", "", "--yes"),
        ("run", "config.yaml", "--yes", "--run-dir", ""),
    ],
)
def test_a_variable_that_is_not_set_is_no_answer(bulkstate: Bulkstate, arguments: tuple[str, ...]) -> None:
    done = bulkstate(*arguments)
    assert (done.exit_code, done.out) == (2, "")
    assert done.err.startswith("bulkstate: what follows ")
    assert "is a variable not set?" in done.err
