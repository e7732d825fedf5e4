"""--range: what each word means, in local time, whenever the clock is changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from enphase_companion.charts.time_range import Span, days, months, parse

from .conftest import ZURICH, local


def shown(text: str, now: int) -> tuple[str, str]:
    """Return the beginning and the end of a range, as a clock in Zurich shows them."""
    span = parse(text).span(ZURICH, now)
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
def test_each_range_is_local_time_up_to_the_end_of_what_is_named(
    text: str, expected: tuple[str, str]
) -> None:
    assert shown(text, local(2026, 6, 20, 15, 30)) == expected


def test_a_month_back_from_the_31st_of_march_begins_on_the_1st_of_march() -> None:
    assert shown("month", local(2026, 3, 31, 12, 0))[0] == "2026-03-01 00:00"
    assert shown("month", local(2026, 1, 15, 12, 0))[0] == "2025-12-16 00:00"


@pytest.mark.parametrize(("day", "hours"), [((2026, 10, 25), 25), ((2026, 3, 29), 23), ((2026, 6, 20), 24)])
def test_a_day_is_as_long_as_its_clock_says(day: tuple[int, int, int], hours: int) -> None:
    noon = local(*day, 12, 0)
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
def test_a_range_in_an_hour_that_comes_twice_or_never_is_whole_and_not_negative(
    text: str, minutes: int
) -> None:
    assert parse(text).span(ZURICH, local(2026, 12, 1)).length == minutes * 60_000


def test_up_to_now_ends_now_also_in_the_second_of_two_hours() -> None:
    now = local(2026, 10, 25, 3, 0) - 50 * 60
    assert parse("2026-10-25T02:30..").span(ZURICH, now).end == now * 1000


def test_only_what_goes_up_to_now_moves_on() -> None:
    assert [parse(each).moves for each in ("today", "year", "2026-06-01..")] == [True, True, True]
    assert [parse(each).moves for each in ("2026-06-01", "2026-06-01..2026-06-02")] == [False, False]


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "..", "..2026-06-01", "2026-06-31", "20260601", "2026-06-01..soon", "2026-06-01T25:00",
     "2026-06-01T08:00", "2026-06-02..2026-06-01", "2026-06-01T08:00+02:00..2026-06-02"],
)  # fmt: skip
def test_what_is_no_range_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be today, day, week|is not after"):
        parse(text)


def test_days_and_months_follow_on_one_another_without_a_hole() -> None:
    span = Span(local(2026, 1, 15) * 1000, local(2026, 12, 3, 7, 0) * 1000)
    for cut in (days(span, ZURICH), months(span, ZURICH)):
        assert cut[0].start <= span.start
        assert cut[-1].end >= span.end
        assert all(before.end == after.start for before, after in pairwise(cut))
    assert len(months(span, ZURICH)) == 12
    assert {each.length // 3_600_000 for each in days(span, ZURICH)} == {23, 24, 25}


def test_a_day_that_begins_at_one_o_clock_is_a_day() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    moment = datetime(2026, 3, 29, 12, tzinfo=beirut)
    span = parse("today").span(beirut, moment.timestamp())
    assert timedelta(milliseconds=span.length) == timedelta(hours=23)
