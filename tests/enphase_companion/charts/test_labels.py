"""No words of a chart over others, in charts of houses and times chosen by chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import BboxBase

from enphase_companion.charts import text
from enphase_companion.charts.drawing import Chart, size
from enphase_companion.charts.load_costs import choose_buckets
from enphase_companion.charts.model import (
    Comparison,
    Costs,
    InverterEnergies,
    Panel,
    Quantity,
    Totals,
    Track,
    View,
)
from enphase_companion.charts.time_range import DAY, Span, parse, split_into_days, split_into_months

from .conftest import local_seconds

pytestmark = pytest.mark.slow

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
RANGES = ["today", "day", "week", "month", "year", "2026-10-25T01:30..2026-10-25T03:30", "2026-03-29"]
NOTE = (
    "import and export are counted by phase, and one phase may import while another exports: both totals are "
    "more than the grid line shows"
)

_POWERS = [Quantity.PRODUCTION, Quantity.CONSUMPTION, Quantity.NET, Quantity.BATTERY]
_ENERGIES = [*_POWERS[:3], Quantity.DISCHARGED, Quantity.CHARGED]


def make_view(chance: random.Random) -> View:
    """Return a view with some meters, phases and gaps, of microwatts to a hundred kilowatts."""
    zone = ZoneInfo(chance.choice(ZONES))
    moment = local_seconds(2026, chance.choice([1, 3, 6, 10]), chance.randint(1, 28), chance.randrange(24))
    span = parse(chance.choice(RANGES)).span(zone, moment)
    buckets: list[Span] = []
    if span.length > 10 * DAY:
        buckets = (split_into_days if span.length < 100 * DAY else split_into_months)(span, zone)
    scale = 10 ** chance.uniform(0, 5)
    names = range(1, 1 + chance.choice([0, 0, 1, 3]))
    panels = [
        Panel(name, _make_tracks(chance, span, buckets, scale)) for name in ("", *map("L{}".format, names))
    ]
    has_comparison = not buckets and chance.random() < 0.4
    return View(
        title=text.format_title(span, zone),
        subtitle=f"Gateway 122300000001 · means of quarter-hours in {zone.key}",
        span=span,
        zone=zone,
        panels=panels,
        totals=_make_totals(chance),
        buckets=buckets,
        comparison=Comparison(
            "Wednesday, 23 September 2026", _make_tracks(chance, span, [], scale), _make_totals(chance)
        )
        if has_comparison
        else None,
        gaps=[Span(span.start, span.start + span.length // 5)] if chance.random() < 0.5 else [],
        notes=[NOTE] * chance.randrange(4),
        is_now=chance.random() < 0.5,
    )


def _make_tracks(
    chance: random.Random, span: Span, buckets: list[Span], scale: float
) -> dict[Quantity, Track]:
    last = span.start + round(span.length * chance.choice([1, chance.uniform(0.01, 1)]))
    times = np.linspace(span.start, last, chance.choice([2, 30, 300])).astype(np.int64)
    if buckets:
        times = np.array([bucket.start for bucket in buckets])
    signed = (Quantity.NET, Quantity.BATTERY)
    return {
        quantity: Track(
            times, np.array([chance.uniform(-1 if quantity in signed else 0, 1) * scale for _ in times])
        )
        for quantity in (_ENERGIES if buckets else _POWERS)
        if chance.random() < 0.8
    }


def _make_totals(chance: random.Random) -> Totals:
    names = ("produced", "consumed", "imported", "exported", "charged", "discharged")
    return Totals(**{name: 10 ** chance.uniform(0, 7) for name in names if chance.random() < 0.9})


def make_costs_view(chance: random.Random) -> View:
    """Return a view of costs of a cent to a hundred thousand, in hours to years."""
    zone = ZoneInfo(chance.choice(ZONES))
    moment = local_seconds(2026, chance.choice([1, 3, 6, 10]), chance.randint(1, 28), 12)
    span = parse(chance.choice([*RANGES, "2019-01-01..2026-12-31"])).span(zone, moment)
    kind, split = choose_buckets(span)
    buckets = split(span, zone)
    starts, scale = np.array([bucket.start for bucket in buckets]), 10 ** chance.uniform(-2, 5)

    def make_tracks() -> dict[Quantity, Track]:
        return {
            quantity: Track(starts, np.array([chance.uniform(-0.2, 1) * scale for _ in buckets]))
            for quantity in (Quantity.SAVED, Quantity.EXPORT_INCOME, Quantity.IMPORT_COST)
            if chance.random() < 0.9
        }

    def make_costs() -> Costs:
        low, middle, high = (chance.uniform(-0.5, 1) * scale * len(buckets) for _ in range(3))
        return Costs(currency="CHF", import_cost=low, export_income=middle, saved=high)

    return View(
        title=text.format_title(span, zone),
        subtitle=f"Gateway 122300000001 · costs of each {kind} in {zone.key}",
        span=span,
        zone=zone,
        panels=[Panel("", make_tracks())],
        totals=_make_totals(chance),
        buckets=buckets,
        costs=make_costs(),
        comparison=Comparison("Wednesday, 23 September 2026", make_tracks(), Totals(), make_costs())
        if chance.random() < 0.4
        else None,
        notes=[NOTE] * chance.randrange(4),
        is_now=False,
    )


@pytest.mark.parametrize(
    ("make", "seed"), [*product([make_view], range(60)), *product([make_costs_view], range(20))]
)
def test_no_words_are_over_others_or_outside(make: Callable[[random.Random], View], seed: int) -> None:
    chance = random.Random(seed)
    view = make(chance)
    figure = Figure(size(len(view.panels)))
    canvas = FigureCanvasAgg(figure)
    Chart(figure, {"peak": 4600.0, "continuous": 3800.0} if chance.random() < 0.3 else {}).draw(view)
    assert len(assert_words_are_apart(canvas)) > 15


@pytest.mark.parametrize("count", [1, 12, 60, 100, 101, 300])
def test_no_words_are_over_others_with_any_number_of_panels(count: int) -> None:
    chance = random.Random(count)
    view = make_view(chance)
    names = [f"4822000{number:05}" for number in range(count)]
    by_day = np.array([[chance.uniform(0, 3000) if chance.random() < 0.9 else np.nan for _ in names]])
    inverters = InverterEnergies(
        names,
        np.array([view.span.start]),
        by_day,
        {name: view.span.start for name in names if chance.random() < 0.2},
    )
    figure = Figure(size(0))
    canvas = FigureCanvasAgg(figure)
    view = replace(
        view, panels=[], buckets=[], comparison=None, gaps=[], inverters=inverters, notes=[NOTE] * 3
    )
    Chart(figure, {}).draw(view)
    assert len(assert_words_are_apart(canvas)) >= min(count, 50)


def assert_words_are_apart(canvas: FigureCanvasAgg) -> list[tuple[str, BboxBase]]:
    """Draw, and return the words, of which none is over another or outside."""
    figure = canvas.figure
    canvas.draw()  # type: ignore[no-untyped-call]
    shown = _find_words(figure)
    for (first, one), (second, other) in combinations(shown, 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        up = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across <= 1 or up <= 1, (first, second)
    width, height = canvas.get_width_height()
    outside = [words for words, box in shown if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height]
    assert not outside
    return shown


def _find_words(figure: Figure) -> list[tuple[str, BboxBase]]:
    """Return the words that are drawn, and where; matplotlib keeps labels of ticks beyond an axis."""
    beyond = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    beyond |= {tick.label1, tick.label2}
    words: list[Text] = figure.findobj(Text)
    # An annotation's own extent includes its arrow.
    return [
        (each.get_text(), Text.get_window_extent(each))
        for each in words
        if each not in beyond and each.get_visible() and each.get_text().strip()
    ]
