"""What input files held, and whether they still do."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from bulkstate.errors import InputError
from bulkstate.selection import STDIN, Fingerprint, fingerprints
from tests.selection.conftest import Write
from tests.selection.spoken import block, ids, pairs


def test_of_a_file_it_is_what_sha256sum_says(write: Write) -> None:
    content = b"a\n" * 2_000_000
    path = write("a.txt", content)
    assert fingerprints([block(ids(file=path), "p")]) == (Fingerprint(path, 4_000_000, sha256(content).hexdigest()),)


def test_of_a_directory_it_is_what_sha256sum_says_of_its_files(write: Write) -> None:
    one, two = write("d/b.csv", "asset_id,point_id\na,b\n"), write("d/a.csv", "x")
    write("d/_SUCCESS", "")
    listed = "".join(f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (two, one))
    (found,) = fingerprints([pairs(one.parent)])
    assert found == Fingerprint(one.parent, 23, sha256(listed.encode()).hexdigest())


def test_each_file_once_and_standard_input_never(write: Write) -> None:
    table, points = write("t.csv", "asset_id,point_id\na,b\n"), write("p.txt", "p")
    blocks = [block(ids(file=table), ids(file=points)), block("a{1..2}", ids(file=STDIN))]
    found = fingerprints([*blocks, pairs(table), pairs(STDIN)])
    assert [each.path for each in found] == [table, points]


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"a,b", b"a,c"))


def rename(path: Path) -> None:
    path.rename(path.with_name("other.csv"))


def add(path: Path) -> None:
    path.with_name("z.csv").write_text("asset_id,point_id\nx,y\n")


@pytest.mark.parametrize("how", [change, rename, add, Path.unlink])
def test_a_directory_that_is_not_what_it_was(write: Write, how: Callable[[Path], None]) -> None:
    path = write("d/a.csv", "asset_id,point_id\na,b\n")
    write("d/b.csv", "asset_id,point_id\na,b\n")
    (found,) = fingerprints([pairs(path.parent)])
    assert found.still_fits()
    how(path)
    assert not found.still_fits()


@pytest.mark.parametrize("how", [change, rename, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_file_that_is_not_what_it_was(write: Write, how: Callable[[Path], None]) -> None:
    path = write("a.csv", "asset_id,point_id\na,b\n")
    (found,) = fingerprints([pairs(path)])
    assert found.still_fits()
    how(path)
    assert not found.still_fits()
    add(path)
    assert not found.still_fits()


def test_a_file_of_the_same_content_is_the_same(write: Write) -> None:
    path = write("a.csv", "asset_id,point_id\na,b\n")
    (found,) = fingerprints([pairs(path)])
    rename(path)
    write("a.csv", "asset_id,point_id\na,b\n")
    assert found.still_fits()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: there is no such file"):
        fingerprints([pairs(tmp_path / "nowhere.csv")])


def test_relative_paths_are_made_absolute(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("a.csv", "asset_id,point_id\na,b\n")
    monkeypatch.chdir(path.parent)
    (found,) = fingerprints([pairs(Path("a.csv"))])
    monkeypatch.chdir("/")
    assert found.path == path
    assert found.still_fits()
