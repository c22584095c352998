"""What input files held, and whether they still do, wherever they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from bulkstate.errors import InputError
from bulkstate.selection import STDIN, Entry, Fingerprint, Inputs, InputState, Source, read_pairs, select
from tests.selection.conftest import Write
from tests.selection.spoken import block, ids, pairs

TABLE = "asset_id,point_id\na,b\n"


def read(folder: Path, *sources: Source) -> tuple[Fingerprint, ...]:
    """What is remembered of reading the sources."""
    with Inputs() as inputs:
        select([Entry("pipe", ("stage",), sources)], inputs)
        return inputs.fingerprints(folder)


def test_of_a_file_it_is_what_sha256sum_says(write: Write) -> None:
    content = "".join(f"a{i}\n" for i in range(200_000)).encode()
    path = write("a.txt", content)
    (found,) = read(path.parent, block(ids(file=path), "p{1..2}"))
    assert found == Fingerprint(Path("a.txt"), len(content), sha256(content).hexdigest(), 200_000)


def test_of_a_directory_it_is_what_sha256sum_says_of_its_files(write: Write) -> None:
    one, two = write("d/b.csv", TABLE), write("d/a.csv", "asset_id,point_id\nx,y\n")
    write("d/_SUCCESS", "")
    listed = "".join(f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (two, one))
    (found,) = read(one.parent.parent, pairs(one.parent))
    assert found == Fingerprint(Path("d"), 44, sha256(listed.encode()).hexdigest(), 2)


def test_a_directory_of_one_file_is_no_file(write: Write) -> None:
    path = write("d/a.csv", TABLE)
    (of_folder,) = read(path.parent, pairs(path.parent))
    (of_file,) = read(path.parent, pairs(path))
    assert of_folder.sha256 != of_file.sha256


def test_each_file_once_by_its_path_from_the_folder(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    table, points = write("t.csv", TABLE), write("conf/p.txt", "p")
    folder = points.parent
    sources = block(ids(file=table), ids(file=points)), pairs(table), pairs(folder / "../t.csv")
    assert [str(each.path) for each in read(folder, *sources)] == ["../t.csv", "p.txt", "../t.csv"]
    monkeypatch.chdir(table.parent)
    assert [str(each.path) for each in read(Path("conf"), pairs(Path("t.csv")))] == ["../t.csv"]


def test_witnesses_are_inputs_too(write: Write) -> None:
    path = write("w.csv", TABLE)
    with Inputs() as inputs:
        read_pairs(pairs(path), inputs)
        assert [str(each.path) for each in inputs.fingerprints(path.parent)] == ["w.csv"]


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "d/a.csv"])
def test_a_file_that_changes_while_it_is_read_is_refused(write: Write, name: str) -> None:
    path = write(name, TABLE if name.endswith(".csv") else "a\n")
    named = path.parent if "/" in name else path
    source = pairs(named) if name.endswith(".csv") else block(ids(file=path), "p")
    with Inputs() as inputs:
        select([Entry("pipe", ("stage",), (source,))], inputs)
        path.write_bytes(path.read_bytes() + b"c,d\n")
        with pytest.raises(InputError, match="changed while it was read"):
            inputs.fingerprints(path.parent)


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"a,b", b"a,c"))


def rename(path: Path) -> None:
    path.rename(path.with_name("other.csv"))


def add(path: Path) -> None:
    path.with_name("z.csv").write_text("asset_id,point_id\nx,y\n")


@pytest.mark.parametrize("how", [change, rename, add, Path.unlink])
def test_a_directory_that_is_not_what_it_was(write: Write, how: Callable[[Path], None]) -> None:
    path = write("d/a.csv", TABLE)
    write("d/b.csv", TABLE)
    folder = path.parent.parent
    (found,) = read(folder, pairs(path.parent))
    assert found.standing(folder) is InputState.SAME
    how(path)
    assert found.standing(folder) is InputState.CHANGED


@pytest.mark.parametrize(
    ("how", "standing"),
    [
        (change, InputState.CHANGED),
        (rename, InputState.NOT_THERE),
        (Path.unlink, InputState.NOT_THERE),
        (lambda path: path.write_bytes(b""), InputState.CHANGED),
        (lambda path: (path.unlink(), path.mkdir()), InputState.CHANGED),
        (lambda path: (path.unlink(), os.mkfifo(path)), InputState.CHANGED),
        (lambda path: (path.unlink(), path.symlink_to("/nowhere")), InputState.CHANGED),
    ],
)
def test_a_file_that_is_not_what_it_was(write: Write, how: Callable[[Path], None], standing: InputState) -> None:
    path = write("a.csv", TABLE)
    (found,) = read(path.parent, pairs(path))
    assert found.standing(path.parent) is InputState.SAME
    how(path)
    assert found.standing(path.parent) is standing


def test_a_file_of_the_same_content_elsewhere_is_the_same(write: Write) -> None:
    path = write("one/a.csv", TABLE)
    (found,) = read(path.parent, pairs(path))
    elsewhere = write("two/a.csv", TABLE).parent
    change(path)
    assert found.standing(elsewhere) is InputState.SAME


@pytest.mark.parametrize("path", [Path("/etc/hostname"), STDIN])
def test_nobody_looks_where_a_plan_was_made(tmp_path: Path, path: Path) -> None:
    (tmp_path / "-").write_text("")
    assert Fingerprint(path, 0, sha256(b"").hexdigest()).standing(tmp_path) is InputState.NOT_THERE


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: there is no such file"):
        read(tmp_path, pairs(tmp_path / "nowhere.csv"))
