"""The files that steer a run: whole, and whatever somebody puts there."""

from __future__ import annotations

import stat
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.disk import control, small_file
from bulkstate.disk.control import Command, Status
from bulkstate.errors import Refused
from bulkstate.model import Use
from tests.disk.runs import fast_folder

STATUS = Status(1.7e9, False, 10, 1, 12, 1, 19.5, 20.0, 4, 2, 0.05, 0.2, "your limit, 20/s")
json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["at", "command", "rate"]), inner),
    max_leaves=8,
)


def test_what_is_asked_is_kept_in_order_until_a_session_begins(tmp_path: Path) -> None:
    asked = [Use(1.0, Command.RATE, "10/s"), Use(2.0, Command.HOLD), Use(3.0, Command.STOP)]
    for use in asked:
        control.ask(tmp_path, use)
    assert list(control.uses(tmp_path)) == asked
    control.forget(tmp_path, since=4.0)
    assert control.uses(tmp_path) == ()


def test_what_is_asked_of_a_session_that_has_just_begun_is_kept(tmp_path: Path) -> None:
    early = Use(6.0, Command.STOP)
    for use in (Use(1.0, Command.HOLD), early):
        control.ask(tmp_path, use)
    control.forget(tmp_path, since=5.0)
    assert control.uses(tmp_path) == (early,)


def test_a_session_that_begins_has_said_nothing_of_itself(tmp_path: Path) -> None:
    control.tell(tmp_path, STATUS)
    (tmp_path / control.PAUSE).touch()
    control.forget(tmp_path, since=5.0)
    assert control.told(tmp_path) is None
    assert control.is_paused(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {control.PAUSE}


def test_who_may_look_into_the_directory_may_read_what_stands_there(tmp_path: Path) -> None:
    """The run's user and whoever asks (root, say) needn't be the same; the directory itself is closed to others."""
    control.ask(tmp_path, Use(1.0, Command.STOP))
    control.tell(tmp_path, STATUS)
    for name in ("control.json", "status.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "control.lock").stat().st_mode) == 0o666


def test_resume_takes_a_file_pause_away(tmp_path: Path) -> None:
    (tmp_path / control.PAUSE).touch()
    assert control.is_paused(tmp_path)
    control.ask(tmp_path, Use(1.0, Command.RELEASE))
    assert not control.is_paused(tmp_path)


def test_a_resume_that_cannot_be_had_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / control.PAUSE).mkdir()
    with pytest.raises(Refused, match=f"{tmp_path}/PAUSE can't be taken away: "):
        control.ask(tmp_path, Use(1.0, Command.RELEASE))
    assert control.uses(tmp_path) == ()


@given(st.binary(max_size=40) | json.map(orjson.dumps))
def test_whatever_stands_in_the_files_is_a_value_or_a_value_error(content: bytes) -> None:
    with fast_folder() as folder:
        Path(folder, "control.json").write_bytes(content)
        Path(folder, "status.json").write_bytes(content)
        try:
            assert all(isinstance(use.command, Command) for use in control.uses(Path(folder)))
        except ValueError:
            control.ask(Path(folder), Use(1.0, Command.STOP))
            assert control.uses(Path(folder)) == (Use(1.0, Command.STOP),)
        assert control.told(Path(folder)) is None


def test_what_a_run_said_of_itself(tmp_path: Path) -> None:
    assert control.told(tmp_path) is None
    control.tell(tmp_path, STATUS)
    assert control.told(tmp_path) == STATUS


def test_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "control.json").symlink_to(tmp_path / "elsewhere")
    control.ask(tmp_path, Use(1.0, Command.STOP))
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert not (tmp_path / "control.json").is_symlink()


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "control.json").write_bytes(b" " * (small_file.LARGEST + 1))
    with pytest.raises(ValueError, match="larger"):
        control.uses(tmp_path)


def test_what_a_newer_bulkstate_wrote_is_refused_by_name(tmp_path: Path) -> None:
    newer = b'{"version": 2, "asked": [], "at": 1.0}'
    for name in ("control.json", "status.json"):
        (tmp_path / name).write_bytes(newer)
    with pytest.raises(Refused, match="it is of version 2, and this bulkstate knows version 1"):
        control.ask(tmp_path, Use(1.0, Command.STOP))
    assert (tmp_path / "control.json").read_bytes() == newer
    assert control.told(tmp_path) is None


def test_what_an_earlier_bulkstate_asked_is_still_asked(tmp_path: Path) -> None:
    (tmp_path / "control.json").write_bytes(b'[{"at": 1.0, "command": "stop", "value": ""}]')
    assert control.uses(tmp_path) == (Use(1.0, Command.STOP),)
