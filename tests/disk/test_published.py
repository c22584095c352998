"""Files for people: whole or not at all, readable as the umask says, and through no link."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkstate.disk.small_file import publish


@pytest.fixture(params=[0o022, 0o077, 0o000])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_the_umask_says_who_may_read_it_and_nobody_else_may_write_it(tmp_path: Path, umask: int) -> None:
    file = tmp_path / "report.json"
    publish(file, b"one")
    publish(file, b"two")
    assert file.read_bytes() == b"two"
    assert file.stat().st_mode & 0o777 == 0o644 & ~umask
    assert list(tmp_path.iterdir()) == [file]


def test_where_the_disk_is_full_what_was_there_stays(tmp_path: Path) -> None:
    """A limit on the size of files ends a write as a full disk does."""
    (tmp_path / "report.json").write_bytes(b"before")
    script = f"""
import resource, signal, sys
from pathlib import Path
from bulkstate.disk.small_file import publish
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, {resource.RLIM_INFINITY}))
try:
    publish(Path(sys.argv[1]), b"x" * 20_000)
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "report.json")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "File too large\n"
    assert (tmp_path / "report.json").read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_pipe_is_written_to_and_a_link_is_not_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    publish(tmp_path / "pipe", b"told")
    reader.join()
    assert heard == [b"told"]
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(OSError, match="isn't followed"):
        publish(tmp_path / "link", b"told")
    assert not (tmp_path / "elsewhere").exists()
    publish(Path("/dev/null"), b"told")
