"""By when a run has to be done, on any clock: held against a count, second by second, of what the clock shows."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkstate.policy.deadline import TimeOfDay, TimeToSpend, parse_deadline, reserve, shown, shown_twice

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Cairo",
]
MINUTE = 60


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def watched(zone: str, hour: int, minute: int, now: float) -> float:
    """When the clock next shows the time, or has jumped over it: looked at every minute from now on."""
    info, at = ZoneInfo(zone), (now // MINUTE + 1) * MINUTE
    wanted = 60 * hour + minute
    last = datetime.fromtimestamp(at - MINUTE, info)
    while True:
        here = datetime.fromtimestamp(at, info)
        if (here.hour, here.minute) == (hour, minute):
            return at
        before, after = (60 * each.hour + each.minute for each in (last, here))
        if here.date() == last.date() and before < wanted < after:
            return at
        last, at = here, at + MINUTE


@given(
    st.sampled_from(ZONES),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(int(utc("2026-01-01")), int(utc("2027-12-31"))),
)
def test_it_is_the_next_time_that_a_clock_shows_it(zone: str, hour: int, minute: int, now: int) -> None:
    assert TimeOfDay(hour, minute, zone).instant(now) == watched(zone, hour, minute, now)


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.sampled_from(["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04"]),
    st.integers(-36 * 60, 36 * 60),
    st.integers(0, 4),
    st.integers(0, 59),
)
def test_so_it_is_around_a_change_of_summer_time(zone: str, day: str, before: int, hour: int, minute: int) -> None:
    now = utc(day) + 60 * before
    assert TimeOfDay(hour, minute, zone).instant(now) == watched(zone, hour, minute, now)


@pytest.mark.parametrize(
    ("now", "words", "then"),
    [
        ("2026-11-22T22:10", "05:00 Europe/Berlin", "2026-11-23T04:00"),  # over midnight
        ("2026-11-22T04:00", "05:00 Europe/Berlin", "2026-11-23T04:00"),  # not now: then
        ("2026-03-28T20:00", "02:30 Europe/Berlin", "2026-03-29T01:00"),  # which that night has no such time
        ("2026-10-24T20:00", "02:30 Europe/Berlin", "2026-10-25T00:30"),  # and this one two of them
        ("2026-10-25T00:45", "02:30 Europe/Berlin", "2026-10-25T01:30"),
        ("2026-11-22T22:10", "05:00 Asia/Shanghai", "2026-11-23T21:00"),
    ],
)
def test_some_nights(now: str, words: str, then: str) -> None:
    assert parse_deadline(words).instant(utc(now)) == utc(then)


def test_what_is_written_and_shown() -> None:
    assert parse_deadline("45m") == TimeToSpend(2700.0)
    assert TimeToSpend(2700.0).instant(100.0) == 2800.0
    berlin = parse_deadline("05:00 Europe/Berlin")
    assert (berlin, str(berlin)) == (TimeOfDay(5, 0, "Europe/Berlin"), "05:00 Europe/Berlin")
    assert parse_deadline(str(TimeToSpend(2700.0))) == TimeToSpend(2700.0)
    assert shown(utc("2026-11-23T04:00"), berlin) == "2026-11-23 05:00 CET"
    assert shown(utc("2026-11-23T04:00"), TimeToSpend(1.0)) == "2026-11-23 04:00 UTC"
    assert shown_twice(utc("2026-11-23T04:00"), berlin) == "2026-11-23 05:00 CET (2026-11-23 04:00 UTC)"
    assert shown_twice(utc("2026-11-23T04:00"), TimeToSpend(1.0)) == "2026-11-23 04:00 UTC"
    assert shown_twice(utc("2026-11-23T05:00"), parse_deadline("05:00 UTC")) == "2026-11-23 05:00 UTC"


@pytest.mark.parametrize(
    "text",
    ["05:00", "5:00 UTC", "25:00 UTC", "05:60 UTC", "05:00 Mars/Base", "05:00 ../etc", "soon", "", "0s", "0.0h", "-5m"],
)
def test_what_is_no_deadline(text: str) -> None:
    with pytest.raises(ValueError, match="a time"):
        parse_deadline(text)


@given(st.integers(0, 10**6), st.floats(0.01, 1e4), st.floats(0, 60))
def test_reading_back_has_its_time(reads: int, per_second: float, grace: float) -> None:
    assert reserve(reads, per_second, grace) >= grace + reads / per_second
