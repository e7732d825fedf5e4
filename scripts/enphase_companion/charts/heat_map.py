"""A heat map: days across, the hours of the local clock up, power as colour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter

from . import text
from .local_clock import to_clock
from .model import HeatMap, Quantity, Track
from .style import LOOKS, Style
from .time_range import DAY, Span

#: Minutes of a slot.
SLOT = 15
_SLOTS = 24 * 60 // SLOT

#: Most days with a name below.
_MOST_NAMES = 14
#: Hours with a name.
_HOURS = (0, 3, 6, 9, 12, 15, 18, 21, 24)

#: Both are told apart by the colour-blind, and in grey.
_SEQUENTIAL, _DIVERGING = "inferno", "PuOr_r"
#: Signed quantities, and what their ends are.
_ENDS = {Quantity.NET: ("export", "import"), Quantity.BATTERY: ("charging", "discharging")}

#: Watts that the colours span at least.
_LEAST = 100.0


def fold(quantity: Quantity, track: Track | None, span: Span, zone: ZoneInfo) -> HeatMap:
    """Return a track as a heat map of the local days of a span.

    Where the clock is set forward, the hour that is left out shows what was before it; where it is set back,
    the hour that comes twice shows the mean of both.
    """
    first = datetime.fromtimestamp(span.start / 1000, zone).date()
    last = datetime.fromtimestamp((span.end - 1) / 1000, zone).date()
    shape = (_SLOTS, (last - first).days + 1)
    if track is None:
        return HeatMap(quantity, first, np.full(shape, np.nan))
    known = ~np.isnan(track.values)
    local = to_clock(track.times[known], zone)
    days = local // DAY - (first - date(1970, 1, 1)).days
    slots = local % DAY // (SLOT * 60_000)
    inside = (days >= 0) & (days < shape[1])
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (slots[inside], days[inside]), track.values[known][inside])
    np.add.at(counts, (slots[inside], days[inside]), 1)
    with np.errstate(invalid="ignore"):
        values = sums / counts
    for slot, day in _left_out(first, shape[1], zone):
        values[slot, day] = values[max(slot - 1, 0), day]
    return HeatMap(quantity, first, values)


def _left_out(first: date, days: int, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """Yield slot and day of the local times that there are not, in their order."""
    for number in range(days):
        midnight = datetime.combine(first + timedelta(days=number), time(), zone)
        # A day of 24 hours has all of them.
        if midnight.utcoffset() == (midnight + timedelta(days=1)).utcoffset():
            continue
        for slot in range(_SLOTS):
            clock = midnight + timedelta(minutes=slot * SLOT)
            if clock.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != clock.replace(tzinfo=None):
                yield slot, number


class HeatMapDrawing:
    """Draws a heat map into its axes, with a bar of its colours beside it."""

    def __init__(self, axes: Axes, style: Style) -> None:
        self.axes = axes
        self._style = style
        self._bar = axes.inset_axes((1.02, 0.0, 0.018, 1.0))
        axes.set_facecolor(style.blank)
        for each in (axes, self._bar):
            each.tick_params(colors=style.faint, length=0, labelsize=9)
            each.spines[:].set_visible(False)

    def draw(self, heat_map: HeatMap) -> None:
        """Draw it, instead of what was there."""
        for artist in (*self.axes.images, *self._bar.images):
            artist.remove()
        values = heat_map.values / 1000
        image = self.axes.imshow(
            np.ma.masked_invalid(values),
            cmap=colormaps[_DIVERGING if heat_map.quantity in _ENDS else _SEQUENTIAL],
            norm=_scale(values, is_signed=heat_map.quantity in _ENDS),
            aspect="auto",
            origin="lower",
            interpolation="none",
            extent=(0, heat_map.days, 0, 24),
        )
        self._name_days(heat_map)
        self.axes.yaxis.set_major_locator(FixedLocator(_HOURS))
        self.axes.yaxis.set_major_formatter(FuncFormatter(lambda hour, _: f"{hour:02.0f}:00"))
        bar = self.axes.figure.colorbar(image, cax=self._bar)
        bar.outline.set_visible(False)
        below, above = _ENDS.get(heat_map.quantity, ("", ""))
        ends = [f"\N{LEFTWARDS ARROW} {below}"] if below else []
        ends += [f"{LOOKS[heat_map.quantity].name} in kW"]
        ends += [f"{above} \N{RIGHTWARDS ARROW}"] if above else []
        self._bar.set_ylabel("    ".join(ends), color=self._style.faint, fontsize=8.5)

    def _name_days(self, heat_map: HeatMap) -> None:
        days = [heat_map.first_day + timedelta(days=number) for number in range(heat_map.days)]
        if heat_map.days > 2 * _MOST_NAMES:
            named = [number for number, day in enumerate(days) if day.day == 1]
        else:
            named = list(range(0, heat_map.days, -(-heat_map.days // _MOST_NAMES)))
        named = named[:: -(-len(named) // _MOST_NAMES) or 1]
        self.axes.xaxis.set_major_locator(FixedLocator(named))
        self.axes.xaxis.set_major_formatter(
            FixedFormatter([text.short_day(days[number]) for number in named])
        )


def _scale(values: np.ndarray, *, is_signed: bool) -> Normalize:
    least = _LEAST / 1000
    known = values[~np.isnan(values)]
    high = max(float(known.max()) if known.size else 0.0, least)
    if not is_signed:
        return Normalize(0, high)
    # Both directions in one measure: what looks alike is alike.
    widest = max(high, -float(known.min()) if known.size else 0.0)
    return TwoSlopeNorm(0, -widest, widest)
