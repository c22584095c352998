"""HiGHS as it is asked: the fewest sets, the most elements apart, and not a byte on stdout or stderr."""

from __future__ import annotations

import subprocess
import sys

from bulkstate.planner.cover.setcover import maximum_independent, minimum_cover
from bulkstate.planner.planner import never

TRIANGLES = [0b000111, 0b001110, 0b011100, 0b111000, 0b110001, 0b100011]
"""Six places in a ring, three neighbours a set: two sets do, and two places are in no set together."""


def test_the_fewest_sets_and_the_most_elements_apart() -> None:
    cover = minimum_cover(TRIANGLES, 6, nodes=100, entries=1_000, at_most=3, expired=never)
    assert cover is not None
    one, other = cover.chosen
    assert TRIANGLES[one] | TRIANGLES[other] == 0b111111
    apart = maximum_independent(TRIANGLES, 6, nodes=100, entries=1_000, expired=never)
    assert apart is not None
    assert len(apart.chosen) == 2


def test_the_solver_prints_nothing_on_any_descriptor() -> None:
    """In a process of its own: HiGHS prints its banner when the first solver is made, and never again."""
    script = f"from {__name__} import {(test := test_the_fewest_sets_and_the_most_elements_apart).__name__}"
    done = subprocess.run([sys.executable, "-c", f"{script}; {test.__name__}()"], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
