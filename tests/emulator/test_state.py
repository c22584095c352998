"""Deleting and reading state: against a set of pairs, and across restarts."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.emulator.app import serve
from bulkstate.emulator.store import Store
from bulkstate.emulator.world import PipelineSeed, StateBlock, StatePairs, default_world
from bulkstate.errors import InputError
from bulkstate.model import Pair, PipelineStatus, Stage
from tests.emulator.callers import caller, free_port, small_world

STAGE = "LastRecordAppender_01"
ids = st.lists(st.sampled_from(["a", "b", "ä", "'", '"', "\\", "%", "🌬", "a b", "A"]), min_size=1, max_size=6)


@given(
    block=st.tuples(ids, ids), pairs=st.lists(st.tuples(ids, ids), max_size=4), deletes=st.lists(st.tuples(ids, ids))
)
def test_a_delete_takes_its_cross_product_and_nothing_else(
    block: tuple[list[str], list[str]],
    pairs: list[tuple[list[str], list[str]]],
    deletes: list[tuple[list[str], list[str]]],
) -> None:
    single = tuple(Pair(assets[0], points[0]) for assets, points in pairs)
    state = (StateBlock((STAGE,), tuple(block[0]), tuple(block[1])), StatePairs((STAGE, "Other_2"), single))
    left = {(a, p) for a in block[0] for p in block[1]} | {(pair.asset, pair.point) for pair in single}
    store = Store(None)
    store.seed([PipelineSeed("p", "P", PipelineStatus.PAUSED, (STAGE, "Other_2"), state)], now=0)
    number, other = store.stages("p").values()
    for assets, points in deletes:
        gone = left & {(a, p) for a in assets for p in points}
        assert {(row.asset, row.point) for row in store.get(number, assets, points)} == gone
        assert store.delete(number, assets, points) == len(gone)
        left -= gone
    assert store.states(number) == len(left)
    assert store.states(other) == len(set(single))
    store.close()


@pytest.mark.anyio
async def test_deleting_what_is_not_there_succeeds_again_and_again() -> None:
    async with caller(small_world()) as someone:
        for _ in range(3):
            answer = await someone.stage_call("delete", assetIds="A1,A1,nobody", pointIds="P1,none")
            assert (answer["code"], answer["data"]) == (0, True)
        assert len(await someone.pairs()) == 5
        assert len(await someone.pairs("LatestRecordMerger_02")) == 6


@pytest.mark.anyio
async def test_state_and_status_survive_a_restart(tmp_path: Path) -> None:
    database = tmp_path / "gateway.db"
    async with caller(small_world(), database=database) as someone:
        await someone.stage_call("delete", assetIds="A1,A2,A3")
        await someone.operate("stop")
    async with caller(small_world(), database=database) as someone:
        assert await someone.pairs() == {("A1", "P2"), ("A2", "P2"), ("A3", "P2")}
        assert await someone.status() == "STOPPED"


@pytest.mark.slow
@pytest.mark.anyio
async def test_the_default_world_holds_a_million_states() -> None:
    async with serve(default_world(), database=None) as emulator:
        named = [
            Stage("8a81b5f0-2c5e", "LastRecordAppender_01"),
            Stage("8a81b5f0-2c5e", "LatestRecordMerger_02"),
            Stage("3f6d20c4-91b7", "RecordCapturer_01"),
        ]
        assert [await emulator.states(stage) for stage in named] == [480_000, 480_000, 40_000]
        assert await emulator.states(Stage("nobody", "nothing")) == 0


SEED_SLOWLY = """
import sys
from pathlib import Path
from bulkstate.emulator.store import Store
from bulkstate.emulator.world import default_world

def pipelines():
    yield from default_world().pipelines
    print("seeded, not committed", flush=True)
    sys.stdin.read()

Store(Path(sys.argv[1])).seed(pipelines(), now=0)
"""


@pytest.mark.slow
def test_a_kill_while_seeding_leaves_nothing_behind(tmp_path: Path) -> None:
    database = tmp_path / "gateway.db"
    run_and_kill(SEED_SLOWLY, database)
    store = Store(database)
    assert not store.seeded
    store.seed(small_world().pipelines, now=0)
    assert [store.states(number) for number in store.stages("p-1").values()] == [0, 6, 6]
    store.close()


DELETE_AND_HANG = """
import sys
from pathlib import Path
from bulkstate.emulator.store import Store
from tests.emulator.callers import small_world

store = Store(Path(sys.argv[1]))
store.seed(small_world().pipelines, now=0)
store.make_durable()
store.delete(store.stages("p-1")["LastRecordAppender_01"], ["A1", "A2"], ["P1"])
print("deleted", flush=True)
sys.stdin.read()
"""


def test_a_delete_that_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    run_and_kill(DELETE_AND_HANG, tmp_path / "gateway.db")
    store = Store(tmp_path / "gateway.db")
    assert store.seeded
    assert [store.states(number) for number in store.stages("p-1").values()] == [0, 4, 6]
    store.close()


def run_and_kill(script: str, database: Path) -> None:
    """Run `script` until it has printed a line, then kill it."""
    command = [sys.executable, "-c", script, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stdout.readline()
        os.kill(running.pid, signal.SIGKILL)


def test_one_emulator_works_on_a_file(tmp_path: Path) -> None:
    first = Store(tmp_path / "gateway.db")
    first.seed(small_world().pipelines, now=0)
    first.make_durable()
    with pytest.raises(InputError, match="another process works on it"):
        Store(tmp_path / "gateway.db")
    first.close()


@pytest.mark.anyio
async def test_a_database_that_can_not_be_used(tmp_path: Path) -> None:
    foreign, text = tmp_path / "foreign.db", tmp_path / "text.db"
    with sqlite3.connect(foreign) as other:
        other.execute("CREATE TABLE journal (a)")
    other.close()
    text.write_text("not a database, but long enough to be taken for one" * 100)
    for path in (tmp_path, tmp_path / "no" / "such" / "folder.db", foreign, text):
        with pytest.raises(InputError, match=path.name):
            async with serve(small_world(), database=path):
                raise AssertionError
    with sqlite3.connect(foreign) as other:
        assert other.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (1,)
    other.close()


@pytest.mark.anyio
async def test_a_port_that_is_taken() -> None:
    port = free_port()
    async with serve(small_world(), database=None, port=port):
        with pytest.raises(InputError, match=f"port {port}"):
            async with serve(small_world(), database=None, port=port):
                raise AssertionError
    for host, number in (("127.0.0.1", 99_999), ("no.such.host.invalid", 0)):
        with pytest.raises(InputError, match=f"can't listen on {host}"):
            async with serve(small_world(), database=None, host=host, port=number):
                raise AssertionError
