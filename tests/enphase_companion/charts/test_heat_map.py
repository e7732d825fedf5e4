"""Heat maps: each value on its local day and time, and unknown ones blank."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from enphase_companion.charts import options
from enphase_companion.charts.drawing import Chart, size
from enphase_companion.charts.heat_map import SLOT, fold
from enphase_companion.charts.model import HeatMap, Quantity, Track, View
from enphase_companion.charts.style import DARK, LIGHT, Style
from enphase_companion.charts.time_range import Range, Span, parse

from .helpers import VIEW

NOW = 1_790_000_000
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]


def fold_hours(days: Range, zone: ZoneInfo, *, minutes: int = 15) -> HeatMap:
    """Return a map of values that are the hour of the local clock."""
    span = days.span(zone, NOW)
    times = np.arange(span.start, span.end, minutes * 60_000)
    clock = [hour_of_day(at, zone) for at in times.tolist()]
    return fold(Quantity.PRODUCTION, Track(times, np.array(clock)), span, zone)


def hour_of_day(at: int, zone: ZoneInfo) -> float:
    moment = datetime.fromtimestamp(at / 1000, zone)
    return moment.hour + moment.minute / 60


@pytest.mark.parametrize("zone", ZONES)
def test_a_value_is_at_its_local_time_all_the_year(zone: str) -> None:
    found = fold_hours(parse("2026-01-01..2026-12-31"), ZoneInfo(zone))
    assert (found.first_day, found.days, found.slots) == (date(2026, 1, 1), 365, 24 * 60 // SLOT)
    assert not found.has_gaps
    expected = np.arange(found.slots) * SLOT / 60
    usual = np.all(np.isclose(found.values, expected[:, np.newaxis]), axis=0)
    # But for the day on which a time is left out.
    assert usual.sum() >= 364


@pytest.mark.parametrize(
    ("zone", "day", "hour"), [("Europe/Berlin", "2026-03-29", 2), ("America/New_York", "2026-03-08", 2)]
)
def test_the_hour_that_is_left_out_shows_what_was_before(zone: str, day: str, hour: int) -> None:
    found = fold_hours(parse(day), ZoneInfo(zone))
    first = hour * 60 // SLOT
    assert not found.has_gaps
    assert set(found.values[first : first + 60 // SLOT, 0]) == {hour - 0.25}
    assert found.values[first + 60 // SLOT, 0] == hour + 1


def test_the_hour_that_comes_twice_shows_the_mean_of_both() -> None:
    zone = ZoneInfo("Europe/Berlin")
    span = parse("2026-10-25").span(zone, NOW)
    times = np.arange(span.start, span.end, 900_000)
    values = np.zeros(times.size)
    values[8:12], values[12:16] = 1000, 3000
    found = fold(Quantity.PRODUCTION, Track(times, values), span, zone)
    assert found.values[8:12, 0].tolist() == [2000] * 4
    assert np.delete(found.values[:, 0], range(8, 12)).tolist() == [0] * 92


def test_what_is_unknown_or_outside_is_blank() -> None:
    zone = ZoneInfo("Europe/Berlin")
    span = parse("2026-06-01..2026-06-02").span(zone, NOW)
    times = np.array([span.start - 1, span.start, span.start + 900_000, span.end])
    found = fold(Quantity.PRODUCTION, Track(times, np.array([1.0, np.nan, 5.0, 2.0])), span, zone)
    assert found.has_gaps
    assert np.argwhere(~np.isnan(found.values)).tolist() == [[1, 0]]


def test_a_quantity_that_nothing_measures_is_blank() -> None:
    assert np.isnan(fold(Quantity.BATTERY, None, VIEW.span, VIEW.zone).values).all()


def draw(heat_map: HeatMap, style: Style = LIGHT) -> Figure:
    figure = Figure(size(0))
    FigureCanvasAgg(figure)
    view: View = replace(VIEW, panels=[], heat_map=heat_map, gaps=[])
    chart = Chart(figure, {}, style)
    chart.draw(view)
    chart.draw(view)
    figure.canvas.draw()
    return figure


def texts(figure: Figure) -> list[str]:
    return [artist.get_text() for artist in figure.findobj(Text) if artist.get_visible()]


@pytest.mark.parametrize("style", [LIGHT, DARK])
def test_a_year_is_drawn_with_months_hours_and_its_unit(style: Style) -> None:
    found = draw(fold_hours(parse("2026-01-01..2026-12-31"), VIEW.zone), style)
    shown = texts(found)
    assert {"1 Jan", "1 Jul", "1 Dec", "00:00", "12:00", "24:00", "Production in kW"} <= {*shown}
    assert "No readings" not in shown
    # The map and the bar of its colours, each once.
    assert [len(axes.images) for axes in found.axes] == [1]


def test_a_week_has_a_name_for_each_day() -> None:
    shown = texts(draw(fold_hours(parse("2026-06-01..2026-06-07"), VIEW.zone)))
    assert {f"{day} Jun" for day in range(1, 8)} <= {*shown}


def test_export_and_import_have_colours_of_the_same_measure() -> None:
    span = Span(VIEW.span.start, VIEW.span.end)
    times = np.arange(span.start, span.end, 900_000)
    track = Track(times, np.where(np.arange(times.size) % 2 == 0, -4000.0, 500.0))
    figure = draw(fold(Quantity.NET, track, span, VIEW.zone))
    (image,) = figure.axes[0].images
    assert image.get_clim() == (-4.0, 4.0)
    assert any("export" in text and "import" in text for text in texts(figure))


def test_a_night_without_power_is_drawn_in_the_darkest_colour() -> None:
    span = parse("2026-06-01").span(VIEW.zone, NOW)
    times = np.arange(span.start, span.end, 900_000)
    (image,) = (
        draw(fold(Quantity.PRODUCTION, Track(times, np.zeros(times.size)), span, VIEW.zone)).axes[0].images
    )
    assert image.get_clim() == (0.0, 0.1)


def test_gaps_have_an_entry_in_the_legend() -> None:
    shown = texts(draw(fold(Quantity.PRODUCTION, None, VIEW.span, VIEW.zone)))
    assert "No readings" in shown


def test_the_option_names_quantities() -> None:
    names = {"net" if name == "grid" else name for name in options.HEAT_MAPS}
    assert names <= {*Quantity}
