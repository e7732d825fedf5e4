"""Drawing: lines and their values, the axis, labels, and the legend."""

from __future__ import annotations

import colorsys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backend_bases import MouseButton, MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.dates import num2date
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Annotation, Text

from enphase_companion.charts import options
from enphase_companion.charts.drawing import Chart, size
from enphase_companion.charts.model import Comparison, Panel, Quantity, Totals, Track, View
from enphase_companion.charts.output import save
from enphase_companion.charts.panel import spread, thin_out
from enphase_companion.charts.style import LIGHT, LOOKS, STYLES, Style
from enphase_companion.charts.time_range import Span, parse, split_into_days

from .conftest import ZURICH
from .helpers import END, START, TIMES, TRACKS, VIEW, WAVE, read_lines

#: Orange and purple of Okabe and Ito's: told apart by everyone, and filled or dashed.
FAINT_ON_WHITE = {
    Quantity.PRODUCTION, Quantity.BATTERY, Quantity.DISCHARGED, Quantity.CHARGED,
    Quantity.SAVED, Quantity.EXPORT_INCOME,
}  # fmt: skip


def draw(view: View = VIEW, **limits: float) -> Chart:
    figure = Figure(size(len(view.panels)))
    FigureCanvasAgg(figure)
    chart = Chart(figure, limits)
    chart.draw(view)
    figure.canvas.draw()
    return chart


def get_texts(chart: Chart) -> list[str]:
    return [text.get_text() for text in chart.figure.findobj(lambda artist: hasattr(artist, "get_text"))]  # type: ignore[attr-defined]


def find_legend_entry(chart: Chart, name: str) -> Text:
    """Return an entry of the legend."""
    (legend,) = chart.figure.findobj(Legend)
    return next(text for text in legend.get_texts() if text.get_text().startswith(name))


