"""One part of a chart: lines or daily bars, a strong zero line, limits, gaps, and the latest values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..units import power
from .style import BLANK, FAINT, GRID, INK, LOOKS, PAPER, Look
from .views import Floats, Panel, Quantity, Times, Track, View

#: Watts (or Wh) that the vertical axis shows at least.
_LEAST = 100.0
#: What is read at a glance: bars with white between them.
_BAR = 0.78
#: Milliseconds; a day of another length than 24 hours is drawn no wider.
_DAY = 86_400_000
#: Points of a label's height.
_LINE_HEIGHT = 13.0


def on_axis(times: Times) -> Floats:
    """Give times (milliseconds since the epoch) as matplotlib counts them."""
    found: Floats = date2num(times.astype("datetime64[ms]"))  # type: ignore[no-untyped-call]
    return found


class PanelDrawing:
    """Draws one panel into its axes, as often as there is something new."""

    def __init__(self, axes: Axes, limits: Mapping[str, float]) -> None:
        """`limits`: lines across, in W, by name."""
        self.axes = axes
        self._limits = limits
        self._drawn: list[Artist] = []
        axes.set_facecolor(PAPER)
        axes.grid(visible=True, color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=FAINT, length=0, labelsize=9)
        axes.spines[:].set_visible(False)
        self._zero = axes.axhline(0, color=INK, linewidth=1.8, zorder=3)

    def draw(self, panel: Panel, view: View, hidden: Collection[Quantity]) -> None:
        """Draw it, in the place of what was there."""
        for artist in self._drawn:
            artist.remove()
        self._drawn.clear()
        shown = {quantity: track for quantity, track in panel.tracks.items() if quantity not in hidden}
        self._draw_gaps(view)
        if view.by_day:
            extremes = self._draw_days(shown)
        else:
            extremes = [self._draw_line(LOOKS[quantity], track) for quantity, track in shown.items()]
            extremes += [self._draw_limit(name, watts) for name, watts in self._limits.items()]
        self._scale(extremes, "Wh" if view.by_day else "W")
        self._set_clock(view)
        if panel.name:
            self._keep(self._write(0.008, 0.9, panel.name, size=11, weight="bold"))
        if not view.by_day:
            self._draw_latest(shown, is_old=view.trouble is not None)

    def _keep(self, *artists: Artist) -> None:
        self._drawn += artists

    def _write(self, x: float, y: float, text: str, **look: Any) -> Artist:
        return self.axes.text(
            x,
            y,
            text,
            transform=self.axes.transAxes,
            color=INK,
            va="top",
            zorder=6,
            path_effects=_HALO,
            **look,
        )

    def _draw_gaps(self, view: View) -> None:
        for gap in view.gaps:
            start, end = on_axis(np.array([gap.start, gap.end]))
            self._keep(
                self.axes.axvspan(
                    start, end, facecolor=BLANK, edgecolor="#DADADA", hatch="\\\\\\", linewidth=0, zorder=0.5
                )
            )

    def _draw_line(self, look: Look, track: Track) -> Floats:
        x, y = on_axis(track.times), look.sign * track.values
        if look.filled:
            self._keep(
                self.axes.fill_between(
                    x, y, 0, facecolor=(look.colour, 0.35), edgecolor=(look.colour, 0.55),
                    hatch=look.hatch, linewidth=0, zorder=2,
                )
            )  # fmt: skip
        (line,) = self.axes.plot(
            x, y, color=look.colour, linestyle=look.line, linewidth=look.width, label=look.name, zorder=4
        )
        self._keep(line)
        return y

    def _draw_days(self, shown: Mapping[Quantity, Track]) -> list[Floats]:
        """Draw bars up and down, the battery's on those of sun and home, and the grid as a line."""
        extremes = []
        heaps: dict[tuple[int, int], float] = {}
        for quantity, track in shown.items():
            look = LOOKS[quantity]
            values = look.sign * track.values
            if not look.filled:
                (line,) = self.axes.plot(
                    on_axis(track.times + _DAY // 2), values, color=look.colour, linestyle=look.line,
                    linewidth=look.width, label=look.name, zorder=4,
                    marker="o" if track.times.size <= 62 else None, markersize=3.5,
                )  # fmt: skip
                self._keep(line)
                extremes.append(values)
                continue
            known = ~np.isnan(values)
            times, values = track.times[known], values[known]
            bottoms = np.array([heaps.get((look.sign, int(day)), 0.0) for day in times])
            tops = bottoms + values
            heaps |= {(look.sign, int(day)): top for day, top in zip(times, tops, strict=True)}
            bars = self.axes.bar(
                on_axis(times + _DAY // 2), values, width=_BAR, bottom=bottoms, facecolor=(look.colour, 0.75),
                edgecolor=(look.colour if look.hatch is None else PAPER, 0.9), hatch=look.hatch, linewidth=0,
                label=look.name, zorder=2,
            )  # fmt: skip
            self._keep(*bars)
            extremes.append(tops)
        return extremes

    def _draw_limit(self, name: str, watts: float) -> Floats:
        self._keep(
            self.axes.axhline(
                watts, color=FAINT, linewidth=1.2, linestyle="--" if name == "peak" else ":", zorder=3,
                label=name,
            ),
            self.axes.annotate(
                f"{name} {power(watts)}", (0.005, watts), xycoords=("axes fraction", "data"), xytext=(0, 3),
                textcoords="offset points", color=FAINT, fontsize=8, path_effects=_HALO, zorder=6,
            ),
        )  # fmt: skip
        return np.array([watts])

    def _scale(self, extremes: list[Floats], unit: str) -> None:
        known = np.concatenate([np.zeros(1), *extremes])
        low, high = float(np.nanmin(known)), float(np.nanmax(known))
        margin = max(0.06 * (high - low), _LEAST / 2)
        self.axes.set_ylim(low - margin if low < 0 else -margin / 2, high + margin)
        kilo = max(high, -low) >= 1000
        # Below the line too: what goes down is no less than nothing.
        self.axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{abs(value) / (1000 if kilo else 1):,g}")
        )
        self.axes.yaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
        self._keep(
            self.axes.annotate(
                f"k{unit}" if kilo else unit, (0, 1), xycoords="axes fraction", xytext=(-6, -1),
                textcoords="offset points", ha="right", va="top", color=FAINT, fontsize=9, weight="bold",
            )
        )  # fmt: skip

    def _set_clock(self, view: View) -> None:
        """Write local times; the places of the marks are found on the local clock, whenever it is changed."""
        locator = AutoDateLocator(tz=view.zone, minticks=5, maxticks=10)  # type: ignore[no-untyped-call]
        day = "%d %b" if view.by_day else "%a %d"
        self.axes.xaxis.set_major_locator(locator)
        self.axes.xaxis.set_major_formatter(
            ConciseDateFormatter(  # type: ignore[no-untyped-call]
                locator, tz=view.zone, show_offset=False,
                formats=["%Y", "%b", day, "%H:%M", "%H:%M", "%S.%f"],
                zero_formats=["", "%b %Y", "%b" if view.by_day else "%a %d", "%a %d", "%H:%M", "%H:%M"],
            )
        )  # fmt: skip

    def _draw_latest(self, shown: Mapping[Quantity, Track], *, is_old: bool) -> None:
        """Mark the end of each line with its value; labels that would lie on one another make room."""
        ends = []
        for quantity, track in shown.items():
            known = np.flatnonzero(~np.isnan(track.values))
            if known.size:
                value = float(track.values[known[-1]])
                x = float(on_axis(track.times[known[-1:]])[0])
                ends.append((LOOKS[quantity].sign * value, x, value, LOOKS[quantity]))
        ends.sort(key=lambda end: end[0])
        height = self.axes.get_window_extent().height * 72 / self.axes.figure.dpi
        low, high = self.axes.get_ylim()
        places = spread([(y - low) / (high - low) * height for y, *_ in ends], _LINE_HEIGHT)
        for place, (y, x, value, look) in zip(places, ends, strict=True):
            shift = place - (y - low) / (high - low) * height
            colour = FAINT if is_old else INK
            self._keep(
                *self.axes.plot([x], [y], "o", color=look.colour, markersize=5, zorder=5, clip_on=False),
                self.axes.annotate(
                    f"{look.name} {power(value)}", (x, y), xytext=(8, shift), textcoords="offset points",
                    va="center", color=colour, fontsize=8.5, path_effects=_HALO, zorder=6,
                    arrowprops={"arrowstyle": "-", "color": look.colour, "linewidth": 0.8, "shrinkA": 0},
                ),
            )  # fmt: skip


_HALO = [withStroke(linewidth=2.5, foreground=PAPER)]


def spread(places: list[float], distance: float) -> list[float]:
    """Give ascending places, moved apart until no two are closer than `distance`."""
    heaps: list[list[float]] = []
    for place in places:
        heaps.append([place])
        while len(heaps) > 1 and _edges(heaps[-2], distance)[1] > _edges(heaps[-1], distance)[0]:
            last = heaps.pop()
            heaps[-1] += last
    result: list[float] = []
    for heap in heaps:
        first = _edges(heap, distance)[0] + distance / 2
        result += [first + number * distance for number in range(len(heap))]
    return result


def _edges(heap: list[float], distance: float) -> tuple[float, float]:
    middle, half = sum(heap) / len(heap), len(heap) * distance / 2
    return middle - half, middle + half
