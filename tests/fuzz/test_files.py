"""Whatever bytes a file holds, a command that reads it ends with words and one of its exit codes: no traceback, no
hang, nothing sent."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import polars as pl
import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bulkstate.cli.commands import app
from tests.chaos.gateway import Gateway, Trouble, serving
from tests.forked import bulkstate
from tests.fuzz.mutations import mutated

pytestmark = pytest.mark.fuzz

often = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

CONFIGURATION = """\
version: 1
gateway: {url: "http://127.0.0.1:9", org_id: o1, auth: {bearer: "${TOKEN}"}}
delete:
  - pipeline: p1
    stages: [S_01, S_02]
    where:
      - {assets: ["A{01..20}", x], points: list.txt}
      - {pairs: pairs.csv}
    keep: keep.csv
    unlisted: may_delete
limits: {pairs_per_request: 10, bytes_per_request: 1MiB, rate: [20/s, 1000/min], concurrency: 4}
retry: {attempts: 3, first_delay: 10ms, max_delay: 50ms, split: true, outage: 30min}
safety: {max_pairs: 50_000, max_requests: 20, require_paused: true, status_every: 2s}
verify: {sample: 20, witness: witness.csv}
"""
TABLE = b"asset_id,point_id\n" + b"".join(b"A%02d,P%d\n" % (row, row % 3) for row in range(20))
NDJSON = b"".join(b'{"asset_id": "A%02d", "point_id": "P%d"}\n' % (row, row % 3) for row in range(20))


def parquet() -> bytes:
    stream = io.BytesIO()
    pl.read_csv(TABLE).write_parquet(stream)
    return stream.getvalue()


TABLES = {
    "x.csv": TABLE,
    "x.ndjson": NDJSON,
    "x.parquet": parquet(),
    "x.csv.gz": gzip.compress(TABLE, mtime=0),
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TOKEN", "canary-bearer")


def carried_out(folder: Path, *arguments: str, token: str = "canary-bearer") -> Result:
    """The command, in this process. Without a token it calls nobody, whatever it reads."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(app, list(arguments), env={"TOKEN": token})
    finally:
        os.chdir(before)
    assert done.exit_code in (0, 2, 3, 4, 5, 6), (done.exit_code, done.output)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done


def said_why(done: Result) -> None:
    assert done.exit_code == 0 or done.stderr.strip(), "an error has words"


def a_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)


def filled(folder: Path) -> Path:
    (folder / "config.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (folder / "list.txt").write_bytes(b"P1\nP2\n")
    (folder / "pairs.csv").write_bytes(TABLE)
    (folder / "keep.csv").write_bytes(b"asset_id,point_id\nA07,P1\n")
    (folder / "witness.csv").write_bytes(b"asset_id,point_id\nB99,P9\n")
    return folder


@often
@given(mutated([CONFIGURATION.encode()]))
def test_a_configuration(content: bytes) -> None:
    with a_folder() as name:
        folder = filled(Path(name))
        (folder / "config.yaml").write_bytes(content)
        said_why(carried_out(folder, "plan", "config.yaml", "--json"))


@pytest.mark.parametrize("name", TABLES)
@often
@given(data=st.data())
def test_a_table(name: str, data: st.DataObject) -> None:
    content = data.draw(mutated([TABLES[name]]))
    with a_folder() as top:
        folder = filled(Path(top))
        (folder / name).write_bytes(content)
        text = CONFIGURATION.replace("pairs.csv", name)
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        said_why(carried_out(folder, "plan", "config.yaml", "--json"))


@pytest.mark.parametrize("name", ["list.txt", "keep.csv", "witness.csv"])
@often
@given(data=st.data())
def test_a_list(name: str, data: st.DataObject) -> None:
    with a_folder() as top:
        folder = filled(Path(top))
        (folder / name).write_bytes(data.draw(mutated([(folder / name).read_bytes()])))
        said_why(carried_out(folder, "plan", "config.yaml", "--json"))


@cache
def made() -> Path:
    """A saved plan, and the run directory of a run that didn't delete everything."""
    folder = filled(Path(mkdtemp(prefix="fuzz-")))
    assets = [f"A{row:02}" for row in range(21)]
    state = {(stage, asset, f"P{point}") for stage in ("S_01", "S_02") for asset in assets for point in range(3)}
    with serving(Gateway(state, Trouble(1, poison=frozenset({("S_01", "A03", "P0")})))) as gateway:
        text = CONFIGURATION.replace("http://127.0.0.1:9", gateway.url).replace("20/s", "1000/s")
        (folder / "config.yaml").write_text(text, encoding="utf-8")
        assert bulkstate(folder, "plan", "config.yaml", "-o", "p.plan").exit_code == 0
        done = bulkstate(folder, "run", "config.yaml", "--yes", "--run-dir", "r")
    assert done.exit_code == 3, done
    return folder


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    yield
    if made.cache_info().currsize:
        shutil.rmtree(made())


@often
@given(st.data())
def test_a_saved_plan(data: st.DataObject) -> None:
    """Without the token nobody is called, whatever becomes of it."""
    with a_folder() as name:
        folder = filled(Path(name))
        (folder / "p.plan").write_bytes(data.draw(mutated([(made() / "p.plan").read_bytes()])))
        done = carried_out(folder, "apply", "p.plan", "--yes", "--even-if-stale", "--json", token="")
        assert done.exit_code in (2, 4)
        said_why(done)
        said_why(carried_out(folder, "plan", "config.yaml", "--diff", "p.plan", "--json"))


@often
@given(st.data())
def test_a_journal(data: st.DataObject) -> None:
    with a_folder() as name:
        folder = filled(Path(name))
        (folder / "r").mkdir()
        journal = (made() / "r" / "journal.sqlite").read_bytes()
        (folder / "r" / "journal.sqlite").write_bytes(data.draw(mutated([journal])))
        said_why(carried_out(folder, "report", "r", "--format", "json", "--failed", "failed.csv"))
        said_why(carried_out(folder, "report", "r"))
        assert carried_out(folder, "resume", "r", "--json", token="").exit_code in (0, 2, 3, 4, 5)


USES = json.dumps([{"at": 1.5, "command": "rate", "value": "10/s"}, {"at": 2, "command": "pause", "value": ""}])


@pytest.mark.parametrize("name", ["control.json", "status.json", "run.owner"])
@often
@given(data=st.data())
def test_a_control_file(name: str, data: st.DataObject) -> None:
    original = made() / "r" / name
    content = original.read_bytes() if original.exists() else USES.encode()
    with a_folder() as top:
        folder = Path(top)
        shutil.copytree(made() / "r", folder / "r")
        (folder / "r" / name).write_bytes(data.draw(mutated([content])))
        said_why(carried_out(folder, "ctl", "r", "status", "--json"))
        said_why(carried_out(folder, "ctl", "r", "pause", "--json"))


KNOWN = {
    "version": 1,
    "gateways": [{"gateway": "http://127.0.0.1:9", "organisation": "o1", "calls": [[1.5, 3]], "learnt": {"rate": 30}}],
}


@often
@given(mutated([json.dumps(KNOWN).encode()]))
def test_a_state_file(content: bytes) -> None:
    """It helps, or is ignored: a plan is made all the same."""
    with a_folder() as name:
        folder = filled(Path(name))
        (folder / "s.json").write_bytes(content)
        done = carried_out(folder, "plan", "config.yaml", "--json", "--state", "s.json")
        assert done.exit_code == 0, done.output
