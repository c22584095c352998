"""What was done by hand, and what held a run back, in the report."""

from __future__ import annotations

from dataclasses import replace

import orjson
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.model import Held, Use
from bulkstate.report import to_json, to_text
from tests.report.examples import WHOLE

HELD = (Held("your_limit", "20/s", 0.9), Held("pause", "", 0.08), Held("machine", "", 0.02))
USED = replace(WHOLE, held=HELD, uses=(Use(1.79e9, "pause"), Use(1.79e9 + 60, "rate", "10/s")))


def test_words() -> None:
    page = to_text(USED)
    assert "held back by your limit, 20/s: 90% of the time" in page
    assert "by a pause by hand: 8% of" in " ".join(page.split())
    assert "your machine" not in page
    assert " By hand:\n   2026-09-21 14:13:20 UTC  pause\n   2026-09-21 14:14:20 UTC  rate 10/s\n" in page


def test_document() -> None:
    document = orjson.loads(to_json(USED))
    assert document["held"][0] == {"by": "your_limit", "which": "20/s", "share": 0.9}
    assert document["uses"][1] == {"at": 1.79e9 + 60, "command": "rate", "value": "10/s"}


def test_of_very_many_uses_the_latest_are_shown() -> None:
    page = to_text(replace(WHOLE, uses=tuple(Use(1.79e9 + n, "concurrency", str(n)) for n in range(50))))
    assert "By hand, and 30 times before:" in page
    assert "concurrency 49" in page
    assert "concurrency 29\n" not in page


@given(st.text(max_size=60))
def test_nothing_that_was_asked_steers_the_terminal(text: str) -> None:
    page = to_text(replace(WHOLE, uses=(Use(1.79e9, text, text),), held=(Held("pause", text, 1.0),)))
    assert all(character.isprintable() or character == "\n" for character in page)
