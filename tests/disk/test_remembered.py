"""What was made here is remembered, where nobody else could have said so."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkstate.disk import remembered


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    remembered.remember("a" * 64)
    return tmp_path / "state" / "bulkstate" / "made" / "digests"


def test_a_digest_is_remembered_whole(file: Path) -> None:
    remembered.remember("b" * 64)
    assert [remembered.is_remembered(each * 64) for each in "abc"] == [True, True, False]
    assert not remembered.is_remembered("a" * 63)
    assert not remembered.is_remembered("")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_what_others_may_write_is_not_believed(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert not remembered.is_remembered("a" * 64)
    file.chmod(0o644)
    assert remembered.is_remembered("a" * 64)
    file.parent.chmod(0o777)
    assert not remembered.is_remembered("a" * 64)


def test_nor_is_a_link_or_a_folder(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")
    assert not remembered.is_remembered("a" * 64)
    with pytest.raises(OSError, match="symbolic links"):
        remembered.remember("b" * 64)
    file.unlink()
    file.mkdir()
    assert not remembered.is_remembered("a" * 64)
