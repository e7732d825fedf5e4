"""Buckets: where they begin and end in every time zone, and how they cover a time range."""

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

from .conftest import VIENNA, local_ms

HOUR = 60 * MINUTE

#: Examples may take any time: a busy machine must not fail the tests.
patient = settings(deadline=None)

#: Milliseconds from 2008, when the first gateways appeared, to 2037, the last year with recorded time zone
#: transitions.
times = st.integers(1_199_145_600, 2_145_916_800).map(lambda seconds: seconds * 1000)
calendars = st.timezones(no_cache=True).map(Calendar)
rolled_up = st.sampled_from([Resolution.MINUTE, Resolution.QUARTER_HOUR, Resolution.DAY])


@patient
@given(calendars, st.sampled_from(Resolution), times)
def test_every_timestamp_is_in_exactly_one_bucket(
    calendar: Calendar, resolution: Resolution, at: int
) -> None:
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
def test_a_day_begins_and_ends_with_the_local_date(calendar: Calendar, at: int) -> None:
    def get_date(timestamp: int) -> object:
        return datetime.fromtimestamp(timestamp / 1000, calendar.zone).date()

    start = calendar.start(Resolution.DAY, at)
    assert get_date(start) == get_date(at)
    assert get_date(start - 1000) != get_date(at)
    assert get_date(calendar.after(Resolution.DAY, start) - 1000) == get_date(at)


@patient
@given(calendars, times)
def test_a_day_begins_on_a_quarter_hour(calendar: Calendar, at: int) -> None:
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
        # Morocco suspends summer time during Ramadan.
        ("Africa/Casablanca", (2026, 2, 15), 25),
        ("Africa/Casablanca", (2026, 3, 22), 23),
        # Clocks move from 24:00 to 23:00 or from 0:00 to 1:00: the day has two midnights, or none.
        ("America/Havana", (2026, 3, 8), 23),
        ("America/Havana", (2026, 11, 1), 25),
        ("America/Sao_Paulo", (2018, 11, 4), 23),
        ("America/Sao_Paulo", (2018, 2, 17), 25),
        # Samoa skipped the 30th.
        ("Pacific/Apia", (2011, 12, 29), 24),
        ("Pacific/Apia", (2011, 12, 31), 24),
    ],
)
def test_days_with_a_clock_change_are_longer_or_shorter(
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
def test_a_range_is_covered_without_gaps_overlaps_or_stale_buckets(
    calendar: Calendar, resolution: Resolution, start: int, length: int, pending: list[tuple[Resolution, int]]
) -> None:
    end = start + length
    stale = [Bucket(each, calendar.start(each, start + offset)) for each, offset in pending]

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


def test_a_year_is_read_from_days_except_at_its_ends() -> None:
    start, end = local_ms(2025, 11, 24, 22, 52) + 7000, local_ms(2026, 11, 24, 22, 52)
    segments = cover(Calendar(VIENNA), Resolution.DAY, start, end, [])
    assert [segment.resolution for segment in segments] == [0, 1, 2, 3, 2, 1]
    assert segments[3].start == local_ms(2025, 11, 25)
    assert segments[3].end == local_ms(2026, 11, 24)


def test_a_pending_bucket_is_read_from_the_next_finer_resolution() -> None:
    start, end, noon = local_ms(2026, 5, 1), local_ms(2026, 5, 3), local_ms(2026, 5, 2, 12)
    minute = cover(Calendar(VIENNA), Resolution.DAY, start, end, [Bucket(Resolution.MINUTE, noon)])
    assert [(each.resolution, (each.end - each.start) // MINUTE) for each in minute] == [
        (Resolution.DAY, 24 * 60),
        (Resolution.QUARTER_HOUR, 12 * 60),
        (Resolution.READING, 1),
        (Resolution.MINUTE, 14),
        (Resolution.QUARTER_HOUR, 12 * 60 - 15),
    ]
    day = cover(Calendar(VIENNA), Resolution.DAY, start, end, [Bucket(Resolution.DAY, local_ms(2026, 5, 2))])
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
def test_the_coarsest_resolution_that_fits_is_used(width: timedelta, resolution: Resolution) -> None:
    assert resolution_for(width // timedelta(milliseconds=1)) is resolution


def test_edges_enclose_the_whole_range() -> None:
    start = round(datetime(2026, 1, 1, 0, 7, tzinfo=UTC).timestamp()) * 1000
    edges = Calendar(VIENNA).edges(Resolution.QUARTER_HOUR, start, start + 30 * MINUTE)
    assert [(edge - start) // MINUTE for edge in edges] == [-7, 8, 23, 38]
    edges = Calendar(VIENNA).edges(Resolution.QUARTER_HOUR, edges[0], edges[2])
    assert [(edge - start) // MINUTE for edge in edges] == [-7, 8, 23]
