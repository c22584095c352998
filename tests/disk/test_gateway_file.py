"""What is known from one run to the next: kept exactly enough to be careful, and never an error."""

from __future__ import annotations

import stat
from pathlib import Path

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bulkstate.disk.gateway_file import MOST_SPANS, Memory, StateFile
from tests.disk.runs import fast_folder

DAY = 86_400.0
NOW = 1_790_000_000.0
GATEWAY = ("https://apim.example.com", "o1")

calls = st.lists(st.tuples(st.floats(NOW - 2 * DAY, NOW), st.integers(1, 50)), max_size=60).map(sorted)


@given(calls, st.floats(NOW, NOW + DAY))
def test_calls_count_for_another_run_as_long_as_they_may_matter_and_never_sooner_than_made(
    made: list[tuple[float, int]], later: float
) -> None:
    with fast_folder() as folder:
        StateFile(Path(folder, "s.json"), *GATEWAY).keep_calls("one", made, NOW, DAY)
        memory = StateFile(Path(folder, "s.json"), *GATEWAY).read()
    counted = memory.grants("other", later, DAY)
    for start in (later - DAY, later - 3_600, later - 600):
        truly = sum(number for at, number in made if at >= start)
        assert sum(grant.spent for grant in counted if grant.at >= start) >= truly
    assert [grant.at for grant in counted] == sorted(grant.at for grant in counted)
    assert memory.grants("one", later, DAY) == ()


def test_a_run_is_remembered_once_and_old_calls_are_forgotten(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "s.json", *GATEWAY)
    file.keep_calls("one", [(NOW - DAY, 5)], NOW - DAY, DAY)
    for _ in range(3):
        file.keep_calls("two", [(NOW + second, 1) for second in range(5_000)], NOW + 5_000, DAY)
    known = file.read().calls
    assert {each.run for each in known} == {"two"}
    assert sum(each.calls for each in known) == 5_000
    assert len(known) <= MOST_SPANS
    assert stat.S_IMODE((tmp_path / "s.json").stat().st_mode) == 0o600


@given(st.floats(0.0, 3_650 * DAY), st.floats(0.0, DAY))
def test_calls_by_a_clock_that_was_ahead_count_as_made_now_and_not_for_ever(ahead: float, since: float) -> None:
    with fast_folder() as folder:
        file = StateFile(Path(folder, "s.json"), *GATEWAY)
        file.keep_calls("ahead", [(NOW + ahead, 7)], NOW + ahead, DAY)
        grants = file.settled(NOW).grants("other", NOW, DAY)
        assert [(grant.at, grant.spent) for grant in grants] == [(NOW, 7)]
        assert sum(grant.spent for grant in file.settled(NOW + since).grants("other", NOW + since, DAY)) == 7
        assert file.settled(NOW + DAY + 1.0).grants("other", NOW + DAY + 1.0, DAY) == ()


def test_gateways_and_what_was_learnt_are_kept_apart(tmp_path: Path) -> None:
    one, other = (StateFile(tmp_path / "s.json", "https://g", organisation) for organisation in ("o1", "o2"))
    one.keep_learnt({"version": 7, "rate": 37.0})
    other.keep_calls("run", [(NOW, 3)], NOW, DAY)
    one.keep_calls("run", [(NOW, 4)], NOW, DAY)
    assert one.read().learnt == {"version": 7, "rate": 37.0}
    assert [each.calls for each in one.read().calls] == [4]
    assert (other.read().learnt, [each.calls for each in other.read().calls]) == (None, [3])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version: 1\ngateway: mine",
        b"[]",
        b'{"version": 2, "gateways": []}',
        b'{"version": 1, "gateways": [{"gateway": "g"}]}',
        b'{"version": 1, "gateways": [{"gateway": "g", "organisation": "o", "learnt": null, "calls": [{"run": 1}]}]}',
        b"\xff" * 100,
        b" " * (2 << 20),
    ],
)
def test_a_file_that_is_no_state_file_is_ignored_said_once_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.json").write_bytes(content)
    file = StateFile(tmp_path / "s.json", *GATEWAY)
    structlog.reset_defaults()
    with capture_logs() as said:
        assert file.read() == Memory(*GATEWAY)
        file.keep_calls("run", [(NOW, 3)], NOW, DAY)
        file.keep_learnt({})
    assert len(said) == 1
    assert (tmp_path / "s.json").read_bytes() == content


json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.sampled_from(["g", "o"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["version", "gateways", "gateway", "organisation", "calls", "learnt", "run", "at"]), inner
        )
    ),
    max_leaves=9,
)


@given(st.binary(max_size=30) | json.map(orjson.dumps))
def test_whatever_stands_there_is_no_error(content: bytes) -> None:
    with fast_folder() as folder, capture_logs():
        Path(folder, "s.json").write_bytes(content)
        assert StateFile(Path(folder, "s.json"), *GATEWAY).read().gateway == GATEWAY[0]


def test_a_place_that_cannot_be_written_is_said_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = StateFile(tmp_path / "file" / "s.json", *GATEWAY)
    with capture_logs() as said:
        file.keep_learnt(1)
        assert file.read().learnt is None
    assert len(said) == 1
