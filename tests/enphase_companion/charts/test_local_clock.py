"""Times on the clock, across its changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from enphase_companion.charts.local_clock import shift_days, to_clock
from enphase_companion.charts.time_range import parse

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]


def times_of(text: str, zone: ZoneInfo) -> np.ndarray:
    span = parse(text).span(zone, 0)
    return np.arange(span.start, span.end, 450_000)


@pytest.mark.parametrize("name", ZONES)
def test_the_clock_is_that_of_the_zone_all_the_year(name: str) -> None:
    zone = ZoneInfo(name)
    times = times_of("2026-01-01..2026-12-31", zone)[::7]
    shown = [datetime(1970, 1, 1) + timedelta(milliseconds=each) for each in to_clock(times, zone).tolist()]  # noqa: DTZ001
    assert shown == [datetime.fromtimestamp(at / 1000, zone).replace(tzinfo=None) for at in times.tolist()]


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("days", [1, 7])
def test_a_time_is_moved_to_the_same_on_the_clock_of_a_later_day(name: str, days: int) -> None:
    zone = ZoneInfo(name)
    times = times_of("2026-01-01..2026-12-31", zone)
    moved = shift_days(times, days, zone)
    differences = to_clock(moved, zone) - to_clock(times, zone)
    # A time that the later day leaves out is moved by the hour that is missing.
    assert (differences == days * 86_400_000).sum() >= times.size - 8
    assert np.abs(differences - days * 86_400_000).max() <= 3_600_000
