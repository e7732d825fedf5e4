"""A view of a day, the data of drawn lines, and a backend without a screen."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import num2date

from enphase_companion.charts.model import Panel, Quantity, Totals, Track, View
from enphase_companion.charts.time_range import Span

from .conftest import ZURICH, local_seconds

BACKEND = "module://tests.enphase_companion.charts.window_backend"

START, END = local_seconds(2026, 10, 25) * 1000, local_seconds(2026, 10, 26) * 1000
TIMES = np.arange(START, END, 900_000)
WAVE = 2000 * np.sin(np.linspace(0, np.pi, TIMES.size))

TRACKS = {
    Quantity.PRODUCTION: Track(TIMES, WAVE),
    Quantity.CONSUMPTION: Track(TIMES, np.full(TIMES.size, 500.0)),
    Quantity.NET: Track(TIMES, 500 - WAVE),
    Quantity.BATTERY: Track(TIMES, np.zeros(TIMES.size)),
}
VIEW = View(
    title="A day",
    subtitle="Gateway 1",
    span=Span(START, END),
    zone=ZURICH,
    panels=[Panel("", TRACKS)],
    totals=Totals(produced=23_600, consumed=10_800, imported=4_000, exported=16_900),
)


def read_lines(axes: Axes) -> dict[str, tuple[list[int], list[float]]]:
    """Return the times (seconds since the epoch) and values (W or Wh) of the drawn lines by name."""
    found = {}
    for line in axes.lines:
        if not str(line.get_label()).startswith("_"):
            times = num2date(line.get_xdata())  # type: ignore[no-untyped-call]
            values = np.asarray(line.get_ydata(), dtype=float).tolist()
            found[str(line.get_label())] = ([round(time.timestamp()) for time in times], values)
    return found
