"""--range: the meaning of each form in local time, across clock changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from enphase_companion.charts.time_range import (
    Span,
    before,
    days_back,
    parse,
    split_into_days,
    split_into_hours,
    split_into_months,
    split_into_years,
)

from .conftest import ZURICH, local_seconds


def format_range(text: str, now: int) -> tuple[str, str]:
    """Return the start and end of a range in Zurich's local time."""
    return format_span(parse(text).span(ZURICH, now))


def format_span(span: Span) -> tuple[str, str]:
    first, last = (datetime.fromtimestamp(each / 1000, ZURICH) for each in (span.start, span.end))
    return f"{first:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("today", ("2026-06-20 00:00", "2026-06-21 00:00")),
        ("day", ("2026-06-19 15:30", "2026-06-20 15:30")),
        ("week", ("2026-06-14 00:00", "2026-06-21 00:00")),
        ("month", ("2026-05-21 00:00", "2026-06-21 00:00")),
        ("year", ("2025-07-01 00:00", "2026-06-21 00:00")),
        ("2026-06-01", ("2026-06-01 00:00", "2026-06-02 00:00")),
        ("2026-06-01..2026-06-14", ("2026-06-01 00:00", "2026-06-15 00:00")),
        ("2026-06-01T08:00..2026-06-01T20:15", ("2026-06-01 08:00", "2026-06-01 20:15")),
        ("2026-06-01..", ("2026-06-01 00:00", "2026-06-20 15:30")),
    ],
)
def test_each_range_ends_in_local_time_with_its_last_named_unit(text: str, expected: tuple[str, str]) -> None:
    assert format_range(text, local_seconds(2026, 6, 20, 15, 30)) == expected


def test_a_month_back_from_the_31st_of_march_begins_on_the_1st_of_march() -> None:
    assert format_range("month", local_seconds(2026, 3, 31, 12, 0))[0] == "2026-03-01 00:00"
    assert format_range("month", local_seconds(2026, 1, 15, 12, 0))[0] == "2025-12-16 00:00"


@pytest.mark.parametrize(("day", "hours"), [((2026, 10, 25), 25), ((2026, 3, 29), 23), ((2026, 6, 20), 24)])
def test_a_day_with_a_clock_change_is_longer_or_shorter(day: tuple[int, int, int], hours: int) -> None:
    noon = local_seconds(*day, 12, 0)
    assert parse("today").span(ZURICH, noon).length == hours * 3_600_000
    assert parse("day").span(ZURICH, noon).length == 24 * 3_600_000


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("2026-10-25T02:00..2026-10-25T03:00", 120),
        ("2026-10-25T02:30..2026-10-25T02:45", 75),
        ("2026-10-25..2026-10-25", 1_500),
        ("2026-03-29T01:00..2026-03-29T04:00", 120),
        ("2026-03-29T02:30..2026-03-29T03:15", 45),
        ("2026-03-29T02:15..2026-03-29T02:45", 90),
    ],
)
def test_a_range_in_a_repeated_or_skipped_hour_is_not_negative(text: str, minutes: int) -> None:
    assert parse(text).span(ZURICH, local_seconds(2026, 12, 1)).length == minutes * 60_000


def test_an_open_range_ends_now_even_in_a_repeated_hour() -> None:
    now = local_seconds(2026, 10, 25, 3, 0) - 50 * 60
    assert parse("2026-10-25T02:30..").span(ZURICH, now).end == now * 1000


def test_only_open_ranges_move_with_time() -> None:
    assert [parse(each).moves for each in ("today", "year", "2026-06-01..")] == [True, True, True]
    assert [parse(each).moves for each in ("2026-06-01", "2026-06-01..2026-06-02")] == [False, False]


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "..", "..2026-06-01", "2026-06-31", "20260601", "2026-06-01..soon", "2026-06-01T25:00",
     "2026-06-01T08:00", "2026-06-02..2026-06-01", "2026-06-01T08:00+02:00..2026-06-02"],
)  # fmt: skip
def test_the_error_of_an_invalid_range_names_the_valid_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be today, day, week|is not after"):
        parse(text)


