"""A saved plan comes back as it was, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.disk.saved_plan import SavedPlan, read, refuse_stale, refuse_to_overwrite, write
from bulkstate.errors import InputError, PlanAltered, PlanStale
from bulkstate.model import LookAhead, LookedAt, Pair, Pipeline, Plan, Stage
from bulkstate.selection import Fingerprint
from tests.disk.runs import fast_folder, grid, ids, plans

WITNESSES = ((Stage("pipeline", "Stage_01"), Pair("WTG9999999", "p0001")),)
INPUTS = (Fingerprint(Path("/data/pairs.csv"), 12, "ab" * 32),)


def of(plan: Plan) -> SavedPlan:
    return SavedPlan(plan, '{"version": 1, "gateway": {"url": "embedded"}}', WITNESSES, INPUTS, 1.7e9, "0.1.0")


def said(saved: SavedPlan) -> list[object]:
    """All that a saved plan says, as plain values."""
    stages = [
        (
            each.stage,
            each.assets,
            each.points,
            each.pairs,
            each.unlisted_pairs,
            each.kept_pairs,
            each.lower_bound.requests,
            each.lower_bound.proof,
        )
        for each in saved.plan.stages
    ]
    return [
        stages,
        list(saved.plan.chunks()),
        (saved.plan.digest, saved.plan.body_bytes),
        (saved.configuration, saved.witnesses, saved.inputs, saved.made_at, saved.version, saved.ahead),
    ]


inputs = st.builds(Fingerprint, ids.map(lambda name: Path("/") / name), st.integers(0, 1 << 62), ids)
witnesses = st.tuples(st.builds(Stage, ids, ids), st.builds(Pair, ids, ids))
saved_plans = st.builds(
    SavedPlan,
    plans(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(witnesses, max_size=3).map(tuple),
    st.lists(inputs, max_size=3).map(tuple),
    st.floats(0, 1e11),
    ids,
    st.just(()),
    st.none()
    | st.builds(
        LookAhead,
        st.floats(0, 1e11),
        st.lists(st.builds(Pipeline, ids, ids, ids, ids), max_size=2).map(tuple),
        st.lists(
            st.builds(
                LookedAt,
                st.integers(0, 3),
                st.builds(Stage, ids, ids),
                ids,
                st.builds(Pair, ids, ids),
                st.none() | st.booleans(),
            ),
            max_size=3,
        ).map(tuple),
    ),
)


@given(saved_plans)
def test_round_trip(saved: SavedPlan) -> None:
    with fast_folder() as folder:
        path = Path(folder, "a plan?#%41.sqlite")
        write(saved, path)
        assert said(read(path)) == said(saved)
        assert [each.name for each in Path(folder).iterdir()] == [path.name]


@cache
def a_file() -> tuple[bytes, list[object]]:
    saved = of(grid(7, 5, 3, 2))
    with fast_folder() as folder:
        write(saved, Path(folder, "plan"))
        return Path(folder, "plan").read_bytes(), said(saved)


def refused_or_identical(content: bytes) -> bool:
    """Whether it is refused; if it isn't, it says what it said."""
    with fast_folder() as folder:
        path = Path(folder, "plan")
        path.write_bytes(content)
        try:
            found = read(path)
        except (InputError, PlanAltered):
            return True
    assert said(found) == a_file()[1]
    return False


@given(st.data())
def test_a_plan_altered_in_any_byte_is_refused_or_says_the_same(data: st.DataObject) -> None:
    content = bytearray(a_file()[0])
    written = [place for place, byte in enumerate(content) if byte]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(written) | st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
    refused_or_identical(bytes(content))


def test_no_byte_that_means_something_can_be_altered() -> None:
    """Each of the IDs, the configuration, the witness and the digests, wherever they stand in the file."""
    content = a_file()[0]
    for word in (b"WTG0000003", b"p0002", b"embedded", b"WTG9999999", b"pairs.csv", b"so many pairs", b"Stage_01"):
        assert word in content
        assert refused_or_identical(content.replace(word, word[:-1] + b"7", 1)), word


@given(st.integers(0, 40_000))
def test_a_plan_that_is_cut_off_is_refused(length: int) -> None:
    assert refused_or_identical(a_file()[0][:length]) or length >= len(a_file()[0])


