"""The day so far: its strip chart, and its energies."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from enphase_companion.displays.bars import BOUGHT, LINE, MARK, SURPLUS, USED
from enphase_companion.displays.day import QUARTER_HOUR, Day, scroll_day
from enphase_companion.displays.frames import SIZE, Colour, Frame
from enphase_companion.displays.state import Powers

ZURICH = ZoneInfo("Europe/Zurich")
MIDNIGHT = datetime(2026, 6, 21, tzinfo=ZURICH).timestamp()
OFF, NOON = (0, 0, 0), (255, 255, 255)


def read_day(
    *powers: tuple[float, float | None, float | None], midnight: float = MIDNIGHT, zone: ZoneInfo = ZURICH
) -> Day:
    """Return the day with these hours, productions and consumptions."""
    day = Day(zone)
    for hour, production, consumption in powers:
        day.take(Powers(production, consumption, midnight + hour * 3_600))
    return day


def get_column(strip: Frame, column: int) -> list[Colour]:
    """Return the colours from the line up."""
    return [tuple(led) for led in strip[::-1, column].tolist()]


def test_a_column_is_a_quarter_hour_in_the_colours_of_the_bars() -> None:
    day = read_day((0.0, 1_500, 600), (0.25, 300, 900), (0.5, 1_500, None), (0.75, None, 600))
    strip = day.draw(1_500)
    assert strip.shape == (SIZE, 4, 3)
    assert get_column(strip, 0) == [MARK, *[USED] * 6, *[SURPLUS] * 9]
    assert get_column(strip, 1) == [LINE, *[USED] * 3, *[BOUGHT] * 6, *[OFF] * 6]


def test_one_metered_quantity_has_one_colour_as_in_the_bars() -> None:
    assert get_column(read_day((0.0, 1_500, None)).draw(1_500), 0) == [MARK, *[USED] * 15]
    assert get_column(read_day((0.0, None, 1_500)).draw(1_500), 0) == [MARK, *[BOUGHT] * 15]


def test_a_column_is_the_mean_of_its_readings_and_a_part_of_an_led_is_dimmer() -> None:
    column = get_column(read_day((0.0, 400, None), (0.1, 500, None), (0.2, 600, None)).draw(1_000), 0)
    assert column[1:8] == [USED] * 7
    assert column[8] == tuple(round(value / 2) for value in USED)
    assert column[9:] == [OFF] * 7


def test_a_gap_interrupts_the_line_and_is_no_zero() -> None:
    strip = read_day((0.0, 0, 0), (0.75, 0, 0)).draw(1_000)
    assert [get_column(strip, column)[0] for column in range(4)] == [MARK, OFF, OFF, LINE]


def test_a_power_above_the_top_fills_the_height() -> None:
    strip = read_day((0.0, 500, 0), (0.25, 2_000, 0)).draw(1_000)
    assert get_column(strip, 1)[1:] == [SURPLUS] * 15
    assert get_column(strip, 0)[5] == OFF


@pytest.mark.parametrize(
    ("date", "columns", "noon"),
    [((2026, 6, 21), 96, 48), ((2026, 3, 29), 92, 44), ((2026, 10, 25), 100, 52)],
)
def test_noon_is_marked_and_the_days_of_a_clock_change_are_shorter_or_longer(
    date: tuple[int, int, int], columns: int, noon: int
) -> None:
    midnight = datetime(*date, tzinfo=ZURICH).timestamp()
    day = read_day(*((column / 4, 0, 0) for column in range(columns)), midnight=midnight)
    strip = day.draw(1_000)
    assert strip.shape[1] == columns
    line = [get_column(strip, column)[0] for column in range(columns)]
    assert [column for column, colour in enumerate(line) if colour == NOON] == [noon]
    assert line.count(MARK) == 7


def test_the_day_goes_on_where_the_clock_is_set_back_to_midnight() -> None:
    azores = ZoneInfo("Atlantic/Azores")
    midnight = datetime(2026, 10, 25, tzinfo=azores).timestamp()
    day = read_day(*((column / 4, 500, 0) for column in range(100)), midnight=midnight, zone=azores)
    assert day.draw(1_000).any(axis=(0, 2)).all()


def test_a_new_day_begins_empty() -> None:
    day = read_day((23.9, 500, 500), (24.1, 300, 300))
    assert day.draw(1_000).shape[1] == 1


def test_the_day_runs_in_from_the_right_up_to_its_latest_column() -> None:
    strip = read_day(*((column / 4, 500 + column, 0) for column in range(40))).draw(1_000)
    frames = list(scroll_day(strip))
    assert len(frames) == 40
    assert not frames[0][:, :-1].any()
    assert np.array_equal(frames[0][:, -1], strip[:, 0])
    assert np.array_equal(frames[-1], strip[:, -SIZE:])
    assert list(scroll_day(Day(ZURICH).draw(1_000))) == []


def count_energy(*readings: tuple[float, float | None, float | None]) -> tuple[float | None, float | None]:
    """Return the energies of the day after these hours with both counters."""
    return (day := read_counters(*readings)).produced, day.consumed


def read_counters(*readings: tuple[float, float | None, float | None]) -> Day:
    day = Day(ZURICH)
    for hour, produced, consumed in readings:
        day.take(Powers(None, None, MIDNIGHT + hour * 3_600, produced, consumed))
    return day


def test_the_energy_of_the_day_is_the_growth_of_the_counters() -> None:
    day = read_counters((-1, 900, 100), (-0.1, 1_000, 200), (0.1, 1_010, 230), (12, 9_000, 1_200))
    assert (day.produced, day.consumed) == (8_000, 1_000)
    assert day.is_whole


def test_energy_from_a_gap_counts() -> None:
    assert count_energy((1, 1_000, None), (9, 4_000, None)) == (3_000, None)


@pytest.mark.parametrize("before", [None, -3.0, 30.0], ids=["first", "gap", "clock was ahead"])
def test_a_day_whose_midnight_was_missed_is_not_whole(before: float | None) -> None:
    readings = [(8.0, 1_000.0, 100.0), (9.0, 2_000.0, 300.0)]
    if before is not None:
        readings.insert(0, (before, 500.0, 0.0))
    day = read_counters(*readings)
    assert not day.is_whole
    assert day.produced == 1_000


def test_a_counter_that_is_reset_or_replaced_adds_no_energy() -> None:
    assert count_energy((1, 5_000, 5_000), (2, 7_000, 6_000), (3, 0, 9e9), (4, 500, 9e9 + 100))[0] == 2_500
    assert count_energy((1, 5_000, 5_000), (2, 7_000, 6_000), (3, 0, 9e9), (4, 500, 9e9 + 100))[1] == 1_100


def test_a_value_that_is_missing_once_loses_nothing() -> None:
    assert count_energy((1, 1_000, None), (2, None, None), (3, 4_000, None)) == (3_000, None)


def test_a_quarter_hour_has_900_seconds() -> None:
    assert QUARTER_HOUR * 96 == 86_400