def click_legend(chart: Chart, name: str) -> None:
    """Click on an entry of the legend."""
    canvas = chart.figure.canvas
    box = find_legend_entry(chart, name).get_window_extent()
    event = MouseEvent(
        "button_press_event", canvas, (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, MouseButton.LEFT
    )
    canvas.callbacks.process("button_press_event", event)
    canvas.draw()


def test_production_is_above_zero_consumption_below_and_the_grid_is_a_line() -> None:
    axes = draw().panels[0].axes
    found = read_lines(axes)
    seconds = (TIMES // 1000).tolist()
    assert all(times == seconds for times, _ in found.values())
    assert found["Production"][1] == pytest.approx(WAVE.tolist())
    assert found["Consumption"][1] == [-500.0] * TIMES.size
    assert found["Grid"][1] == pytest.approx((WAVE - 500).tolist())
    assert found["Battery"][1] == [0.0] * TIMES.size


def test_the_zero_line_is_the_thickest() -> None:
    axes = draw().panels[0].axes
    zero = next(line for line in axes.lines if np.array_equal(line.get_ydata(), [0, 0]))
    assert zero.get_linewidth() >= max(line.get_linewidth() for line in axes.lines)


def test_axis_labels_below_zero_are_not_negative() -> None:
    axes = draw().panels[0].axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels
    assert not any(label.startswith(("-", "\N{MINUS SIGN}")) for label in labels)
    assert "    kW    " in axes.get_ylabel()


def test_the_axis_label_names_the_directions_of_the_drawn_quantities() -> None:
    assert draw().panels[0].axes.get_ylabel() == (
        "\N{LEFTWARDS ARROW} consumption, import    kW    production, export \N{RIGHTWARDS ARROW}"
    )
    alone = draw(replace(VIEW, panels=[Panel("", {Quantity.PRODUCTION: TRACKS[Quantity.PRODUCTION]})]))
    assert alone.panels[0].axes.get_ylabel() == "kW    production \N{RIGHTWARDS ARROW}"


def test_the_axis_label_does_not_overlap_the_times() -> None:
    chart = draw(replace(VIEW, panels=[Panel("", TRACKS), Panel("L1", TRACKS)]))
    for panel in chart.panels:
        label = panel.axes.yaxis.label.get_window_extent()
        frame = panel.axes.get_window_extent()
        assert frame.y0 <= label.y0
        assert label.y1 <= frame.y1


def test_a_gap_breaks_the_line_and_is_shaded_and_labelled() -> None:
    values = WAVE.copy()
    values[40:50] = np.nan
    gap = Span(int(TIMES[39]), int(TIMES[50]))
    view = replace(VIEW, panels=[Panel("", {Quantity.PRODUCTION: Track(TIMES, values)})], gaps=[gap])
    chart = draw(view)
    assert np.isnan(read_lines(chart.panels[0].axes)["Production"][1][40:50]).all()
    assert "No readings" in get_texts(chart)
    assert "No readings" not in get_texts(draw())


def test_totals_are_written_in_the_chart() -> None:
    shown_texts = get_texts(draw())
    assert {"23.6 kWh", "produced", "4.0 kWh", "imported"} <= set(shown_texts)
    assert any("28 % of the production was used here (self-consumption)" in each for each in shown_texts)
    assert any("63 % of the consumption came from here (self-sufficiency)" in each for each in shown_texts)
    unknown = get_texts(draw(replace(VIEW, totals=Totals(produced=1_000))))
    assert not any("self-" in each or "imported" in each for each in unknown)


def test_the_latest_values_are_written_at_the_ends_of_their_lines() -> None:
    shown_texts = get_texts(draw())
    assert "Consumption 500 W" in shown_texts
    assert "Grid 500 W" in shown_texts, "positive: import, as everywhere"


def test_exported_power_is_negative_in_print_and_drawn_upwards() -> None:
    exporting = {Quantity.NET: Track(TIMES, np.full(TIMES.size, -1_500.0))}
    chart = draw(replace(VIEW, panels=[Panel("", exporting)]))
    assert "Grid \N{MINUS SIGN}1.50 kW" in get_texts(chart)
    assert read_lines(chart.panels[0].axes)["Grid"][1] == [1_500.0] * TIMES.size


def test_line_labels_of_a_past_day_have_no_values() -> None:
    shown_texts = get_texts(draw(replace(VIEW, is_now=False)))
    assert {"Production", "Consumption", "Battery", "Grid"} <= set(shown_texts)
    assert not any(each.startswith(("Consumption ", "Battery 0")) for each in shown_texts)


def test_the_zero_line_does_not_cross_a_label() -> None:
    half = TIMES.size // 2
    ended = {Quantity.BATTERY: Track(TIMES[:half], np.zeros(half))}
    chart = draw(replace(VIEW, panels=[Panel("", ended)]))
    (label,) = (each for each in chart.figure.findobj(Annotation) if each.get_text() == "Battery 0 W")
    box = label.get_bbox_patch()
    assert box is not None
    assert label.get_zorder() > chart.panels[0]._zero.get_zorder()
    # In the row of the zero line, the box of the label has no dark pixels beside the letters.
    pixels = np.asarray(chart.figure.canvas.buffer_rgba())[:, :, :3].astype(int).sum(axis=2)  # type: ignore[attr-defined]
    extent, letters = box.get_window_extent(), label.get_window_extent()
    row = round(pixels.shape[0] - (extent.y0 + extent.y1) / 2)
    right = pixels[row - 1 : row + 2, round(extent.x1) + 4 : round(extent.x1) + 40]
    assert (right.min(axis=0) < 300).all(), "the line continues beside the label"
    gap = pixels[row - 3 : row + 3, round(letters.x1) - 1 : round(extent.x1) - 1]
    assert gap.min() > 600


@pytest.mark.parametrize("inches", [12, 8, 6])
@pytest.mark.parametrize("what", ["trouble", "notes"])
@pytest.mark.slow
def test_a_long_problem_text_is_wrapped_and_complete(what: str, inches: int) -> None:
    reason = (
        "/home/ada/.config/enphase-iq-gateway/gateway.cer: the gateway now shows another certificate "
        f"(SHA-256 {':'.join(['5A'] * 32)}, valid to 2027-07-01), so nothing secret was sent. "
        "If you expected that, trust the new one: enphase-gateway-console --trust"
    )
    view = replace(VIEW, trouble=reason) if what == "trouble" else replace(VIEW, notes=[reason])
    chart = Chart(Figure((inches, 7)), {})
    FigureCanvasAgg(chart.figure)
    chart.draw(view)
    chart.figure.canvas.draw()
    size_ = chart.figure.bbox
    below = [
        text
        for text in chart.figure.texts
        if text.get_window_extent().y1 < chart.panels[0].axes.get_window_extent().y0
    ]
    written = " ".join(text.get_text() for text in below)
    assert written.replace(" ", "").endswith(reason.replace(" ", ""))
    assert "enphase-gateway-console --trust" in written
    for text in below:
        box = text.get_window_extent()
        assert 0 < box.x0 < box.x1 < size_.x1
        assert box.y0 > 0
    times = [label.get_window_extent() for label in chart.panels[0].axes.get_xticklabels()]
    assert max(text.get_window_extent().y1 for text in below) < min(box.y0 for box in times)


def test_steps_are_drawn_as_steps_and_filled_up_to_a_gap() -> None:
    at = START + 300_000 * np.arange(4)
    stepped = {Quantity.PRODUCTION: Track(at, np.array([100.0, 300.0, np.nan, 200.0]), is_stepped=True)}
    axes = draw(replace(VIEW, panels=[Panel("", stepped)])).panels[0].axes
    (line,) = (each for each in axes.lines if each.get_label() == "Production")
    assert line.get_drawstyle() == "steps-post"
    (fill,) = axes.collections
    corners = np.asarray(fill.get_paths()[0].vertices)
    assert {(round(x * 86_400_000), y) for x, y in corners.tolist() if y} == {
        (at[0], 100.0), (at[1], 100.0), (at[1], 300.0), (at[2], 300.0),
    }  # fmt: skip


def test_thinning_a_line_keeps_its_visible_shape() -> None:
    x = np.linspace(0, 1, 86_400)
    y = np.sin(40 * x)
    y[30_000], y[60_000], y[70_000:70_500] = 9.0, -9.0, np.nan
    few_x, few_y = thin_out(x, y, (0.0, 1.0), 1_000)
    assert few_x.size <= 4 * 1_002
    assert (np.diff(few_x) > 0).all()
    assert (np.nanmax(few_y), np.nanmin(few_y)) == (9.0, -9.0)
    assert (few_x[0], few_x[-1]) == (0.0, 1.0)
    broken = few_x[np.isnan(few_y)]
    assert (broken[0], broken[-1]) == (x[70_000], x[70_499])
    assert thin_out(x[:500], y[:500], (0.0, 1.0), 1_000)[0].size == 500
    zoomed, _ = thin_out(x, y, (0.4, 0.402), 1_000)
    assert np.isin(x[(x > 0.4) & (x < 0.402)], zoomed).all(), "a zoomed chart shows every reading"


@pytest.mark.slow
def test_a_live_svg_of_a_day_of_seconds_is_small(tmp_path: Path) -> None:
    times = np.arange(START, START + 86_400_000, 1_000)
    noise = np.random.default_rng(1).normal(1_000, 200, times.size)
    tracks = {
        Quantity.PRODUCTION: Track(times, noise),
        Quantity.CONSUMPTION: Track(times, noise[::-1]),
        Quantity.NET: Track(times, noise - noise[::-1]),
        Quantity.BATTERY: Track(times, noise / 3),
    }
    save(draw(replace(VIEW, panels=[Panel("", tracks)])).figure, tmp_path / "day.svg")
    assert (tmp_path / "day.svg").stat().st_size < 1_000_000


def test_labels_do_not_overlap_and_stay_near_their_lines() -> None:
    assert spread([0, 100, 300], 13) == [0, 100, 300]
    places = spread([100, 100, 101, 102], 13)
    assert np.diff(places).tolist() == pytest.approx([13] * 3)
    assert sum(places) / 4 == pytest.approx(100.75)
    assert spread([], 13) == []


def test_limits_are_lines_with_their_names() -> None:
    chart = draw(peak=4_400.0, continuous=4_100.0)
    found = read_lines(chart.panels[0].axes)
    assert found["peak"][1] == [4_400, 4_400]
    assert found["continuous"][1] == [4_100, 4_100]
    assert {"peak 4.40 kW", "continuous 4.10 kW"} <= set(get_texts(chart))


@pytest.mark.slow
def test_a_click_in_the_legend_hides_a_line_and_a_second_shows_it_again() -> None:
    chart = draw()
    click_legend(chart, "Consumption")
    assert read_lines(chart.panels[0].axes).keys() == {"Production", "Grid", "Battery"}
    chart.draw(VIEW)
    assert "Consumption" not in read_lines(chart.panels[0].axes), "also in the next view"
    click_legend(chart, "Consumption")
    assert "Consumption" in read_lines(chart.panels[0].axes)


def test_a_click_beside_the_legend_does_nothing() -> None:
    chart = draw(replace(VIEW, gaps=[Span(START, START + 1_000_000)]))
    click_legend(chart, "No readings")
    assert len(read_lines(chart.panels[0].axes)) == 4


@pytest.mark.slow
def test_all_lines_may_be_hidden() -> None:
    chart = draw()
    for name in ("Production", "Consumption", "Battery", "Grid"):
        click_legend(chart, name)
    assert read_lines(chart.panels[0].axes) == {}


def test_a_new_view_keeps_the_zoom() -> None:
    chart = draw()
    axes = chart.panels[0].axes
    moved = replace(VIEW, span=Span(START + 3_600_000, END + 3_600_000))
    before = axes.get_xlim()
    chart.draw(moved)
    assert axes.get_xlim()[0] > before[0], "without zoom, the axis follows the view"
    axes.set_xlim(before[0] + 0.1, before[0] + 0.2)
    chart.draw(VIEW)
    assert axes.get_xlim() == (before[0] + 0.1, before[0] + 0.2)


@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 25), ("2026-03-29", 23)])
def test_ticks_are_at_local_hours_on_days_with_a_clock_change(day: str, hours: int) -> None:
    span = parse(day).span(ZURICH, 0)
    axes = draw(replace(VIEW, span=span)).panels[0].axes
    marks = num2date(axes.get_xticks(), tz=ZURICH)  # type: ignore[no-untyped-call]
    assert span.length == hours * 3_600_000
    assert [f"{mark:%H:%M}" for mark in marks] == [
        "00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "00:00",
    ]  # fmt: skip
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels[1:-1] == ["03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"]


