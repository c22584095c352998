"""Empty is never everything: whatever is empty on the way to the wire, nothing is deleted for it, and that is said."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.gateway import Gateway, Trouble, serving
from tests.forked import Done, bulkstate

pytestmark = pytest.mark.slow

WORLD = {("S_01", f"A{asset}", f"P{point}") for asset in range(6) for point in range(4)}
CONFIGURATION = """\
version: 1
gateway: {{url: "{url}", org_id: o1, auth: {{bearer: "${{TOKEN}}"}}}}
delete:
  - pipeline: p1
    stages: {stages}
    where: {where}
{more}
limits: {{pairs_per_request: 2, rate: 1000/s, concurrency: 2}}
retry: {{attempts: 2, first_delay: 1ms, max_delay: 5ms}}
safety: {{max_pairs: 1000}}
"""
BLOCK = '[{assets: ["A{0..3}"], points: [P0, P1]}]'

SEAMS = {
    "no entries": ("[S_01]", "[]", "", {}),
    "no stages": ("[]", BLOCK, "", {}),
    "a stage without a name": ('[""]', BLOCK, "", {}),
    "no assets": ("[S_01]", "[{assets: [], points: [P0]}]", "", {}),
    "no points": ("[S_01]", "[{assets: [A0], points: []}]", "", {}),
    "nothing in their place": ("[S_01]", "[{assets: , points: [P0]}]", "", {}),
    "an asset without a name": ("[S_01]", '[{assets: [""], points: [P0]}]', "", {}),
    "assets from the environment": ("[S_01]", '[{assets: ["${NOTHING}"], points: [P0]}]', "", {}),
    "an empty list file": ("[S_01]", "[{assets: a.txt, points: [P0]}]", "", {"a.txt": ""}),
    "a list file of blanks": ("[S_01]", "[{assets: a.txt, points: [P0]}]", "", {"a.txt": "\n\n"}),
    "an empty table": ("[S_01]", "[{pairs: a.csv}]", "", {"a.csv": ""}),
    "a header alone": ("[S_01]", "[{pairs: a.csv}]", "", {"a.csv": "asset_id,point_id\n"}),
    "rows without IDs": ("[S_01]", "[{pairs: a.csv}]", "", {"a.csv": "asset_id,point_id\n,\n"}),
    "half a row": ("[S_01]", "[{pairs: a.csv}]", "", {"a.csv": "asset_id,point_id\nA0,\n"}),
    "an object without keys": ("[S_01]", "[{pairs: a.ndjson}]", "", {"a.ndjson": "{}\n"}),
    "all that is selected is kept": (
        "[S_01]",
        "[{assets: [A0], points: [P0]}]",
        "    keep: keep.csv",
        {"keep.csv": "asset_id,point_id\nA0,P0\n"},
    ),
    "what is kept is empty": ("[S_01]", BLOCK, "    keep: keep.csv", {"keep.csv": ""}),
}


def configured(folder: Path, url: str, stages: str = "[S_01]", where: str = BLOCK, more: str = "") -> None:
    text = CONFIGURATION.format(url=url, stages=stages, where=where, more=more)
    (folder / "config.yaml").write_text(text, encoding="utf-8")


def nothing_sent(done: Done, gateway: Gateway) -> None:
    assert not gateway.deletes, done
    assert gateway.state == WORLD
    assert done.exit_code in (2, 4), done
    assert any(line.startswith("bulkstate: ") for line in done.err.splitlines()), "it is said"
    assert "Traceback" not in done.err


@pytest.mark.parametrize("seam", SEAMS)
def test_an_empty_selection(tmp_path: Path, seam: str) -> None:
    stages, where, more, files = SEAMS[seam]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with serving(Gateway(set(WORLD), Trouble(0))) as gateway:
        configured(tmp_path, gateway.url, stages, where, more)
        nothing_sent(bulkstate(tmp_path, "run", "config.yaml", "--yes", NOTHING=""), gateway)


def test_an_empty_list_of_pipelines(tmp_path: Path) -> None:
    class Nowhere(Gateway):
        def listed(self) -> object:
            return {"code": 0, "msg": "OK", "data": {"count": 0, "pipelines": []}}

    with serving(Nowhere(set(WORLD), Trouble(0))) as gateway:
        configured(tmp_path, gateway.url)
        done = bulkstate(tmp_path, "run", "config.yaml", "--yes", "--run-dir", "r")
        nothing_sent(done, gateway)


def test_nothing_is_pending(tmp_path: Path) -> None:
    """All is deleted already: `resume` sends nothing, whatever it is asked for."""
    with serving(Gateway(set(WORLD), Trouble(0))) as gateway:
        configured(tmp_path, gateway.url)
        assert bulkstate(tmp_path, "run", "config.yaml", "--yes", "--run-dir", "r").exit_code == 0
        sent = len(gateway.deletes)
        for options in ((), ("--retry-failed",)):
            assert bulkstate(tmp_path, "resume", "r", *options).exit_code == 0
        assert len(gateway.deletes) == sent == 4


SPOILT = {
    "an empty file": None,
    "no chunks": "DELETE FROM side",
    "no stages": "DELETE FROM stage",
    "no plan": "DELETE FROM plan",
    "no assets": "UPDATE dictionary SET ids = ''",
    "no names of assets": "DELETE FROM dictionary",
}


@pytest.mark.parametrize("name", SPOILT)
def test_an_empty_journal(tmp_path: Path, name: str) -> None:
    with serving(Gateway(set(WORLD), Trouble(0, poison=frozenset(WORLD)))) as gateway:
        configured(tmp_path, gateway.url)
        assert bulkstate(tmp_path, "run", "config.yaml", "--yes", "--run-dir", "r").exit_code in (3, 5)
        gateway.trouble = Trouble(0)
        journal, sent = tmp_path / "r" / "journal.sqlite", len(gateway.deletes)
        if (statement := SPOILT[name]) is None:
            journal.write_bytes(b"")
        else:
            with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
                connection.execute(statement)
        done = bulkstate(tmp_path, "resume", "r", "--retry-failed")
        assert len(gateway.deletes) == sent, done
        assert gateway.state == WORLD
        assert done.exit_code in (2, 4, 5), done
        assert "bulkstate: " in done.err


@pytest.mark.parametrize("name", SPOILT)
def test_an_empty_plan(tmp_path: Path, name: str) -> None:
    with serving(Gateway(set(WORLD), Trouble(0))) as gateway:
        configured(tmp_path, gateway.url)
        assert bulkstate(tmp_path, "plan", "config.yaml", "-o", "p.plan").exit_code == 0
        if (statement := SPOILT[name]) is None:
            (tmp_path / "p.plan").write_bytes(b"")
        else:
            with closing(sqlite3.connect(tmp_path / "p.plan", isolation_level=None)) as connection:
                connection.execute(statement)
        nothing_sent(bulkstate(tmp_path, "apply", "p.plan", "--yes"), gateway)
