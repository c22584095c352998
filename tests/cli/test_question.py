"""What somebody at a terminal is asked, and what is needed where nobody sits at one."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.cli.conftest import COMMAND, Bulkstate
from tests.cli.gateway import Gateway
from tests.forked import Done

pytestmark = pytest.mark.slow


def at_a_terminal(bulkstate: Bulkstate, *arguments: str, answer: str) -> Done:
    """The command with a terminal for stdin and stderr, at which somebody answers the question."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [COMMAND, *arguments],
        cwd=bulkstate.folder,
        env=bulkstate.environment(COLUMNS="80", TERM="dumb"),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    said = b""
    while b"] " not in said.rpartition(b"brought")[2]:
        try:
            said += os.read(ours, 4096)
        except OSError:  # it has ended
            break
    os.write(ours, f"{answer}\n".encode())
    out, _ = process.communicate(timeout=60)
    while True:
        try:
            said += os.read(ours, 4096)
        except OSError:
            break
    os.close(ours)
    return Done(arguments, process.returncode, out, said.decode())


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_question_says_where_as_whom_what_and_under_which_guards(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, verify="{before: 100, sample: all}", more="safety: {max_requests: 50}")
    done = at_a_terminal(bulkstate, "run", "config.yaml", "--run-dir", "r", answer="no")
    assert done.exit_code == 4
    asked = words(done.err)
    assert f"At {gateway.url}, organisation o1" in asked
    assert "credentials from TOKEN" in asked
    assert "pipeline p1 “P”, version 1, PAUSED" in asked
    assert "stage S_01: 100 pairs in 10 requests" in asked
    assert "20 assets: A01 … A20; 5 points: P1 … P5" in asked
    assert "safety.max_requests 50" in asked
    assert "afterwards every request is read back whole" in asked
    assert "of 6 pairs looked at 6 have state" in asked
    assert f"Delete the state of these 100 pairs at {gateway.url}, organisation o1?" in asked
    assert gateway.deletes() == []
    assert not (bulkstate.folder / "r").exists()


def test_the_question_names_what_keeps_nothing(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace("    where:", "    keep: keep.csv\n    where:"))
    (bulkstate.folder / "keep.csv").write_text("asset_id,point_id\nB01,P1\nB02,P2\n")
    path.write_text(path.read_text().replace("sample: none}", "sample: none, witness: w.csv}"))
    gateway.nothing = {("S_01", "A99", "P1"), ("S_01", "A98", "P1")}
    (bulkstate.folder / "w.csv").write_text("asset_id,point_id\nA99,P1\nA98,P1\n")
    done = at_a_terminal(bulkstate, "run", "config.yaml", answer="no")
    assert "and 2 witness pairs outside it, none of which has state now: they tell nothing" in words(done.err)
    nothing = "Nothing is kept by delete[0].keep (config.yaml:6): none of its 2 rows is selected."
    assert f"{nothing} Delete the state of these 100 pairs" in words(done.err)
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert "None of the witnesses had state before: they tell nothing." in done.document["conclusion"]


def test_what_is_turned_off_is_said(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url, more="safety: {require_paused: false}")
    page = words(bulkstate("plan", "config.yaml").out)
    off = page[page.index("turned off:") : page.index("pipeline p1")]
    for key in ("safety.require_paused false", "safety.max_requests none", "verify.before none", "verify.sample none"):
        assert key in off
    assert "safety.max_pairs" not in off
    document = bulkstate("plan", "config.yaml", "--json").document
    assert document["where"] == {"gateway": gateway.url, "organisation": "o1", "credentials": ["TOKEN"]}
    assert {"key": "safety.require_paused", "value": "false", "on": False} in document["guards"]


@pytest.mark.parametrize(("answer", "exit_code"), [("y", 4), ("1000001", 4), ("1,000,002", 0)])
def test_above_a_million_pairs_their_number_is_typed(
    bulkstate: Bulkstate, gateway: Gateway, answer: str, exit_code: int
) -> None:
    bulkstate.configure(gateway.url, more="safety: {max_pairs: 2_000_000}")
    path = bulkstate.folder / "config.yaml"
    text = path.read_text().replace("A{01..20}", "A{1..333334}").replace("P{1..5}", "P{1..3}")
    path.write_text(text.replace("pairs_per_request: 10", "pairs_per_request: 100000, bytes_per_request: 64MiB"))
    done = at_a_terminal(bulkstate, "run", "config.yaml", answer=answer)
    assert "[1000002 to delete them]" in words(done.err)
    assert done.exit_code == exit_code, done.err
    assert bool(gateway.deletes()) == (exit_code == 0)


def test_off_a_terminal_yes_needs_a_number(bulkstate: Bulkstate, gateway: Gateway) -> None:
    bulkstate.configure(gateway.url)
    path = bulkstate.folder / "config.yaml"
    path.write_text(path.read_text().replace("safety: {max_pairs: 1_000_000}\n", ""))
    done = bulkstate("run", "config.yaml", "--yes", "--json")
    assert (done.exit_code, done.document["reason_code"]) == (4, "not_confirmed")
    assert "safety.max_pairs" in done.err
    assert gateway.calls == []
    done = at_a_terminal(bulkstate, "run", "config.yaml", "--yes", answer="")
    assert done.exit_code == 0, done.err