def test_daily_bars_are_as_wide_as_their_days_and_labelled() -> None:
    buckets = split_into_days(Span(START - 5 * 86_400_000, START + 10 * 86_400_000), ZURICH)
    starts = np.array([bucket.start for bucket in buckets])
    energies = np.arange(0, 1000 * len(buckets), 1000, dtype=np.float64)
    energies[3] = np.nan
    tracks = {
        Quantity.PRODUCTION: Track(starts, energies),
        Quantity.CONSUMPTION: Track(starts, energies / 2),
        Quantity.NET: Track(starts, -energies / 2),
        Quantity.DISCHARGED: Track(starts, np.full(starts.size, 100.0)),
        Quantity.CHARGED: Track(starts, np.full(starts.size, 200.0)),
    }
    chart = draw(replace(VIEW, panels=[Panel("", tracks)], buckets=buckets))
    axes = chart.panels[0].axes
    production, consumption, discharged, charged = axes.containers
    assert [bar.get_height() for bar in production][:3] == [0, 1000, 2000]
    assert [bar.get_height() for bar in consumption][:3] == [0, -500, -1000]
    assert [bar.get_y() for bar in discharged][:3] == [0, 1000, 2000], "on the production"
    assert [bar.get_y() for bar in charged][:3] == [0, -500, -1000], "below the consumption"
    widths = [bar.get_width() for bar in production]
    assert widths[5] / widths[4] == pytest.approx(25 / 24)
    assert np.isnan(read_lines(axes)["Grid"][1][3])
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert "21 Oct" in labels
    assert "    kWh    " in axes.get_ylabel()