def test_days_and_months_are_contiguous() -> None:
    span = Span(local_seconds(2026, 1, 15) * 1000, local_seconds(2026, 12, 3, 7, 0) * 1000)
    for cut in (split_into_days(span, ZURICH), split_into_months(span, ZURICH)):
        assert cut[0].start <= span.start
        assert cut[-1].end >= span.end
        assert all(before.end == after.start for before, after in pairwise(cut))
    assert len(split_into_months(span, ZURICH)) == 12
    assert {each.length // 3_600_000 for each in split_into_days(span, ZURICH)} == {23, 24, 25}


def test_a_day_may_begin_at_one_oclock() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    noon = datetime(2026, 3, 29, 12, tzinfo=beirut)
    span = parse("today").span(beirut, noon.timestamp())
    assert timedelta(milliseconds=span.length) == timedelta(hours=23)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-21", ("2026-06-20 00:00", "2026-06-21 00:00")),
        ("2026-06-15..2026-06-21", ("2026-06-08 00:00", "2026-06-15 00:00")),
        ("2026-06-21T08:00..2026-06-21T12:00", ("2026-06-20 08:00", "2026-06-20 12:00")),
        ("2026-10-26", ("2026-10-25 00:00", "2026-10-26 00:00")),
    ],
)
def test_days_are_compared_with_as_many_days_before(text: str, expected: tuple[str, str]) -> None:
    span = parse(text).span(ZURICH, 0)
    assert format_span(before(span, ZURICH, days_back(span, ZURICH))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-01..2026-06-30", ("2025-06-01 00:00", "2025-07-01 00:00")),
        ("2024-02-29..2024-03-31", ("2023-02-28 00:00", "2023-04-01 00:00")),
    ],
)
def test_months_are_compared_with_those_of_the_last_year(text: str, expected: tuple[str, str]) -> None:
    assert format_span(before(parse(text).span(ZURICH, 0), ZURICH, None)) == expected


@pytest.mark.parametrize(
    ("zone", "day", "lengths"),
    [
        # From half past one to two comes twice: what is left of the hour, and the second half of it again.
        ("Australia/Lord_Howe", (2026, 4, 5), {1: 60, 2: 30, 3: 60}),
        # Half an hour from two on is left out.
        ("Australia/Lord_Howe", (2026, 10, 4), {1: 60, 2: 30, 3: 60}),
        ("Europe/Berlin", (2026, 10, 25), {1: 60, 2: 60, 3: 60}),
        # A quarter past the hour of UTC.
        ("Asia/Kathmandu", (2026, 6, 21), {0: 60, 23: 60}),
    ],
)
def test_hours_are_those_of_the_local_clock(
    zone: str, day: tuple[int, int, int], lengths: dict[int, int]
) -> None:
    midnight = datetime(*day, tzinfo=ZoneInfo(zone))
    (span,) = split_into_days(Span(start := round(midnight.timestamp() * 1000), start + 1), ZoneInfo(zone))
    hours = split_into_hours(span, ZoneInfo(zone))
    assert (hours[0].start, hours[-1].end) == (span.start, span.end)
    assert all(one.end == other.start for one, other in pairwise(hours))
    assert {number: hours[number].length // 60_000 for number in lengths} == lengths


def test_years_begin_at_local_midnight() -> None:
    years = split_into_years(parse("2024-05-01..2026-02-01").span(ZURICH, 0), ZURICH)
    assert [format_span(year)[0] for year in years] == [
        "2024-01-01 00:00", "2025-01-01 00:00", "2026-01-01 00:00",
    ]  # fmt: skip
    assert years[-1].end == local_seconds(2027, 1, 1) * 1000
