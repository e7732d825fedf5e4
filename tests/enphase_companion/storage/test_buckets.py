"""Buckets: where they begin and end in every time zone, and how they make up a stretch of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enphase_companion.storage.buckets import (
    MINUTE,
    QUARTER_HOUR,
    Bucket,
    Calendar,
    Resolution,
    cover,
    resolution_for,
)

from .conftest import VIENNA, local

HOUR = 60 * MINUTE

#: A busy machine is no failure.
patient = settings(deadline=None)

#: Milliseconds from 2008, before which there was no gateway, to 2037, after which zones have no transitions
#: on record.
times = st.integers(1_199_145_600, 2_145_916_800).map(lambda seconds: seconds * 1000)
calendars = st.timezones(no_cache=True).map(Calendar)
rolled_up = st.sampled_from([Resolution.MINUTE, Resolution.QUARTER_HOUR, Resolution.DAY])


@patient
@given(calendars, rolled_up, times)
def test_every_moment_is_in_exactly_one_bucket(calendar: Calendar, resolution: Resolution, at: int) -> None:
    start = calendar.start(resolution, at)
    end = calendar.after(resolution, start)
    assert start <= at < end
    assert calendar.start(resolution, start) == start
    assert calendar.start(resolution, end - 1) == start
    assert calendar.start(resolution, end) == end
    assert calendar.ceiling(resolution, start) == start
    assert calendar.ceiling(resolution, start + 1) == end


@patient
@given(calendars, times)
def test_a_day_is_what_the_owner_calls_so(calendar: Calendar, at: int) -> None:
    def date_of(moment: int) -> object:
        return datetime.fromtimestamp(moment / 1000, calendar.zone).date()

    start = calendar.start(Resolution.DAY, at)
    assert date_of(start) == date_of(at)
    assert date_of(start - 1000) != date_of(at)
    assert date_of(calendar.after(Resolution.DAY, start) - 1000) == date_of(at)


@patient
@given(calendars, times)
def test_a_day_is_made_of_whole_quarter_hours(calendar: Calendar, at: int) -> None:
    assert calendar.start(Resolution.DAY, at) % QUARTER_HOUR == 0


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Vienna", (2026, 3, 29), 23),
        ("Europe/Vienna", (2026, 10, 25), 25),
        ("Europe/Vienna", (2026, 10, 26), 24),
        ("America/New_York", (2026, 3, 8), 23),
        ("America/New_York", (2026, 11, 1), 25),
        ("Australia/Lord_Howe", (2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", (2026, 10, 4), 23.5),
        # Summer time is left for Ramadan.
        ("Africa/Casablanca", (2026, 2, 15), 25),
        ("Africa/Casablanca", (2026, 3, 22), 23),
        # Clocks go from 24:00 back to 23:00, or from 0:00 on to 1:00: the day has no midnight, or two.
        ("America/Havana", (2026, 3, 8), 23),
        ("America/Havana", (2026, 11, 1), 25),
        ("America/Sao_Paulo", (2018, 11, 4), 23),
        ("America/Sao_Paulo", (2018, 2, 17), 25),
        # Samoa had no 30th.
        ("Pacific/Apia", (2011, 12, 29), 24),
        ("Pacific/Apia", (2011, 12, 31), 24),
    ],
)
def test_days_with_a_clock_change_have_other_lengths(
    zone: str, day: tuple[int, int, int], hours: float
) -> None:
    calendar = Calendar(ZoneInfo(zone))
    noon = round(datetime(*day, 12, tzinfo=calendar.zone).timestamp()) * 1000
    start = calendar.start(Resolution.DAY, noon)
    assert calendar.after(Resolution.DAY, start) - start == hours * HOUR


@patient
@given(
    calendars,
    rolled_up,
    times,
    st.integers(0, 4000 * MINUTE),
    st.lists(st.tuples(rolled_up, st.integers(-2000 * MINUTE, 4000 * MINUTE)), max_size=8),
)
def test_a_stretch_is_covered_without_hole_or_overlap_and_without_what_is_stale(
    calendar: Calendar, resolution: Resolution, start: int, length: int, noted: list[tuple[Resolution, int]]
) -> None:
    end = start + length
    stale = [Bucket(each, calendar.start(each, start + offset)) for each, offset in noted]

    segments = cover(calendar, resolution, start, end, stale)

    edges = [edge for segment in segments for edge in (segment.start, segment.end)]
    assert [start, *edges[1:-1], end] == edges if length else not segments
    assert all(before.end == after.start for before, after in pairwise(segments))
    for segment in segments:
        assert segment.resolution <= resolution
        if segment.resolution is Resolution.READING:
            continue
        assert calendar.start(segment.resolution, segment.start) == segment.start
        assert calendar.start(segment.resolution, segment.end) == segment.end
        for bucket in stale:
            if bucket.resolution <= segment.resolution:
                assert not segment.start <= bucket.start < segment.end


def test_a_year_is_read_from_days_but_for_its_ends() -> None:
    start, end = local(2025, 11, 24, 22, 52) + 7000, local(2026, 11, 24, 22, 52)
    segments = cover(Calendar(VIENNA), Resolution.DAY, start, end, [])
    assert [segment.resolution for segment in segments] == [0, 1, 2, 3, 2, 1]
    assert segments[3].start == local(2025, 11, 25)
    assert segments[3].end == local(2026, 11, 24)


def test_what_is_pending_is_read_from_the_level_below() -> None:
    start, end, noon = local(2026, 5, 1), local(2026, 5, 3), local(2026, 5, 2, 12)
    minute = cover(Calendar(VIENNA), Resolution.DAY, start, end, [Bucket(Resolution.MINUTE, noon)])
    assert [(each.resolution, (each.end - each.start) // MINUTE) for each in minute] == [
        (Resolution.DAY, 24 * 60),
        (Resolution.QUARTER_HOUR, 12 * 60),
        (Resolution.READING, 1),
        (Resolution.MINUTE, 14),
        (Resolution.QUARTER_HOUR, 12 * 60 - 15),
    ]
    day = cover(Calendar(VIENNA), Resolution.DAY, start, end, [Bucket(Resolution.DAY, local(2026, 5, 2))])
    assert [each.resolution for each in day] == [Resolution.DAY, Resolution.QUARTER_HOUR]


@pytest.mark.parametrize(
    ("width", "resolution"),
    [
        (timedelta(seconds=59), Resolution.READING),
        (timedelta(minutes=1), Resolution.MINUTE),
        (timedelta(minutes=14), Resolution.MINUTE),
        (timedelta(minutes=15), Resolution.QUARTER_HOUR),
        (timedelta(hours=23), Resolution.QUARTER_HOUR),
        (timedelta(days=1), Resolution.DAY),
        (timedelta(days=30), Resolution.DAY),
    ],
)
def test_the_longest_buckets_that_fit_are_taken(width: timedelta, resolution: Resolution) -> None:
    assert resolution_for(width // timedelta(milliseconds=1)) is resolution


def test_edges_hold_the_whole_stretch() -> None:
    start = round(datetime(2026, 1, 1, 0, 7, tzinfo=UTC).timestamp()) * 1000
    edges = Calendar(VIENNA).edges(Resolution.QUARTER_HOUR, start, start + 30 * MINUTE)
    assert [(edge - start) // MINUTE for edge in edges] == [-7, 8, 23, 38]