def test_an_outdated_view_is_marked() -> None:
    shown_texts = get_texts(draw(replace(VIEW, trouble="The gateway does not answer.")))
    assert "Not up to date: The gateway does not answer." in shown_texts


def test_an_empty_view_can_be_drawn() -> None:
    chart = draw(replace(VIEW, panels=[Panel("", {})], totals=Totals(), notes=["no readings in this time"]))
    assert "Note: no readings in this time" in get_texts(chart)


@pytest.mark.slow
def test_a_phase_that_appears_gets_a_panel() -> None:
    chart = draw()
    chart.draw(replace(VIEW, panels=[Panel("", TRACKS), Panel("L1", TRACKS)]))
    chart.figure.canvas.draw()
    assert len(chart.panels) == 2
    assert "L1" in get_texts(chart)
    click_legend(chart, "Production")
    assert all("Production" not in read_lines(panel.axes) for panel in chart.panels)


def test_quantities_differ_by_more_than_colour_and_none_is_red_or_green() -> None:
    for one, other in combinations(LOOKS.values(), 2):
        assert (one.line, one.hatch, one.filled) != (other.line, other.hatch, other.filled)
    for look in LOOKS.values():
        hue, saturation, _ = colorsys.rgb_to_hsv(*to_rgb(LIGHT.colour(look)))
        is_red = saturation > 0.5 and (hue < 0.06 or hue > 0.94)
        is_green = saturation > 0.5 and 0.2 < hue < 0.47
        assert not is_red
        assert not is_green


