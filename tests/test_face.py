"""The package's face: a few public names, cheap to import, and nothing in the host is changed for it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import bulkstate

HEAVY = {"aiohttp", "anyio", "highspy", "numpy", "orjson", "polars", "rich", "structlog", "typer", "uvloop", "yaml"}

LOOK = """
import json, os, signal, sys
def state():
    handlers = [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    return dict(os.environ), handlers, repr(sys.excepthook), len(sys.path), os.getcwd()
before = state()
{act}
print(json.dumps([sorted({{name.partition(".")[0] for name in sys.modules}}), state() == before]))
"""


def after(act: str) -> Any:
    """Which packages are imported after `act` in a new process, and whether the process is as it was."""
    done = subprocess.run([sys.executable, "-c", LOOK.format(act=act)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_it_imports_nothing_heavy_and_changes_nothing() -> None:
    modules, untouched = after("import bulkstate")
    assert not HEAVY & set(modules)
    assert untouched


def test_what_is_heavy_comes_when_it_is_asked_for() -> None:
    modules, untouched = after("from bulkstate import load, Report")
    assert {"numpy", "yaml"} <= set(modules)
    assert not {"aiohttp", "structlog", "typer"} & set(modules)
    assert untouched


def test_the_public_names_are_these() -> None:
    errors = {name for name, value in vars(bulkstate.errors).items() if isinstance(value, type)}
    assert set(bulkstate.__all__) == {*errors, "Report", "load", "__version__"}
    assert set(dir(bulkstate)) == set(bulkstate.__all__)
    for name in bulkstate.__all__:
        assert getattr(bulkstate, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        bulkstate.lode  # noqa: B018


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["run", "--help"]])
def test_a_word_of_help_imports_the_command_line_alone(arguments: list[str]) -> None:
    act = f"""
from bulkstate.__main__ import main
sys.argv[1:] = {arguments!r}
try:
    main()
except SystemExit as end:
    assert not end.code
"""
    modules, _ = after(act)
    assert HEAVY & set(modules) <= {"typer", "rich"}  # typer lays its help out with rich


def test_python_m_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "bulkstate", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"bulkstate {bulkstate.__version__}\n"
