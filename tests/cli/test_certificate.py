"""`bulkstate certificate`: by a real run's journal, against a checker of its own, and after somebody changed things."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing

import pytest

from bulkstate.disk.journal import Journal, inline
from bulkstate.disk.journal.chain import LATEST
from tests import certificate_checker
from tests.cli.conftest import Bulkstate
from tests.cli.gateway import Gateway

pytestmark = pytest.mark.slow

READ_BACK = "{before: 50, sample: all, settle: 0s}"


def test_from_a_run_to_a_certificate_that_others_can_check(bulkstate: Bulkstate, gateway: Gateway) -> None:
    gateway.clock = 3_600.0
    bulkstate.configure(gateway.url, verify=READ_BACK, more="report: {certificate: by-the-run.json}")
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r", "--reference", "CHG123")
    assert done.exit_code == 0, done.err
    heads = re.findall(r"head=([0-9a-f]{64})", done.err)
    assert -3_602 < bulkstate("report", "r", "--format", "json").document["who"][0]["clock_ahead"] < -3_590
    assert "s behind the gateway's" in " ".join(bulkstate("report", "r").out.split())
    journal, file = bulkstate.folder / "r" / "journal.sqlite", bulkstate.folder / "c.json"

    made = bulkstate("certificate", "r", "-o", "c.json", "--test-result", "t.json", "--asset-ids", "ids.txt")
    assert made.exit_code == 0, made.err
    assert certificate_checker.check(journal, file, heads[0]) == []
    told = json.loads(file.read_bytes())["predicate"]
    assert (told["status"], told["approval"]["reference"]) == ("erased", "CHG123")
    assert told["scope"]["asset_list"]["count"] == len((bulkstate.folder / "ids.txt").read_text().split()) == 20
    assert json.loads((bulkstate.folder / "t.json").read_bytes())["predicate"]["passedTests"][0] == "all-deleted"

    for name in ("c.json", "by-the-run.json"):
        for head in heads:
            same = bulkstate("certificate", "r", "--check", name, "--expect-head", head[:16])
            assert same.exit_code == 0, (name, same.err)
    assert "Certificate of deletion (erased)" in same.out
    other = bulkstate("certificate", "r", "--expect-head", "0" * 64)
    assert (other.exit_code, other.out) == (5, "")
    assert "isn't among its links" in other.err

    file.write_bytes(file.read_bytes().replace(b'"pairs": 100', b'"pairs": 200'))
    changed = bulkstate("certificate", "r", "--check", "c.json")
    assert changed.exit_code == 5
    assert "isn't what the journal says" in changed.err
    assert certificate_checker.check(journal, file) == ["the pairs are others"]

    assert bulkstate("verify", "r").exit_code == 0
    later = bulkstate("certificate", "r", "--check", "by-the-run.json", "--expect-head", heads[-1])
    assert later.exit_code == 5
    assert "the journal has gone on since it was made" in later.err


def test_a_journal_that_was_changed_certifies_nothing(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    done = bulkstate("run", "config.yaml", "--yes", "--run-dir", "r")
    shutil.copytree(bulkstate.folder / "r", bulkstate.folder / "cut")
    with closing(sqlite3.connect(bulkstate.folder / "r" / "journal.sqlite", isolation_level=None)) as connection:
        (trigger,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'outcome_UPDATE'").fetchone()
        connection.execute("DROP TRIGGER outcome_UPDATE")
        connection.execute("UPDATE outcome SET request_id = 'r-2'")
        connection.execute(trigger)
    for command in (["certificate", "r"], ["report", "r"], ["resume", "r"], ["verify", "r"]):
        found = bulkstate(*command)
        assert found.exit_code == 5, (command, found)
        assert "damaged" in found.err
    head = re.findall(r"head=([0-9a-f]{64})", done.err)[-1]
    assert bulkstate("certificate", "cut", "--expect-head", head).exit_code == 0
    told = json.loads(bulkstate("certificate", "cut").out)["predicate"]
    assert told["title"] == "Record of a partial deletion: not a certificate", "nothing was read back"


@pytest.mark.parametrize("changed", [False, True])
def test_what_lies_far_back_is_found_before_a_run_is_over(
    bulkstate: Bulkstate, gateway: Gateway, changed: bool
) -> None:
    """More links than are verified when a journal is opened: the others are, beside the work."""
    bulkstate.configure(gateway.url)
    assert bulkstate("run", "config.yaml", "--yes", "--run-dir", "r").exit_code == 0
    with closing(Journal.resume(bulkstate.folder / "r", hop=inline)) as journal:
        for second in range(LATEST):
            journal.agree(float(second))
    if changed:
        with closing(sqlite3.connect(bulkstate.folder / "r" / "journal.sqlite", isolation_level=None)) as connection:
            (trigger,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'outcome_UPDATE'").fetchone()
            connection.execute("DROP TRIGGER outcome_UPDATE")
            connection.execute("UPDATE outcome SET attempts = 2")
            connection.execute(trigger)
    for command in (["report", "r"], ["resume", "r"], ["verify", "r"]):
        found = bulkstate(*command)
        assert found.exit_code == (5 if changed else 0), (command, found)
        assert ("damaged" in found.err) == changed


def test_every_request_can_be_exported(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    bulkstate("run", "config.yaml", "--yes", "--run-dir", "r")
    rows = bulkstate("report", "r", "--format", "csv").out.splitlines()
    assert rows[0].split(",")[13] == "request_id"
    assert len(rows) == 11
    assert all(row.split(",")[13] == "r-1" for row in rows[1:])