def sql(*statements: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return spoil


ALTERED = {
    "configuration": "UPDATE saved SET configuration = '{}'",
    "time": "UPDATE saved SET made_at = made_at + 1",
    "no witness": "DELETE FROM witness",
    "another witness": "INSERT INTO witness VALUES ('p', 's', 'a', 'b')",
    "input": "UPDATE input SET sha256 = 'cd'",
    "no input": "DELETE FROM input",
    "stage": "UPDATE stage SET name = 'Stage_02'",
    "pairs": "UPDATE stage SET pairs = 1",
    "proof": "UPDATE stage SET proof = 'trust me'",
    "IDs": "UPDATE dictionary SET ids = replace(ids, 'WTG', 'WTX')",
    "chunks": "UPDATE side SET sets = x'00000000' || sets",
    "digest": "UPDATE plan SET digest = 'abc'",
    "type": "UPDATE plan SET body_bytes = 'none'",
    "no plan": "DELETE FROM plan",
    "no seal": "DELETE FROM seal",
    "no table": "DROP TABLE witness",
}


@pytest.mark.parametrize("statement", ALTERED.values(), ids=ALTERED)
def test_a_plan_that_was_edited_is_refused(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "plan"
    write(of(grid(7, 5, 3, 2)), path)
    sql(statement)(path)
    with pytest.raises(PlanAltered, match="isn't as it was saved") as caught:
        read(path)
    assert caught.value.exit_code == 4


def test_the_digest_of_the_chunks_is_checked_beside_the_seal(tmp_path: Path) -> None:
    plan = grid(7, 5, 3, 2)
    write(of(Plan(plan.stages, "0" * 64, plan.body_bytes)), tmp_path / "plan")
    with pytest.raises(PlanAltered, match="digest"):
        read(tmp_path / "plan")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (sql("PRAGMA user_version = 9"), "plan: its format is version 9, and this bulkstate knows version 2"),
        (sql("PRAGMA application_id = 7"), "isn't a saved plan"),
        (lambda path: path.write_bytes(b""), "isn't a saved plan"),
        (lambda path: path.write_bytes(b"version: 1\n" * 20), "isn't a saved plan"),
        (Path.unlink, "can't be read: No such file or directory"),
        (lambda path: (path.unlink(), path.mkdir()), "isn't a saved plan"),
    ],
    ids=["newer", "foreign", "empty", "text", "missing", "directory"],
)
def test_what_is_no_plan_is_bad_input(tmp_path: Path, spoil: Callable[[Path], None], words: str) -> None:
    path = tmp_path / "plan"
    write(of(grid(7, 5, 3, 2)), path)
    spoil(path)
    with pytest.raises(InputError, match=words):
        read(path)


def test_an_older_plan_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    path, notes = tmp_path / "plan", tmp_path / "notes.txt"
    write(of(grid(7, 5, 3, 2)), path)
    write(of(grid(6, 5, 3, 2)), path)
    assert read(path).plan.pairs == 30
    notes.write_text("x" * 200)
    for other in (notes, tmp_path):
        with pytest.raises(InputError, match="isn't a saved plan: it is not overwritten"):
            write(of(grid(7, 5, 3, 2)), other)
        with pytest.raises(InputError, match="isn't a saved plan: it is not overwritten"):
            refuse_to_overwrite(other)
    assert notes.read_text() == "x" * 200
    assert sorted(each.name for each in tmp_path.iterdir()) == ["notes.txt", "plan"]


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere/plan: can't be written: No such file or directory"):
        write(of(grid(7, 5, 3, 2)), tmp_path / "nowhere" / "plan")


def test_what_cannot_be_stored_leaves_nothing_behind(tmp_path: Path) -> None:
    inputs = (Fingerprint(Path("/\udcff"), 1, ""),)
    saved = of(grid(7, 5, 3, 2))
    with pytest.raises(InputError, match="plan: can't be written"):
        write(SavedPlan(saved.plan, "", (), inputs, 0.0, ""), tmp_path / "plan")
    assert list(tmp_path.iterdir()) == []


def test_a_plan_is_stale_once_an_input_has_changed(tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("asset_id,point_id\n")
    mark = Fingerprint(Path("pairs.csv"), 18, sha256(table.read_bytes()).hexdigest())
    saved = SavedPlan(grid(7, 5, 3, 2), "", (), (mark,), 0.0, "")
    refuse_stale(saved, tmp_path)
    table.write_text("asset_id,point_id\na,b\n")
    for vouched in (False, True):
        message = r"pairs\.csv changed since it was made \(1970-01-01 00:00:00 UTC\)"
        with pytest.raises(PlanStale, match=message) as caught:
            refuse_stale(saved, tmp_path, vouched=vouched)
        assert caught.value.exit_code == 4


@pytest.mark.parametrize("path", ["gone.csv", "-", "/etc/hostname"])
def test_an_input_that_is_not_there_has_to_be_vouched_for(tmp_path: Path, path: str) -> None:
    saved = SavedPlan(grid(7, 5, 3, 2), "", (), (Fingerprint(Path(path), 18, ""),), 0.0, "")
    with pytest.raises(PlanStale, match="not checked: "):
        refuse_stale(saved, tmp_path)
    refuse_stale(saved, tmp_path, vouched=True)


@pytest.mark.slow
def test_a_billion_pairs_are_saved_and_read_in_little_more_room_than_their_ids(tmp_path: Path) -> None:
    plan = grid(1_000_000, 1_000, 1_000, 100)
    write(of(plan), tmp_path / "plan")
    assert (tmp_path / "plan").stat().st_size < 1.05 * sum(len(id_) + 3 for id_ in plan.stages[0].assets)
    assert read(tmp_path / "plan").plan.digest == plan.digest
