"""What headers say of limits: each form as its drafts have it, and nothing from whatever else stands there."""

from __future__ import annotations

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from bulkstate.gateway import limit_headers, wire
from bulkstate.model import Told

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, ()),
        ({"RateLimit": '"default";r=50;t=30'}, (Told(None, None, 50, 30),)),
        (
            {
                "RateLimit": '"burst";r=5;t=1, "daily";r=900;t=7000',
                "RateLimit-Policy": '"burst";q=10;w=1, "daily";q=1000;w=86400',
            },
            (Told(10, 1, 5, 1), Told(1000, 86400, 900, 7000)),
        ),
        ({"RateLimit": '"a";r=0;t=9', "RateLimit-Policy": '"b";q=10;w=60'}, (Told(10, 60, 0, 9),)),
        ({"RateLimit-Policy": '"b";q=10;qu="content-bytes";w=60'}, ()),
        ({"RateLimit": '"b";r=3;t=9', "RateLimit-Policy": '"b";q=10;w=60;QU = "concurrency"'}, ()),
        ({"RateLimit": '"b";r=3;qu=content-bytes;t=9'}, ()),
        (
            {
                "RateLimit": '"bytes";r=3;t=9',
                "RateLimit-Policy": '"a";q=10;w=60;qu="requests", "bytes";q=9;qu="content-bytes", "c";q=5;qu=request',
            },
            (Told(10, 60, None, None), Told(5, None, None, None)),
        ),
        ({"RateLimit": "limit=100, remaining=50, reset=5"}, (Told(100, None, 50, 5),)),
        (
            {"RateLimit": "limit=10, remaining=3, reset=1", "RateLimit-Policy": "10;w=1, 1000;w=3600"},
            (Told(10, 1, 3, 1), Told(1000, 3600, None, None)),
        ),
        (
            {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "12"},
            (Told(100, None, 0, 12),),
        ),
        ({"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": str(int(NOW) + 40)}, (Told(None, None, 7, 40),)),
        ({"X-RateLimit-Reset": str((int(NOW) + 40) * 1000)}, (Told(None, None, None, 40),)),
        ({"X-RateLimit-Reset": str(int(NOW) - 40)}, (Told(None, None, None, 0),)),
        ({"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "9"}, (Told(100, None, 9, None),)),
        ({"X-RateLimit-Limit": "-5", "X-RateLimit-Remaining": "many", "X-RateLimit-Reset": "1e9"}, ()),
        ({"RateLimit": '"default";r=-1;t=soon'}, ()),
    ],
)
def test_every_form(headers: dict[str, str], told: tuple[Told, ...]) -> None:
    assert limit_headers.read(headers, lambda: NOW) == told


def test_lines_of_the_same_header_are_one_list() -> None:
    headers = CIMultiDict(
        [
            ("ratelimit-policy", '"a";q=1000;w=60'),
            ("Date", "now"),
            ("RateLimit-Policy", '"b";q=20;w=1'),
            ("RateLimit", '"b";r=3;t=1'),
            ("RATELIMIT", '"a";r=7;t=30'),
        ]
    )
    assert limit_headers.read(CIMultiDictProxy(headers), lambda: NOW) == (Told(1000, 60, 7, 30), Told(20, 1, 3, 1))


names = st.sampled_from(
    [
        "RateLimit",
        "RateLimit-Policy",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "RateLimit-Reset",
    ]
)
pieces = st.lists(
    st.sampled_from(['"a"', ";", ",", "=", "r", "t", "q=9", "w=60", "limit", "9" * 400, "-1", "é", "\0", " "])
)
texts = pieces.map("".join) | st.text(max_size=40)


@given(st.dictionaries(names, texts))
def test_whatever_is_sent_is_read_without_an_error_and_gives_numbers(headers: dict[str, str]) -> None:
    found = limit_headers.read(headers, lambda: NOW)
    assert len(found) <= limit_headers.MOST_ITEMS
    for told in found:
        numbers = (told.limit, told.seconds, told.remaining, told.reset_after)
        assert all(number is None or (isfinite(number) and number >= 0) for number in numbers)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("31536000", 31_536_000.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("soon", None), ("-1", None), ("1e400", None)],
)
def test_a_retry_after_of_a_year_in_the_past_or_no_number_is_no_error(value: str, seconds: float | None) -> None:
    assert wire.retry_after(value, None, NOW) == seconds
