"""The axis shows local time across both clock changes, for every range and window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from matplotlib.figure import Figure

from enphase_companion.charts import text
from enphase_companion.charts.live import LiveData
from enphase_companion.charts.model import Panel, Totals, View
from enphase_companion.charts.time_axis import set_time_axis, ticks, to_axis
from enphase_companion.charts.time_range import Span, parse

MINUTE, HOUR = 60_000, 3_600_000

#: The times (UTC) in 2026 at which each clock is set forward and back.
CHANGES = {
    "Europe/Vienna": [(2026, 3, 29, 1, 0), (2026, 10, 25, 1, 0)],
    "America/New_York": [(2026, 3, 8, 7, 0), (2026, 11, 1, 6, 0)],
    # The change is half an hour.
    "Australia/Lord_Howe": [(2026, 10, 3, 15, 30), (2026, 4, 4, 15, 0)],
    # Summer time is suspended during Ramadan.
    "Africa/Casablanca": [(2026, 3, 22, 2, 0), (2026, 2, 15, 2, 0)],
    # The change is at midnight: a day begins at one o'clock.
    "Asia/Beirut": [(2026, 3, 28, 22, 0), (2026, 10, 24, 21, 0)],
}
EACH_CHANGE = [
    pytest.param(ZoneInfo(zone), datetime(*change, tzinfo=UTC), id=f"{zone}-{name}")
    for zone, changes in CHANGES.items()
    for change, name in zip(changes, ("forward", "back"), strict=True)
]
each_change = pytest.mark.parametrize(("zone", "change"), EACH_CHANGE)

RANGES = ["today", "day", "week", "{day}", "{day}T00:00..", "{day}T00:30..{day}T04:30", "{before}..{day}"]
WINDOWS = [1, 2, 5, 10, 30, 45, 60, 90, 120, 240, 720, 1_440]


AXES = Figure((12, 7)).subplots()


def get_ticks(span: Span, zone: ZoneInfo) -> list[tuple[int, str]]:
    """Return the ticks of a chart of this span and their labels."""
    AXES.set_xlim(*to_axis(np.array([span.start, span.end])))
    view = View(title="", subtitle="", span=span, zone=zone, panels=[Panel("", {})], totals=Totals())
    set_time_axis(AXES, view)
    positions = AXES.get_xticks()
    labels = AXES.xaxis.get_major_formatter().format_ticks(positions.tolist())
    return list(zip((round(float(at) * 86_400_000) for at in positions), labels, strict=True))


def assert_is_local_time(span: Span, zone: ZoneInfo) -> None:
    """Assert that ticks are evenly spaced in local time, complete, unique and correctly labelled."""
    found = get_ticks(span, zone)
    times = [at for at, _ in found]
    assert 2 <= len(found) <= 14
    assert times == sorted(set(times))
    assert all(span.start <= at <= span.end for at in times)
    for at, label in found:
        clock = datetime.fromtimestamp(at / 1000, zone)
        first, *which = label.split("\n")
        begins = at == find_start(clock, zone)
        assert first == (
            f"{clock:%a %d}" if begins else f"{clock:%H:%M:%S}" if at % MINUTE else f"{clock:%H:%M}"
        )
        twice = clock.replace(fold=0).utcoffset() != clock.replace(fold=1).utcoffset()
        assert which == ([get_name(clock)] if twice and not begins else [])
    assert times == list_expected(span, zone, times)


def get_name(clock: datetime) -> str:
    name = clock.tzname() or ""
    return {"+11": "UTC+11", "+1030": "UTC+10:30", "+01": "UTC+1", "+00": "UTC+0"}.get(name, name)


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("Pacific/Marquesas", "UTC-9:30"),
        ("Asia/Kolkata", "IST"),
        ("Asia/Kathmandu", "UTC+5:45"),
        ("America/Sao_Paulo", "UTC-3"),
    ],
)
def test_a_zone_without_abbreviation_is_named_by_its_offset(zone: str, name: str) -> None:
    assert text.offset(datetime(2026, 6, 21, tzinfo=ZoneInfo(zone))) == name


def find_start(clock: datetime, zone: ZoneInfo) -> int:
    return round(datetime(clock.year, clock.month, clock.day, tzinfo=zone).timestamp() * 1000)


def list_expected(span: Span, zone: ZoneInfo, times: list[int]) -> list[int]:
    """Return all times of the span at which local time is a multiple of the usual distance of ticks."""
    usual = min(after - before for before, after in pairwise(times))
    if usual < MINUTE:
        return list(range(-(-span.start // usual) * usual, span.end + 1, usual))
    clocks = {
        at: datetime.fromtimestamp(at / 1000, zone)
        for at in range(-(-span.start // MINUTE) * MINUTE, span.end + 1, MINUTE)
    }
    of_day = {at: clock.hour * 60 + clock.minute for at, clock in clocks.items()}
    begins = {at for at, clock in clocks.items() if of_day[at] <= 60 and at == find_start(clock, zone)}
    every: list[int] = []
    for step in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440):
        if step * MINUTE >= usual and every != times:
            every = [at for at in clocks if of_day[at] % step == 0 or at in begins]
    return every


@each_change
@pytest.mark.parametrize("text", RANGES)
def test_each_range_has_correct_ticks_across_a_clock_change(
    zone: ZoneInfo, change: datetime, text: str
) -> None:
    day = change.astimezone(zone).date()
    named = text.format(day=day, before=day - timedelta(days=1))
    for hours in (-1, 0, 1, 5, 20):
        assert_is_local_time(parse(named).span(zone, (change + timedelta(hours=hours)).timestamp()), zone)


@each_change
@pytest.mark.parametrize("minutes", WINDOWS)
def test_each_window_has_correct_ticks_across_a_clock_change(
    zone: ZoneInfo, change: datetime, minutes: int
) -> None:
    for after in (-60, -30, 0, 1, 15, 30, 45, 60, 61, 90, 120):
        now = (change + timedelta(minutes=after)).timestamp()
        view = LiveData(minutes, 1, zone, phases=False, clock=lambda now=now: now).view(None)  # type: ignore[misc]
        assert_is_local_time(view.span, zone)


def test_the_repeated_hour_is_labelled_with_its_time_zone() -> None:
    change = round(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp() * 1000)
    labels = [label for _, label in get_ticks(Span(change - HOUR, change + HOUR), ZoneInfo("Europe/Vienna"))]
    assert labels == [
        "02:00\nCEST", "02:15\nCEST", "02:30\nCEST", "02:45\nCEST",
        "02:00\nCET", "02:15\nCET", "02:30\nCET", "02:45\nCET", "03:00",
    ]  # fmt: skip
    lord_howe = round(datetime(2026, 4, 4, 15, tzinfo=UTC).timestamp() * 1000)
    labels = [
        label for _, label in get_ticks(Span(lord_howe - HOUR, lord_howe), ZoneInfo("Australia/Lord_Howe"))
    ]
    assert labels[-4:] == ["01:30\nUTC+11", "01:40\nUTC+11", "01:50\nUTC+11", "01:30\nUTC+10:30"]


def test_the_skipped_hour_is_not_on_the_axis() -> None:
    change = round(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp() * 1000)
    labels = [label for _, label in get_ticks(Span(change - HOUR, change + HOUR), ZoneInfo("Europe/Vienna"))]
    assert labels == ["01:00", "01:15", "01:30", "01:45", "03:00", "03:15", "03:30", "03:45", "04:00"]


def test_a_day_that_begins_at_one_oclock_is_labelled_there() -> None:
    change = round(datetime(2026, 3, 28, 22, tzinfo=UTC).timestamp() * 1000)
    found = dict(get_ticks(Span(change - 12 * HOUR, change + 12 * HOUR), ZoneInfo("Asia/Beirut")))
    assert found[change] == "Sun 29"


@pytest.mark.parametrize("days", [10, 12, 60, 400, 4_000, 200_000])
def test_zooming_out_keeps_the_number_of_ticks_limited(days: int) -> None:
    start = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert 1 <= len(ticks(Span(start - days * 86_400_000, start), ZoneInfo("Europe/Vienna"))) <= 40