def test_a_smaller_window_keeps_its_chart() -> None:
    chart = draw()
    chart.figure.set_size_inches(6, 4)
    chart.figure.canvas.draw()
    for _ in range(2):
        chart.draw(VIEW)
        chart.figure.canvas.draw()
    box = chart.panels[0].axes.get_position()
    assert box.width > 0.3
    assert box.height > 0.1


def test_repeated_drawing_adds_no_artists() -> None:
    chart = draw(peak=1_000.0)
    before = len(chart.figure.findobj())
    for _ in range(3):
        chart.draw(VIEW)
    chart.figure.canvas.draw()
    assert len(chart.figure.findobj()) == before


@pytest.mark.parametrize(
    ("name", "begins"), [("chart.png", b"\x89PNG"), ("chart.SVG", b"<?xml"), ("chart.pdf", b"%PDF")]
)
def test_a_file_is_written_atomically_in_the_format_of_its_suffix(
    name: str, begins: bytes, tmp_path: Path
) -> None:
    save(draw().figure, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_what_was_before_is_dotted_and_totals_say_the_difference() -> None:
    earlier = {
        Quantity.PRODUCTION: Track(TIMES, WAVE / 2),
        Quantity.CONSUMPTION: TRACKS[Quantity.CONSUMPTION],
    }
    totals = Totals(produced=20_000, consumed=12_000, imported=0, exported=16_900)
    chart = draw(replace(VIEW, comparison=Comparison("The day before", earlier, totals)))
    found = read_lines(chart.panels[0].axes)
    assert found["Production before"][1] == pytest.approx((WAVE / 2).tolist())
    assert found["Consumption before"][1] == [-500.0] * TIMES.size
    assert {"dotted: The day before", "produced +18 %", "consumed \N{MINUS SIGN}10 %", "exported +0 %"} <= {
        *get_texts(chart)
    }
    # Nothing was imported: there is no share of it.
    assert "imported" in get_texts(chart)


def test_bars_of_before_stand_at_the_same_days() -> None:
    days = split_into_days(Span(START, END + 86_400_000), ZURICH)
    starts = np.array([day.start for day in days])
    energy = {Quantity.PRODUCTION: Track(starts, np.array([5_000.0, 6_000.0]))}
    earlier = Comparison("Before", {Quantity.PRODUCTION: Track(starts[:1], np.array([9_000.0]))}, Totals())
    chart = draw(replace(VIEW, panels=[Panel("", energy)], buckets=days, comparison=earlier))
    empty = [bar for bar in chart.panels[0].axes.patches if to_rgba(bar.get_facecolor())[3] == 0]
    assert [bar.get_height() for bar in empty] == [9_000.0]  # type: ignore[attr-defined]
    assert chart.panels[0].axes.get_ylim()[1] > 9_000


def test_the_option_offers_all_styles() -> None:
    assert tuple(STYLES) == options.STYLES


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_words_and_lines_stand_out_from_the_paper(style: Style) -> None:
    """At least 4.5 to 1 for words, and 3 to 1 for lines, as WCAG 2.2 wants it."""
    words = (style.ink, style.faint, style.warning)
    assert min(contrast(colour, style.paper) for colour in words) >= 4.5
    lines = {name: contrast(style.colour(look), style.paper) for name, look in LOOKS.items()}
    assert all(ratio >= 3 for name, ratio in lines.items() if name not in FAINT_ON_WHITE), lines


def test_nothing_of_a_dark_chart_is_drawn_in_colours_of_the_light_one() -> None:
    figure = Figure(size(1))
    FigureCanvasAgg(figure)
    Chart(figure, {"peak": 3000.0}, STYLES["dark"]).draw(replace(VIEW, gaps=[Span(START, START + 3_600_000)]))
    light = {to_rgb(colour) for colour in (STYLES["light"].ink, STYLES["light"].faint, STYLES["light"].paper)}
    texts = [artist for artist in figure.findobj(Text) if artist.get_text() and artist.get_visible()]
    assert len(texts) > 20
    assert not light & {to_rgb(artist.get_color()) for artist in texts}
    assert to_rgb(figure.get_facecolor()) == to_rgb(STYLES["dark"].paper)


def contrast(first: str, second: str) -> float:
    """Return the ratio of the luminances of two colours, as WCAG defines it."""
    low, high = sorted(_luminance(to_rgb(colour)) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: tuple[float, float, float]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
